import type { Clock } from '../../clock.ts';

/** A list may show a new run up to half a minute late, so a run counts as missing only after a minute of looking. */
export const LIST_DELAYS_MS = [1_000, 2_000, 4_000, 8_000, 15_000, 30_000] as const;
/** What is read by its own name is up to date in seconds. */
export const STATE_DELAYS_MS = LIST_DELAYS_MS.slice(0, 4);

interface LookUpEnvironment {
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Looks for something that may show up late: at once, and again after each of the delays (ms). A cancelled step looks once more
 * and leaves.
 * @returns undefined when it was not there in the end.
 */
export async function lookRepeatedly<T>(
  look: () => Promise<T | undefined>,
  delays: readonly number[],
  { clock, signal }: LookUpEnvironment,
): Promise<T | undefined> {
  for (const delay of [0, ...delays]) {
    if (delay > 0 && signal.aborted) return undefined;
    if (delay > 0) await clock.sleep(delay, signal);
    const found = await look();
    if (found !== undefined) return found;
  }
  return undefined;
}
