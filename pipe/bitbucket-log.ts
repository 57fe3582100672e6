import type { Log } from '../shared/host/host.ts';
import { plainText } from '../shared/remote-text.ts';

const paint = (code: number) => (text: string) => `\u001b[${code}m${text}\u001b[0m`;
const bold = paint(1);
const red = paint(31);
const green = paint(32);
const yellow = paint(33);
const blue = paint(34);
const gray = paint(90);

/** A log for Bitbucket: plain lines, with colours although there is no terminal. */
export function bitbucketLog(write: (text: string) => void, debug: boolean): Log {
  const line = (text: string) => write(`${text}\n`);
  return {
    section: (_kind, title) => line(`\n${bold(blue(`▸ ${plainText(title)}`))}`),
    info: (text) => line(`  ${plainText(text)}`),
    success: (text) => line(green(`✔ ${plainText(text)}`)),
    warning: (text) => line(yellow(`WARNING: ${plainText(text)}`)),
    error: (text) => line(red(`✖ ${plainText(text)}`)),
    debug: (text) => {
      if (debug) line(gray(`DEBUG: ${plainText(text)}`));
    },
    remote: (lines) => {
      for (const text of lines) for (const part of plainText(text).split('\n')) line(`  ${gray('│')} ${part}`);
    },
    link: (url) => url,
  };
}
