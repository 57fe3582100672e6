import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DeploymentName, type PrefectServer, startPrefect } from './prefect-server.ts';

interface FlowRun {
  readonly id: string;
  readonly state: { readonly type: string; readonly name: string; readonly message: string | null };
  readonly run_count: number;
  /** Of a pool whose runs are processes: the process's id. */
  readonly infrastructure_pid: string;
}

const TERMINAL = ['COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED'];
const NO_RUN = '00000000-0000-4000-8000-000000000000';
let prefect: PrefectServer;
let deployments: Readonly<Record<DeploymentName, string>>;

beforeAll(async () => {
  await promisify(execFile)('sh', [join(import.meta.dirname, 'install-prefect.sh')]);
  prefect = await startPrefect();
  await prefect.createWorkPool('processes');
  deployments = await prefect.deployFlows('processes');
  await prefect.startWorker('processes');
}, 300_000);

afterAll(() => prefect?.[Symbol.asyncDispose](), 60_000);

async function start(deployment: DeploymentName, body: unknown = {}): Promise<string> {
  const answer = await prefect.call('POST', `/deployments/${deployments[deployment]}/create_flow_run`, body);
  expect(answer).toMatchObject({ status: 201, body: { state_type: 'SCHEDULED' } });
  return (answer.body as FlowRun).id;
}

async function until(id: string, types: readonly string[]): Promise<FlowRun> {
  for (;;) {
    const run = (await prefect.call('GET', `/flow_runs/${id}`)).body as FlowRun;
    if (types.includes(run.state.type)) {
      return run;
    }
    await sleep(200);
  }
}

function isThere(pid: string): boolean {
  try {
    return process.kill(Number(pid), 0);
  } catch {
    return false;
  }
}

async function list(of: 'logs' | 'artifacts', id: string): Promise<readonly Record<string, unknown>[]> {
  const answer = await prefect.call('POST', `/${of}/filter`, { [of]: { flow_run_id: { any_: [id] } } });
  return answer.body as Record<string, unknown>[];
}

describe('a real Prefect server', () => {
  it('is healthy', async () => {
    expect(await prefect.call('GET', '/health')).toMatchObject({ status: 200, body: true });
    expect(await prefect.call('GET', '/version')).toMatchObject({ status: 200, body: '0.8.4' });
  });

  it('runs a flow with logs and artifacts', async () => {
    const id = await start('daily report/every day', {
      parameters: { rows: 3 },
      job_variables: { env: { GIT_SHA: 'abc123' } },
    });
    expect((await until(id, TERMINAL)).state.type).toBe('COMPLETED');
    expect(await list('artifacts', id)).toHaveLength(4);
    // The last lines reach the server after the run's end.
    await expect
      .poll(() => list('logs', id))
      .toContainEqual(expect.objectContaining({ message: 'Finished in state Completed()', name: 'prefect.flow_runs' }));
    const logs = await list('logs', id);
    expect(logs).toContainEqual(expect.objectContaining({ level: 20, message: 'GIT_SHA=abc123' }));
    expect(logs).toContainEqual(expect.objectContaining({ level: 30, message: 'a warning' }));
    expect(new Set(logs.map(({ level }) => level))).toEqual(new Set([10, 20, 30, 40]));
  });

  it('tells a failed run from a crashed one', async () => {
    const failing = await start('failing/failing');
    const crashing = await start('crashing/crashing');
    expect((await until(failing, TERMINAL)).state).toMatchObject({
      type: 'FAILED',
      message: 'Flow run encountered an exception: ValueError: no rows for today',
    });
    expect((await until(crashing, TERMINAL)).state).toMatchObject({
      type: 'CRASHED',
      message: expect.stringContaining('SIGKILL'),
    });
  });

  it('tries a flow again', async () => {
    const id = await start('flaky/flaky', { parameters: { marker: join(prefect.folder, 'tried') } });
    expect(await until(id, TERMINAL)).toMatchObject({ state: { type: 'COMPLETED' }, run_count: 2 });
  });

  it('cancels a run whose process is there, and that process', async () => {
    const id = await start('long/long');
    const { infrastructure_pid } = await until(id, ['RUNNING']);
    expect(isThere(infrastructure_pid)).toBe(true);
    const state = { type: 'CANCELLING', name: 'Cancelling' };
    expect(await prefect.call('POST', `/flow_runs/${id}/set_state`, { state })).toMatchObject({
      status: 201,
      body: { status: 'ACCEPT', state: { type: 'CANCELLING' } },
    });
    expect((await until(id, TERMINAL)).state.type).toBe('CANCELLED');
    await expect.poll(() => isThere(infrastructure_pid), { timeout: 10_000 }).toBe(false);
  });

  it('ends a worker with the processes of its runs', async () => {
    await prefect.createWorkPool('others');
    const worker = await prefect.startWorker('others');
    const deployed = await prefect.deployFlows('others');
    const { body } = await prefect.call('POST', `/deployments/${deployed['long/long']}/create_flow_run`, {});
    const { infrastructure_pid } = await until((body as FlowRun).id, ['RUNNING']);
    await worker.end();
    expect(isThere(infrastructure_pid)).toBe(false);
  });
});

describe('a real Prefect server with credentials and CSRF protection', () => {
  it('takes requests, and deploys, only with both', async () => {
    await using locked = await startPrefect({ authString: 'ci:pass:word', csrf: true });
    expect((await fetch(`${locked.api}/flow_runs/${NO_RUN}`)).status).toBe(401);
    const headers = { Authorization: `Basic ${Buffer.from('ci:pass:word').toString('base64')}` };
    const refused = await fetch(`${locked.api}/flows/filter`, { method: 'POST', headers });
    expect([refused.status, await refused.json()]).toEqual([403, { detail: 'Missing CSRF token.' }]);
    expect(await locked.call('POST', '/flows/filter', {})).toMatchObject({ status: 200, body: [] });
    await locked.createWorkPool('processes');
    expect(Object.keys(await locked.deployFlows('processes'))).toContain('daily report/every day');
  });
});
