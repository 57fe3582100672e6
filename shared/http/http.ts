import { type Clock, formatDuration } from '../clock.ts';
import { type Explanation, SubmitError } from '../errors.ts';
import type { Log } from '../host/host.ts';
import { defined, type Json, tryParseJson } from '../json.ts';
import { PROJECT } from '../project.ts';
import { plainLine } from '../remote-text.ts';
import { Secret } from '../secret.ts';

export interface HttpCall {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Without credentials; https, or http on loopback. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Headers that nobody may see, such as `authorization`. */
  readonly secretHeaders?: SecretHeaders;
  readonly body?: string | StreamedBody;
  /** The milliseconds that a refusal asks to wait, for services that say so in its body. */
  readonly askedToWait?: (answer: Answer, now: number) => number | undefined;
  /** Whether a refusal may pass that does not look so by its status, for services that say it in its body. */
  readonly isPassing?: (answer: Answer) => boolean;
}

export type SecretHeaders = Readonly<Record<string, Secret>>;

/** The header of a bearer token (RFC 6750, section 2.1). */
export function bearer(token: Secret): SecretHeaders {
  return { authorization: new Secret(`Bearer ${token.reveal()}`) };
}

/** A body that is not held in memory. It is opened anew for each attempt. */
export interface StreamedBody {
  readonly bytes: number;
  open(): AsyncIterable<Uint8Array>;
}

/** What became of one request. `lost` means that no whole answer came: `sent: false` when the service cannot have seen it. */
export type Attempt =
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly retryAfterMs?: number;
      /** The service's own time, in ms since the epoch. */
      readonly dateMs?: number;
      readonly contentType: string;
      readonly text: string;
    }
  | {
      readonly kind: 'lost';
      readonly reason: string;
      readonly sent: boolean;
      readonly obstacle?: Obstacle;
    };

/** What keeps requests from a service and does not go away by waiting: a certificate that is not trusted, a proxy that requires a login. */
export interface Obstacle extends Pick<Explanation, 'presented' | 'expected' | 'remedy' | 'link'> {
  /** How long a request is repeated nevertheless, in ms. */
  readonly patienceMs: number;
}

export type Answer = Extract<Attempt, { kind: 'answer' }>;

export interface Http {
  /** One request, one attempt. Rejects only when `signal` aborts, and then at once. */
  once(call: HttpCall, signal: AbortSignal): Promise<Attempt>;
  /**
   * A request that may be repeated: again after a lost answer, 408, 429 and 5xx, within a total budget, honouring Retry-After,
   * but not where waiting cannot help. Returns the first definite answer (any other status).
   * @throws SubmitError `service-unavailable`, `rate-limited`.
   */
  persist(call: HttpCall, signal: AbortSignal): Promise<Answer>;
  /** Opens a connection to the origin ahead of its use, so that its handshake overlaps with the requests before. */
  warm(url: string): void;
  /** The same client, which tells `log` when a request is repeated for long. */
  reportingTo(log: Pick<Log, 'info'>): Http;
}

export interface HttpTimings {
  /** One attempt, in ms. */
  readonly attemptMs: number;
  /** All attempts of one `persist`, in ms. */
  readonly budgetMs: number;
}

export const HTTP_TIMINGS: HttpTimings = { attemptMs: 30_000, budgetMs: 120_000 };
const USER_AGENT = `${PROJECT.name}/${PROJECT.version}`;
const ANSWER_LIMIT = 16 * 1024 * 1024;
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 20_000;
const SLOWEST_BYTES_PER_MS = 64;
/** How long a request is repeated without a word. */
const SILENT_MS = 10_000;

/** Whether an answer is a success (RFC 9110, section 15.3). */
export function isSuccess({ status }: { readonly status: number }): boolean {
  return status >= 200 && status < 300;
}

/** Statuses after which the same request may succeed. */
export function isTransient(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}

/** One request over the wire, as `fetch` would make it. Redirects are not followed. */
export type Transport = (url: string, request: TransportRequest) => Promise<TransportResponse>;

export interface TransportRequest {
  readonly method: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | AsyncIterable<Uint8Array>;
  readonly redirect: 'manual';
  readonly signal: AbortSignal;
}

/** What a transport can add to an error that it rejects with. */
export interface TransportFault {
  /** Nothing of the request can have reached the service. */
  readonly unsent?: boolean;
  readonly obstacle?: Obstacle;
}

interface TransportResponse {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly body: AsyncIterable<Uint8Array> | null;
}

/**
 * An HTTP client over the given transport. Redirects are never followed, since a credential would go with them.
 * An attempt ends with its deadline or with the step, whatever the transport does.
 */
export function createHttp(transport: Transport, clock: Clock, timings: HttpTimings, log?: Pick<Log, 'info'>): Http {
  const send = async (call: HttpCall, signal: AbortSignal): Promise<Answer> => {
    const response = await transport(call.url, {
      method: call.method,
      headers: {
        accept: 'application/json',
        'user-agent': USER_AGENT,
        ...call.headers,
        ...revealed(call.secretHeaders),
        // Of text the transport tells the length itself.
        ...(typeof call.body === 'object' ? { 'content-length': String(call.body.bytes) } : {}),
      },
      ...defined({ body: typeof call.body === 'object' ? call.body.open() : call.body }),
      redirect: 'manual',
      signal,
    });
    const text = await readLimited(response);
    const { headers, status } = response;
    const dateMs = timeOf(headers.get('date') ?? '');
    const contentType = headers.get('content-type') ?? '';
    const answer: Answer = { kind: 'answer', status, contentType, text, ...defined({ dateMs }) };
    const now = clock.now();
    const retryAfterMs = parseRetryAfter(headers.get('retry-after'), now) ?? call.askedToWait?.(answer, now);
    return { ...answer, ...defined({ retryAfterMs }) };
  };

  const once = async (call: HttpCall, signal: AbortSignal): Promise<Attempt> => {
    requireTrustworthy(call.url);
    const limitMs = timings.attemptMs + sendingMs(call);
    const timeout = AbortSignal.timeout(limitMs);
    try {
      const ended = AbortSignal.any([signal, timeout]);
      ended.throwIfAborted();
      return await unlessAborted(send(call, ended), ended);
    } catch (error) {
      signal.throwIfAborted();
      if (timeout.aborted) return { kind: 'lost', reason: `no answer within ${limitMs / 1000} s`, sent: true };
      return lostBy(error);
    }
  };

  const persist = async (call: HttpCall, signal: AbortSignal): Promise<Answer> => {
    const startedAt = clock.now();
    for (let attempt = 1; ; attempt += 1) {
      const result = lostIfCutShort(await once(call, signal));
      if (result.kind === 'answer' && !isTransient(result.status) && call.isPassing?.(result) !== true) return result;
      const wait = retryDelay(attempt, result);
      const passed = clock.now() - startedAt;
      if (passed + wait > patience(result, timings.budgetMs + sendingMs(call)))
        throw exhausted(call.url, result, attempt);
      if (log !== undefined) tellPause(log, call.url, result, wait, passed);
      await clock.sleep(wait, signal);
    }
  };

  const warm = (url: string): void => {
    const { origin } = new URL(url);
    const signal = AbortSignal.timeout(timings.attemptMs);
    transport(origin, { method: 'HEAD', redirect: 'manual', signal })
      .then(readLimited)
      .catch(() => {
        // Only a head start: the request that follows reports what is wrong.
      });
  };

  return { once, persist, warm, reportingTo: (listener) => createHttp(transport, clock, timings, listener) };
}

/** What `work` comes to, or a rejection with the signal's reason as soon as that aborts. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort);
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** How long a request may be repeated after this result, in ms: `usualMs`, or less where waiting does not help. */
export function patience(result: Attempt, usualMs: number): number {
  return result.kind === 'lost' && result.obstacle !== undefined ? result.obstacle.patienceMs : usualMs;
}

/** Tells of a pause before the next attempt, once the attempts have taken long or will. Times are in ms. */
export function tellPause(
  log: Pick<Log, 'info'>,
  url: string,
  result: Attempt,
  waitMs: number,
  passedMs: number,
): void {
  if (passedMs + waitMs <= SILENT_MS) return;
  log.info(`${new URL(url).host}: ${describeAttempt(result)}; trying again in ${formatDuration(waitMs)}`);
}

/** What sending a large body may take, in ms, before it counts as stuck. */
function sendingMs({ body }: HttpCall): number {
  return typeof body === 'object' ? Math.ceil(body.bytes / SLOWEST_BYTES_PER_MS) : 0;
}

function revealed(headers: SecretHeaders = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.reveal()]));
}

/** Milliseconds before the next attempt: what the service asked for, else doubling from half a second. */
export function retryDelay(attempt: number, result: Attempt): number {
  if (result.kind === 'answer' && result.retryAfterMs !== undefined)
    return Math.max(result.retryAfterMs, FIRST_DELAY_MS);
  return Math.min(FIRST_DELAY_MS * 2 ** (attempt - 1), LONGEST_DELAY_MS);
}

/** Milliseconds of a Retry-After header (RFC 9110, section 10.2.3): seconds or a date. */
export function parseRetryAfter(header: string | null, now: number): number | undefined {
  if (header === null) return undefined;
  if (/^\s*\d+\s*$/.test(header)) return Number(header) * 1000;
  const date = timeOf(header);
  return date === undefined ? undefined : Math.max(0, date - now);
}

/** Milliseconds since the epoch of a date (RFC 9110, section 5.6.7). */
function timeOf(date: string): number | undefined {
  const time = Date.parse(date);
  return Number.isNaN(time) ? undefined : time;
}

/** The error for a request that was repeated in vain. */
export function exhausted(url: string, last: Attempt, attempts: number): SubmitError {
  const limited = last.kind === 'answer' && last.status === 429;
  const { patienceMs, ...obstacle } = (last.kind === 'lost' ? last.obstacle : undefined) ?? {
    patienceMs: undefined,
    remedy: ['Retry the step: what was submitted before is found again, not submitted twice.'],
  };
  return new SubmitError(limited ? 'rate-limited' : 'service-unavailable', {
    happened: `${new URL(url).host} ${limited ? 'kept limiting the rate' : 'cannot be used'}: ${describeAttempt(last)} (${attempts} ${attempts === 1 ? 'attempt' : 'attempts'})`,
    ...obstacle,
    lasting: patienceMs === 0,
  });
}

/** So much of an answer is looked at for its words, in UTF-16 units. */
const DESCRIBED = 4_000;

/** What became of a request, in a few plain words. */
export function describeAttempt(result: Attempt): string {
  if (result.kind === 'lost') return result.reason;
  // What is wrong with a success is what it lacks; its text may be long, and hold secrets.
  if (isSuccess(result)) return `it answered ${result.status} without the expected content`;
  const words = wordsOf(result.text);
  return `it answered ${result.status}${words === '' ? '' : `: ${words}`}`;
}

/** The beginning of a text or a page, on one line and without tags. */
function wordsOf(text: string): string {
  return plainLine(text.slice(0, DESCRIBED).replace(/<[^<>]*>/g, ' '), 160);
}

/**
 * The JSON of an answer.
 * @returns undefined for text that is not JSON (an HTML page, a truncated body).
 */
export function answerJson(answer: Answer): Json | undefined {
  return tryParseJson(answer.text);
}

/** A success that says it is JSON and is not whole was cut on its way. */
function lostIfCutShort(result: Attempt): Attempt {
  if (result.kind === 'lost' || result.status !== 200 || !/json/i.test(result.contentType)) return result;
  return answerJson(result) === undefined ? { kind: 'lost', reason: 'its answer was cut short', sent: true } : result;
}

/** The error for an answer that is not the documented JSON. */
export function unreadable(url: string, answer: Answer): SubmitError {
  const { host } = new URL(url);
  const html = /html/i.test(answer.contentType) || /^\s*</.test(answer.text);
  const redirect = answer.status >= 300 && answer.status < 400;
  return new SubmitError('unreadable-answer', {
    happened: `${host} answered ${answer.status} with ${redirect ? 'a redirect' : html ? 'an HTML page' : 'something that is not JSON'} where its API answers with JSON`,
    presented: [
      `content type: ${plainLine(answer.contentType, 80) || 'none'}`,
      // Only of a page: the beginning of anything else might be that of a token.
      ...(html ? [`beginning: ${wordsOf(answer.text.slice(0, 400))}`] : []),
    ],
    remedy: [`Check that ${host} is the service's own host and not a login or proxy page.`],
  });
}

function requireTrustworthy(url: string): void {
  const { protocol, hostname } = new URL(url);
  if (protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname))) return;
  throw new TypeError(`refusing to send to ${protocol}//${hostname}: only https, or http on loopback`);
}

/** Whether a host name, as `URL` gives it, is this machine itself. */
export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname);
}

async function readLimited(response: TransportResponse): Promise<string> {
  if (response.body === null) return '';
  const decoder = new TextDecoder();
  let text = '';
  let size = 0;
  for await (const chunk of response.body) {
    size += chunk.byteLength;
    if (size > ANSWER_LIMIT) throw new Error(`an answer of more than ${ANSWER_LIMIT / 1024 / 1024} MiB`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function lostBy(error: unknown): Attempt {
  const fault: Error & TransportFault = error instanceof Error ? error : new Error('the request failed');
  const { message, unsent = false, obstacle } = fault;
  return { kind: 'lost', reason: plainLine(message, 240), sent: !unsent, ...defined({ obstacle }) };
}
