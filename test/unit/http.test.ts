import { describe, expect, it, onTestFinished } from 'vitest';
import { network } from '../../shared/edge/network.ts';
import {
  answerJson,
  bearer,
  createHttp,
  describeAttempt,
  exhausted,
  HTTP_TIMINGS,
  type HttpCall,
  type HttpTimings,
  isLoopback,
  isTransient,
  parseRetryAfter,
  retryDelay,
  type Transport,
  type TransportRequest,
  unreadable,
} from '../../shared/http/http.ts';
import { Secret } from '../../shared/secret.ts';
import { START, virtualClock } from '../contract/virtual-clock.ts';
import { type Handler, serve } from '../simulators/serve.ts';

const { signal } = new AbortController();
const { transport } = network({});

/** A client and a server that answers with `handler`; what it received is in `seen`. */
async function meet(handler: Handler, timings: Partial<HttpTimings> = {}) {
  const seen: Request[] = [];
  const server = await serve(async (request) => {
    if (request.method !== 'HEAD') seen.push(request.clone());
    return handler(request);
  });
  onTestFinished(() => server.close());
  const clock = virtualClock();
  const http = createHttp(transport, clock, { attemptMs: 5_000, budgetMs: 120_000, ...timings });
  const call = (path: string, more: Partial<HttpCall> = {}): HttpCall => ({
    method: 'GET',
    url: `${server.url}${path}`,
    ...more,
  });
  return { http, clock, seen, call, url: server.url };
}

/** A handler that gives these answers one after the other, the last one for ever. */
function answers(...list: readonly (() => Response)[]): Handler {
  let next = 0;
  return async () => {
    const answer = list[Math.min(next, list.length - 1)];
    next += 1;
    return answer?.() ?? new Response(null, { status: 500 });
  };
}

const ok = () => Response.json({ fine: true });
const status =
  (code: number, headers: Record<string, string> = {}) =>
  () =>
    new Response('no', { status: code, headers });

describe('Retry-After', () => {
  it.each([
    ['0', 0],
    ['120', 120_000],
    [' 5 ', 5_000],
    [new Date(START + 90_000).toUTCString(), 90_000],
    [new Date(START - 90_000).toUTCString(), 0],
    ['soon', undefined],
    ['5 s', undefined],
    ['-5', 0],
    ['', undefined],
    [null, undefined],
  ])('%j is %j ms', (header, ms) => expect(parseRetryAfter(header, START)).toBe(ms));

  it('is obeyed, but never less than half a second, and else the delay doubles', () => {
    const answer = (retryAfterMs?: number) =>
      ({
        kind: 'answer',
        status: 503,
        contentType: '',
        text: '',
        ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      }) as const;
    expect([retryDelay(1, answer(7_000)), retryDelay(5, answer(0))]).toEqual([7_000, 500]);
    expect([1, 2, 3, 6, 7, 50].map((attempt) => retryDelay(attempt, answer()))).toEqual([
      500, 1_000, 2_000, 16_000, 20_000, 20_000,
    ]);
  });
});

describe('a request that may be repeated', () => {
  it('is, after what passes', async () => {
    const { http, clock, call } = await meet(
      answers(status(503), status(429, { 'retry-after': '30' }), status(408), ok),
    );
    expect(await http.persist(call('/x'), signal)).toMatchObject({ status: 200, text: '{"fine":true}' });
    expect(clock.now() - START).toBe(500 + 30_000 + 2_000);
  });

  it.each([408, 429, 500, 502, 599])('is after %i, which may pass', async (code) => {
    const { http, sent } = offline({ status: code }, {});
    expect(await http.persist(GET, signal)).toEqual(TEXT);
    expect(sent).toHaveLength(2);
  });

  it.each([200, 201, 301, 400, 401, 403, 404, 409, 499])('is not after %i, which is definite', async (code) => {
    const { http, seen, call } = await meet(answers(status(code), ok));
    expect(await http.persist(call('/x'), signal)).toMatchObject({ status: code });
    expect(seen).toHaveLength(1);
    expect(isTransient(code)).toBe(false);
  });

  it('ends with an error that says what came last, and what to do', async () => {
    const { http, clock, call } = await meet(answers(status(503)), { budgetMs: 10_000 });
    const error = await http.persist(call('/x'), signal).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'service-unavailable', exitCode: 4 });
    expect(String(error)).toContain('it answered 503: no');
    expect(clock.now() - START).toBeLessThanOrEqual(10_000);
  });

  it('ends as rate-limited, and at once where the wait would be too long', async () => {
    const { http, clock, call } = await meet(answers(status(429, { 'retry-after': '86400' })));
    await expect(http.persist(call('/x'), signal)).rejects.toMatchObject({ code: 'rate-limited' });
    expect(clock.now()).toBe(START);
  });

  it('tells of pauses once they are long, and of none before', async () => {
    const { http, call, url } = await meet(answers(status(503), status(429, { 'retry-after': '60' }), status(503), ok));
    const told: string[] = [];
    const { host } = new URL(url);
    await http.reportingTo({ info: (line) => told.push(line) }).persist(call('/x'), signal);
    expect(told).toEqual([
      `${host}: it answered 429: no; trying again in 1m 00s`,
      `${host}: it answered 503: no; trying again in 2s`,
    ]);
  });

  it.each([
    [0, 1, 0],
    [10_000, 5, 7_500],
  ])('is given up after %i ms where waiting does not help', async (patienceMs, attempts, tookMs) => {
    const clock = virtualClock();
    let asked = 0;
    const remedy = ['Put the login into HTTPS_PROXY.'];
    const obstacle = { patienceMs, presented: ['no login'], expected: ['a login'], remedy, link: 'docs/network.md' };
    const http = createHttp(
      async () => {
        asked += 1;
        throw Object.assign(new Error('the proxy wants a login'), { unsent: true, obstacle });
      },
      clock,
      { attemptMs: 1_000, budgetMs: 120_000 },
    );
    const error = await http
      .persist({ method: 'GET', url: 'https://example.com/' }, signal)
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'service-unavailable',
      message: expect.stringContaining('example.com cannot be used: the proxy wants a login'),
      explanation: { presented: ['no login'], expected: ['a login'], remedy, lasting: patienceMs === 0 },
    });
    expect([asked, clock.now() - START]).toEqual([attempts, tookMs]);
  });

  it('is given up when the step is cancelled', async () => {
    const { http, clock, call } = await meet(answers(status(503)));
    const controller = new AbortController();
    clock.after(5_000, () => controller.abort('SIGTERM'));
    await expect(http.persist(call('/x'), controller.signal)).rejects.toBe('SIGTERM');
    expect(clock.now() - START).toBe(5_000);
  });
});

describe('a request', () => {
  it('carries its credential in a header, and nothing else of it', async () => {
    const { http, seen, call } = await meet(answers(ok));
    const body = '{"a":1}';
    const headers = { 'content-type': 'application/json' };
    await http.once(
      call('/x?y=1', { method: 'POST', body, headers, secretHeaders: bearer(new Secret('s3cret')) }),
      signal,
    );
    const [request] = seen;
    expect(request?.headers.get('authorization')).toBe('Bearer s3cret');
    expect(await request?.text()).toBe(body);
    expect(request?.url).toMatch(/\/x\?y=1$/);
  });

  it.each([301, 302, 303, 307, 308])('does not follow a redirect (%i): a credential would go with it', async (code) => {
    const { http, seen, call, url } = await meet(async (request) =>
      request.url.endsWith('/stolen')
        ? ok()
        : new Response(null, { status: code, headers: { location: `${url}/stolen` } }),
    );
    const answer = await http.once(
      call('/x', { method: 'POST', body: '{}', secretHeaders: bearer(new Secret('s3cret')) }),
      signal,
    );
    expect(answer).toMatchObject({ kind: 'answer', status: code });
    expect(seen.map((request) => new URL(request.url).pathname)).toEqual(['/x']);
  });

  it.each([
    'http://example.com/',
    'http://127.0.0.1.example.com/',
    'http://localhost.example.com/',
    'ftp://127.0.0.1/',
    'file:///etc/passwd',
  ])('does not go to %s', async (target) => {
    let sent = false;
    const http = createHttp(
      async () => {
        sent = true;
        return ok();
      },
      virtualClock(),
      { attemptMs: 100, budgetMs: 100 },
    );
    await expect(http.once({ method: 'GET', url: target }, signal)).rejects.toThrow(/refusing to send/);
    expect(sent).toBe(false);
  });

  it('is lost, having been sent, when no answer comes in time', async () => {
    const { http, call } = await meet(() => new Promise((resolve) => setTimeout(() => resolve(ok()), 400)), {
      attemptMs: 50,
    });
    expect(await http.once(call('/x'), signal)).toEqual({
      kind: 'lost',
      reason: 'no answer within 0.05 s',
      sent: true,
    });
  });

  it('is lost, not having been sent, when nobody listens', async () => {
    const server = await serve(async () => ok());
    await server.close();
    const http = createHttp(transport, virtualClock(), { attemptMs: 1_000, budgetMs: 1_000 });
    expect(await http.once({ method: 'GET', url: server.url }, signal)).toMatchObject({ kind: 'lost', sent: false });
  });

  it.each([
    ['answers', () => new Promise<never>(() => undefined)],
    ['ends its answer', async () => new Response(new ReadableStream({ pull: () => new Promise(() => undefined) }))],
  ])('ends with its deadline, and with the step, although its transport never %s', async (_name, stuck) => {
    const call: HttpCall = { method: 'GET', url: 'https://example.com/' };
    const http = createHttp(stuck, virtualClock(), { attemptMs: 100, budgetMs: 0 });
    expect(await http.once(call, signal)).toEqual({ kind: 'lost', reason: 'no answer within 0.1 s', sent: true });
    const patient = createHttp(stuck, virtualClock(), { attemptMs: 60_000, budgetMs: 0 });
    const controller = new AbortController();
    const asked = patient.once(call, controller.signal);
    controller.abort('SIGTERM');
    await expect(asked).rejects.toBe('SIGTERM');
  });

  it('is not made for a step that was cancelled before', async () => {
    const { http, seen, call } = await meet(answers(ok));
    await expect(http.once(call('/x'), AbortSignal.abort('SIGTERM'))).rejects.toBe('SIGTERM');
    expect(seen).toHaveLength(0);
  });

  it('is lost when the answer is too large, without reading it all', async () => {
    let given = 0;
    const endless = new ReadableStream({
      pull: (controller) => {
        given += 1;
        if (given > 100) controller.close();
        else controller.enqueue(new Uint8Array(1024 * 1024));
      },
    });
    const http = createHttp(async () => new Response(endless), virtualClock(), { attemptMs: 5_000, budgetMs: 0 });
    const answer = await http.once({ method: 'GET', url: 'https://example.com/' }, signal);
    expect(answer).toMatchObject({ kind: 'lost', reason: 'an answer of more than 16 MiB' });
    expect(given).toBeLessThan(25);
  });
});

describe('an answer that is not JSON', () => {
  it.each([
    ['an HTML page', 'text/html', '<!doctype html><title>Sign in</title><script>alert(1)</script>', 200],
    ['a redirect', 'text/plain', '', 302],
    ['something that is not JSON', 'application/json', '{"a":', 200],
  ])('is told as %s', (what, contentType, text, code) => {
    const answer = { kind: 'answer', status: code, contentType, text } as const;
    expect(answerJson(answer)).toBeUndefined();
    const error = unreadable('https://api.example.com/x?token=1', answer);
    expect(error.code).toBe('unreadable-answer');
    expect(error.message).toBe(`api.example.com answered ${code} with ${what} where its API answers with JSON`);
    expect(JSON.stringify(error.explanation)).not.toMatch(/<|token=1/);
  });
});

interface Served {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly chunks?: readonly Uint8Array[] | null;
}

const bytes = (text: string) => new TextEncoder().encode(text);

/** A client whose transport gives these answers in order, the last one for ever, with what it was given to send. */
function offline(...served: readonly (Served | Error)[]) {
  const clock = virtualClock();
  const sent: { readonly url: string; readonly request: TransportRequest; readonly body: string }[] = [];
  const transport: Transport = async (url, request) => {
    let body = '';
    if (typeof request.body === 'string') body = request.body;
    else if (request.body !== undefined)
      for await (const chunk of request.body) body += new TextDecoder().decode(chunk);
    const next = served[Math.min(sent.length, served.length - 1)] ?? {};
    sent.push({ url, request, body });
    if (next instanceof Error) throw next;
    const { status: code = 200, headers = {}, chunks = [] } = next;
    return {
      status: code,
      headers: new Headers(headers),
      body: chunks === null ? null : new ReadableStream({ start: (to) => deliver(chunks, to) }),
    };
  };
  return { http: createHttp(transport, clock, HTTP_TIMINGS), clock, sent };
}

function deliver(chunks: readonly Uint8Array[], to: ReadableStreamDefaultController<Uint8Array>): void {
  for (const chunk of chunks) to.enqueue(chunk);
  to.close();
}

const GET: HttpCall = { method: 'GET', url: 'https://api.example/x' };
const TEXT = { kind: 'answer', status: 200, contentType: '', text: '' } as const;

describe('an answer', () => {
  it.each<[string, Served, Partial<HttpCall>, object]>([
    ['without a body or headers', { status: 204, chunks: null }, {}, { ...TEXT, status: 204 }],
    ['with a type', { headers: { 'content-type': 'text/plain' } }, {}, { ...TEXT, contentType: 'text/plain' }],
    [
      'in parts that cut a character',
      { chunks: [bytes('é€').slice(0, 3), bytes('é€').slice(3)] },
      {},
      { ...TEXT, text: 'é€' },
    ],
    ['that ends inside a character', { chunks: [bytes('aé').slice(0, 2)] }, {}, { ...TEXT, text: 'a\ufffd' }],
    [
      'with its time',
      { headers: { date: 'Sat, 21 Nov 2026 08:00:00 GMT' } },
      {},
      { ...TEXT, dateMs: Date.parse('2026-11-21T08:00:00Z') },
    ],
    ['with a time that is none', { headers: { date: 'today' } }, {}, TEXT],
    ['that asks to wait', { headers: { 'retry-after': '7' } }, {}, { ...TEXT, retryAfterMs: 7_000 }],
    [
      'that asks in its body',
      { chunks: [bytes('wait 9')] },
      { askedToWait: ({ text }, now) => Number(text.slice(5)) + now - START },
      { ...TEXT, text: 'wait 9', retryAfterMs: 9 },
    ],
    [
      'that asks in both ways',
      { headers: { 'retry-after': '0' } },
      { askedToWait: () => 9 },
      { ...TEXT, retryAfterMs: 0 },
    ],
    ['that could ask and does not', {}, { askedToWait: () => undefined }, TEXT],
  ])('%s', async (_what, served, more, answer) => {
    expect(await offline(served).http.once({ ...GET, ...more }, signal)).toEqual(answer);
  });

  it('may be as large as 16 MiB', async () => {
    const part = new Uint8Array(8 * 1024 * 1024).fill(0x61);
    const whole = await offline({ chunks: [part, part] }).http.once(GET, signal);
    expect(whole.kind === 'answer' && whole.text.length).toBe(16 * 1024 * 1024);
    const { http } = offline({ chunks: [part, part, bytes('a')] });
    expect(await http.once(GET, signal)).toMatchObject({ kind: 'lost' });
  });

  it.each<[string, Served, boolean]>([
    ['JSON that is whole', { headers: { 'content-type': 'application/json' }, chunks: [bytes('{}')] }, true],
    ['JSON that is not whole', { headers: { 'content-type': 'application/json' }, chunks: [bytes('{')] }, false],
    ['other text', { headers: { 'content-type': 'text/plain' }, chunks: [bytes('{')] }, true],
    ['a refusal', { status: 400, headers: { 'content-type': 'application/json' }, chunks: [bytes('{')] }, true],
  ])('of %s is asked for again if it was cut', async (_what, served, isDefinite) => {
    const { http, sent } = offline(served, { chunks: [bytes('whole')] });
    const { text } = await http.persist(GET, signal);
    expect(sent).toHaveLength(isDefinite ? 1 : 2);
    expect(text === 'whole').toBe(!isDefinite);
  });

  it('that stays cut short is told as lost', async () => {
    const { http } = offline({ headers: { 'content-type': 'application/json' }, chunks: [bytes('{"a')] });
    await expect(http.persist(GET, signal)).rejects.toMatchObject({
      code: 'service-unavailable',
      message: 'api.example cannot be used: its answer was cut short (11 attempts)',
    });
  });

  it('is asked for again where its body says that it may pass', async () => {
    const isPassing: HttpCall['isPassing'] = ({ text }) => text === 'soon';
    const { http, sent } = offline({ status: 400, chunks: [bytes('soon')] }, { status: 400, chunks: [bytes('no')] });
    expect(await http.persist({ ...GET, isPassing }, signal)).toMatchObject({ status: 400, text: 'no' });
    expect(sent).toHaveLength(2);
  });
});

describe('what is sent', () => {
  const MIB = 1024 * 1024;
  const streamed = (size: number) => ({
    bytes: size,
    open: async function* () {
      yield bytes('ab');
      yield bytes('cd');
    },
  });

  it('asks for JSON, and has only the headers that it needs', async () => {
    const { http, sent } = offline({});
    await http.once(GET, signal);
    await http.once({ ...GET, method: 'POST', body: 'text', headers: { accept: 'text/plain' } }, signal);
    expect(sent.map(({ request }) => Object.keys(request.headers ?? {}))).toEqual([
      ['accept', 'user-agent'],
      ['accept', 'user-agent'],
    ]);
    expect(sent.map(({ request }) => request.headers?.accept)).toEqual(['application/json', 'text/plain']);
    expect(sent.map(({ body, request }) => [body, request.redirect, 'body' in request])).toEqual([
      ['', 'manual', false],
      ['text', 'manual', true],
    ]);
  });

  it('is a large body with its length, opened again for each attempt', async () => {
    const { http, sent } = offline(new Error('broken'), {});
    await http.persist({ ...GET, method: 'PUT', body: streamed(4) }, signal);
    expect(sent.map(({ body, request }) => [body, request.headers?.['content-length']])).toEqual([
      ['abcd', '4'],
      ['abcd', '4'],
    ]);
  });

  it('may take longer the larger it is', async () => {
    const small = offline({ status: 503 });
    await expect(small.http.persist({ ...GET, body: 'text' }, signal)).rejects.toThrow('11 attempts');
    const large = offline({ status: 503 });
    // 100 MiB at 64 bytes per ms are 27 minutes.
    await expect(large.http.persist({ ...GET, body: streamed(100 * MIB) }, signal)).rejects.toThrow('93 attempts');
    const stuck = createHttp(() => new Promise(() => undefined), virtualClock(), { attemptMs: 20, budgetMs: 0 });
    expect(await stuck.once({ ...GET, body: streamed(6_400) }, signal)).toMatchObject({
      reason: 'no answer within 0.12 s',
    });
  });

  it('is nothing in a step that was cancelled before, whatever the transport would do', async () => {
    const { http, sent } = offline({});
    await expect(http.once(GET, AbortSignal.abort('SIGTERM'))).rejects.toBe('SIGTERM');
    expect(sent).toEqual([]);
  });

  it('is nothing more once the step was cancelled during a pause', async () => {
    const { http, sent, clock } = offline({ status: 503 }, {});
    const step = new AbortController();
    clock.after(100, () => step.abort('SIGTERM'));
    await expect(http.persist(GET, step.signal)).rejects.toBe('SIGTERM');
    expect(sent).toHaveLength(1);
  });

  it('is one request without a credential to open a connection early', async () => {
    const { http, sent } = offline(new Error('broken'));
    http.warm('https://api.example/v1/x?y=1');
    await new Promise((resolve) => setImmediate(resolve));
    expect(sent).toMatchObject([{ url: 'https://api.example', request: { method: 'HEAD', redirect: 'manual' } }]);
    expect(sent[0]?.request.headers).toBeUndefined();
  });
});

describe('a lost request', () => {
  it.each<[string, object, object]>([
    ['may have been sent', new Error('reset'), { reason: 'reset', sent: true }],
    ['says what is not an error', { reason: 'odd' }, { reason: 'the request failed', sent: true }],
    ['may not have been', Object.assign(new Error('refused'), { unsent: true }), { reason: 'refused', sent: false }],
    [
      'may have met an obstacle',
      Object.assign(new Error('refused'), { obstacle: { patienceMs: 1 } }),
      { reason: 'refused', sent: true, obstacle: { patienceMs: 1 } },
    ],
  ])('%s', async (_what, fault, lost) => {
    const http = createHttp(() => Promise.reject(fault), virtualClock(), HTTP_TIMINGS);
    expect(await http.once(GET, signal)).toStrictEqual({ kind: 'lost', ...lost });
  });
});

describe('the words for an attempt', () => {
  it.each([
    [200, 'secret', 'it answered 200 without the expected content'],
    [299, 'secret', 'it answered 299 without the expected content'],
    [300, 'words', 'it answered 300: words'],
    [199, 'words', 'it answered 199: words'],
    [500, '<b>some</b> words', 'it answered 500: some words'],
    [500, ' ', 'it answered 500'],
  ])('%i with %j', (code, text, words) => {
    expect(describeAttempt({ ...TEXT, status: code, text })).toBe(words);
  });

  it('after several of them tell how often, and what to do', () => {
    const once = exhausted(GET.url, { ...TEXT, status: 503 }, 1);
    expect(once.message).toBe('api.example cannot be used: it answered 503 (1 attempt)');
    expect(once.explanation.remedy).toEqual([expect.stringContaining('Retry the step')]);
    expect(exhausted(GET.url, { ...TEXT, status: 429 }, 2).message).toContain('kept limiting the rate');
    expect(exhausted(GET.url, { ...TEXT, status: 429 }, 2).message).toContain('(2 attempts)');
  });

  it.each([
    ['text/html', 'no', 200, 'an HTML page', ['content type: text/html', 'beginning: no']],
    ['', ' \n<p>no', 200, 'an HTML page', ['content type: none', 'beginning: no']],
    ['text/plain', 'a<b', 200, 'something that is not JSON', ['content type: text/plain']],
    ['text/plain', 'a', 300, 'a redirect', ['content type: text/plain']],
    ['text/plain', 'a', 399, 'a redirect', ['content type: text/plain']],
    ['text/plain', 'a', 400, 'something that is not JSON', ['content type: text/plain']],
  ])('of type %j with %j as %i', (contentType, text, code, what, presented) => {
    const { explanation } = unreadable(GET.url, { ...TEXT, status: code, contentType, text });
    expect(explanation.happened).toContain(` with ${what} where`);
    expect(explanation.presented).toEqual(presented);
    expect(explanation.remedy).toEqual([expect.stringContaining('api.example')]);
  });
});

it.each([
  ['localhost', true],
  ['[::1]', true],
  ['127.0.0.1', true],
  ['127.255.255.254', true],
  ['128.0.0.1', false],
  ['10.127.0.0.1', false],
  ['127.0.0.1.example', false],
  ['example.com', false],
])('%s is this machine: %s', (hostname, isSelf) => expect(isLoopback(hostname)).toBe(isSelf));
