import { blue, bold, gray, green, quoted, red, yellow } from '../shared/host/colours.ts';
import type { Log } from '../shared/host/host.ts';
import { plainText } from '../shared/remote-text.ts';

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
    remote: (lines) => write(quoted(lines)),
    link: (url) => url,
  };
}
