import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../shared/json.ts';
import { concludeRun } from '../../shared/services/databricks/run-conclusion.ts';
import { fakeSession } from './fake-plan.ts';

const OUTPUT_URL = 'https://dbc.example/api/2.2/jobs/runs/get-output?run_id=';
const OK = { state: { life_cycle_state: 'TERMINATED', result_state: 'SUCCESS' } };
const FAILED = { state: { life_cycle_state: 'TERMINATED', result_state: 'FAILED', state_message: 'it broke' } };

/** What a run leaves, where the outputs of its tasks are these, by the task's run id; others have none. */
async function concluded(source: JsonObject, outputs: Readonly<Record<string, Json>> = {}) {
  const asked: string[] = [];
  const session = fakeSession({
    read: async ({ url }) => {
      const id = url.slice(OUTPUT_URL.length);
      asked.push(id);
      const answer = outputs[id];
      if (answer === undefined) throw new Error('this task has no output');
      return answer;
    },
  });
  const status = { phase: 'succeeded', word: 'SUCCESS', parts: [], source } as const;
  const call = (id: string) => ({ method: 'GET', url: `${OUTPUT_URL}${id}` }) as const;
  const conclusion = await concludeRun(session, status, call);
  const { tasks, ...rest } = conclusion.outputs;
  return { asked, tasks: JSON.parse(tasks ?? ''), outputs: rest, notes: conclusion.notes };
}

const task = (key: string, id: number, more: JsonObject = OK): JsonObject => ({ task_key: key, run_id: id, ...more });
const result = (text: string): JsonObject => ({ notebook_output: { result: text } });

describe('the outputs of a run', () => {
  it.each<[string, JsonObject, Readonly<Record<string, string>>]>([
    ['nothing', {}, {}],
    [
      'all that there is',
      {
        job_id: 7,
        run_name: 'nightly',
        start_time: 1_700_000_000_000,
        end_time: 1_700_000_090_400,
        run_duration: 61_500,
        git_source: { git_snapshot: { used_commit: 'abc' } },
      },
      {
        'job-id': '7',
        'run-name': 'nightly',
        'start-time': '2023-11-14T22:13:20.000Z',
        'end-time': '2023-11-14T22:14:50.400Z',
        'duration-seconds': '62',
        'git-commit': 'abc',
      },
    ],
    [
      'a duration of 0 where times tell',
      { run_duration: 0, start_time: 1_000, end_time: 3_600 },
      { 'duration-seconds': '3' },
    ],
    ['times without a duration', { start_time: 1_000, end_time: 1_000 }, { 'duration-seconds': '0' }],
    ['a run that has not ended', { start_time: 1_000, end_time: 0 }, {}],
    ['a run that never started', { start_time: 0, end_time: 5_000 }, {}],
    ['a time without a start', { end_time: 5_000 }, {}],
    ['a start without an end', { start_time: 5_000 }, {}],
    ['times before the epoch', { start_time: -5, end_time: -1 }, {}],
  ])('are those of %s', async (_what, run, outputs) => {
    const { outputs: all } = await concluded(run);
    const { 'start-time': _start, 'end-time': _end, ...withoutTimes } = all;
    expect('start-time' in outputs ? all : withoutTimes).toEqual(outputs);
  });

  it('have a time only where there was one', async () => {
    expect((await concluded({ start_time: 0, end_time: 1 })).outputs).toEqual({
      'end-time': '1970-01-01T00:00:00.001Z',
    });
  });
});

describe('the tasks of a run', () => {
  it('are told with their end, and with what they put out', async () => {
    const run = {
      tasks: [
        task('train', 11, { ...OK, run_duration: 2_000, run_page_url: 'https://dbc.example/?o=1#job/2/run/11' }),
        task('report', 12, { ...FAILED, start_time: 1_000, end_time: 4_000 }),
        { ...FAILED },
      ],
    };
    const { tasks, outputs, asked } = await concluded(run, {
      11: result('0.93'),
      12: { error: 'no\nsuch table' },
    });
    expect(asked).toEqual(['12', '11']);
    expect(outputs).toMatchObject({ 'notebook-result': '0.93' });
    expect(tasks).toEqual([
      {
        task_key: 'train',
        run_id: '11',
        state: 'SUCCESS',
        phase: 'succeeded',
        url: 'https://dbc.example/jobs/2/runs/11?o=1',
        duration_seconds: '2',
        result: '0.93',
      },
      {
        task_key: 'report',
        run_id: '12',
        state: 'FAILED',
        phase: 'failed',
        duration_seconds: '3',
        error: 'no such table',
      },
      { task_key: '', run_id: '', state: 'FAILED', phase: 'failed' },
    ]);
  });

  it('have no single result where several put one out, or none', async () => {
    const tasks = [task('a', 1), task('b', 2)];
    expect((await concluded({ tasks }, { 1: result('x'), 2: result('y') })).outputs).toEqual({});
    expect((await concluded({ tasks }, { 1: {}, 2: {} })).outputs).toEqual({});
    expect((await concluded({ tasks }, { 1: {}, 2: result('') })).outputs).toEqual({ 'notebook-result': '' });
  });

  it.each([
    [10_000, true],
    [10_001, false],
  ])('have a result of %i characters: %s', async (length, isKept) => {
    const { tasks, outputs } = await concluded({ tasks: [task('a', 1)] }, { 1: result('x'.repeat(length)) });
    expect([tasks[0].result?.length, outputs['notebook-result']?.length]).toEqual(
      isKept ? [length, length] : [undefined, undefined],
    );
  });

  it('have results up to 30000 characters together', async () => {
    const tasks = [1, 2, 3, 4, 5].map((id) => task(`t${id}`, id));
    const full = result('x'.repeat(10_000));
    const some = await concluded({ tasks }, { 1: full, 2: full, 3: {}, 4: full, 5: result('y') });
    expect(some.tasks.map((each: JsonObject) => each.result !== undefined)).toEqual([true, true, false, true, false]);
    expect(some.tasks[4]).toMatchObject({ task_key: 't5', state: 'SUCCESS' });
  });

  it('are asked for their outputs up to ten, the failed ones first', async () => {
    const tasks = Array.from({ length: 14 }, (_, at) => task(`t${at}`, at, at === 12 || at === 13 ? FAILED : OK));
    const { asked, tasks: told } = await concluded({ tasks });
    expect(asked).toEqual(['12', '13', '0', '1', '2', '3', '4', '5', '6', '7']);
    expect(told).toHaveLength(14);
  });
});

describe('what a failed task leaves to read', () => {
  it.each<[string, JsonObject, Json | undefined, readonly (readonly [string, readonly string[]])[]]>([
    ['nothing where its output cannot be read', FAILED, undefined, []],
    ['nothing where it says nothing', FAILED, {}, []],
    ['nothing where it succeeded', OK, { error: 'x', error_trace: 'y', logs: 'z' }, []],
    ['its error', FAILED, { error: 'no\nsuch table' }, [['Task a failed', ['no', 'such table']]]],
    ['its trace', FAILED, { error_trace: 'at line 1' }, [['Trace of task a', ['at line 1']]]],
    ['its output', FAILED, { logs: 'epoch 1\n' }, [['End of the output of task a', ['epoch 1']]]],
  ])('is %s', async (_what, state, output, notes) => {
    const given = await concluded({ tasks: [task('a', 1, state)] }, output === undefined ? {} : { 1: output });
    expect(given.notes.map(({ title, lines }) => [title, lines])).toEqual(notes);
  });

  it('has a name on one line, none where it has none, and the ends of long texts', async () => {
    const long = Array.from({ length: 100 }, (_, line) => `line ${line}`).join('\n');
    const tasks = [task('a\nb', 1, FAILED), { run_id: 2, ...FAILED }];
    const { notes } = await concluded(
      { tasks },
      { 1: { error: long, error_trace: long, logs: long }, 2: { error: 'x' } },
    );
    expect(notes.map(({ title, lines }) => [title, lines.length, lines.at(-1)])).toEqual([
      ['Task a b failed', 21, 'line 99'],
      ['Trace of task a b', 31, 'line 99'],
      ['End of the output of task a b', 41, 'line 99'],
      ['Task  failed', 1, 'x'],
    ]);
  });
});
