import { createHash } from 'node:crypto';
import pMap from 'p-map';
import { SubmitError } from '../../errors.ts';
import type { Files } from '../../files.ts';
import type { Session } from '../../identity/session.ts';
import { plainLine } from '../../remote-text.ts';
import type { OutputFile } from './build-output.ts';
import { amountOf, progress } from './progress.ts';

/** A file with what the service knows its contents by. */
export interface HashedFile extends OutputFile {
  /** SHA-1, in hex. */
  readonly sha: string;
}

/** Files are read a part at a time, so this bounds the memory. */
const HASHED_AT_ONCE = 8;

/**
 * Reads every file once and gives it its SHA-1. Of a symbolic link, the contents are where it leads.
 * @throws SubmitError `invalid-settings` when a file cannot be read or changed since it was listed.
 */
export async function hashFiles(
  list: readonly OutputFile[],
  files: Files,
  { clock, log, signal }: Pick<Session, 'clock' | 'log' | 'signal'>,
): Promise<readonly HashedFile[]> {
  const report = progress('hashed', amountOf(list), clock, log);
  const hashed = async (file: OutputFile): Promise<HashedFile> => {
    signal.throwIfAborted();
    const hash = createHash('sha1');
    for await (const chunk of contents(file, files)) hash.update(chunk);
    report({ files: 1, bytes: file.bytes });
    return { ...file, sha: hash.digest('hex') };
  };
  return pMap(list, hashed, { concurrency: HASHED_AT_ONCE });
}

/**
 * A file's bytes as they are sent: as many as were listed, never more.
 * @throws SubmitError `invalid-settings` as `hashFiles`.
 */
export async function* contents(file: OutputFile, files: Files): AsyncIterable<Uint8Array> {
  let bytes = 0;
  for await (const chunk of file.link === undefined ? stream(file, files) : [new TextEncoder().encode(file.link)]) {
    bytes += chunk.byteLength;
    // What is being written to may have no end, and a body with more than was announced would run into the next request.
    if (bytes > file.bytes) throw changed(file);
    yield chunk;
  }
  if (bytes !== file.bytes) throw changed(file);
}

async function* stream(file: OutputFile, files: Files): AsyncIterable<Uint8Array> {
  try {
    yield* files.stream(file.path);
  } catch (error) {
    throw new SubmitError('invalid-settings', {
      happened: `${plainLine(file.path, 200)} cannot be read: ${plainLine(error instanceof Error ? error.message : 'unknown fault', 200)}`,
      remedy: ['Check the rights of the files that the build made, and that nothing removes them in the meantime.'],
    });
  }
}

/** The error for a file that is not what it was when it was listed. */
export function changed({ path }: OutputFile): SubmitError {
  return new SubmitError('invalid-settings', {
    happened: `${plainLine(path, 200)} changed while it was being deployed`,
    remedy: ['Let the build end before this step begins, and nothing write to its output afterwards.'],
  });
}
