import { KEY_SHAPES } from './key-shapes.ts';
import { type Reading, readingsOf, unescaped, withoutLineBeginnings } from './reading.ts';

/** Of a secret that is longer, no such many characters in a row may be seen; shorter ones are looked for as a whole. */
export const PIECE = 16;
/** Shorter ones are looked for exactly as they are: with spaces among them, ordinary words would be taken for one. */
const SHORTEST_SPREAD = 8;
/** With punctuation among them too, fewer letters and digits would be taken for one. */
const SHORTEST_LETTERS = 12;
/** Still shorter ones could be any word. */
const SHORTEST = 4;

/** Parts of a text by UTF-16 offsets, the end excluded, in order and apart from each other. */
export type Ranges = readonly { readonly from: number; readonly to: number }[];

/** Knows secrets, and finds them and their parts in text. */
interface SecretIndex {
  learn(secret: string): void;
  /** Takes time in proportion to the text, however many secrets are known. */
  find(text: string): Ranges;
}

/**
 * An index of all pieces of all secrets that it learns. They are found as they are and base64-encoded (RFC 4648, at each alignment)
 * or in hexadecimal digits, escaped for JSON, addresses and pages, and with white space, rulers, times or punctuation in between.
 */
export function createSecretIndex(): SecretIndex {
  const exact = pieceSets();
  const dense = pieceSets();
  const letters = pieceSets();
  const known = new Set<string>();

  const learnForm = (form: string, isEncoded: boolean): void => {
    const reading = plainReading(form);
    const spread = symbols(reading, visibleUnit).units;
    if (spread.length < SHORTEST) return;
    if (spread.length < SHORTEST_SPREAD) {
      exact.add(symbols(reading, anyUnit).units, form.length);
      return;
    }
    const folded = symbols(reading, letterUnit).units;
    if (folded.length >= SHORTEST_LETTERS) letters.add(folded, Math.min(folded.length, PIECE));
    // Of an encoded secret the few signs among the letters make no difference.
    if (folded.length < PIECE || (!isEncoded && folded.length < spread.length))
      dense.add(spread, Math.min(spread.length, PIECE));
  };

  return {
    learn: (secret) => {
      if (known.has(secret)) return;
      known.add(secret);
      for (const form of plainForms(secret)) learnForm(form, false);
      for (const form of encodedForms(secret)) learnForm(form, true);
    },
    find: (text) => {
      const found: { from: number; to: number }[] = [];
      const mark = (from: number, to: number) => void found.push({ from, to });
      for (const reading of readingsOf(text)) {
        for (const { index, 0: match } of reading.text.matchAll(KEY_SHAPES))
          mark(reading.from[index] ?? 0, reading.to[index + match.length - 1] ?? 0);
        if (known.size === 0) continue;
        exact.search(symbols(reading, anyUnit), mark);
        dense.search(symbols(reading, visibleUnit), mark);
        letters.search(symbols(reading, letterUnit), mark);
        const words = withoutLineBeginnings(reading);
        if (words !== reading) letters.search(symbols(words, letterUnit), mark);
      }
      return merged(found);
    },
  };
}

/** A secret as it is, and without the escapes that it seems to hold: in a text that is escaped they are undone with the others. */
function plainForms(secret: string): ReadonlySet<string> {
  const once = unescaped(secret);
  return new Set([secret, once, unescaped(once)]);
}

/** A secret in base64 and in hexadecimal digits. */
function encodedForms(secret: string): ReadonlySet<string> {
  const bytes = Buffer.from(secret.toWellFormed(), 'utf8');
  const encoded = [0, 1, 2].flatMap((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    // Without the characters that bytes before or after it have a part in.
    const own = text.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6));
    return [own, own.replaceAll('+', '-').replaceAll('/', '_')];
  });
  const hex = bytes.toString('hex');
  return new Set([...encoded, hex, hex.toUpperCase()]);
}

/** The units of a reading that count, with their places. */
interface Symbols {
  readonly units: Uint16Array;
  readonly from: Uint32Array;
  readonly to: Uint32Array;
}

/** A unit as it is compared, or 0 when it does not count. */
type UnitOf = (unit: number) => number;

const anyUnit: UnitOf = (unit) => unit;
/** No white space, combining marks or rulers. */
const visibleUnit: UnitOf = (unit) =>
  unit <= 0x20 || unit === 0xa0 || (unit >= 0x300 && unit < 0x370) || (unit >= 0x2500 && unit < 0x2580) ? 0 : unit;
const letterUnit: UnitOf = (unit) => {
  if (unit >= 0x61 && unit <= 0x7a) return unit;
  if (unit >= 0x41 && unit <= 0x5a) return unit + 0x20;
  if (unit >= 0x30 && unit <= 0x39) return unit;
  // Beyond ASCII, all but signs, combining marks, punctuation, arrows and rulers.
  return unit < 0xc0 || (unit >= 0x300 && unit < 0x370) || (unit >= 0x2000 && unit < 0x2c00) || unit >= 0xfff9
    ? 0
    : unit;
};

function symbols({ text, from, to }: Reading, unitOf: UnitOf): Symbols {
  const units = new Uint16Array(text.length);
  const starts = new Uint32Array(text.length);
  const ends = new Uint32Array(text.length);
  let length = 0;
  for (let at = 0; at < text.length; at += 1) {
    const unit = unitOf(text.charCodeAt(at));
    if (unit === 0) continue;
    units[length] = unit;
    starts[length] = from[at] ?? 0;
    ends[length] = to[at] ?? 0;
    length += 1;
  }
  return { units: units.subarray(0, length), from: starts.subarray(0, length), to: ends.subarray(0, length) };
}

function plainReading(text: string): Reading {
  const places = new Uint32Array(text.length);
  return { text, from: places, to: places };
}

/** Fingerprints of pieces, by their length. */
interface PieceSets {
  /** Adds every piece of that length. */
  add(units: Uint16Array, length: number): void;
  search(within: Symbols, mark: (from: number, to: number) => void): void;
}

function pieceSets(): PieceSets {
  const byLength = new Map<number, Set<number>>();
  return {
    add: (units, length) => {
      const set = byLength.get(length) ?? new Set();
      byLength.set(length, set);
      fingerprints(units, length, (_at, print) => set.add(print));
    },
    search: ({ units, from, to }, mark) => {
      for (const [length, set] of byLength) {
        let first = -1;
        let last = -1;
        fingerprints(units, length, (at, print) => {
          if (!set.has(print)) return;
          if (first >= 0 && at > last) mark(from[first] ?? 0, to[last - 1] ?? 0);
          if (first < 0 || at > last) first = at;
          last = at + length;
        });
        if (first >= 0) mark(from[first] ?? 0, to[last - 1] ?? 0);
      }
    },
  };
}

const BASES = [0x01_00_01_93, 0x27_d4_eb_2f] as const;

/**
 * The rolling hash of each piece of `length` units (Rabin and Karp), two of 32 bits in one number of 53. Pieces that are equal have the same; that
 * others do too by chance is so rare that it does not matter when they are taken for a secret.
 */
function fingerprints(units: Uint16Array, length: number, each: (at: number, print: number) => void): void {
  const [base, otherBase] = BASES;
  let power = 1;
  let otherPower = 1;
  for (let count = 0; count < length; count += 1) {
    power = Math.imul(power, base);
    otherPower = Math.imul(otherPower, otherBase);
  }
  let hash = 0;
  let other = 0;
  for (let at = 0; at < units.length; at += 1) {
    const added = units[at] ?? 0;
    const dropped = at < length ? 0 : (units[at - length] ?? 0);
    hash = (Math.imul(hash, base) + added - Math.imul(power, dropped)) | 0;
    other = (Math.imul(other, otherBase) + added - Math.imul(otherPower, dropped)) | 0;
    if (at >= length - 1) each(at - length + 1, (hash >>> 0) * 0x20_00_00 + (other >>> 11));
  }
}

function merged(found: readonly { from: number; to: number }[]): Ranges {
  const ranges: { from: number; to: number }[] = [];
  for (const range of found.toSorted((left, right) => left.from - right.from)) {
    const last = ranges.at(-1);
    if (last !== undefined && range.from <= last.to) last.to = Math.max(last.to, range.to);
    else ranges.push({ ...range });
  }
  return ranges;
}
