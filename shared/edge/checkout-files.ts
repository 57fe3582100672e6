import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { access, type FileHandle, lstat, mkdir, open, readdir, readlink, realpath, rename, rm } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import type { FileEntry, Files } from '../files.ts';
import { plainLine } from '../remote-text.ts';

/** The files below `root`, and nothing outside, whatever links lead there. Only plain files are read and written. */
export function checkoutFiles(root: string): Files {
  return {
    read: (path, limitBytes) =>
      orProblem(path, async () => {
        await using file = await openPlain(root, path);
        const chunks: Uint8Array[] = [];
        let bytes = 0;
        for await (const chunk of chunksOf(file)) {
          bytes += chunk.byteLength;
          // Counted while reading: the file may grow, and some kinds of file do not tell their size.
          if (bytes > limitBytes) {
            const { size } = await file.stat();
            const found = mebibytes(Math.max(size, bytes));
            throw new Refusal(`has ${found} MiB; at most ${mebibytes(limitBytes)} are read`);
          }
          chunks.push(chunk);
        }
        return { text: new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)) };
      }),
    list: (directory) =>
      orProblem(directory, async () => {
        const base = await realpath(root);
        const top = inside(base, await realpath(resolve(base, directory)));
        if (!(await lstat(top)).isDirectory()) throw new Refusal('is not a directory');
        return { entries: await entriesBelow(top) };
      }),
    entry: (path) =>
      orProblem(path, async () => {
        const base = await realpath(root);
        const whole = resolve(base, path);
        // Links on the way are followed; the file may be one itself.
        const target = inside(base, join(await realpath(dirname(whole)), basename(whole)));
        const info = await lstat(target);
        if (!info.isSymbolicLink()) requirePlain(info);
        return entryAt(target, path, info);
      }),
    stream: async function* (path) {
      try {
        await using file = await openPlain(root, path);
        yield* chunksOf(file);
      } catch (error) {
        throw new Error(problemOf(path, error, 'read'));
      }
    },
    writeProblem: async (path) => {
      try {
        const { directory } = await placeOf(root, path, 'leave');
        await access(directory, constants.W_OK | constants.X_OK);
        return undefined;
      } catch (error) {
        return problemOf(path, error, 'written');
      }
    },
    write: async (path, text) => {
      try {
        const { directory, name } = await placeOf(root, path, 'make');
        await replaceFile(join(directory, name), text);
      } catch (error) {
        throw new Error(problemOf(path, error, 'written'));
      }
    },
  };
}

/** What was read, or why it cannot be. */
function orProblem<T>(path: string, reading: () => Promise<T>): Promise<T | { readonly problem: string }> {
  return reading().catch((error: unknown) => ({ problem: problemOf(path, error, 'read') }));
}

const STREAM_CHUNK_BYTES = 256 * 1024;
/** Room to find the end in, or what was added since. */
const END_BYTES = 1024;

/** Why a path is not used, in words that follow the path. */
class Refusal extends Error {}

function inside(base: string, path: string): string {
  const way = relative(base, path);
  if (way === '' || !(way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way))) return path;
  throw new Refusal('is outside the checkout');
}

interface FileKind {
  isFile(): boolean;
  isDirectory(): boolean;
}

function requirePlain(info: FileKind): void {
  if (info.isFile()) return;
  throw new Refusal(info.isDirectory() ? 'is a directory' : 'is not a file');
}

/** Opens a plain file, without ever waiting: a FIFO without a writer would block `open` forever. */
async function openPlain(root: string, path: string): Promise<FileHandle> {
  const base = await realpath(root);
  const target = inside(base, await realpath(resolve(base, path)));
  const file = await open(target, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    requirePlain(await file.stat());
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function* chunksOf(file: FileHandle): AsyncIterable<Uint8Array> {
  const { size } = await file.stat();
  let read = 0;
  for (;;) {
    // By what is left of the file: thousands of small ones would else take a large buffer each.
    const chunk = Buffer.allocUnsafe(Math.min(STREAM_CHUNK_BYTES, Math.max(size - read, END_BYTES)));
    const { bytesRead } = await file.read(chunk, 0, chunk.length);
    if (bytesRead === 0) return;
    read += bytesRead;
    yield chunk.subarray(0, bytesRead);
  }
}

/**
 * The directory that a file is written into, without links, and the file's name. Each step on the way is checked before the
 * next one is taken or made, since a link may lead out of the checkout. Where missing directories are left, the last one that
 * exists is returned.
 */
async function placeOf(
  root: string,
  path: string,
  missing: 'make' | 'leave',
): Promise<{ readonly directory: string; readonly name: string }> {
  const base = await realpath(root);
  const target = inside(base, resolve(base, path));
  const name = basename(target);
  let directory = base;
  for (const step of relative(base, dirname(target)).split(sep).filter(Boolean)) {
    const next = join(directory, step);
    if (missing === 'make') await mkdir(next).catch(ignoring('EEXIST'));
    else if ((await lstat(next).catch(ignoring('ENOENT'))) === undefined) return { directory, name };
    directory = inside(base, await realpath(next));
    if (!(await lstat(directory)).isDirectory())
      throw new Refusal(`leads through ${plainLine(step, 100)}, which is not a directory`);
  }
  const info = await lstat(join(directory, name)).catch(ignoring('ENOENT'));
  if (info?.isSymbolicLink() === true) throw new Refusal('is a symbolic link');
  if (info !== undefined) requirePlain(info);
  return { directory, name };
}

/** For `catch`: a fault of this one code is none. */
function ignoring(code: string): (error: unknown) => undefined {
  return (error) => {
    if (codeOf(error) !== code) throw error;
  };
}

/** Puts a new file at the path. What was there is not opened: it may be linked to from elsewhere. */
async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = join(dirname(path), `.keyless-submit-${randomUUID()}`);
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  try {
    {
      await using file = await open(temporary, flags, 0o644);
      await file.writeFile(text);
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function entriesBelow(top: string): Promise<readonly FileEntry[]> {
  const found = await readdir(top, { recursive: true, withFileTypes: true });
  const entries: FileEntry[] = [];
  for (const item of found) {
    if (item.isDirectory()) continue;
    const whole = join(item.parentPath, item.name);
    const info = await lstat(whole);
    if (!info.isDirectory()) entries.push(await entryAt(whole, relative(top, whole).split(sep).join('/'), info));
  }
  return entries.sort((left, right) => (left.path < right.path ? -1 : 1));
}

async function entryAt(
  whole: string,
  path: string,
  info: { readonly mode: number; readonly size: number; isSymbolicLink(): boolean },
): Promise<FileEntry> {
  const link = info.isSymbolicLink() ? { link: await readlink(whole) } : {};
  return { path, mode: info.mode, bytes: info.size, ...link };
}

function mebibytes(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(1);
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function problemOf(given: string, error: unknown, done: 'read' | 'written'): string {
  const path = plainLine(given, 200);
  if (error instanceof Refusal) return `${path} ${error.message}`;
  const code = codeOf(error);
  if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return `${path} is not UTF-8 text`;
  if (code === 'ENOENT' || code === 'ENOTDIR') return `${path} does not exist in the checkout`;
  // Opening a socket fails with this.
  if (code === 'ENXIO') return `${path} is not a file`;
  if (code === 'EACCES' || code === 'EPERM') return `${path} may not be ${done}`;
  return `${path} cannot be ${done} (${code === '' ? 'unknown fault' : code})`;
}
