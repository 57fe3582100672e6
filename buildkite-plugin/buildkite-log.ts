import { gray, green, quoted, red, yellow } from '../shared/host/colours.ts';
import type { Log, Section } from '../shared/host/host.ts';
import { plainText } from '../shared/remote-text.ts';

// Groups that a reader wants to see without a click are open (+++), the others closed.
const GROUPS: Readonly<Record<Section, string>> = {
  identity: '--- :closed_lock_with_key:',
  submit: '--- :rocket:',
  wait: '+++ :hourglass_flowing_sand:',
  request: '--- :mag:',
  cancel: '+++ :octagonal_sign:',
  result: '+++ :checkered_flag:',
  error: '+++ :x:',
};

/** A log for Buildkite: groups, links, and nothing at the beginning of a line that could open a group by accident. */
export function buildkiteLog(write: (text: string) => void, debug: boolean): Log {
  const line = (text: string) => write(`${text}\n`);
  return {
    section: (kind, title) => line(`${GROUPS[kind]} ${plainText(title).replaceAll('\n', ' ')}`),
    info: (text) => line(`  ${keepLinks(text)}`),
    success: (text) => line(green(`✔ ${plainText(text)}`)),
    warning: (text) => line(yellow(`⚠ ${plainText(text)}`)),
    error: (text) => line(red(`✖ ${plainText(text)}`)),
    debug: (text) => {
      if (debug) line(gray(`· ${plainText(text)}`));
    },
    remote: (lines) => write(quoted(lines)),
    link,
  };
}

// https://buildkite.com/docs/pipelines/configure/links-and-images-in-log-output
function link(url: string): string {
  const field = plainText(url).replace(
    /[\\';\n]/g,
    (character) => `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
  return `\u001b]1339;url='${field}';content='${field}'\u0007`;
}

const LINK = /\u001b\]1339;url='[^'\u0007\u001b]*';content='[^'\u0007\u001b]*'\u0007/g;

/** Removes control sequences but for the links that `link` made. */
function keepLinks(text: string): string {
  const links = text.match(LINK) ?? [];
  const parts = text.split(LINK).map(plainText);
  return parts.map((part, index) => part + (links[index] ?? '')).join('');
}
