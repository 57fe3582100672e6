import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder that is gone when this process ends: by itself, or with `exitCode` when it is interrupted. */
export function temporaryFolder(name: string, exitCode = 130): string {
  const folder = mkdtempSync(join(tmpdir(), `keyless-submit-${name}-`));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(exitCode));
  return folder;
}
