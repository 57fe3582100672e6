import {
  lstatSync,
  mkdirSync,
  mkdtempDisposableSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll } from 'vitest';
import { makePackagings, type Packagings } from '../../tools/packagings.ts';

export const ROOT = resolve(import.meta.dirname, '../..');
/** The Node that the project pins: fit for the plugin, whatever the machine has. */
export const NODE = join(ROOT, 'node_modules/node/bin/node');

/** Files by path, below some folder. */
export type FileTree = Readonly<Record<string, string>>;
/** What to make at a path: a file's text or bytes, a file of so many zeros, or a link. */
export type NewFile = string | Uint8Array | { readonly zeros: number } | { readonly linkTo: string };
export type NewTree = Readonly<Record<string, NewFile>>;

export function writeTree(folder: string, files: NewTree): void {
  for (const [name, file] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    if (typeof file === 'string' || file instanceof Uint8Array) writeFileSync(path, file);
    else if ('linkTo' in file) symlinkSync(file.linkTo, path);
    else {
      writeFileSync(path, '');
      truncateSync(path, file.zeros);
    }
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

let made: Promise<Packagings> | undefined;

/** Both packagings of the present sources, made once for each test file. */
export function packagings(): Promise<Packagings> {
  made ??= makePackagings(temporaryFolder('packagings').path);
  return made;
}

const present = new Set<Disposable>();

// What a test that failed left behind, and what a whole file shares.
afterAll(() => {
  for (const folder of present) folder[Symbol.dispose]();
});

export interface TemporaryFolder extends Disposable {
  readonly path: string;
}

/** A temporary folder with files in it; at the latest it is removed after the last test of the file. */
export function temporaryFolder(name: string, files: NewTree = {}): TemporaryFolder {
  const { path, remove } = mkdtempDisposableSync(join(tmpdir(), `${name}-`));
  writeTree(path, files);
  const folder: TemporaryFolder = {
    path,
    [Symbol.dispose]: () => {
      if (present.delete(folder)) remove();
    },
  };
  present.add(folder);
  return folder;
}
