import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '../../shared/clock.ts';

/** Time that passes only where somebody sleeps: twelve hours take a moment, and the simulators' tokens really expire. */
export interface VirtualClock extends Clock {
  /** Lets time pass without a sleeper. */
  advance(ms: number): void;
  /** Calls `action` when `ms` have passed from now. */
  after(ms: number, action: () => void): void;
}

export const START = Date.parse('2026-11-21T08:00:00Z');

export function virtualClock(start = START): VirtualClock {
  let now = start;
  let actions: readonly { readonly at: number; readonly action: () => void }[] = [];

  const pass = (until: number, ended: () => boolean): void => {
    for (;;) {
      const next = actions.toSorted((left, right) => left.at - right.at).find(({ at }) => at <= until);
      if (next === undefined || ended()) break;
      actions = actions.filter((each) => each !== next);
      now = Math.max(now, next.at);
      next.action();
    }
    // Sleeps that overlap pass together, and one that was cut short ends where it was cut.
    if (!ended()) now = Math.max(now, until);
  };

  return {
    now: () => now,
    sleep: async (ms, signal) => {
      // Whole milliseconds, as a machine's clock counts them.
      const until = now + Math.ceil(ms);
      // Answers that are on their way come in first.
      await turn();
      pass(until, () => signal?.aborted === true);
    },
    advance: (ms) => pass(now + ms, () => false),
    after: (ms, action) => {
      actions = [...actions, { at: now + ms, action }];
    },
  };
}
