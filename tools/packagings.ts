import { execFile } from 'node:child_process';
import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { bundle } from './bundle.ts';

const ROOT = join(import.meta.dirname, '..');

/** Where both packagings lie, as CI gets them: without sources to run or node_modules. */
export interface Packagings {
  /** The pipe's bundle: what its image runs. */
  readonly pipe: string;
  /** The plugin's root: what an agent clones. */
  readonly plugin: string;
}

/** Makes both packagings from this checkout, with bundles of the sources as they are now. */
export async function makePackagings(folder: string): Promise<Packagings> {
  const pipe = join(folder, 'pipe');
  const plugin = join(folder, 'keyless-submit-buildkite-plugin');
  await Promise.all([bundle('pipe', pipe), copyTrackedFiles(plugin)]);
  await bundle('buildkite-plugin', join(plugin, 'buildkite-plugin/dist'));
  return { pipe: join(pipe, 'main.mjs'), plugin };
}

async function copyTrackedFiles(target: string): Promise<void> {
  await mkdir(target, { recursive: true });
  const tracked = await promisify(execFile)('git', ['ls-files', '-z'], { cwd: ROOT }).then(
    ({ stdout }) => stdout.split('\0').filter((path) => path !== ''),
    (): string[] => [],
  );
  // Sources that came as an archive have no history to ask; the hooks are all that runs besides the bundle.
  const files = tracked.includes('hooks/command') ? tracked : ['hooks'];
  for (const path of files) {
    await cp(join(ROOT, path), join(target, path), { recursive: true }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
  }
}
