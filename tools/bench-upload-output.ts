import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface OutputSize {
  readonly files: number;
  readonly bytes: number;
}

const FOLDER_OF = 100;

/**
 * Writes a build to deploy: so many files, sizes evenly from half to one and a half of the average, no two with the same
 * contents, the same ones each time.
 */
export function writeLargeOutput(checkout: string, { files, bytes }: OutputSize): void {
  const output = join(checkout, '.vercel/output');
  const config = '{"version":3,"routes":[{"handle":"filesystem"}]}';
  const write = (path: string, contents: string | Uint8Array) => {
    mkdirSync(dirname(join(output, path)), { recursive: true });
    writeFileSync(join(output, path), contents);
  };
  write('config.json', config);
  const assets = files - 1;
  const average = (bytes - config.length) / assets;
  let written = 0;
  for (let index = 0; index < assets; index += 1) {
    // Each boundary is rounded, not each size, so that the sum is exact.
    const until = sumOfSizes(index + 1, assets, average);
    write(`static/assets/${Math.floor(index / FOLDER_OF)}/chunk-${index}.js`, noise(index + 1, until - written));
    written = until;
  }
}

/** The size of the first files together. They grow from half to one and a half of the average. */
function sumOfSizes(count: number, all: number, average: number): number {
  return Math.round(average * (0.5 * count + (count * count) / (2 * all)));
}

/** Bytes that look random, by Marsaglia's xorshift. */
function noise(seed: number, bytes: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(bytes / 4));
  let state = Math.imul(seed, 0x9e3779b9) | 1;
  for (let at = 0; at < words.length; at += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[at] = state;
  }
  return new Uint8Array(words.buffer, 0, bytes);
}
