import { describe, expect, it } from 'vitest';
import type { Json } from '../../shared/json.ts';
import { readRun, runUrl } from '../../shared/services/databricks/run-status.ts';

const ended = (life: string, result?: string) => ({
  state: { life_cycle_state: life, state_message: 'words', ...(result === undefined ? {} : { result_state: result }) },
});

describe('a run as older workspaces tell of it, without status', () => {
  it.each([
    ['BLOCKED', 'queued'],
    ['PENDING', 'queued'],
    ['QUEUED', 'queued'],
    ['WAITING_FOR_RETRY', 'queued'],
    ['RUNNING', 'running'],
    ['TERMINATING', 'running'],
    ['HIBERNATING', 'running'],
  ])('is, in %s, %s', (life, phase) => {
    expect(readRun(ended(life))).toMatchObject({ phase, word: life, detail: 'words' });
  });

  it.each([
    ['TERMINATED', 'SUCCESS', 'succeeded', undefined],
    ['TERMINATED', 'FAILED', 'failed', 'code'],
    ['TERMINATED', 'TIMEDOUT', 'failed', 'timeout'],
    ['TERMINATED', 'CANCELED', 'cancelled', undefined],
    ['TERMINATED', 'SUCCESS_WITH_FAILURES', 'failed', 'code'],
    ['TERMINATED', 'UPSTREAM_FAILED', 'failed', 'code'],
    ['TERMINATED', 'UPSTREAM_CANCELED', 'cancelled', undefined],
    ['TERMINATED', 'EXCLUDED', 'failed', 'code'],
    ['TERMINATED', 'DISABLED', 'failed', 'code'],
    ['TERMINATED', 'MAXIMUM_CONCURRENT_RUNS_REACHED', 'failed', 'quota'],
    ['TERMINATED', 'COMET_STRUCK', 'failed', 'code'],
    ['TERMINATED', undefined, 'failed', 'code'],
    ['INTERNAL_ERROR', 'FAILED', 'failed', 'code'],
    ['INTERNAL_ERROR', undefined, 'failed', 'infrastructure'],
    ['SKIPPED', undefined, 'failed', 'code'],
  ])('is, at %s with %s, %s (%s)', (life, result, phase, cause) => {
    const status = readRun(ended(life, result));
    expect(status.phase).toBe(phase);
    expect(status.failure?.cause).toBe(cause);
  });

  it('has no state yet when nothing is said', () => {
    expect(readRun({ run_id: 1 })).toMatchObject({ phase: 'queued', parts: [] });
  });
});

describe('a run as it is told of now', () => {
  const failed = (code: string, message: string) => ({
    state: 'TERMINATED',
    termination_details: { type: 'CLIENT_ERROR', code, message },
  });

  it('says with its task what went wrong', () => {
    const run = {
      state: { life_cycle_state: 'INTERNAL_ERROR', result_state: 'FAILED' },
      status: failed('RUN_EXECUTION_ERROR', 'Task train failed'),
      tasks: [
        {
          task_key: 'load',
          attempt_number: 0,
          status: { state: 'TERMINATED', termination_details: { code: 'SUCCESS' } },
        },
        { task_key: 'train', attempt_number: 0, status: failed('RUN_EXECUTION_ERROR', 'first try') },
        { task_key: 'train', attempt_number: 1, status: failed('STORAGE_ACCESS_ERROR', 'no such volume') },
      ],
    };
    expect(readRun(run)).toMatchObject({
      phase: 'failed',
      word: 'RUN_EXECUTION_ERROR',
      failure: { cause: 'permission', message: 'Task train failed' },
      parts: [
        { name: 'load', phase: 'succeeded', word: 'SUCCESS' },
        { name: 'train', phase: 'failed', word: 'STORAGE_ACCESS_ERROR' },
      ],
    });
  });

  it('says why it waits', () => {
    const status = { state: 'QUEUED', queue_details: { code: 'ACTIVE_RUNS_LIMIT_REACHED', message: 'too many runs' } };
    expect(readRun({ status })).toMatchObject({ phase: 'queued', word: 'QUEUED', detail: 'too many runs' });
  });

  it('is on its way to an end while it terminates', () => {
    expect(readRun({ status: { state: 'TERMINATING' } })).toMatchObject({ phase: 'running', ending: true });
  });
});

describe('the page of a run', () => {
  it.each([
    ['https://adb-1.2.azuredatabricks.net/?o=7#job/5/run/6', 'https://adb-1.2.azuredatabricks.net/jobs/5/runs/6?o=7'],
    ['https://x.cloud.databricks.com/jobs/5/runs/6?o=7', 'https://x.cloud.databricks.com/jobs/5/runs/6?o=7'],
    ['javascript:alert(1)', undefined],
    ['https://x.example/"><script>', undefined],
    ['', undefined],
  ])('%s is %s', (given, url) => expect(runUrl({ run_page_url: given })).toBe(url));
});

describe('why a run failed', () => {
  const task = (key: string, attempt: number | undefined, code: string, message: string) => ({
    task_key: key,
    ...(attempt === undefined ? {} : { attempt_number: attempt }),
    status: { state: 'TERMINATED', termination_details: { code, message } },
  });
  const run = (tasks: readonly Json[], code = 'RUN_EXECUTION_ERROR', message = '') => ({
    status: { state: 'TERMINATED', termination_details: { code, message } },
    tasks,
  });

  it.each([
    [
      'the first task that says why',
      [task('a', 0, 'CLUSTER_ERROR', ''), task('b', 0, 'STORAGE_ACCESS_ERROR', 'no volume')],
      'permission',
      'no volume',
    ],
    [
      'the first that failed, where none does',
      [task('a', 0, 'SUCCESS', 'fine'), task('b', 0, 'CLUSTER_ERROR', '')],
      'infrastructure',
      '',
    ],
    [
      'the last attempt at a task',
      [task('a', 1, 'CLUSTER_ERROR', 'lost'), task('a', 0, 'FAILED', 'first')],
      'infrastructure',
      'lost',
    ],
    [
      'the later one of two without a number',
      [task('a', undefined, 'FAILED', 'first'), task('a', undefined, 'CLUSTER_ERROR', 'lost')],
      'infrastructure',
      'lost',
    ],
    ['itself, where no task failed', [task('a', 0, 'SUCCESS', '')], 'code', ''],
    ['itself, where a task is none', [null, 'x'], 'code', ''],
  ])('is told by %s', (_what, tasks, cause, message) => {
    expect(readRun(run(tasks)).failure).toEqual({ cause, message });
  });

  it('is a timeout whatever its tasks say', () => {
    const timedOut = {
      ...run([task('a', 0, 'CLUSTER_ERROR', 'lost')], 'RUN_EXECUTION_ERROR', 'too long'),
      state: { result_state: 'TIMEDOUT' },
    };
    expect(readRun(timedOut)).toMatchObject({
      phase: 'failed',
      word: 'TIMEDOUT',
      failure: { cause: 'timeout', message: 'too long' },
    });
  });

  it('is nothing where it succeeded although a task failed', () => {
    const status = readRun(run([task('a', 0, 'FAILED', 'skipped')], 'SUCCESS'));
    expect(status.phase).toBe('succeeded');
    expect(status).not.toHaveProperty('failure');
  });

  it.each([
    ['CLIENT_ERROR', 'code'],
    ['INTERNAL_ERROR', 'infrastructure'],
    ['CLOUD_FAILURE', 'infrastructure'],
    ['COMET', 'code'],
  ])('is told by the type %s of a code of tomorrow', (type, cause) => {
    const status = { state: 'TERMINATED', termination_details: { code: 'toString', type, message: 'm' } };
    expect(readRun({ status }).failure).toEqual({ cause, message: 'm' });
  });

  it.each([
    ['TIMEDOUT', 'timeout'],
    ['UNAUTHORIZED_ERROR', 'permission'],
    ['STORAGE_ACCESS_ERROR', 'permission'],
    ['REPOSITORY_CHECKOUT_FAILED', 'permission'],
    ['WORKSPACE_RUN_LIMIT_EXCEEDED', 'quota'],
    ['CLUSTER_REQUEST_LIMIT_EXCEEDED', 'quota'],
    ['MAX_CONCURRENT_RUNS_EXCEEDED', 'quota'],
    ['MAX_JOB_QUEUE_SIZE_EXCEEDED', 'quota'],
    ['BUDGET_POLICY_LIMIT_EXCEEDED', 'quota'],
    ['CLUSTER_ERROR', 'infrastructure'],
    ['DRIVER_ERROR', 'infrastructure'],
    ['CLOUD_FAILURE', 'infrastructure'],
    ['INTERNAL_ERROR', 'infrastructure'],
    ['RUN_EXECUTION_ERROR', 'code'],
  ])('is told by the code %s', (code, cause) => {
    const status = { state: 'TERMINATED', termination_details: { code, type: 'COMET' } };
    expect(readRun({ status }).failure).toEqual({ cause, message: '' });
  });

  it.each(['CANCELED', 'USER_CANCELED', 'UPSTREAM_CANCELED'])('is nothing where it was cancelled: %s', (code) => {
    const status = readRun({ status: { state: 'TERMINATED', termination_details: { code } } });
    expect(status.phase).toBe('cancelled');
    expect(status).not.toHaveProperty('failure');
  });
});

it('a run says when it began and where its page is, where it does', () => {
  const page = 'https://x.cloud.databricks.com/jobs/5/runs/6';
  expect(readRun({ start_time: 5, run_page_url: page })).toMatchObject({ startedAt: 5, url: page });
  for (const name of ['startedAt', 'url', 'detail', 'ending', 'failure']) expect(readRun({})).not.toHaveProperty(name);
});

it.each([
  [{ queue_details: { message: 'full', code: 'FULL' } }, 'full'],
  [{ queue_details: { code: 'FULL' } }, 'FULL'],
  [{}, 'older words'],
])('a run waits for %j', (more, detail) => {
  const run = { status: { state: 'QUEUED', ...more }, state: { state_message: 'older words' } };
  expect(readRun(run)).toMatchObject({ phase: 'queued', detail });
});

it.each([
  ['https://a.example/?o=12#job/34/run/56', 'https://a.example/jobs/34/runs/56?o=12'],
  ['http://127.0.0.1:8700/?o=12#job/34/run/56', 'http://127.0.0.1:8700/jobs/34/runs/56?o=12'],
  ['see https://a.example/?o=12#job/34/run/56', undefined],
  ['https://a.example/?o=12#job/34/run/56/x', 'https://a.example/?o=12#job/34/run/56/x'],
  ['http://a.example/run', 'http://a.example/run'],
])('the page %s is %s', (given, url) => expect(runUrl({ run_page_url: given })).toBe(url));
