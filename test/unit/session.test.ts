import { describe, expect, it } from 'vitest';
import { SubmitError } from '../../shared/errors.ts';
import { createHttp, HTTP_TIMINGS, type HttpCall } from '../../shared/http/http.ts';
import type { CredentialSource } from '../../shared/identity/credential.ts';
import { openSession } from '../../shared/identity/session.ts';
import { Secret } from '../../shared/secret.ts';
import { START, virtualClock } from '../contract/virtual-clock.ts';
import { recordingHost } from './recording-host.ts';

const CALL: HttpCall = { method: 'GET', url: 'https://service.example/runs/7' };

interface Served {
  readonly status: number;
  readonly text?: string;
  readonly contentType?: string;
}

/** A service that answers by what it was told, and then with `{"ok":true}`; credentials are named 1, 2, 3… */
function world(answers: readonly (Served | Error)[] = [], credential: Partial<CredentialSource> = {}) {
  const clock = virtualClock();
  const { host } = recordingHost();
  /** Under which credential each request came. */
  const received: (string | undefined)[] = [];
  const refusals: number[] = [];
  const left = [...answers];
  let made = 1;
  const http = createHttp(
    async (_url, { headers }) => {
      received.push(headers?.authorization);
      await Promise.resolve();
      const answer = left.shift() ?? { status: 200, text: '{"ok":true}' };
      if (answer instanceof Error) throw answer;
      const { status, text = '', contentType = 'application/json' } = answer;
      const body = async function* () {
        yield new TextEncoder().encode(text);
      };
      return { status, headers: new Headers({ 'content-type': contentType }), body: body() };
    },
    clock,
    HTTP_TIMINGS,
  );
  const step = new AbortController();
  const explained: string[] = [];
  const session = openSession(
    { http, clock, log: host.log, subjectTokens: host.subjectTokens, conceal: host.conceal },
    {
      get: async (signal) => {
        signal.throwIfAborted();
        return { headers: { authorization: new Secret(`token ${made}`) }, expiresAt: Number.POSITIVE_INFINITY };
      },
      renew: ({ status }) => {
        refusals.push(status);
        made += 1;
      },
      lastsUntil: () => undefined,
      ...credential,
    },
    ({ url }, { status }) => {
      explained.push(`${status} ${url}`);
      return new SubmitError('permission-denied', { happened: `it answered ${status}`, remedy: [] });
    },
    step.signal,
  );
  return { session, received, refusals, explained, step, passed: () => clock.now() - START };
}

const REFUSED: Served = { status: 401, text: '{"error":"expired"}' };
const ODD: Served = { status: 400, text: '{"error":"invalid_token"}' };

describe.each(['read', 'persist', 'attempt'] as const)('a request by %s', (how) => {
  it('carries the credential', async () => {
    const { session, received } = world();
    await session[how](CALL);
    expect(received).toEqual(['token 1']);
  });

  it('is sent again once under a new credential when that was refused before its time', async () => {
    const { session, received, refusals } = world([REFUSED]);
    expect(await session[how](CALL)).toMatchObject(how === 'read' ? { ok: true } : { status: 200 });
    expect([received, refusals]).toEqual([['token 1', 'token 2'], [401]]);
  });

  it('is not sent a third time', async () => {
    const { session, received } = world([REFUSED, REFUSED]);
    if (how === 'read') await expect(session.read(CALL)).rejects.toMatchObject({ code: 'permission-denied' });
    else expect(await session[how](CALL)).toMatchObject({ kind: 'answer', status: 401 });
    expect(received).toEqual(['token 1', 'token 2']);
  });

  it.each([
    ['says so in its own way', true, ['token 1', 'token 2']],
    ['does not say so', false, ['token 1']],
  ])('is sent again where another refusal %s', async (_what, isRefusal, expected) => {
    const { session, received } = world([ODD], { isRefusal: ({ status }) => isRefusal && status === 400 });
    await session[how](CALL).catch(() => undefined);
    expect(received).toEqual(expected);
  });

  it('of a step that is cancelled is not sent', async () => {
    const { session, received, step } = world();
    step.abort('SIGTERM');
    await expect(session[how](CALL)).rejects.toBe('SIGTERM');
    expect(received).toEqual([]);
  });

  it('may go on until another signal aborts', async () => {
    const { session, received, step } = world();
    step.abort('SIGTERM');
    const grace = new AbortController();
    const last = session.until(grace.signal);
    expect(last.signal).toBe(grace.signal);
    expect(session.signal).toBe(step.signal);
    await last[how](CALL);
    expect(received).toEqual(['token 1']);
    grace.abort('the end');
    await expect(last[how](CALL)).rejects.toBe('the end');
    expect(received).toHaveLength(1);
  });

  it('under another signal has the same credential, renewed for all', async () => {
    const { session, received } = world([REFUSED]);
    await session.until(new AbortController().signal)[how](CALL);
    await session[how](CALL);
    expect(received).toEqual(['token 1', 'token 2', 'token 2']);
  });

  it('fails as the credential does', async () => {
    const error = new SubmitError('token-missing', { happened: 'there is no token', remedy: [] });
    const { session, received } = world([], { get: () => Promise.reject(error) });
    await expect(session[how](CALL)).rejects.toBe(error);
    expect(received).toEqual([]);
  });
});

describe('an attempt', () => {
  it.each([503, 429])('is one, also after a %i', async (status) => {
    const { session, received } = world([{ status }]);
    expect(await session.attempt(CALL)).toMatchObject({ kind: 'answer', status });
    expect(received).toHaveLength(1);
  });

  it('tells of an answer that was lost, and renews nothing', async () => {
    const { session, received, refusals } = world([new Error('the connection broke')], { isRefusal: () => true });
    expect(await session.attempt(CALL)).toEqual({ kind: 'lost', reason: 'the connection broke', sent: true });
    expect([received.length, refusals]).toEqual([1, []]);
  });
});

describe('a read', () => {
  it('is repeated until there is a definite answer', async () => {
    const { session, received, passed } = world([new Error('the connection broke'), { status: 503 }]);
    expect(await session.read(CALL)).toEqual({ ok: true });
    expect([received.length, passed()]).toEqual([3, 1_500]);
  });

  it.each([199, 300, 404])('of what is refused with %i fails by what that means', async (status) => {
    const { session, explained } = world([{ status, text: '{}' }]);
    await expect(session.read(CALL)).rejects.toMatchObject({ message: `it answered ${status}` });
    expect(explained).toEqual([`${status} ${CALL.url}`]);
  });

  it.each([200, 299])('has the JSON of a success, such as %i', async (status) => {
    expect(await world([{ status, text: '[1]' }]).session.read(CALL)).toEqual([1]);
  });

  it.each(['<html>', ''])('of what is not JSON fails by that: "%s"', async (text) => {
    const { session, explained } = world([{ status: 200, text, contentType: 'text/html' }]);
    await expect(session.read(CALL)).rejects.toMatchObject({ code: 'unreadable-answer' });
    expect(explained).toEqual([]);
  });

  it('that is repeated in vain fails', async () => {
    const { session } = world(Array.from({ length: 20 }, () => ({ status: 503 })));
    await expect(session.read(CALL)).rejects.toMatchObject({ code: 'service-unavailable' });
  });
});

it('a persistent request is repeated, and its definite answer is whatever it is', async () => {
  const { session, received } = world([{ status: 503 }, { status: 404, text: 'gone' }]);
  expect(await session.persist(CALL)).toMatchObject({ status: 404, text: 'gone' });
  expect(received).toHaveLength(2);
});
