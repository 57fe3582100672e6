import { describe, expect, it } from 'vitest';
import { pagesOf } from '../../shared/http/pages.ts';
import { type Json, textAt } from '../../shared/json.ts';
import { LIST_DELAYS_MS, lookRepeatedly, STATE_DELAYS_MS } from '../../shared/run/deliver/look-up.ts';
import { START, virtualClock } from '../contract/virtual-clock.ts';

const SECOND = 1_000;

/** Looks for something that shows up after `shownMs`; a look itself takes `lookMs`. */
async function looked(given: {
  readonly shownMs: number;
  readonly delays?: readonly number[];
  readonly lookMs?: number;
  readonly cancelMs?: number;
}) {
  const clock = virtualClock();
  const step = new AbortController();
  const passed = () => clock.now() - START;
  if (given.cancelMs === 0) step.abort('SIGTERM');
  else if (given.cancelMs !== undefined) clock.after(given.cancelMs, () => step.abort('SIGTERM'));
  const looksAt: number[] = [];
  const look = async () => {
    looksAt.push(passed());
    clock.advance(given.lookMs ?? 0);
    return passed() >= given.shownMs ? `shown after ${given.shownMs}` : undefined;
  };
  const found = await lookRepeatedly(look, given.delays ?? LIST_DELAYS_MS, { clock, signal: step.signal });
  return { found, looksAt, tookMs: passed() };
}

describe('what may show up late', () => {
  it.each([
    [0, [0]],
    [900, [0, 1_000]],
    [16_000, [0, 1_000, 3_000, 7_000, 15_000, 30_000]],
    [60_000, [0, 1_000, 3_000, 7_000, 15_000, 30_000, 60_000]],
  ])('is found when it shows after %i ms', async (shownMs, looksAt) => {
    expect(await looked({ shownMs })).toEqual({
      found: `shown after ${shownMs}`,
      looksAt,
      tookMs: looksAt.at(-1),
    });
  });

  it('is missing after a minute, or sooner where it is read by its name', async () => {
    expect(await looked({ shownMs: 61 * SECOND })).toMatchObject({ found: undefined, tookMs: 60 * SECOND });
    const byName = { shownMs: 61 * SECOND, delays: STATE_DELAYS_MS };
    expect(await looked(byName)).toMatchObject({ found: undefined, tookMs: 15 * SECOND });
    expect(await looked({ shownMs: 1, delays: [] })).toEqual({ found: undefined, looksAt: [0], tookMs: 0 });
  });

  it('is looked for once in a step that was cancelled before', async () => {
    expect(await looked({ shownMs: 1, cancelMs: 0 })).toEqual({ found: undefined, looksAt: [0], tookMs: 0 });
    expect(await looked({ shownMs: 0, cancelMs: 0 })).toMatchObject({ found: 'shown after 0' });
  });

  it('is looked for once more when the step is cancelled during a pause', async () => {
    const late = await looked({ shownMs: 61 * SECOND, cancelMs: 5_000 });
    expect(late).toEqual({ found: undefined, looksAt: [0, 1_000, 3_000, 5_000], tookMs: 5_000 });
    expect(await looked({ shownMs: 4_000, cancelMs: 5_000 })).toMatchObject({ found: 'shown after 4000' });
  });

  it('is not looked for again when the step is cancelled during a look', async () => {
    const late = await looked({ shownMs: 61 * SECOND, lookMs: 400, cancelMs: 1_500 });
    expect(late).toEqual({ found: undefined, looksAt: [0, 1_400], tookMs: 1_800 });
  });
});

/** The tokens that a list's server received, and the pages that came of it. */
async function read(pages: (token: string) => Record<string, string | number>) {
  const received: string[] = [];
  const seen: unknown[] = [];
  let fault: unknown;
  try {
    const nextOf = (page: Json) => textAt(page, 'next');
    const list = pagesOf('https://api.example/v1', nextOf, async (token) => {
      received.push(token);
      return pages(token);
    });
    for await (const page of list) seen.push(page);
  } catch (error) {
    fault = error;
  }
  return { received, seen, fault };
}

describe('the pages of a list', () => {
  it.each<[string, readonly Record<string, string | number>[], readonly string[]]>([
    ['a list of one', [{ items: 'a' }], ['']],
    ['a list whose last page has an empty token', [{ items: 'a', next: 'x' }, { next: '' }], ['', 'x']],
    ['a list with numbers for tokens', [{ next: 1 }, { next: 2 }, {}], ['', '1', '2']],
  ])('are all of %s', async (_what, pages, received) => {
    let at = -1;
    const list = await read(() => {
      at += 1;
      return pages[at] ?? {};
    });
    expect(list).toEqual({ received, seen: pages, fault: undefined });
  });

  it('are as many as a hundred, and no more', async () => {
    const endless = (token: string) => ({ next: Number(token) + 1 });
    const list = await read((token) => (token === '99' ? {} : endless(token)));
    expect([list.seen.length, list.fault]).toEqual([100, undefined]);
    const { received, fault } = await read(endless);
    expect(received).toHaveLength(100);
    expect(fault).toMatchObject({
      code: 'unreadable-answer',
      message: 'A list from api.example cannot be read to its end: it has more than 100 pages',
      explanation: { lasting: true, remedy: [expect.stringContaining('by its id')] },
    });
  });

  it('end with an error where one names itself as the next', async () => {
    const { received, seen, fault } = await read(() => ({ next: 'again' }));
    expect([received, seen.length]).toEqual([['', 'again'], 2]);
    expect(fault).toMatchObject({ message: expect.stringContaining('page 2 names itself as the next page') });
  });
});
