import { describe, expect, it } from 'vitest';
import type { Json } from '../../shared/json.ts';
import { readFlowRun } from '../../shared/services/prefect/flow-run-status.ts';

const URL = 'https://app.prefect.cloud/run/7';

const inState = (type: string, name?: string, message?: string, more: Record<string, Json> = {}) => ({
  state: {
    type,
    ...(name === undefined ? {} : { name }),
    ...(message === undefined ? {} : { message }),
  },
  ...more,
});

describe('a flow run', () => {
  it.each([
    ['SCHEDULED', 'queued'],
    ['PENDING', 'queued'],
    ['RUNNING', 'running'],
    ['PAUSED', 'running'],
    ['CANCELLING', 'running'],
    ['COMPLETED', 'succeeded'],
    ['FAILED', 'failed'],
    ['CRASHED', 'failed'],
    ['CANCELLED', 'cancelled'],
    ['HIBERNATING', 'running'],
    ['toString', 'running'],
  ])('in the state %s is %s', (type, phase) => {
    const status = readFlowRun(inState(type), URL);
    expect(status).toMatchObject({ phase, word: type, url: URL, parts: [] });
    expect(status.ending).toBe(type === 'CANCELLING');
    expect(status.failure !== undefined).toBe(phase === 'failed');
    expect(status).not.toHaveProperty('startedAt');
  });

  it('is read by its older fields where it has no state', () => {
    expect(readFlowRun({ state_type: 'FAILED', state_name: 'TimedOut' }, URL)).toMatchObject({
      phase: 'failed',
      word: 'TimedOut',
      failure: { cause: 'timeout', message: '' },
    });
    expect(readFlowRun({}, URL)).toMatchObject({ phase: 'running', word: '' });
  });

  it.each([
    [inState('FAILED', 'Failed', 'ValueError'), 'code'],
    [inState('FAILED', 'TimedOut', 'too long'), 'timeout'],
    [inState('CRASHED', 'Crashed', 'no node'), 'infrastructure'],
    [inState('CANCELLED', 'Cancelled', 'Deployment concurrency limit reached.'), 'quota'],
  ])('%j failed for %s', (run, cause) => {
    const { phase, failure } = readFlowRun(run, URL);
    expect(phase).toBe('failed');
    expect(failure).toEqual({ cause, message: run.state.message });
  });

  it.each([
    inState('CANCELLED', 'Cancelled', 'by a person: Deployment concurrency limit reached'),
    inState('CANCELLED', 'Cancelled'),
  ])('that somebody cancelled did not fail: %j', (run) => {
    expect(readFlowRun(run, URL)).toMatchObject({ phase: 'cancelled' });
    expect(readFlowRun(run, URL)).not.toHaveProperty('failure');
  });

  it('that says a limit was reached while it runs has not failed', () => {
    expect(readFlowRun(inState('RUNNING', 'Running', 'Deployment concurrency limit reached'), URL).phase).toBe(
      'running',
    );
  });

  it('has begun when it says so', () => {
    const run = inState('RUNNING', 'Running', '', { start_time: '2026-11-21T08:00:00Z' });
    expect(readFlowRun(run, URL).startedAt).toBe(Date.parse('2026-11-21T08:00:00Z'));
  });
});

const AT = '2026-11-21T09:00:00.123Z';
const scheduled = (name: string, created: string, more: Record<string, Json> = {}) => ({
  state: { type: 'SCHEDULED', name, state_details: { scheduled_time: AT } },
  created,
  ...more,
});

describe('what a flow run waits for', () => {
  it.each([
    [inState('SCHEDULED', 'AwaitingConcurrencySlot'), /^waits for a free slot/],
    [{ ...scheduled('AwaitingRetry', AT), run_count: 2 }, /^failed 2 time\(s\) .*2026-11-21T09:00:00Z$/],
    [inState('SCHEDULED', 'AwaitingRetry'), /^failed 1 time\(s\)[^:]*$/],
    [inState('PAUSED', 'Paused'), /^waits for somebody/],
    [inState('PAUSED', 'Suspended'), /^waits for somebody/],
    [inState('PENDING', 'InfrastructurePending'), /^its infrastructure/],
    [scheduled('Scheduled', '2026-11-21T08:00:00Z'), /^starts at 2026-11-21T09:00:00Z$/],
    [inState('RUNNING', 'Running', 'loading\u001b[31m data'), /^loading data$/],
    [inState('PAUSED', 'Paused', 'by the flow'), /^waits for somebody.*; by the flow$/],
  ])('is told: %j', (run, words) => expect(readFlowRun(run, URL).detail).toMatch(words));

  it.each([
    ['for its time, which is now', scheduled('Scheduled', '2026-11-21T08:59:50Z')],
    ['for its time, in exactly half a minute', scheduled('Scheduled', '2026-11-21T08:59:30.123Z')],
    ['for nothing that is known', inState('RUNNING', 'Running')],
    ['and its message is its name', inState('RUNNING', 'Running', 'Running')],
    ['not, since it is over', inState('COMPLETED', 'Completed', 'all is well')],
    ['not, since it failed', inState('FAILED', 'Paused', 'oh')],
    ['in a pending state that only sounds like one', inState('PENDING', 'Scheduled')],
  ])('is not told where it waits %s', (_what, run) => expect(readFlowRun(run, URL)).not.toHaveProperty('detail'));
});

it.each([
  [inState('SCHEDULED', 'Late'), true],
  [inState('SCHEDULED', 'Scheduled', '', { estimated_start_time_delta: 31 }), true],
  [inState('SCHEDULED', 'Scheduled', '', { estimated_start_time_delta: 30 }), false],
  [inState('SCHEDULED', 'Scheduled'), false],
  [inState('SCHEDULED', 'AwaitingRetry', '', { estimated_start_time_delta: 99 }), false],
  [inState('PENDING', 'Late'), false],
])('%j: nobody has taken it up: %s', (run, late) => expect(readFlowRun(run, URL).isLate).toBe(late));
