/**
 * Text that came from a service or a job (error messages, log tails) is data: it must not move the cursor, set a link,
 * open a log group of the CI or become markup.
 */

// OSC/DCS/APC/PM/SOS strings with their payload, CSI sequences, then two-character escapes (ECMA-48). An unterminated string
// ends with its line; a single C1 character is mostly text in another encoding, so it begins a string only if that has an end.
const CONTROL_STRING =
  /\u001b[\]PX^_][^\u0007\u001b\u009c\n]*(?:\u0007|\u001b\\|\u009c)?|[\u009d\u0090\u0098\u009e\u009f][^\u0007\u001b\u009c\n]{0,4096}(?:\u0007|\u001b\\|\u009c)/g;
const CONTROL_SEQUENCE = /(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]?/g;
const ESCAPE = /\u001b[ -/]*[0-~]?/g;
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;
// Bidirectional overrides reorder what a reader sees.
const BIDI = /[\u202a-\u202e\u2066-\u2069\u200e\u200f]/g;

/** Removes control sequences; tabs and line feeds stay, a carriage return ends a line. */
export function plainText(text: string): string {
  return text
    .replace(CONTROL_STRING, '')
    .replace(CONTROL_SEQUENCE, '')
    .replace(ESCAPE, '')
    .replace(/\r\n?/g, '\n')
    .replace(CONTROL, '')
    .replace(BIDI, '');
}

/** Plain text on one line of at most `limit` characters. */
export function plainLine(text: string, limit = 500): string {
  const line = plainText(text.slice(0, limit * 8))
    .replace(/\s+/g, ' ')
    .trim();
  return line.length > limit ? `${line.slice(0, limit - 1)}…` : line;
}

/** The last `lines` lines of a text, within `limit` characters, plain. Says how much was left out. */
export function plainTail(text: string, lines = 40, limit = 8000): readonly string[] {
  // Only the end is looked at, so that megabytes of log cost nothing; twice the limit leaves room for what is stripped.
  const end = plainText(text.slice(-limit * 2)).slice(-limit);
  const all = end.replace(/\n+$/, '').split('\n');
  const tail = all.slice(-lines);
  const cut = text.length > limit * 2 || all.length > tail.length;
  return cut ? ['… (earlier output left out)', ...tail] : tail;
}

/** Plain text as HTML text: no tag, no entity, no Markdown emphasis, link or table can come of it. */
export function escapeMarkup(text: string): string {
  return text.replace(/[&<>"'`|*_[\]()#~!\\:@]/g, (character) => `&#${character.codePointAt(0)};`);
}
