import { describe, expect, it } from 'vitest';
import { readRun, runUrl } from '../../shared/jobs/databricks/run-status.ts';

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
