import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll } from 'vitest';

/** Variables by name; those without a value are not there. */
export type Env = Readonly<Record<string, string | undefined>>;

export interface Ended {
  readonly exitCode: number | null;
  /** The signal that ended it, where it did not end by itself. */
  readonly signal: NodeJS.Signals | null;
  /** Standard output and standard error as they came, as a CI shows them. */
  readonly output: string;
}

export interface Running extends Disposable {
  readonly ended: Promise<Ended>;
  /** What was printed so far. */
  output(): string;
  /** Waits until the text was printed; throws if the process ends before. */
  printed(text: string | RegExp): Promise<void>;
  /** Sends a signal to the whole process group, as CIs do. */
  signal(name: NodeJS.Signals): void;
}

const POLL_MS = 10;
const LONGEST_WAIT_MS = 20_000;
const alive = new Set<Running>();

// What a test that failed left behind.
afterAll(() => {
  for (const running of alive) running.signal('SIGKILL');
});

/** Waits until something has come about. */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + LONGEST_WAIT_MS;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`It has not come about in ${LONGEST_WAIT_MS} ms: ${condition}`);
    await sleep(POLL_MS);
  }
}

/** Starts a command as the leader of a process group of its own, in exactly the given environment. */
export function start(command: string, args: readonly string[], options: { cwd: string; env: Env }): Running {
  const child = spawn(command, args, { ...options, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const chunks: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  const output = () => Buffer.concat(chunks).toString('utf8');
  let over = false;
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode, signal) => {
      over = true;
      alive.delete(running);
      resolve({ exitCode, signal, output: output() });
    });
  });
  const signal = (name: NodeJS.Signals) => {
    if (over || child.pid === undefined) return;
    process.kill(-child.pid, name);
  };
  const running: Running = {
    ended,
    output,
    printed: async (text) => {
      const matches = () => (typeof text === 'string' ? output().includes(text) : text.test(output()));
      await until(() => over || matches());
      if (!matches()) throw new Error(`It ended without printing ${text}:\n${output()}`);
    },
    signal,
    [Symbol.dispose]: () => signal('SIGKILL'),
  };
  alive.add(running);
  return running;
}
