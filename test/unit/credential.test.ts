import { describe, expect, it } from 'vitest';
import { SubmitError } from '../../shared/errors.ts';
import {
  type Credential,
  type CredentialSource,
  cachedCredential,
  joinedCredential,
} from '../../shared/identity/credential.ts';
import { Secret } from '../../shared/secret.ts';
import { virtualClock } from '../contract/virtual-clock.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const REFUSED = { kind: 'answer', status: 401, contentType: '', text: '' } as const;
const { signal } = new AbortController();

/** Exchanges that give tokens named 1, 2, 3…, each living `lifeMs`, or failing when told to. */
function world({
  lifeMs = HOUR,
  subjectLifeMs,
  ownLifeMs = 0,
}: {
  lifeMs?: number;
  subjectLifeMs?: number;
  ownLifeMs?: number;
}) {
  const clock = virtualClock();
  const endsAt = subjectLifeMs === undefined ? undefined : clock.now() + subjectLifeMs;
  let made = 0;
  let broken: Error | undefined;
  const warnings: string[] = [];
  const source = cachedCredential({
    clock,
    log: { warning: (line) => void warnings.push(line) },
    ownLifeMs,
    subjectEndsAt: () => endsAt,
    exchange: async (): Promise<Credential> => {
      await Promise.resolve();
      if (broken !== undefined) throw broken;
      if (endsAt !== undefined && clock.now() >= endsAt) throw new Error('the subject token has expired');
      made += 1;
      const left = endsAt === undefined || ownLifeMs > 0 ? lifeMs : Math.min(lifeMs, endsAt - clock.now());
      return { headers: { 'x-made': new Secret(String(made)) }, expiresAt: clock.now() + left };
    },
  });
  const token = async () => (await source.get(signal)).headers['x-made']?.reveal();
  return {
    clock,
    source,
    token,
    warnings,
    break: (reason: string | undefined) => {
      broken =
        reason === undefined ? undefined : new SubmitError('service-unavailable', { happened: reason, remedy: [] });
    },
  };
}

describe('credentials that are carried together', () => {
  const one = (name: string, ends: number | undefined, events: string[]): CredentialSource => ({
    get: async () => {
      events.push(`get ${name}`);
      return { headers: { [`x-${name}`]: new Secret(name) }, expiresAt: ends ?? Number.POSITIVE_INFINITY };
    },
    renew: () => events.push(`renew ${name}`),
    lastsUntil: () => ends,
    isRefusal: ({ status }) => name === 'b' && status === 403,
    release: async () => void events.push(`release ${name}`),
  });
  const answer = { kind: 'answer', status: 403, contentType: '', text: '' } as const;

  it('are as good as the first of them to end', async () => {
    const events: string[] = [];
    const joined = joinedCredential([one('a', 5_000, events), one('b', 3_000, events), one('c', undefined, events)]);
    const { headers, expiresAt } = await joined.get(signal);
    expect(Object.keys(headers)).toEqual(['x-a', 'x-b', 'x-c']);
    expect(expiresAt).toBe(3_000);
    expect(joined.lastsUntil()).toBe(3_000);
    expect(joined.isRefusal?.(answer)).toBe(true);
    expect(joined.isRefusal?.({ ...answer, status: 404 })).toBe(false);
    joined.renew({ ...answer, status: 401 });
    await joined.release?.(signal);
    expect(events).toEqual(
      ['a', 'b', 'c']
        .map((name) => `get ${name}`)
        .concat(
          ['a', 'b', 'c'].map((name) => `renew ${name}`),
          ['a', 'b', 'c'].map((name) => `release ${name}`),
        ),
    );
  });

  it('are renewed where only one of them was refused', () => {
    const events: string[] = [];
    joinedCredential([one('a', 1, events), one('b', 1, events)]).renew(answer);
    expect(events).toEqual(['renew b']);
  });

  it('are not asked for further when the first is refused', async () => {
    const events: string[] = [];
    const refused = { ...one('a', 1, events), get: async () => Promise.reject(new Error('refused')) };
    await expect(joinedCredential([refused, one('b', 1, events)]).get(signal)).rejects.toThrow('refused');
    expect(events).toEqual([]);
  });

  it('that all last for ever last for ever', () => {
    expect(joinedCredential([one('a', undefined, [])]).lastsUntil()).toBeUndefined();
  });
});

describe('a credential', () => {
  it('is exchanged once for all who ask at the same time', async () => {
    const { token } = world({});
    expect(await Promise.all([token(), token(), token()])).toEqual(['1', '1', '1']);
  });

  it('is kept until a minute before its end', async () => {
    const { clock, token } = world({});
    await token();
    clock.advance(59 * MINUTE - 1);
    expect(await token()).toBe('1');
    clock.advance(1);
    expect(await token()).toBe('2');
    clock.advance(HOUR);
    expect(await token()).toBe('3');
  });

  it('that lives shortly is kept for most of its life', async () => {
    const { clock, token } = world({ lifeMs: 40_000 });
    expect(await token()).toBe('1');
    clock.advance(29_999);
    expect(await token()).toBe('1');
    clock.advance(1);
    expect(await token()).toBe('2');
  });

  it('is used to its end when it cannot be renewed', async () => {
    const { clock, token, break: breakWith } = world({});
    await token();
    breakWith('no answer');
    clock.advance(59.5 * MINUTE);
    expect(await token()).toBe('1');
    clock.advance(MINUTE);
    await expect(token()).rejects.toThrow('no answer');
    breakWith(undefined);
    expect(await token()).toBe('2');
  });

  it('that a service refused is exchanged anew', async () => {
    const { source, token } = world({});
    await token();
    source.renew(REFUSED);
    expect(await token()).toBe('2');
  });

  it('that a service refused is used further when there is no other, and that is told', async () => {
    const { source, token, warnings, break: breakWith } = world({});
    await token();
    breakWith('no answer');
    source.renew(REFUSED);
    expect(await token()).toBe('1');
    expect(warnings).toEqual([expect.stringContaining('service-unavailable: no answer')]);
    // One refusal asks for one exchange.
    expect(await token()).toBe('1');
    expect(warnings).toHaveLength(1);
    breakWith(undefined);
    source.renew(REFUSED);
    expect(await token()).toBe('2');
  });

  it('does not remember a failed exchange', async () => {
    const { token, break: breakWith } = world({});
    breakWith('no answer');
    await expect(Promise.all([token(), token()])).rejects.toThrow('no answer');
    breakWith(undefined);
    expect(await token()).toBe('1');
  });

  it('lasts for ever where the CI gives new tokens', async () => {
    const { source, token } = world({});
    await token();
    expect(source.lastsUntil()).toBeUndefined();
  });
});

describe('a credential from the only token of a step', () => {
  it('is exchanged a last time shortly before that token ends, and then used to its end', async () => {
    const { clock, source, token } = world({ subjectLifeMs: HOUR, ownLifeMs: HOUR });
    const start = clock.now();
    expect(source.lastsUntil()).toBeUndefined();
    expect(await token()).toBe('1');
    // Told from the beginning: the last exchange gives an hour more.
    expect(source.lastsUntil()).toBe(start + 118 * MINUTE);
    clock.advance(58 * MINUTE - 1);
    expect(await token()).toBe('1');
    clock.advance(1);
    expect(await token()).toBe('2');
    expect(source.lastsUntil()).toBe(start + 118 * MINUTE);
    clock.advance(59.9 * MINUTE);
    expect(await token()).toBe('2');
    clock.advance(MINUTE);
    await expect(token()).rejects.toThrow('the subject token has expired');
  });

  it('that ends with it is not exchanged in vain again and again', async () => {
    const { clock, source, token } = world({ subjectLifeMs: HOUR });
    await token();
    clock.advance(58 * MINUTE);
    expect(await token()).toBe('2');
    clock.advance(MINUTE);
    expect(Number(await token())).toBeLessThanOrEqual(3);
    expect(source.lastsUntil()).toBe((await source.get(signal)).expiresAt);
  });

  it('is what is left when the last exchange fails', async () => {
    const { clock, token, break: breakWith } = world({ subjectLifeMs: HOUR, ownLifeMs: 12 * HOUR, lifeMs: 12 * HOUR });
    await token();
    clock.advance(58 * MINUTE);
    breakWith('no answer');
    expect(await token()).toBe('1');
    clock.advance(3 * HOUR);
    expect(await token()).toBe('1');
  });
});
