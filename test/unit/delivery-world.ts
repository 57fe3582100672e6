import { expect } from 'vitest';
import { type ErrorCode, SubmitError } from '../../shared/errors.ts';
import type { CiContext } from '../../shared/host/ci-context.ts';
import { createHttp, HTTP_TIMINGS, type Transport } from '../../shared/http/http.ts';
import { openSession } from '../../shared/identity/session.ts';
import { isObject, type Json, tryParseJson } from '../../shared/json.ts';
import type { FoundRun, Submission } from '../../shared/kind.ts';
import { deliver } from '../../shared/run/deliver/deliver.ts';
import type { Delivered } from '../../shared/run/deliver/delivery-environment.ts';
import type { Grace } from '../../shared/run/grace.ts';
import { Secret } from '../../shared/secret.ts';
import { START, virtualClock } from '../contract/virtual-clock.ts';
import { fakeAccess } from './fake-plan.ts';
import { recordingHost } from './recording-host.ts';

export const KEY = 'a'.repeat(64);

export interface ServedRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly body: Json | undefined;
  /** What has passed since the step began, in ms. */
  readonly passedMs: number;
}

export interface Reply {
  readonly status: number;
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A service in memory: what it does with a request, and what it then answers. */
export type Serve = (request: ServedRequest) => Reply;

export interface Moment {
  readonly passedMs: number;
  /** Cancels the step. */
  readonly cancel: () => void;
  /** Ends one of the limits of a step that was cancelled. */
  readonly endGrace: (limit: keyof Grace) => void;
  /** Lets time pass. */
  readonly advance: (ms: number) => void;
}

/** What becomes of a request on its way: `serve` lets the service have it. */
export type Fate = (serve: () => Reply, moment: Moment) => Reply | Promise<Reply>;

function lose(message = 'the connection broke', unsent = false): never {
  throw Object.assign(new Error(message), { unsent });
}
const never = () => new Promise<never>(() => undefined);

export const SERVED: Fate = (serve) => serve();
export const LOST_BEFORE: Fate = () => lose();
export const LOST_AFTER: Fate = (serve) => {
  serve();
  return lose();
};
export const UNSENT: Fate = () => lose('no connection', true);
export const answering =
  (status: number, more: Omit<Reply, 'status'> = {}): Fate =>
  () => ({ status, ...more });
/** The service does what it is asked and says something else. */
export const servedButAnswering =
  (status: number, text = ''): Fate =>
  (serve) => {
    serve();
    return { status, text };
  };
/** The step is cancelled before the service has the request, which then never comes. */
export const CANCELLED_BEFORE: Fate = (_serve, { cancel, endGrace }) => {
  cancel();
  endGrace('answer');
  return never();
};
/** The step is cancelled when the service has the request, whose answer is too late. */
export const CANCELLED_AFTER: Fate = (serve, { cancel, endGrace }) => {
  serve();
  cancel();
  endGrace('answer');
  return never();
};
/** The step is cancelled, and the fate of the request comes in time. */
export const cancelledThen =
  (fate: Fate): Fate =>
  (serve, moment) => {
    moment.cancel();
    return fate(serve, moment);
  };
/** The last request that a cancelled step may make gets no answer. */
export const TOO_LATE: Fate = (serve, { endGrace }) => {
  serve();
  endGrace('lastTry');
  return never();
};

export interface Given {
  /** What becomes of the requests that change something, in order; of further ones what `later` says, else they are served. */
  readonly fates?: readonly Fate[];
  readonly later?: Fate;
  /** What becomes of the requests that read. */
  readonly reading?: Fate;
  readonly context?: Partial<CiContext>;
  readonly published?: FoundRun;
  readonly cancelAfterMs?: number;
  readonly cancelledBefore?: true;
  /** The signal comes while the attempt is remembered. */
  readonly cancelledWhenAnnounced?: true;
  readonly serverTimeoutSeconds?: number;
  /** What the credential for one request after the other fails by. */
  readonly credentialFaults?: readonly (Error | undefined)[];
}

export interface Came {
  readonly of: Delivered | unknown;
  /** The requests to change something, each with the attempt that it names and the ms that had passed. */
  readonly received: readonly (readonly [attempt: Json | undefined, atMs: number])[];
  /** The attempts that were announced before they were sent. */
  readonly announced: readonly number[];
  readonly lines: readonly string[];
  readonly tookMs: number;
}

export function fault(code: ErrorCode): SubmitError {
  return new SubmitError(code, { happened: `the service: ${code}`, remedy: [] });
}

/** What a step that submits this comes to, and what the service has received by then. */
export async function delivered(submission: Submission, serve: Serve, given: Given = {}): Promise<Came> {
  const clock = virtualClock();
  const step = new AbortController();
  const cancel = () => step.abort('SIGTERM');
  if (given.cancelledBefore) cancel();
  if (given.cancelAfterMs !== undefined) clock.after(given.cancelAfterMs, cancel);
  const limits = { answer: limit(), lastTry: limit(), cancel: limit(), settle: limit() };
  const moment = () => ({
    passedMs: clock.now() - START,
    cancel,
    endGrace: (name: keyof Grace) => limits[name].abort(`the end of ${name}`),
    advance: clock.advance,
  });

  const received: (readonly [Json | undefined, number])[] = [];
  const transport: Transport = async (address, { method, body, headers }) => {
    // No answer and no abort comes before its request has left.
    await Promise.resolve();
    const { host, pathname, search } = new URL(address);
    expect([host, headers?.authorization]).toEqual(['service.example', 'Bearer token']);
    const sent = typeof body === 'string' ? tryParseJson(body) : undefined;
    const passedMs = clock.now() - START;
    let fate = given.reading ?? SERVED;
    if (method !== 'GET') {
      fate = given.fates?.[received.length] ?? given.later ?? SERVED;
      received.push([attemptIn(sent), passedMs]);
    }
    const {
      status,
      text = '',
      headers: more,
    } = await fate(
      () => serve({ method, path: `${pathname}${search}`, body: sent, passedMs: clock.now() - START }),
      moment(),
    );
    const all = new Headers({ 'content-type': 'application/json', ...more });
    return { status, headers: all, body: chunks(text) };
  };

  const { host, lines } = recordingHost();
  const http = createHttp(transport, clock, HTTP_TIMINGS);
  const access = fakeAccess({
    explain: (_call, { status }) =>
      fault(status === 404 ? 'not-found' : status === 403 ? 'permission-denied' : 'request-rejected'),
    isCapacity: ({ text }) => text === 'no capacity',
  });
  const faults = [...(given.credentialFaults ?? [])];
  const credential = {
    get: async () => {
      const error = faults.shift();
      if (error !== undefined) throw error;
      return { headers: { authorization: new Secret('Bearer token') }, expiresAt: Number.POSITIVE_INFINITY };
    },
    renew: () => undefined,
    lastsUntil: () => undefined,
  };
  const { log, subjectTokens, conceal, context } = host;
  const announced: number[] = [];
  const of = await deliver(submission, {
    session: openSession({ http, clock, log, subjectTokens, conceal }, credential, access.explain, step.signal),
    access,
    context: { ...context, ...given.context },
    grace: {
      answer: limits.answer.signal,
      lastTry: limits.lastTry.signal,
      cancel: limits.cancel.signal,
      settle: limits.settle.signal,
    },
    title: 'Training job',
    key: KEY,
    serverTimeoutSeconds: given.serverTimeoutSeconds,
    spell: (setting) => setting.toUpperCase(),
    published: async () => given.published,
    beforeSending: async (attempt) => {
      announced.push(attempt);
      if (given.cancelledWhenAnnounced) cancel();
    },
  }).catch((error: unknown) => error);
  return { of, received, announced, lines, tookMs: clock.now() - START };
}

function limit(): AbortController {
  return new AbortController();
}

function attemptIn(body: Json | undefined): Json | undefined {
  return isObject(body) ? body.attempt : undefined;
}

async function* chunks(text: string): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode(text);
}

/** The attempts that the service received, in order. */
export function attempts({ received }: Came): readonly (Json | undefined)[] {
  return received.map(([attempt]) => attempt);
}

/** The moments at which the service received a request to change something, in ms. */
export function moments({ received }: Came): readonly number[] {
  return received.map(([, atMs]) => atMs);
}

/** What a step is told when it ends with an error. */
export function told(error: unknown): string {
  expect(error).toBeInstanceOf(SubmitError);
  return JSON.stringify((error as SubmitError).explanation);
}
