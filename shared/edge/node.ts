/** Where the core meets Node: clock and signals. Only the two mains import this. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../clock.ts';
import { CANCEL_SIGNALS } from '../errors.ts';
import { defined } from '../json.ts';
import { plainText } from '../remote-text.ts';

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: async (ms, signal) => {
    // An abort ends the sleep; whoever slept looks at the signal.
    await delay(ms, undefined, defined({ signal })).catch(() => undefined);
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

/** What may be shown of a fault of this program: libraries' messages can hold tokens, so whatever could be a part of one is cut. */
export function describeFault(error: unknown): string {
  if (!(error instanceof Error)) return 'something that is not an error was thrown';
  const { message, name, stack = '' } = error;
  const words = plainText(message.slice(0, LONGEST_FAULT)).replace(/[\w+/=~%-]{16,}(?:\.[\w+/=~%-]*)*/g, '[redacted]');
  // Where it happened stands after the message, which could look the same.
  const frames = stack.slice(stack.indexOf(message) + message.length).match(/^ {4}at .*$/gm) ?? [];
  return [`${name}: ${words}`, ...frames].join('\n');
}

const LONGEST_FAULT = 2_000;
