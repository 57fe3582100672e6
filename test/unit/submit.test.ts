import { describe, expect, it, test } from 'vitest';
import { SubmitError } from '../../shared/errors.ts';
import { createGrace } from '../../shared/grace.ts';
import type { FoundRun, Job, RunStatus } from '../../shared/jobs/job-kind.ts';
import { type SubmissionEnvironment, submitOnce } from '../../shared/submit.ts';
import { virtualClock } from '../contract/virtual-clock.ts';

const KEY = 'a'.repeat(64);

test('a step that is cancelled while it supplies what a refusal asked for submits nothing any more', async () => {
  const step = new AbortController();
  let submissions = 0;
  const job: Pick<Job, 'recognisesRepeats' | 'submissionCall' | 'supply'> = {
    recognisesRepeats: false,
    submissionCall: () => ({ method: 'POST', url: 'https://service.example/runs', body: '{}' }),
    supply: async () => {
      // The last of it was sent when the signal came.
      step.abort('SIGTERM');
      return true;
    },
  };
  const environment = {
    client: {
      attempt: async () => {
        submissions += 1;
        return { kind: 'answer', status: 400, contentType: 'application/json', text: '{}' } as const;
      },
    },
    clock: { now: () => 0, sleep: async () => {} },
    context: { attempt: 1 },
    grace: createGrace(step.signal),
    signal: step.signal,
    published: async () => undefined,
  };
  const submitted = submitOnce(job as Job, {}, KEY, environment as unknown as SubmissionEnvironment);
  await expect(submitted).rejects.toBe('SIGTERM');
  expect(submissions).toBe(1);
});

describe('a re-run whose earlier run published a job', () => {
  const GONE = new SubmitError('not-found', { happened: 'there is no such job', remedy: [] });
  const RUNNING: RunStatus = { phase: 'running', word: 'RUNNING', parts: [], source: {} };
  const FAILED: RunStatus = { phase: 'failed', word: 'FAILED', parts: [], source: {} };

  /** Runs the second run of a step; `seen` is what a look at the published job finds after so many milliseconds. */
  async function rerun(seen: (passedMs: number) => RunStatus | Error, given: { attempt?: number } = {}) {
    const clock = virtualClock();
    const start = clock.now();
    const sent: number[] = [];
    const lines: string[] = [];
    const job: Partial<Job> = {
      recognisesRepeats: false,
      submissionCall: (_payload, { attempt }) => {
        sent.push(attempt);
        return { method: 'POST', url: 'https://service.example/runs', body: '{}' };
      },
      readSubmission: () => ({ id: 'new' }),
      find: async () => [],
      status: async () => {
        const found = seen(clock.now() - start);
        if (found instanceof Error) throw found;
        return found;
      },
      isCapacity: () => false,
    };
    const { signal } = new AbortController();
    const say = (line: string) => void lines.push(line);
    const environment = {
      client: { attempt: async () => ({ kind: 'answer', status: 200, contentType: '', text: '{}' }) },
      clock,
      context: { attempt: given.attempt ?? 2, retry: 'manual' },
      grace: createGrace(signal),
      log: { info: say, warning: say, debug: say },
      published: async (): Promise<FoundRun> => ({ id: 'published', attempt: 1 }),
      signal,
      spell: (name: string) => name,
    };
    const submitted = await submitOnce(job as Job, {}, KEY, environment as unknown as SubmissionEnvironment);
    return { submitted, sent, log: lines.join('\n') };
  }

  it('submits again where that was deleted since', async () => {
    const { submitted, sent, log } = await rerun(() => GONE);
    expect(submitted).toMatchObject({ id: 'new', attempt: 2, origin: 'created' });
    expect(sent).toEqual([2]);
    expect(log).toContain('published, which no longer exists');
  });

  it('waits for one that is too new to be seen', async () => {
    const { submitted, sent } = await rerun((passed) => (passed < 40_000 ? GONE : RUNNING));
    expect(submitted).toMatchObject({ id: 'published', attempt: 1, origin: 'found' });
    expect(sent).toEqual([]);
  });

  it('does not submit while that cannot be looked at', async () => {
    const fault = new SubmitError('service-unavailable', { happened: 'it is down', remedy: [] });
    await expect(rerun(() => fault)).rejects.toBe(fault);
  });

  it('looks for a later one only where an earlier run may have made one', async () => {
    expect((await rerun(() => FAILED)).log).not.toContain('Looking for up to a minute');
    const third = await rerun(() => FAILED, { attempt: 3 });
    expect(third.log).toContain('Looking for up to a minute');
    expect(third.sent).toEqual([2]);
  });
});
