import { UNSEEN_PARTS } from '../remote-text.ts';

/** A text as it can be read, with the part of the original (UTF-16 offsets, the end excluded) that each of its units stands for. */
export interface Reading {
  readonly text: string;
  readonly from: Uint32Array;
  readonly to: Uint32Array;
}

// Percent-encoding (RFC 3986, section 2.1) of one UTF-8 character each, the escapes of JSON strings (RFC 8259, section 7) and of
// programming languages, character references of HTML, and the plus sign of a form.
const ESCAPED =
  /%[0-7][\da-f]|%[cd][\da-f]%[89ab][\da-f]|%e[\da-f](?:%[89ab][\da-f]){2}|%f[0-7](?:%[89ab][\da-f]){3}|%[\da-f]{2}|\\u[\da-f]{4}|\\u\{[\da-f]{1,6}\}|\\x[\da-f]{2}|\\[0-3][0-7]{2}|\\[\s\S]|&(?:#\d{1,7}|#x[\da-f]{1,6}|amp|lt|gt|quot|apos|nbsp);|\+/gi;
/** A value may be escaped in JSON that is escaped in JSON again, or percent-encoded twice. */
const MOST_LEVELS = 3;

// What stands before the words of a log line: an indent, a ruler, a time, a level.
const LINE_BEGINNING =
  /^[^\S\n]*[│|>#*-]{0,3}[^\S\n]*(?:\[?(?:\d{4}[-/]\d\d[-/]\d\d[T ]?)?(?:\d\d:\d\d(?::\d\d)?(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?\]?[^\S\n]*)?(?:[[(<]?\b(?:TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|CRITICAL|FATAL)\b[\])>]?[^\S\n]*[:|-]?)?[^\S\n]*/gm;

const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' };

/** The ways to read a text: as it is, as it looks when it is shown, and with its escapes undone level by level. */
export function readingsOf(text: string): readonly Reading[] {
  // Parts of an escape stand for the whole of it, so that nothing is ever cut inside of one.
  const written = rewritten(asWritten(text), ESCAPED, (part) => part);
  const levels = levelsOf(written, (reading) => reading);
  // Control sequences may be escaped themselves.
  return levels.every((level) => seen(level) === level) ? levels : [...levels, ...levelsOf(seen(written), seen)];
}

/** The same without what begins the lines of a log. */
export function withoutLineBeginnings(reading: Reading): Reading {
  return rewritten(reading, LINE_BEGINNING, () => '');
}

/** The text with one level of escapes undone. */
export function unescaped(text: string): string {
  return text.replace(ESCAPED, characterOf);
}

function levelsOf(first: Reading, next: (reading: Reading) => Reading): readonly Reading[] {
  const levels = [first];
  for (let level = first; levels.length <= MOST_LEVELS; ) {
    const inner = next(rewritten(level, ESCAPED, characterOf));
    if (inner.text === level.text) break;
    levels.push(inner);
    level = inner;
  }
  return levels;
}

function seen(reading: Reading): Reading {
  return rewritten(reading, UNSEEN_PARTS.pattern, UNSEEN_PARTS.shown);
}

function asWritten(text: string): Reading {
  const from = new Uint32Array(text.length);
  const to = new Uint32Array(text.length);
  for (let at = 0; at < text.length; at += 1) {
    from[at] = at;
    to[at] = at + 1;
  }
  return { text, from, to };
}

/** Puts other text in the place of each match; it stands for what the whole match stood for. */
function rewritten(reading: Reading, pattern: RegExp, replace: (part: string) => string): Reading {
  const { text, from, to } = reading;
  const parts: string[] = [];
  const newFrom = new Uint32Array(text.length);
  const newTo = new Uint32Array(text.length);
  let length = 0;
  let done = 0;
  const keepUntil = (end: number) => {
    if (end === done) return;
    parts.push(text.slice(done, end));
    newFrom.set(from.subarray(done, end), length);
    newTo.set(to.subarray(done, end), length);
    length += end - done;
  };
  for (const match of text.matchAll(pattern)) {
    const [part] = match;
    if (part === '') continue;
    keepUntil(match.index);
    done = match.index + part.length;
    const replacement = replace(part);
    parts.push(replacement);
    newFrom.fill(from[match.index] ?? 0, length, length + replacement.length);
    newTo.fill(to[done - 1] ?? 0, length, length + replacement.length);
    length += replacement.length;
  }
  if (done === 0) return reading;
  keepUntil(text.length);
  return { text: parts.join(''), from: newFrom.subarray(0, length), to: newTo.subarray(0, length) };
}

/** What an escape stands for; never more units than it has itself. */
function characterOf(written: string): string {
  if (written === '+') return ' ';
  if (written.startsWith('%')) return percentDecoded(written);
  if (written.startsWith('&')) {
    const name = written.slice(1, -1);
    if (!name.startsWith('#')) return NAMED[name.toLowerCase()] ?? written;
    return fromCodePoint(/^#x/i.test(name) ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1)), written);
  }
  const digits = /^\\[ux]\{?([\da-f]+)\}?$/i.exec(written)?.[1];
  if (digits !== undefined) return fromCodePoint(Number.parseInt(digits, 16), written);
  if (/^\\[0-3][0-7]{2}$/.test(written)) return String.fromCharCode(Number.parseInt(written.slice(1), 8));
  if (written === '\\e') return '\u001b';
  return /[bfnrtv0]/.test(written[1] ?? '') ? ' ' : written.slice(1);
}

function fromCodePoint(point: number, written: string): string {
  return point <= 0x10_ff_ff ? String.fromCodePoint(point) : written;
}

function percentDecoded(written: string): string {
  try {
    return decodeURIComponent(written);
  } catch {
    // Not UTF-8: one byte is then one character.
    return written.replace(/%(..)/g, (_all, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
  }
}
