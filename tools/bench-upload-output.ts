import { createCipheriv } from 'node:crypto';
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
    const until = Math.round(average * (index + 1) * (0.5 + (index + 1) / (2 * assets)));
    write(`static/assets/${Math.floor(index / FOLDER_OF)}/chunk-${index}.js`, noise(index + 1, until - written));
    written = until;
  }
}

/** Bytes that look random, the same for the same seed: a stream cipher's. */
function noise(seed: number, bytes: number): Uint8Array {
  const iv = Buffer.alloc(16);
  iv.writeUInt32BE(seed);
  return createCipheriv('aes-128-ctr', Buffer.alloc(16), iv).update(Buffer.alloc(bytes));
}
