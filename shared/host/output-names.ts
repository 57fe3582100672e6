import type { Outputs } from './host.ts';

/** `duration-seconds` as `KEYLESS_DURATION_SECONDS`. */
export function variableName(output: string): string {
  return `KEYLESS_${output.toUpperCase().replaceAll('-', '_')}`;
}

/** Linux takes no environment variable of more than 128 KiB, and then starts no program at all. */
const LONGEST_VARIABLE = 100_000;

/** Outputs as a file for `. file` in a shell: single-quoted, so that nothing in a value is ever run. Too long ones are left out. */
export function shellFile(outputs: Outputs): string {
  return Object.entries(outputs)
    .filter(([, value]) => Buffer.byteLength(value) <= LONGEST_VARIABLE)
    .map(([name, value]) => `export ${variableName(name)}='${value.replaceAll('\0', '').replaceAll("'", "'\\''")}'\n`)
    .join('');
}

/** Where the shell file of an outputs file is. */
export function shellPath(outputsFile: string): string {
  return outputsFile.replace(/\.json$/, '.env');
}
