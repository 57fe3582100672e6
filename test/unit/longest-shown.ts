/** What is left of a text for a reader who joins its lines: no controls, nothing invisible, no white space, no rulers, no entities. */
export function joinedLines(text: string): string {
  return text
    .replace(/&#(\d+);/g, (_all, code: string) => String.fromCodePoint(Number(code)))
    .replace(/\u001b\[[\d;]*m/g, '')
    .replace(/[\p{Cc}\p{Cf}\p{M}\s│]/gu, '');
}

/** The length of the longest run of characters that a text shares with what should not be in it. */
export function longestShown(hidden: string, seen: string): number {
  let longest = 0;
  for (let from = 0; from < hidden.length; from += 1)
    while (from + longest < hidden.length && seen.includes(hidden.slice(from, from + longest + 1))) longest += 1;
  return longest;
}
