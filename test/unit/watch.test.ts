import { describe, expect, it } from 'vitest';
import { formatDuration } from '../../shared/clock.ts';
import { SubmitError } from '../../shared/errors.ts';
import type { Job, RunStatus } from '../../shared/jobs/job-kind.ts';
import { pollInterval, type WatchEnvironment, watch } from '../../shared/watch.ts';
import { START, virtualClock } from '../contract/virtual-clock.ts';

describe('the time between two looks', () => {
  it.each([
    [0, 1_000],
    [20_000, 1_000],
    [60_000, 3_000],
    [300_000, 15_000],
    [600_000, 30_000],
    [12 * 3_600_000, 30_000],
  ])('after %i ms is %i ms', (elapsed, interval) => expect(pollInterval(elapsed)).toBe(interval));

  it('never shrinks', () => {
    const intervals = Array.from({ length: 1_000 }, (_, second) => pollInterval(second * 1_000));
    expect(intervals).toEqual(intervals.toSorted((left, right) => left - right));
  });
});

describe('a duration for people', () => {
  it.each([
    [-5, '0s'],
    [0, '0s'],
    [42_400, '42s'],
    [59_600, '1m 00s'],
    [185_000, '3m 05s'],
    [3_599_600, '1h 00m'],
    [7_800_000, '2h 10m'],
    [86_399_600, '1d 0h'],
    [273_600_000, '3d 4h'],
  ])('of %i ms is %s', (ms, text) => expect(formatDuration(ms)).toBe(text));
});

describe('a wait that something is in the way of', () => {
  const minute = 60_000;
  /** Watches a run that ends after an hour, and cannot be seen for a while from the tenth minute on. */
  const watched = (lasting: boolean, outageMs: number) => {
    const clock = virtualClock();
    const warnings: string[] = [];
    const running: RunStatus = { phase: 'running', word: 'RUNNING', parts: [], source: null };
    const job: Pick<Job, 'status'> = {
      status: async () => {
        const passed = clock.now() - START;
        if (passed >= 10 * minute && passed < 10 * minute + outageMs)
          throw new SubmitError('service-unavailable', { happened: 'The proxy wants a login', remedy: [], lasting });
        return passed < 60 * minute ? running : { ...running, phase: 'succeeded', word: 'DONE' };
      },
    };
    const environment: Partial<WatchEnvironment> = {
      clock,
      credential: {
        get: async () => ({ headers: {}, expiresAt: 0 }),
        renew: () => undefined,
        lastsUntil: () => undefined,
      },
      deadline: START + 120 * minute,
      isNew: true,
      onPhase: () => undefined,
      signal: new AbortController().signal,
    };
    const log = { info: () => undefined, warning: (line: string) => void warnings.push(line) };
    const ended = watch(job as Job, 'run', { ...environment, log } as unknown as WatchEnvironment);
    return { ended, clock, warnings };
  };

  it.each([
    [true, 50_000],
    [false, 9 * minute],
  ])('(lasting: %s) goes on after %i ms, with one warning', async (lasting, outageMs) => {
    const { ended, warnings } = watched(lasting, outageMs);
    expect(await ended).toMatchObject({ end: 'over', status: { phase: 'succeeded' } });
    expect(warnings).toEqual([expect.stringMatching(/cannot see the job for now: The proxy wants a login$/)]);
  });

  it.each([
    [true, 1],
    [false, 10],
  ])('(lasting: %s) ends after about %i min', async (lasting, minutes) => {
    const { ended, clock, warnings } = watched(lasting, 40 * minute);
    await expect(ended).rejects.toThrow('The proxy wants a login');
    const blindMs = clock.now() - START - 10 * minute;
    expect(blindMs).toBeGreaterThan((minutes - 0.6) * minute);
    expect(blindMs).toBeLessThan((minutes + 0.6) * minute);
    expect(warnings).toHaveLength(1);
  });
});
