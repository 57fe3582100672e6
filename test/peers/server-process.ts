import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ServerProcess {
  /** All that it has written so far. */
  output(): string;
  /** The exit code or signal, once it has ended. */
  ended(): string | undefined;
  /** Ends it and what it has started, and nothing else. */
  end(): Promise<void>;
}

const GRACE_MS = 8_000;
const POLL_MS = 100;

/** Starts a program that runs until it is told to end. */
export function startProcess(
  command: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
): ServerProcess {
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
  const endWithThis = () => child.kill('SIGKILL');
  process.once('exit', endWithThis);
  let end: string | undefined;
  const closed = once(child, 'exit')
    .then(
      ([code, signal]) => {
        end = String(code ?? signal);
      },
      (error: Error) => {
        end = error.message;
      },
    )
    .finally(() => process.off('exit', endWithThis));
  return {
    output: () => Buffer.concat(chunks).toString('utf8'),
    ended: () => end,
    end: async () => {
      if (end !== undefined || child.pid === undefined) {
        return;
      }
      const started = descendants(child.pid);
      child.kill('SIGTERM');
      if (!(await Promise.race([closed.then(() => true), sleep(GRACE_MS, false, { ref: false })]))) {
        child.kill('SIGKILL');
        await closed;
      }
      for (const pid of started) {
        killIfThere(pid);
      }
    },
  };
}

/** Waits until a started server answers as it should; fails with its output if it ends or takes too long. */
export async function untilReady(
  what: string,
  server: ServerProcess,
  isReady: () => Promise<boolean>,
  timeoutMs = 90_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await isReady().catch(() => false))) {
    if (server.ended() !== undefined || Date.now() > deadline) {
      throw new Error(`${what} is not ready (${server.ended() ?? 'still running'}):\n${server.output()}`);
    }
    await sleep(POLL_MS);
  }
}

/** A port of 127.0.0.1 that nothing listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') {
    throw new Error('no port');
  }
  return address.port;
}

/** What a process has started, and what that has started, whichever session or group it is in. */
function descendants(ancestor: number): readonly number[] {
  const rows = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n');
  const parents = rows.map((row) => row.trim().split(/\s+/).map(Number));
  const found = [ancestor];
  for (const parent of found) {
    found.push(...parents.flatMap(([pid, of]) => (of === parent && pid !== undefined ? [pid] : [])));
  }
  return found.slice(1);
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') {
      throw error;
    }
  }
}
