/** Where the core meets Node: clock and signals. Only the two mains import this. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../clock.ts';
import { CANCEL_SIGNALS } from '../errors.ts';

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: async (ms, signal) => {
    // An abort ends the sleep; whoever slept looks at the signal.
    await delay(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
  },
};

/** Keeps libraries from printing what they send, which some variables would make them do. Called before they are loaded. */
export function silenceLibraries(env: NodeJS.ProcessEnv): void {
  delete env.GOOGLE_SDK_NODE_LOGGING;
  delete env.NODE_DEBUG;
}

/**
 * Aborts, with the signal's name as the reason, when the CI cancels the step. An agent can be set to any of them:
 * https://buildkite.com/docs/agent/configuration#cancel-signal
 */
export function abortOnSignals(from: NodeJS.Process): AbortSignal {
  const controller = new AbortController();
  for (const name of CANCEL_SIGNALS) from.on(name, () => controller.abort(name));
  return controller.signal;
}

/** What may be shown of a fault of this program: libraries' messages can hold tokens, so anything that could be one is cut. */
export function describeFault(error: unknown): string {
  const text = error instanceof Error ? (error.stack ?? error.message) : 'something that is not an error was thrown';
  return text.replace(/[\w-]{24,}(?:\.[\w-]+)*/g, '[redacted]');
}
