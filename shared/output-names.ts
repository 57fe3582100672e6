import type { Outputs } from './host.ts';

/** `duration-seconds` as `KEYLESS_DURATION_SECONDS`. */
export function variableName(output: string): string {
  return `KEYLESS_${output.toUpperCase().replaceAll('-', '_')}`;
}

/** Outputs as a file for `. file` in a shell: single-quoted, so that nothing in a value is ever run. */
export function shellFile(outputs: Outputs): string {
  return Object.entries(outputs)
    .map(([name, value]) => `export ${variableName(name)}='${value.replaceAll('\0', '').replaceAll("'", "'\\''")}'\n`)
    .join('');
}

/** Where the shell file of an outputs file is. */
export function shellPath(outputsFile: string): string {
  return outputsFile.replace(/\.json$/, '.env');
}
