import { PREFECT } from '../simulators/prefect-tenant.ts';
import { DATABRICKS } from '../simulators/tenant.ts';

/** Hosts of the pages that steps point at. */
export const PAGE_HOSTS = [
  'console.cloud.google.com',
  DATABRICKS.host,
  'app.prefect.cloud',
  PREFECT.serverHost,
  'vercel.com',
  'github.com',
];

/** The colours of both packagings, and Buildkite's links to pages that the packagings themselves name. */
const OWN_COLOUR = /\u001b\[(?:0|1|31|32|33|34|90)m/g;
const OWN_LINK = new RegExp(
  `\u001b\\]1339;url='https://(?:${PAGE_HOSTS.join('|').replaceAll('.', '\\.')})/[^'\\s]*';content='[^'\u0007\u001b]*'\u0007`,
  'g',
);

/** A log as people read it: without the packagings' own colours and links. */
export function readable(output: string): string {
  return output.replace(OWN_LINK, (link) => link.slice(link.indexOf("content='") + 9, -2)).replace(OWN_COLOUR, '');
}

/** Control characters and bidirectional overrides that are not the packagings' own, each with what follows. */
export function foreignControls(output: string): readonly string[] {
  const found = readable(output).matchAll(
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069].{0,30}/g,
  );
  return [...found].map(([text]) => JSON.stringify(text));
}

/** Lines that Buildkite takes for the head of a group, or for the order to open one. */
export function groupLines(output: string): readonly string[] {
  return readable(output)
    .split(/[\n\r]/)
    .filter((line) => /^\s*(?:---|\+\+\+|~~~|\^\^\^)/.test(line));
}

/** The texts that are missing from a log, or stand before the ones that they should follow. */
export function missingInOrder(output: string, texts: readonly string[]): readonly string[] {
  const log = readable(output);
  let from = 0;
  return texts.filter((text) => {
    const at = log.indexOf(text, from);
    if (at >= 0) from = at + text.length;
    return at < 0;
  });
}
