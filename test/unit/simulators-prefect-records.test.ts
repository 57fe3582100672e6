import { describe, expect, it } from 'vitest';
import { prefectWorld } from './prefect-world.ts';

interface Line {
  readonly id: string;
  readonly message: string;
  readonly timestamp: string;
}

describe('logs', () => {
  const life = {
    end: { kind: 'completed' as const },
    logs: [
      { atMs: 100, message: 'one' },
      { atMs: 100, message: 'two', level: 30 },
      { atMs: 100, message: 'late', arrivesMs: 1500 },
      { atMs: 1000, message: 'of a task', ofTask: true },
      { atMs: 1_000_000, message: 'never' },
    ],
  };

  async function logged() {
    const world = await prefectWorld();
    world.nextLife(life);
    const id = await world.start();
    const read = async (filter: object = {}, more: object = {}) =>
      (await world.api('/logs/filter', { logs: { flow_run_id: { any_: [id] }, ...filter }, ...more }))
        .json as unknown as Line[];
    return {
      ...world,
      id,
      read,
      messages: async (...args: object[]) => (await read(...args)).map(({ message }) => message),
    };
  }

  it('come as time passes, some of them late', async () => {
    const { pass, messages } = await logged();
    expect(await messages()).toEqual([]);
    pass(2000 + 500);
    expect((await messages()).slice(1)).toEqual(['one', 'two']);
    pass(1000);
    expect((await messages()).slice(1)).toEqual(['one', 'two', 'late', 'of a task']);
    pass(60_000);
    expect((await messages()).slice(1)).toEqual(['one', 'two', 'late', 'of a task']);
  });

  it('are filtered, sorted and paged', async () => {
    const { pass, messages, read } = await logged();
    pass(60_000);
    const after_ = '2026-11-21T10:00:02.100Z';
    expect(await messages({ timestamp: { after_ } })).toEqual(['one', 'two', 'late', 'of a task']);
    expect(await messages({ timestamp: { after_, before_: after_ } }, { limit: 2, offset: 1 })).toEqual([
      'two',
      'late',
    ]);
    expect(await messages({ level: { ge_: 30 } })).toEqual(['two']);
    expect(await messages({ task_run_id: { is_null_: false } })).toEqual(['of a task']);
    expect((await messages({}, { sort: 'TIMESTAMP_DESC' }))[0]).toBe('of a task');
    const [first] = await read();
    expect((await read())[0]?.id).toBe(first?.id);
    expect(first?.timestamp).toBe('2026-11-21T10:00:02Z');
  });

  it('are given out by two hundred at most', async () => {
    const { api } = await prefectWorld();
    const refusal = await api('/logs/filter', { limit: 201 });
    expect([refusal.status, refusal.json.detail]).toEqual([422, 'Invalid limit: must be less than or equal to 200.']);
    expect((await api('/logs/filter', { limit: -1 })).status).toBe(422);
    expect((await api('/logs/filter', { offset: -1 })).status).toBe(422);
    expect((await api('/logs/filter', { logs: { run: {} } })).status).toBe(422);
    expect((await api('/logs/filter', {})).json).toEqual([]);
  });
});

describe('artifacts', () => {
  it('are read as they were written, or the last of each key', async () => {
    const { api, nextLife, start, pass } = await prefectWorld();
    nextLife({
      end: { kind: 'completed' },
      artifacts: [
        { atMs: 0, key: 'report', type: 'markdown', data: '# Draft' },
        { atMs: 500, key: 'report', type: 'markdown', data: '# Report', description: 'Final' },
        { atMs: 600, key: 'rows', type: 'table', data: '[{"a": 1}]' },
        { atMs: 700, type: 'result', data: { path: '/tmp/x' } },
      ],
    });
    const id = await start();
    pass(10_000);
    const artifacts = { flow_run_id: { any_: [id] }, type: { not_any_: ['result'] } };
    const all = (await api('/artifacts/filter', { artifacts, sort: 'CREATED_DESC' })).json;
    expect(all).toMatchObject([
      { key: 'rows', type: 'table', flow_run_id: id, metadata_: null },
      { key: 'report', data: '# Report', description: 'Final' },
      { key: 'report', data: '# Draft', description: null },
    ]);
    const latest = (await api('/artifacts/latest/filter', { artifacts, sort: 'KEY_ASC' })).json;
    expect(latest).toMatchObject([{ key: 'report', data: '# Report', latest_id: expect.any(String) }, { key: 'rows' }]);
    expect((await api('/artifacts/report/latest')).json).toMatchObject({ data: '# Report' });
    expect((await api('/artifacts/none/latest')).json).toEqual({ detail: 'Artifact not found.' });
    expect((await api('/artifacts/filter', { sort: 'CREATED_ASC' })).status).toBe(422);
  });
});

describe('work pools', () => {
  it('show their queues and workers', async () => {
    const { api } = await prefectWorld();
    expect((await api('/work_pools/gpu')).json).toMatchObject({ name: 'gpu', type: 'kubernetes', status: 'READY' });
    expect((await api('/work_pools/gpu/queues/filter', {})).json).toMatchObject([{ name: 'default', priority: 1 }]);
    expect((await api('/work_pools/gpu/workers/filter', { workers: { status: { any_: ['OFFLINE'] } } })).json).toEqual(
      [],
    );
    const missing = { status: 404, json: { detail: 'Work pool "nope" not found.' } };
    expect(await api('/work_pools/nope')).toMatchObject(missing);
    expect(await api('/work_pools/nope/workers/filter', {})).toMatchObject(missing);
    expect((await api('/work_pools/gpu/queues/nope')).status).toBe(404);
  });
});
