import { execFileSync } from 'node:child_process';
import { cpSync, lstatSync, mkdirSync, mkdtempDisposableSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll } from 'vitest';
import { type BUNDLES, bundle } from '../../tools/bundle.ts';

export const ROOT = resolve(import.meta.dirname, '../..');
/** The Node that the project pins: fit for the plugin, whatever the machine has. */
export const NODE = join(ROOT, 'node_modules/node/bin/node');

/** Files by path, below some folder. */
export type FileTree = Readonly<Record<string, string>>;

export function writeTree(folder: string, files: FileTree): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

/** Every regular file in some folders below a folder; links are not followed. */
export function readTree(root: string, folders: readonly string[]): FileTree {
  const paths = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((path) => join(folder, path)),
  );
  const files = paths.filter((path) => lstatSync(join(root, path)).isFile());
  return Object.fromEntries(files.map((path) => [path, readFileSync(join(root, path), 'utf8')]));
}

/** Copies what a clone of the working tree would hold: no dependency, nothing that git ignores, no bundle of before. */
export function cloneWorkingTree(target: string): void {
  const list = execFileSync('git', ['-C', ROOT, 'ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    encoding: 'utf8',
  });
  for (const path of list.split('\0')) {
    const isFile = lstatSync(join(ROOT, path), { throwIfNoEntry: false })?.isFile() === true;
    if (isFile && !path.startsWith('buildkite-plugin/dist/')) cpSync(join(ROOT, path), join(target, path));
  }
}

const bundles = new Map<string, Promise<string>>();

/** The folder of a bundle of the present sources, built once for each test file. */
export function bundled(name: keyof typeof BUNDLES): Promise<string> {
  const known = bundles.get(name);
  if (known !== undefined) return known;
  const folder = mkdtempDisposableSync(join(tmpdir(), `${name}-bundle-`));
  afterThisFile.push(() => folder.remove());
  const built = bundle(name, folder.path).then(() => folder.path);
  bundles.set(name, built);
  return built;
}

const afterThisFile: (() => void)[] = [];
afterAll(() => {
  for (const clean of afterThisFile) clean();
});
