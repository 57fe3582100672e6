import { describe, expect, it } from 'vitest';
import { formatDuration } from '../../shared/clock.ts';
import { pollInterval } from '../../shared/watch.ts';

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
