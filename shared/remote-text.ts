/**
 * Text that came from a service or a job (error messages, log tails) is data: it must not move the cursor, set a link,
 * open a log group of the CI or become markup.
 */

// A carriage return ends a line, and so do the separators of Unicode. OSC/DCS/APC/PM/SOS strings go with their payload, then CSI
// sequences and two-character escapes (ECMA-48). An unterminated string ends with its line; a single C1 character is mostly text in
// another encoding, so it begins a string only if that has an end. The last are the other controls, and what has no shape of its
// own: zero-width characters, bidirectional overrides, variation selectors, tags.
const UNSEEN =
  /\r\n?|[\u2028\u2029]|\u001b[\]PX^_][^\u0007\u001b\u009c\n]*(?:\u0007|\u001b\\|\u009c)?|[\u009d\u0090\u0098\u009e\u009f][^\u0007\u001b\u0080-\u009f\n]{0,4096}(?:\u0007|\u001b\\|\u009c)|(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]?|\u001b[ -/]*[0-~]?|[\u0000-\u0008\u000b-\u001f\u007f-\u009f\ufff9-\ufffb]|\p{Default_Ignorable_Code_Point}/gu;

/** What a text loses before it is shown, with what is shown for each such part: a line feed, or nothing. */
export const UNSEEN_PARTS = {
  pattern: UNSEEN,
  shown: (part: string): string => (/^[\r\u2028\u2029]/.test(part) ? '\n' : ''),
} as const;

/** Removes control sequences and characters that cannot be seen; tabs and line feeds stay, a carriage return ends a line. */
export function plainText(text: string): string {
  return text.replace(UNSEEN, UNSEEN_PARTS.shown);
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
  const all = withoutTrailing(end, '\n').split('\n');
  const tail = all.slice(-lines);
  const cut = text.length > limit * 2 || all.length > tail.length;
  return cut ? ['… (earlier output left out)', ...tail] : tail;
}

/** A web address that came with an answer; undefined when there is none, or it holds what no address has (RFC 3986, section 2). */
export function webAddress(text: string | undefined): string | undefined {
  return text !== undefined && /^https?:\/\/[\w.~:/?#[\]@!$&()*+,;=%-]{1,4000}$/.test(text) ? text : undefined;
}

/** Plain text as HTML text: no tag, no entity, no Markdown emphasis, link or table can come of it. */
export function escapeMarkup(text: string): string {
  return text.replace(/[&<>"'`|*_[\]()#~!\\:@]/g, (character) => `&#${character.codePointAt(0)};`);
}

/** The text without any `character` at its end. A pattern such as `/x+$/` takes quadratic time on a text with many of them. */
export function withoutTrailing(text: string, character: string): string {
  let end = text.length;
  while (end > 0 && text[end - 1] === character) end -= 1;
  return text.slice(0, end);
}
