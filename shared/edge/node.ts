/** Where the core meets Node: clock, checkout, signals, loopback simulators. Only the two mains import this. */
import { constants } from 'node:fs';
import { lstat, mkdir, open, readdir, readlink, realpath, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../clock.ts';
import { SubmitError } from '../errors.ts';
import type { FileEntry, Files } from '../files.ts';
import { isLoopback, type Transport } from '../http.ts';
import { plainLine, plainText } from '../remote-text.ts';

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: async (ms, signal) => {
    // An abort ends the sleep; whoever slept looks at the signal.
    await delay(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
  },
};

/** The files below `root`, and nothing outside, whatever links lead there. */
export function checkoutFiles(root: string): Files {
  const shown = (path: string) => plainLine(path, 200);

  const inside = (base: string, path: string): boolean => {
    const way = relative(base, path);
    return way === '' || !(way.startsWith('..') || isAbsolute(way));
  };

  return {
    read: async (path, limitBytes) => {
      try {
        const base = await realpath(root);
        const target = await realpath(resolve(base, path));
        if (!inside(base, target)) return { problem: `${shown(path)} is outside the checkout` };
        const info = await stat(target);
        if (info.isDirectory()) return { problem: `${shown(path)} is a directory` };
        if (!info.isFile()) return { problem: `${shown(path)} is not a file` };
        if (info.size > limitBytes) {
          return {
            problem: `${shown(path)} has ${mebibytes(info.size)} MiB; at most ${mebibytes(limitBytes)} are read`,
          };
        }
        await using file = await open(target, constants.O_RDONLY | constants.O_NOFOLLOW);
        return { text: new TextDecoder('utf-8', { fatal: true }).decode(await file.readFile()) };
      } catch (error) {
        return { problem: readProblem(shown(path), error) };
      }
    },
    list: async (directory) => {
      try {
        const base = await realpath(root);
        const top = await realpath(resolve(base, directory));
        if (!inside(base, top)) return { problem: `${shown(directory)} is outside the checkout` };
        if (!(await stat(top)).isDirectory()) return { problem: `${shown(directory)} is not a directory` };
        return { entries: await entriesBelow(top) };
      } catch (error) {
        return { problem: readProblem(shown(directory), error) };
      }
    },
    entry: async (path) => {
      try {
        const base = await realpath(root);
        const whole = resolve(base, path);
        // Links on the way are followed; the file may be one itself.
        const target = join(await realpath(dirname(whole)), basename(whole));
        if (!inside(base, target)) return { problem: `${shown(path)} is outside the checkout` };
        const entry = await entryAt(target, path);
        return entry ?? { problem: `${shown(path)} is a directory` };
      } catch (error) {
        return { problem: readProblem(shown(path), error) };
      }
    },
    stream: async function* (path) {
      const base = await realpath(root);
      const target = await realpath(resolve(base, path));
      if (!inside(base, target)) throw new Error(`${shown(path)} is outside the checkout`);
      await using file = await open(target, constants.O_RDONLY | constants.O_NOFOLLOW);
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
    },
    write: async (path, text) => {
      const base = await realpath(root);
      const target = resolve(base, path);
      if (!inside(base, target)) throw new Error(`${shown(path)} is outside the checkout`);
      await mkdir(dirname(target), { recursive: true });
      if (!inside(base, await realpath(dirname(target)))) throw new Error(`${shown(path)} is outside the checkout`);
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;
      await using file = await open(
        join(await realpath(dirname(target)), target.slice(dirname(target).length + 1)),
        flags,
        0o644,
      );
      await file.writeFile(text);
    },
  };
}

const STREAM_CHUNK_BYTES = 256 * 1024;
/** Room to find the end in, or what was added since. */
const END_BYTES = 1024;

async function entriesBelow(top: string): Promise<readonly FileEntry[]> {
  const found = await readdir(top, { recursive: true, withFileTypes: true });
  const entries: FileEntry[] = [];
  for (const item of found) {
    if (item.isDirectory()) continue;
    const whole = join(item.parentPath, item.name);
    const entry = await entryAt(whole, relative(top, whole).split(sep).join('/'));
    if (entry !== undefined) entries.push(entry);
  }
  return entries.sort((left, right) => (left.path < right.path ? -1 : 1));
}

/** Undefined for a directory. */
async function entryAt(whole: string, path: string): Promise<FileEntry | undefined> {
  const info = await lstat(whole);
  if (info.isDirectory()) return undefined;
  const link = info.isSymbolicLink() ? { link: await readlink(whole) } : {};
  return { path, mode: info.mode, bytes: info.size, ...link };
}

function mebibytes(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(1);
}

function readProblem(path: string, error: unknown): string {
  if (error instanceof TypeError) return `${path} is not UTF-8 text`;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'ENOENT' || code === 'ENOTDIR') return `${path} does not exist in the checkout`;
  if (code === 'EACCES' || code === 'EPERM') return `${path} may not be read`;
  return `${path} cannot be read (${code === '' ? 'unknown fault' : code})`;
}

/** Keeps libraries from printing what they send, which some variables would make them do. Called before they are loaded. */
export function silenceLibraries(env: NodeJS.ProcessEnv): void {
  delete env.GOOGLE_SDK_NODE_LOGGING;
  delete env.NODE_DEBUG;
}

const CANCEL_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const;

/** Aborts, with the signal's name as the reason, when the CI cancels the step. */
export function abortOnSignals(from: NodeJS.Process): AbortSignal {
  const controller = new AbortController();
  for (const name of CANCEL_SIGNALS) from.on(name, () => controller.abort(name));
  return controller.signal;
}

/**
 * Requests by Node's own client, over connections that are kept. `fetch` would do, but loading it takes longer than all the
 * rest of the start; so would an import of these modules, which reads all of their names.
 */
const nodeTransport: Transport = (address, { method, headers, body, signal }) =>
  new Promise((resolve, reject) => {
    const url = new URL(address);
    const { request } = process.getBuiltinModule(url.protocol === 'https:' ? 'node:https' : 'node:http');
    const outgoing = request(url, { method, headers: headers ?? {}, signal }, (incoming) => {
      const get = (name: string) => {
        const value = incoming.headers[name];
        return value === undefined ? null : String(value);
      };
      resolve({ status: incoming.statusCode ?? 0, headers: { get }, body: incoming });
    });
    outgoing.on('error', reject);
    if (body === undefined || typeof body === 'string') outgoing.end(body);
    else {
      // Both sides would wait for the rest of a body that is shorter than announced.
      Object.assign(outgoing, { strictContentLength: true });
      // As fast as the other side reads, so that a large body never fills the memory.
      process.getBuiltinModule('node:stream/promises').pipeline(body, outgoing).catch(reject);
    }
  });

/** How public addresses are reached. */
export interface Network {
  readonly transport: Transport;
  /** The simulators' address, when there are any. */
  readonly simulators?: string;
}

/**
 * The network as it is, or with `KEYLESS_SUBMIT_SIMULATORS=http://127.0.0.1:PORT` one in which `https://HOST/PATH` is asked
 * as `http://127.0.0.1:PORT/HOST/PATH`. Only loopback is taken, so that no variable can send tokens away.
 * @throws SubmitError `invalid-settings` for any other address.
 */
export function network(env: Readonly<Record<string, string | undefined>>): Network {
  const simulators = env.KEYLESS_SUBMIT_SIMULATORS;
  if (simulators === undefined || simulators === '') return { transport: nodeTransport };
  const base = URL.parse(simulators);
  if (base === null || base.protocol !== 'http:' || !isLoopback(base.hostname)) {
    throw new SubmitError('invalid-settings', {
      happened: 'KEYLESS_SUBMIT_SIMULATORS is not an address of simulators; nothing was sent',
      presented: [`KEYLESS_SUBMIT_SIMULATORS: ${plainLine(simulators, 80)}`],
      expected: ['an http:// address on loopback, such as http://127.0.0.1:8700'],
      remedy: ['Correct the variable, or remove it to use the real services.'],
    });
  }
  const reach = (address: string): string => {
    const target = new URL(address);
    return target.protocol === 'https:' ? `${base.origin}/${target.host}${target.pathname}${target.search}` : address;
  };
  return { simulators: base.origin, transport: (address, request) => nodeTransport(reach(address), request) };
}

/** What may be shown of a fault of this program: libraries' messages can hold tokens, so whatever could be a part of one is cut. */
export function describeFault(error: unknown): string {
  if (!(error instanceof Error)) return 'something that is not an error was thrown';
  const { message, name, stack = '' } = error;
  const words = plainText(message.slice(0, LONGEST_FAULT)).replace(/[\w+/=~%-]{16,}(?:\.[\w+/=~%-]*)*/g, '[redacted]');
  // Where it happened stands after the message, which could look the same.
  const frames = stack.slice(stack.indexOf(message) + message.length).match(/^ {4}at .*$/gm) ?? [];
  return [`${name}: ${words}`, ...frames].join('\n');
}

const LONGEST_FAULT = 2_000;
