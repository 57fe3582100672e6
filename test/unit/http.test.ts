import { describe, expect, it, onTestFinished } from 'vitest';
import { network } from '../../shared/edge/network.ts';
import {
  answerJson,
  bearer,
  createHttp,
  type HttpCall,
  type HttpTimings,
  isTransient,
  parseRetryAfter,
  retryDelay,
  unreadable,
} from '../../shared/http.ts';
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

  it.each([200, 201, 301, 400, 401, 403, 404, 409])('is not after %i, which is definite', async (code) => {
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
