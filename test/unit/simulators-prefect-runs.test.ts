import { describe, expect, it } from 'vitest';
import type { RunLife } from '../simulators/prefect-run-life.ts';
import { PREFECT, prefectWorld } from './prefect-world.ts';

/** The names of the states that a run passes through, looked at every 250 ms. */
async function statesOf(life: RunLife, ms = 20_000): Promise<readonly string[]> {
  const { nextLife, start, state, pass } = await prefectWorld();
  nextLife(life);
  const id = await start();
  const seen: string[] = [];
  for (let at = 0; at <= ms; at += 250) {
    const now = await state(id);
    if (seen.at(-1) !== now) seen.push(now);
    pass(250);
  }
  return seen;
}

const BEGINNING = ['SCHEDULED/Scheduled', 'PENDING/Pending', 'PENDING/InfrastructurePending', 'RUNNING/Running'];

describe('a life', () => {
  it.each([
    ['completed', 'COMPLETED/Completed'],
    ['failed', 'FAILED/Failed'],
    ['crashed', 'CRASHED/Crashed'],
    ['cancelled', 'CANCELLED/Cancelled'],
    ['timed-out', 'FAILED/TimedOut'],
  ] as const)('ends %s', async (kind, last) => {
    expect(await statesOf({ end: { kind } }, 6000)).toEqual([...BEGINNING, last]);
  });

  it('waits without a worker, hangs, or is started again', async () => {
    expect(await statesOf({ end: { kind: 'late' } })).toEqual(['SCHEDULED/Scheduled', 'SCHEDULED/Late']);
    expect(await statesOf({ end: { kind: 'hang' } })).toEqual(BEGINNING);
    expect(await statesOf({ end: { kind: 'hang', in: 'PENDING' } })).toEqual(BEGINNING.slice(0, 3));
    const again = await statesOf({ end: { kind: 'failed' }, restartedAfterMs: 1000 });
    expect(again.slice(4)).toEqual([
      'FAILED/Failed',
      'SCHEDULED/AwaitingRetry',
      'PENDING/Pending',
      'RUNNING/Running',
      'COMPLETED/Completed',
    ]);
  });

  it('is interrupted', async () => {
    const interrupted = async (kind: 'paused' | 'suspended' | 'awaiting-retry') =>
      (await statesOf({ end: { kind: 'completed' }, interruption: { kind, ms: 1000 } }, 10_000)).slice(4);
    expect(await interrupted('paused')).toEqual(['PAUSED/Paused', 'RUNNING/Running', 'COMPLETED/Completed']);
    expect(await interrupted('suspended')).toEqual([
      'PAUSED/Suspended',
      'SCHEDULED/Resuming',
      'PENDING/Pending',
      'RUNNING/Running',
      'COMPLETED/Completed',
    ]);
    expect(await interrupted('awaiting-retry')).toEqual([
      'SCHEDULED/AwaitingRetry',
      'RUNNING/Retrying',
      'COMPLETED/Completed',
    ]);
    expect((await statesOf({ end: { kind: 'completed' }, concurrencyWaitMs: 1000 }))[1]).toBe(
      'SCHEDULED/AwaitingConcurrencySlot',
    );
  });

  it('has times', async () => {
    const { api, start, pass } = await prefectWorld();
    const id = await start();
    pass(3500);
    expect((await api(`/flow_runs/${id}`)).json).toMatchObject({
      created: '2026-11-21T10:00:00Z',
      start_time: '2026-11-21T10:00:02Z',
      end_time: null,
      total_run_time: 0,
      estimated_run_time: 1.5,
      run_count: 1,
      infrastructure_pid: expect.any(String),
    });
    pass(10_000);
    expect((await api(`/flow_runs/${id}`)).json).toMatchObject({ end_time: '2026-11-21T10:00:04Z', total_run_time: 2 });
  });

  it('begins when it is scheduled for', async () => {
    const { start, state, pass } = await prefectWorld();
    const scheduled_time = '2026-11-21T11:00:00Z';
    const id = await start({ state: { type: 'SCHEDULED', state_details: { scheduled_time } } });
    pass(3_599_000);
    expect(await state(id)).toBe('SCHEDULED/Scheduled');
    pass(6000);
    expect(await state(id)).toBe('COMPLETED/Completed');
  });

  it('waits for a worker to come', async () => {
    const { api, setWorkers, start, state, pass } = await prefectWorld();
    const status = async () =>
      ((await api('/work_pools/gpu/workers/filter', {})).json as unknown as { status: string }[])[0]?.status;
    expect(await status()).toBe('ONLINE');
    setWorkers('OFFLINE', PREFECT.pool);
    expect(await status()).toBe('OFFLINE');
    expect((await api('/work_pools/gpu')).json.status).toBe('NOT_READY');
    const id = await start();
    pass(60_000);
    expect(await state(id)).toBe('SCHEDULED/Late');
    setWorkers('ONLINE', PREFECT.pool);
    pass(10_000);
    expect(await state(id)).toBe('COMPLETED/Completed');
  });
});

describe('cancelling', () => {
  const outcome = ({ status, json }: { status: number; json: Record<string, unknown> }) => [
    status,
    json.status,
    (json.state as { type: string } | null)?.type,
    (json.details as { reason?: string }).reason,
  ];

  it('stops a run at once that nothing stands behind', async () => {
    const { nextLife, cancel, start, state, pass, runs } = await prefectWorld();
    const scheduled = await start();
    expect(outcome(await cancel(scheduled))).toEqual([
      201,
      'REJECT',
      'CANCELLED',
      'Scheduled flow run has no infrastructure to terminate.',
    ]);
    pass(60_000);
    expect(await state(scheduled)).toBe('CANCELLED/Cancelled');
    expect(runs()[0]?.cancelRequested).toBe(true);
    nextLife({ end: { kind: 'completed' }, interruption: { kind: 'suspended', ms: Number.POSITIVE_INFINITY } });
    const suspended = await start();
    pass(4000);
    expect(outcome(await cancel(suspended)).slice(0, 3)).toEqual([201, 'REJECT', 'CANCELLED']);
  });

  it('has a worker stop a run that it has taken', async () => {
    const { cancel, start, state, pass } = await prefectWorld();
    const id = await start();
    pass(2500);
    expect(outcome(await cancel(id))).toEqual([201, 'ACCEPT', 'CANCELLING', undefined]);
    expect(outcome(await cancel(id)).slice(0, 3)).toEqual([200, 'REJECT', 'CANCELLING']);
    expect(await state(id)).toBe('CANCELLING/Cancelling');
    pass(1000);
    expect(await state(id)).toBe('CANCELLED/Cancelled');
    expect(outcome(await cancel(id))).toEqual([
      200,
      'ABORT',
      'CANCELLED',
      'Run is already in terminal state CANCELLED.',
    ]);
  });

  it('takes five minutes without a worker', async () => {
    const { cancel, setWorkers, start, state, pass } = await prefectWorld();
    const id = await start();
    pass(2500);
    setWorkers('OFFLINE', PREFECT.pool);
    await cancel(id);
    pass(299_000);
    expect(await state(id)).toBe('CANCELLING/Cancelling');
    pass(1000);
    expect(await state(id)).toBe('CANCELLED/Cancelled');
  });

  it('may have to wait, and ends nothing that has ended', async () => {
    const { nextLife, cancel, start, state, pass } = await prefectWorld();
    nextLife({ end: { kind: 'failed' }, cancelWaits: 1 });
    const id = await start();
    expect((await cancel(id)).json).toMatchObject({ state: null, status: 'WAIT', details: { delay_seconds: 5 } });
    pass(10_000);
    expect(outcome(await cancel(id)).slice(1, 3)).toEqual(['ABORT', 'FAILED']);
    expect(await state(id)).toBe('FAILED/Failed');
  });

  it('refuses what is no state, and runs that are gone', async () => {
    const { api, cancel, deleteRun, start } = await prefectWorld();
    const id = await start();
    const set = async (body: unknown) => (await api(`/flow_runs/${id}/set_state`, body)).status;
    expect([await set({}), await set({ type: 'CANCELLING' }), await set({ state: { type: 'STOP' } })]).toEqual([
      422, 422, 422,
    ]);
    deleteRun(id);
    expect((await cancel(id)).json).toEqual({ exception_message: `Flow run with id ${id} not found` });
    expect((await api(`/flow_runs/${id}`)).json).toEqual({ detail: 'Flow run not found' });
  });
});

describe('filters', () => {
  it('find runs by tag, idempotency key, deployment and state', async () => {
    const { api, start } = await prefectWorld();
    const one = await start({ tags: ['ci', 'one'], idempotency_key: 'k1' });
    const other = await start({ tags: ['ci'] }, PREFECT.deployments.staging.id);
    const found = async (body: unknown) =>
      ((await api('/flow_runs/filter', body)).json as unknown as { id: string }[]).map(({ id }) => id).sort();
    expect(await found({ flow_runs: { tags: { all_: ['ci'] } } })).toEqual([one, other].sort());
    expect(await found({ flow_runs: { tags: { all_: ['ci', 'one'] } } })).toEqual([one]);
    expect(await found({ flow_runs: { idempotency_key: { any_: ['k1'] } } })).toEqual([one]);
    expect(await found({ flow_runs: { deployment_id: { any_: [PREFECT.deployments.staging.id] } } })).toEqual([other]);
    expect(await found({ deployments: { name: { any_: ['staging'] } } })).toEqual([other]);
    expect(await found({ flow_runs: { state: { type: { any_: ['RUNNING'] } } } })).toEqual([]);
    expect(await found({ flow_runs: { state: { name: { any_: ['Scheduled'] } } }, limit: 1, offset: 1 })).toHaveLength(
      1,
    );
    expect((await api('/flow_runs/filter', { flow_runs: { key: {} } })).status).toBe(422);
    expect((await api('/flow_runs/filter', { sort: 'CREATED_DESC' })).status).toBe(422);
  });
});
