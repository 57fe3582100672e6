/** Where the core meets Node: clock, signals, loopback simulators. Only the two mains import this. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../clock.ts';
import { CANCEL_SIGNALS, SubmitError } from '../errors.ts';
import { isLoopback, type Transport } from '../http.ts';
import { plainLine } from '../remote-text.ts';

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

/**
 * Requests by Node's own client, over connections that are kept. `fetch` would do, but loading it takes longer than all the
 * rest of the start; so would an import of these modules, which reads all of their names.
 */
const nodeTransport: Transport = (address, { method, headers, body, signal }) =>
  new Promise((resolve, reject) => {
    const url = new URL(address);
    const { request } = process.getBuiltinModule(url.protocol === 'https:' ? 'node:https' : 'node:http');
    const outgoing = request(url, { method, headers: headers ?? {}, signal }, (incoming) => {
      const get = (name: string) => {
        const value = incoming.headers[name];
        return value === undefined ? null : String(value);
      };
      resolve({ status: incoming.statusCode ?? 0, headers: { get }, body: incoming });
    });
    outgoing.on('error', reject);
    if (body === undefined || typeof body === 'string') outgoing.end(body);
    else {
      // Both sides would wait for the rest of a body that is shorter than announced.
      Object.assign(outgoing, { strictContentLength: true });
      // As fast as the other side reads, so that a large body never fills the memory.
      process.getBuiltinModule('node:stream/promises').pipeline(body, outgoing).catch(reject);
    }
  });

/** How public addresses are reached. */
export interface Network {
  readonly transport: Transport;
  /** The simulators' address, when there are any. */
  readonly simulators?: string;
}

/**
 * The network as it is, or with `KEYLESS_SUBMIT_SIMULATORS=http://127.0.0.1:PORT` one in which `https://HOST/PATH` is asked
 * as `http://127.0.0.1:PORT/HOST/PATH`. Only loopback is taken, so that no variable can send tokens away.
 * @throws SubmitError `invalid-settings` for any other address.
 */
export function network(env: Readonly<Record<string, string | undefined>>): Network {
  const simulators = env.KEYLESS_SUBMIT_SIMULATORS;
  if (simulators === undefined || simulators === '') return { transport: nodeTransport };
  const base = URL.parse(simulators);
  if (base === null || base.protocol !== 'http:' || !isLoopback(base.hostname)) {
    throw new SubmitError('invalid-settings', {
      happened: 'KEYLESS_SUBMIT_SIMULATORS is not an address of simulators; nothing was sent',
      presented: [`KEYLESS_SUBMIT_SIMULATORS: ${plainLine(simulators, 80)}`],
      expected: ['an http:// address on loopback, such as http://127.0.0.1:8700'],
      remedy: ['Correct the variable, or remove it to use the real services.'],
    });
  }
  const reach = (address: string): string => {
    const target = new URL(address);
    return target.protocol === 'https:' ? `${base.origin}/${target.host}${target.pathname}${target.search}` : address;
  };
  return { simulators: base.origin, transport: (address, request) => nodeTransport(reach(address), request) };
}

/** What may be shown of a fault of this program: libraries' messages can hold tokens, so anything that could be one is cut. */
export function describeFault(error: unknown): string {
  const text = error instanceof Error ? (error.stack ?? error.message) : 'something that is not an error was thrown';
  return text.replace(/[\w-]{24,}(?:\.[\w-]+)*/g, '[redacted]');
}
