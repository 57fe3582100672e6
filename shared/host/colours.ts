import { plainText } from '../remote-text.ts';

/** ANSI colours, for logs that show them although there is no terminal. */
const paint = (code: number) => (text: string) => `\u001b[${code}m${text}\u001b[0m`;
export const bold = paint(1);
export const red = paint(31);
export const green = paint(32);
export const yellow = paint(33);
export const blue = paint(34);
export const gray = paint(90);

/** Untrusted texts as lines that are harmless and set apart. */
export function quoted(texts: readonly string[]): string {
  return texts
    .flatMap((text) => plainText(text).split('\n'))
    .map((line) => `  ${gray('│')} ${line}\n`)
    .join('');
}
