import { execFile } from 'node:child_process';
import { chmod, link, lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { checkoutFiles } from '../../shared/edge/checkout-files.ts';
import { network } from '../../shared/edge/network.ts';
import { createHttp } from '../../shared/http/http.ts';
import { hashFiles } from '../../shared/services/vercel/hash-files.ts';
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
await promisify(execFile)('mkfifo', [join(checkout, 'fifo'), join(checkout, 'out/deep/fifo')]);
const socket = createServer();
await new Promise<void>((listening) => socket.listen(join(checkout, 'socket'), listening));
afterAll(() => new Promise((closed) => socket.close(closed)));
const files = checkoutFiles(checkout);
const devices = checkoutFiles('/dev');

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
      { path: 'deep/fifo', mode: expect.any(Number), bytes: 0 },
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

/** What is not a plain file: opening or reading it might wait for ever, or never end. */
const NOT_FILES = [
  ['a FIFO', files, 'fifo', 'fifo is not a file'],
  ['a socket', files, 'socket', 'socket is not a file'],
  ['an endless device', devices, 'zero', 'zero is not a file'],
  ['a directory', files, 'out', 'out is a directory'],
] as const;

test.each(NOT_FILES)('%s is neither read nor streamed, nor an entry', async (_what, from, path, problem) => {
  expect(await from.read(path, 1_000)).toEqual({ problem });
  expect(await from.entry(path)).toEqual({ problem });
  await expect(from.stream(path)[Symbol.asyncIterator]().next()).rejects.toThrow(problem);
});

test.each(NOT_FILES)('%s is not written to', async (_what, from, path, problem) => {
  expect(await from.writeProblem(path)).toBe(problem);
  // A machine's own devices are not put at risk, even by a test that fails.
  if (from === files) await expect(from.write(path, 'outputs')).rejects.toThrow(problem);
});

test.each([
  ['one byte too many', '12345', { problem: 'text has 0.0 MiB; at most 0.0 are read' }],
  ['as much as is allowed', '1234', { text: '1234' }],
])('a file with %s', async (_what, text, found) => {
  await writeFile(join(checkout, 'text'), text);
  expect(await files.read('text', 4)).toEqual(found);
});

test('a file that has no size to tell is read no further than allowed', async () => {
  // Its size is 0 for every program that asks.
  const without = checkoutFiles('/proc/self');
  expect((await lstat('/proc/self/status')).size).toBe(0);
  expect(await without.read('status', 10)).toEqual({ problem: expect.stringContaining('status has 0.0 MiB; at most') });
});

test('a file that grows for ever while it is hashed is given up on', async () => {
  async function* endless() {
    for (;;) yield new Uint8Array(1024);
  }
  const growing = { ...files, stream: endless };
  const output = { name: 'a', path: 'a', mode: 0o100644, bytes: 4096 };
  const log = { info: () => undefined };
  const environment = { clock: virtualClock(), log, signal: new AbortController().signal };
  const hashed = hashFiles([output], growing, environment as unknown as Parameters<typeof hashFiles>[2]);
  await expect(hashed).rejects.toThrow('a changed while it was being deployed');
});

test('outputs are written with the directories that lead to them, also through a link that stays inside', async () => {
  await mkdir(join(checkout, 'real'));
  await symlink('real', join(checkout, 'alias'));
  expect(await files.writeProblem('alias/new/deeper/outputs.json')).toBeUndefined();
  expect(await readdir(join(checkout, 'real'))).toEqual([]);
  await files.write('alias/new/deeper/outputs.json', 'outputs');
  expect(await readFile(join(checkout, 'real/new/deeper/outputs.json'), 'utf8')).toBe('outputs');
  expect(await readdir(join(checkout, 'real/new/deeper'))).toEqual(['outputs.json']);
  expect((await lstat(join(checkout, 'real/new/deeper/outputs.json'))).mode & 0o133).toBe(0);
});

test('a file that is there is replaced and not written through: its other names keep what they had', async () => {
  await writeFile(join(folder, 'elsewhere/precious'), 'precious');
  await link(join(folder, 'elsewhere/precious'), join(checkout, 'hard'));
  await files.write('hard', 'outputs');
  expect(await readFile(join(checkout, 'hard'), 'utf8')).toBe('outputs');
  expect(await readFile(join(folder, 'elsewhere/precious'), 'utf8')).toBe('precious');
});

test.each([
  ['above the checkout', '../elsewhere/new/outputs.json', 'is outside the checkout'],
  ['through a link that leads out', 'away/new/outputs.json', 'is outside the checkout'],
  ['through two links that lead out together', 'out/up/elsewhere/new/outputs.json', 'is outside the checkout'],
  ['through a file', 'large.bin/new/outputs.json', 'leads through large.bin, which is not a directory'],
  ['through a FIFO', 'fifo/new/outputs.json', 'leads through fifo, which is not a directory'],
  ['at a link', 'out/a.link', 'is a symbolic link'],
  ['at a link to nowhere', 'nowhere.json', 'is a symbolic link'],
  ['through a link to nowhere', 'nowhere.json/outputs.json', 'does not exist in the checkout'],
])('nothing is written %s, and no directory is made on the way', async (_where, path, problem) => {
  await rm(join(checkout, 'nowhere.json'), { force: true });
  await symlink(join(folder, 'elsewhere/later'), join(checkout, 'nowhere.json'));
  const before = await readdir(folder, { recursive: true });
  expect(await files.writeProblem(path)).toBe(`${path} ${problem}`);
  await expect(files.write(path, 'outputs')).rejects.toThrow(`${path} ${problem}`);
  expect(await readdir(folder, { recursive: true })).toEqual(before);
  expect(await readFile(join(checkout, 'out/deep/a.js'), 'utf8')).toBe('run()');
});

test('a file that cannot be written whole is left as it was, and nothing else is left', async () => {
  await mkdir(join(checkout, 'full'));
  await writeFile(join(checkout, 'full/outputs.json'), 'before');
  const module = resolve(import.meta.dirname, '../../shared/edge/checkout-files.ts');
  const program = `
    const { checkoutFiles } = await import(${JSON.stringify(module)});
    await checkoutFiles('.').write('full/outputs.json', 'x'.repeat(100_000)).catch(({ message }) => process.stdout.write(message));
  `;
  // No file may grow beyond one block: a disk that is full, for this process only.
  const limited = ['-c', 'ulimit -f 1 && exec "$0" --input-type=module -e "$1"', process.execPath, program];
  const { stdout } = await promisify(execFile)('bash', limited, { cwd: checkout });
  expect(stdout).toBe('full/outputs.json cannot be written (EFBIG)');
  expect(await readdir(join(checkout, 'full'))).toEqual(['outputs.json']);
  expect(await readFile(join(checkout, 'full/outputs.json'), 'utf8')).toBe('before');
});

async function serveOnce(handler: Parameters<typeof serve>[0]) {
  const server = await serve(handler);
  return { url: server.url, [Symbol.asyncDispose]: server.close };
}
