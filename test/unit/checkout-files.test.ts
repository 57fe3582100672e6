import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { network } from '../../shared/edge/network.ts';
import { checkoutFiles } from '../../shared/edge/node.ts';
import { createHttp } from '../../shared/http.ts';
import { virtualClock } from '../contract/virtual-clock.ts';
import { serve } from '../simulators/serve.ts';

const folder = await mkdtemp(join(tmpdir(), 'keyless-files-'));
afterAll(() => rm(folder, { recursive: true }));
const checkout = join(folder, 'checkout');
await mkdir(join(checkout, 'out/deep'), { recursive: true });
await mkdir(join(folder, 'elsewhere'));
await writeFile(join(checkout, 'out/b.txt'), 'bee');
await writeFile(join(checkout, 'out/deep/a.js'), 'run()');
await chmod(join(checkout, 'out/deep/a.js'), 0o755);
await symlink('deep/a.js', join(checkout, 'out/a.link'));
await symlink('../..', join(checkout, 'out/up'));
await symlink(join(folder, 'elsewhere'), join(checkout, 'away'));
await writeFile(join(checkout, 'large.bin'), Buffer.alloc(5_000_000, 'x'));
const files = checkoutFiles(checkout);

async function bytesOf(path: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of files.stream(path)) chunks.push(chunk);
  return Buffer.concat(chunks).toString('latin1');
}

test('a directory is listed with modes and sizes, and its links are not followed', async () => {
  expect(await files.list('out')).toEqual({
    entries: [
      { path: 'a.link', mode: 0o120777, bytes: 9, link: 'deep/a.js' },
      { path: 'b.txt', mode: 0o100644, bytes: 3 },
      { path: 'deep/a.js', mode: 0o100755, bytes: 5 },
      { path: 'up', mode: 0o120777, bytes: 5, link: '../..' },
    ],
  });
});

test.each([
  ['nowhere', 'nowhere does not exist in the checkout'],
  ['large.bin', 'large.bin is not a directory'],
  ['away', 'away is outside the checkout'],
  ['..', '.. is outside the checkout'],
])('%s cannot be listed', async (path, problem) => {
  expect(await files.list(path)).toEqual({ problem });
});

test('a file is read a part at a time, and only where it is in the checkout', async () => {
  expect(await bytesOf('out/deep/a.js')).toBe('run()');
  expect(await bytesOf('out/a.link')).toBe('run()');
  await expect(bytesOf('out/up/elsewhere')).rejects.toThrow('is outside the checkout');
});

test('a streamed body arrives whole, with its length, and again when it is repeated', async () => {
  const seen: { length: string | null; bytes: number }[] = [];
  await using server = await serveOnce(async (request) => {
    seen.push({ length: request.headers.get('content-length'), bytes: (await request.arrayBuffer()).byteLength });
    return new Response('{}', { status: seen.length === 1 ? 503 : 200 });
  });
  const clock = virtualClock();
  const http = createHttp(network({}).transport, clock, { attemptMs: 5_000, budgetMs: 60_000 });
  const body = { bytes: 5_000_000, open: () => files.stream('large.bin') };
  const { signal } = new AbortController();
  const answer = await http.persist({ method: 'POST', url: `${server.url}/files`, body }, signal);
  expect(answer.status).toBe(200);
  expect(seen).toEqual([
    { length: '5000000', bytes: 5_000_000 },
    { length: '5000000', bytes: 5_000_000 },
  ]);
});

test('a streamed body that cannot be read, or is another length by now, is a lost request and not a crash', async () => {
  await using server = await serveOnce(async () => new Response('{}'));
  const http = createHttp(network({}).transport, virtualClock(), { attemptMs: 2_000, budgetMs: 0 });
  const { signal } = new AbortController();
  for (const body of [
    { bytes: 10, open: () => files.stream('gone.bin') },
    { bytes: 5_000_001, open: () => files.stream('large.bin') },
  ]) {
    const attempt = await http.once({ method: 'POST', url: `${server.url}/files`, body }, signal);
    expect(attempt.kind).toBe('lost');
  }
});

async function serveOnce(handler: Parameters<typeof serve>[0]) {
  const server = await serve(handler);
  return { url: server.url, [Symbol.asyncDispose]: server.close };
}
