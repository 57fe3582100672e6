import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort, type ServerProcess, startProcess, untilReady } from './server-process.ts';

const HERE = import.meta.dirname;
const INSTALLED = join(HERE, '../../build/peers/prefect');
const run = promisify(execFile);
const BUSY_TRIES = 10;
const BUSY_MS = 100;

export interface PrefectOptions {
  /** `USER:PASSWORD`, which each request must then bring by Basic authentication. */
  readonly authString?: string;
  /** Whether writing requests need a CSRF token. */
  readonly csrf?: boolean;
  /** More settings of the server, which replace those that are here where names meet. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface PrefectAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** The parsed JSON, the text if it is no JSON, or undefined if there is none. */
  readonly body: unknown;
}

/** `FLOW/DEPLOYMENT` of prefect_flows.py. */
export type DeploymentName =
  | 'daily report/every day'
  | 'failing/failing'
  | 'crashing/crashing'
  | 'long/long'
  | 'flaky/flaky'
  | 'pausing/pausing';

export interface PrefectServer extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  /** What clients are given as the API's URL: `http://127.0.0.1:PORT/api`. */
  readonly api: string;
  /** A folder that is removed with the server. */
  readonly folder: string;
  /** What the server has written. */
  output(): string;
  /** One request to the API with the server's credentials and, where it wants one, a CSRF token. */
  call(method: string, path: string, body?: unknown): Promise<PrefectAnswer>;
  /** A work pool whose runs are processes on this machine. */
  createWorkPool(name: string): Promise<void>;
  /** A worker that polls the pool; it ends with the server unless it is ended before. */
  startWorker(pool: string): Promise<ServerProcess>;
  /** Deploys all flows of prefect_flows.py to the pool; returns the deployments' ids. */
  deployFlows(pool: string): Promise<Readonly<Record<DeploymentName, string>>>;
}

const QUICK_SERVICES = {
  PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS: '1',
  PREFECT_SERVER_SERVICES_LATE_RUNS_LOOP_SECONDS: '1',
  PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_LOOP_SECONDS: '1',
};
const QUICK_WORKER = {
  PREFECT_WORKER_QUERY_SECONDS: '1',
  PREFECT_WORKER_HEARTBEAT_SECONDS: '5',
  PREFECT_RUNNER_POLL_FREQUENCY: '1',
  PREFECT_LOGGING_LEVEL: 'DEBUG',
  PREFECT_LOGGING_TO_API_BATCH_INTERVAL: '0.2',
};

/** A real Prefect server with a database and a home of its own (https://docs.prefect.io/v3/how-to-guides/self-hosted/server-cli). */
export async function startPrefect(options: PrefectOptions = {}): Promise<PrefectServer> {
  const folder = mkdtempSync(join(tmpdir(), 'prefect-'));
  const home = join(folder, 'home');
  mkdirSync(home);
  copyFileSync(join(INSTALLED, 'empty.db'), join(home, 'prefect.db'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const environment = {
    PATH: `${join(INSTALLED, 'venv/bin')}:${process.env.PATH ?? ''}`,
    HOME: home,
    PREFECT_HOME: home,
    PREFECT_API_URL: `${url}/api`,
    PREFECT_SERVER_ANALYTICS_ENABLED: 'false',
    DO_NOT_TRACK: '1',
    NO_COLOR: '1',
    PYTHONDONTWRITEBYTECODE: '1',
    ...(options.authString === undefined ? {} : { PREFECT_API_AUTH_STRING: options.authString }),
  };
  const prefect = join(INSTALLED, 'venv/bin/prefect');
  const server = startProcess(prefect, ['server', 'start', '--host', '127.0.0.1', '--port', String(port)], {
    cwd: folder,
    env: {
      ...environment,
      ...QUICK_SERVICES,
      PREFECT_SERVER_DATABASE_CONNECTION_URL: `sqlite+aiosqlite:///${join(home, 'prefect.db')}`,
      PREFECT_SERVER_UI_ENABLED: 'false',
      ...(options.authString === undefined ? {} : { PREFECT_SERVER_API_AUTH_STRING: options.authString }),
      PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED: String(options.csrf ?? false),
      ...options.settings,
    },
  });
  const workers: ServerProcess[] = [];
  const dispose = async () => {
    await Promise.all(workers.map((worker) => worker.end()));
    await server.end();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  };
  const call = caller(`${url}/api`, options);

  try {
    await untilReady('Prefect', server, async () => (await fetch(`${url}/api/ready`)).ok);
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    url,
    api: `${url}/api`,
    folder,
    output: server.output,
    call,
    createWorkPool: async (name) => {
      await run(prefect, ['work-pool', 'create', name, '--type', 'process'], { cwd: folder, env: environment });
    },
    startWorker: async (pool) => {
      const worker = startProcess(prefect, ['worker', 'start', '--pool', pool, '--type', 'process'], {
        cwd: folder,
        env: { ...environment, ...QUICK_WORKER },
      });
      workers.push(worker);
      const path = `/work_pools/${encodeURIComponent(pool)}/workers/filter`;
      await untilReady('the worker', worker, async () => {
        const { body } = await call('POST', path, {});
        return Array.isArray(body) && body.some(({ status }) => status === 'ONLINE');
      });
      return worker;
    },
    deployFlows: async (pool) => {
      const { stdout } = await run(
        join(INSTALLED, 'venv/bin/python'),
        [join(HERE, 'prefect_flows.py'), 'deploy', pool],
        {
          cwd: folder,
          env: environment,
        },
      );
      return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Record<DeploymentName, string>;
    },
    [Symbol.asyncDispose]: dispose,
  };
}

/** Sends requests as a client of this server must. */
function caller(api: string, { authString, csrf }: PrefectOptions): PrefectServer['call'] {
  const client = crypto.randomUUID();
  const authorization: Record<string, string> =
    authString === undefined ? {} : { Authorization: `Basic ${Buffer.from(authString).toString('base64')}` };
  const csrfHeaders = async (): Promise<Record<string, string>> => {
    const answer = await fetch(`${api}/csrf-token?client=${client}`, { headers: authorization });
    const { token } = (await answer.json()) as { token: string };
    return { 'Prefect-Csrf-Token': token, 'Prefect-Csrf-Client': client };
  };
  return async (method, path, body) => {
    for (let tries = 1; ; tries += 1) {
      const answer = await fetch(`${api}${path}`, {
        method,
        headers: {
          ...authorization,
          ...(csrf === true && method !== 'GET' ? await csrfHeaders() : {}),
          ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await answer.text();
      // With SQLite, requests that write at the same time are refused by 503, and clients are to try again.
      if (answer.status !== 503 || tries === BUSY_TRIES) {
        return { status: answer.status, headers: answer.headers, body: parsed(text) };
      }
      await sleep(BUSY_MS * tries);
    }
  };
}

function parsed(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    return text;
  }
}
