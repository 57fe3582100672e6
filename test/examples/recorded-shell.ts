import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AZURE } from '../simulators/brokers-tenant.ts';
import { GOOGLE } from '../simulators/tenant.ts';
import type { Fence } from './markdown.ts';

/** A command line that a page tells its reader to run, after bash has read it. */
export interface Call {
  readonly heading: string;
  readonly words: readonly string[];
  readonly flags: Readonly<Record<string, string>>;
}

const END_OF_CALL = '\u001e';

// Stand in for the vendors' programs: they record how they were called, and answer what later commands build on.
const STAND_INS = `
record() { printf '%s\\0' "$SECTION" "$@" '${END_OF_CALL}' >>"$CALLS"; }
gcloud() {
  record gcloud "$@"
  if [[ "$1 $2" == 'projects describe' ]]; then echo ${GOOGLE.projectNumber}; fi
}
databricks() { record databricks "$@"; }
aws() { record aws "$@"; }
vault() {
  if [[ "\${!#}" == - ]]; then record vault "\${@:1:$#-1}" --stdin "$(cat)"; else record vault "$@"; fi
}
az() {
  record az "$@"
  if [[ "$1 $2 $3" == 'ad app create' ]]; then echo ${AZURE.clientId}; fi
  if [[ "$1 $2" == 'keyvault show' ]]; then echo "/vaults/$4"; fi
}
`;

/** Runs a page's shell blocks one after the other in one bash, and tells what they called. */
export function callsOf(blocks: readonly Fence[]): readonly Call[] {
  const folder = mkdtempSync(join(tmpdir(), 'keyless-submit-calls-'));
  try {
    const file = join(folder, 'calls');
    writeFileSync(file, '');
    const script = blocks.map(({ heading, text }) => `SECTION='${heading.replaceAll("'", '')}'\n${text}`).join('\n');
    execFileSync('bash', ['--norc', '-euo', 'pipefail', '-c', STAND_INS + script], {
      env: { PATH: process.env.PATH, CALLS: file },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const records = readFileSync(file, 'utf8').split(`\0${END_OF_CALL}\0`);
    return records.filter((record) => record !== '').map((record) => readCall(record.split('\0')));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const SWITCHES = new Set(['--active']);

function readCall([heading = '', ...args]: readonly string[]): Call {
  const words: string[] = [];
  const flags: Record<string, string> = {};
  for (let index = 0; index < args.length; index += 1) {
    const word = args[index] ?? '';
    const [, name, value] = /^--([\w-]+)(?:=([\s\S]*))?$/.exec(word) ?? [];
    if (name === undefined) words.push(word);
    else if (value !== undefined || SWITCHES.has(word)) flags[name] = value ?? '';
    else {
      index += 1;
      flags[name] = args[index] ?? '';
    }
  }
  return { heading, words, flags };
}

/** The calls whose words begin with `start`. */
export function callsTo(calls: readonly Call[], start: string): readonly Call[] {
  return calls.filter(({ words }) => `${words.join(' ')} `.startsWith(`${start} `));
}
