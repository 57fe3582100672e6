import { describe, expect, it } from 'vitest';
import { type ErrorCode, SubmitError } from '../../shared/errors.ts';
import type { HttpCall } from '../../shared/http/http.ts';
import { isObject, numberAt, stringifyJson, textAt, tryParseJson } from '../../shared/json.ts';
import type { ByState, Change } from '../../shared/kind.ts';
import type { Delivered } from '../../shared/run/deliver/delivery-environment.ts';
import {
  answering,
  CANCELLED_AFTER,
  CANCELLED_BEFORE,
  cancelledThen,
  delivered,
  type Fate,
  fault,
  type Given,
  LOST_AFTER,
  LOST_BEFORE,
  moments,
  SERVED,
  type Serve,
  servedButAnswering,
  TOO_LATE,
  told,
  UNSENT,
} from './delivery-world.ts';
import { fakeRun } from './fake-plan.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const TARGET = 'https://service.example/target';
const DIFFERENCES = [{ name: 'model', before: 'a', after: 'b' }];
const SHOWN = 'info: model: a → b';

interface World extends Given {
  /** What another has changed the target to since this step looked at it. */
  readonly meanwhile?: string;
  /** What the service refuses a request for an older version by. */
  readonly conflict?: number;
  /** How long a change that was made does not show. */
  readonly shownAfterMs?: number;
  readonly delivery?: Partial<ByState>;
}

/** What came of a step that wants the target, which is at `a`, to be at `b`. */
async function changed({ meanwhile, conflict = 412, shownAfterMs = 0, delivery, ...given }: World = {}) {
  const changes: { readonly to: string; readonly atMs: number }[] = [{ to: 'a', atMs: Number.NEGATIVE_INFINITY }];
  if (meanwhile !== undefined) changes.push({ to: meanwhile, atMs: Number.NEGATIVE_INFINITY });
  const serve: Serve = ({ method, path, body, passedMs }) => {
    expect(path).toBe('/target');
    if (method === 'GET') {
      const shown = changes.findLast(({ atMs }) => atMs + shownAfterMs <= passedMs);
      return { status: 200, text: stringifyJson({ at: shown?.to ?? '' }) };
    }
    expect(method).toBe('PUT');
    if (numberAt(body, 'version') !== changes.length) return { status: conflict };
    changes.push({ to: textAt(body, 'to') ?? '', atMs: passedMs });
    return { status: 202, text: '{"operation":"op-1"}' };
  };
  const get: HttpCall = { method: 'GET', url: TARGET };
  const submission: Change = {
    stage: 'ready',
    payload: { to: 'b' },
    delivery: {
      by: 'state',
      id: 'target',
      differences: DIFFERENCES,
      isUnderWay: false,
      apply: { method: 'PUT', url: TARGET, body: stringifyJson({ to: 'b', version: 1 }) },
      readBack: async (session) => {
        const found = await session.read(get);
        return textAt(found, 'at') === 'b' ? found : undefined;
      },
      run: (accepted, readBack) => {
        const operation = accepted === undefined ? undefined : tryParseJson(accepted.text);
        return fakeRun({
          url: () => `by ${stringifyJson({ operation: operation ?? null, readBack: readBack ?? null })}`,
        });
      },
      ...delivery,
    },
  };
  const { of, ...came } = await delivered(submission, serve, given);
  const { run, ...end } = isObject(of) ? (of as unknown as Delivered) : { run: undefined };
  return {
    ...came,
    of: run === undefined ? of : end,
    /** What the change is watched by. */
    watched: run?.url('target'),
    made: changes.slice(meanwhile === undefined ? 1 : 2).map(({ to }) => to),
  };
}

const MADE = { id: 'target', attempt: 1, origin: 'created' };
const FOUND = { ...MADE, origin: 'found' };
const BY_ANSWER = 'by {"operation":{"operation":"op-1"},"readBack":null}';
const BY_READING = 'by {"operation":null,"readBack":{"at":"b"}}';
const BY_NOTHING = 'by {"operation":null,"readBack":null}';
const LOST = (why = 'the connection broke') =>
  `warning: The response to the change was lost (${why}); reading back whether it came through`;

describe('a change', () => {
  it('is asked for once, and watched by the answer', async () => {
    const came = await changed();
    expect(came.of).toEqual(MADE);
    expect([came.watched, came.made, came.received.length, came.announced]).toEqual([BY_ANSWER, ['b'], 1, [1]]);
    expect(came.lines).toEqual([SHOWN]);
  });

  it('is told of before it is asked for, each difference on its own line and harmless', async () => {
    const differences = [
      { name: 'model', before: 'a\u001b[31m\n+++ x', after: 'b\u001b]0;title\u0007' },
      { name: 'pool', before: undefined, after: 'gpu' },
      { name: 'long', before: 'x'.repeat(1_000), after: 'y'.repeat(1_000) },
    ];
    const { lines, of } = await changed({ delivery: { differences }, fates: [answering(403)] });
    expect(of).toMatchObject({ code: 'permission-denied' });
    expect(lines.slice(0, 2)).toEqual(['info: model: a +++ x → b', 'info: pool: none → gpu']);
    expect(lines).toHaveLength(3);
    expect(lines[2]).toMatch(/^info: long: x{200,300}… → y{200,300}…$/);
  });

  it.each<[string, World, readonly string[]]>([
    [
      'there is nothing to do',
      { delivery: { differences: [] } },
      ['info: Nothing to do: Training job is already as asked'],
    ],
    [
      'the same is under way',
      { delivery: { isUnderWay: true } },
      [SHOWN, 'info: The same change is already in progress: nothing to do but wait for it'],
    ],
    [
      'the same is under way, and shows already',
      { delivery: { isUnderWay: true, differences: [] } },
      ['info: The same change is already in progress: nothing to do but wait for it'],
    ],
  ])('is not asked for where %s, and that is said', async (_what, world, lines) => {
    for (const context of [{}, { attempt: 2, retry: 'manual' }, { attempt: 3, retry: 'automatic' }] as const) {
      const came = await changed({ ...world, context, published: { id: 'other', attempt: 2 } });
      expect([came.of, came.watched, came.lines]).toEqual([FOUND, BY_NOTHING, lines]);
      expect([came.received, came.announced, came.made]).toEqual([[], [], []]);
    }
  });

  it.each([
    [2, 'manual'],
    [3, 'automatic'],
  ] as const)('is asked for again by run %i of the step, retried by %s, unless it is there', async (attempt, retry) => {
    const came = await changed({ context: { attempt, retry }, published: { id: 'other', attempt: 2 } });
    expect([came.of, came.watched, came.made]).toEqual([MADE, BY_ANSWER, ['b']]);
  });

  const AGAIN = [0, 15_500];
  it.each<[string, World, readonly number[], string]>([
    ['is lost on its way', { fates: [LOST_BEFORE] }, AGAIN, BY_ANSWER],
    ['loses its answer', { fates: [LOST_AFTER] }, [0], BY_READING],
    ['loses its answer, and shows late', { fates: [LOST_AFTER], shownAfterMs: 15_000 }, [0], BY_READING],
    [
      'loses its answer, and shows only when it is asked for again',
      { fates: [LOST_AFTER], shownAfterMs: 15_400 },
      AGAIN,
      BY_READING,
    ],
    [
      'the same, where the conflict is a 409',
      { fates: [LOST_AFTER], shownAfterMs: 15_400, conflict: 409 },
      AGAIN,
      BY_READING,
    ],
    ['is answered with 503', { fates: [answering(503)] }, AGAIN, BY_ANSWER],
    ['is answered with 503 although it came through', { fates: [servedButAnswering(503)] }, [0], BY_READING],
    ['is answered with 408 although it came through', { fates: [servedButAnswering(408)] }, [0], BY_READING],
    ['never leaves at first', { fates: [UNSENT] }, [0, 500], BY_ANSWER],
    ['is limited by the rate', { fates: [answering(429, { headers: { 'retry-after': '7' } })] }, [0, 7_000], BY_ANSWER],
  ])('that %s is made once', async (_what, world, received, watched) => {
    const came = await changed(world);
    expect([came.of, came.watched, came.made]).toEqual([MADE, watched, ['b']]);
    expect([moments(came), came.announced]).toEqual([received, [1]]);
    expect(came.lines.join()).not.toContain('in the meantime');
  });

  it('whose answer is lost is read back, and that is said', async () => {
    expect((await changed({ fates: [LOST_AFTER] })).lines).toEqual([SHOWN, LOST()]);
  });

  it.each([409, 412])('that another has made meanwhile is read back after a %i, and that is said', async (conflict) => {
    const came = await changed({ meanwhile: 'b', conflict });
    expect([came.of, came.watched, came.made]).toEqual([FOUND, BY_READING, []]);
    expect(came.lines).toEqual([SHOWN, 'info: The same change was asked for in the meantime']);
  });

  it.each<[string, World, ErrorCode]>([
    ['meets another change', { meanwhile: 'c' }, 'request-rejected'],
    ['meets another change, and a 409', { meanwhile: 'c', conflict: 409 }, 'request-rejected'],
    ['is refused for another reason, whatever is there', { meanwhile: 'b', conflict: 400 }, 'request-rejected'],
    ['may not be made, whatever is there', { meanwhile: 'b', conflict: 403 }, 'permission-denied'],
    ['is refused for lack of capacity', { fates: [answering(429, { text: 'no capacity' })] }, 'request-rejected'],
    ['is limited for too long', { later: answering(429) }, 'rate-limited'],
    ['never reaches the service', { later: UNSENT }, 'service-unavailable'],
    ['has no credential', { credentialFaults: [fault('token-missing')] }, 'token-missing'],
  ])('that %s fails by that', async (_what, world, code) => {
    const came = await changed(world);
    expect(came.of).toMatchObject({ code });
    expect([came.made, came.lines.filter((line) => line.startsWith('warning'))]).toEqual([[], []]);
    expect(came.tookMs).toBeLessThanOrEqual(2 * MINUTE);
  });

  it.each<[string, World, string]>([
    ['never answered', { later: answering(503) }, 'it answered 503. After that: service.example cannot be used'],
    [
      'refused at last',
      { fates: [LOST_BEFORE, answering(400)] },
      'the connection broke. After that: the service: request-rejected',
    ],
    [
      'overtaken by another change',
      { fates: [LOST_BEFORE, answering(412)] },
      'the connection broke. After that: the service: request-rejected',
    ],
    [
      'not to be read back',
      { fates: [LOST_BEFORE], reading: answering(403) },
      'the connection broke. After that: the service: permission-denied',
    ],
  ])('that is not answered and then %s is not said to have failed', async (_what, world, words) => {
    const came = await changed(world);
    expect(came.of).toMatchObject({ code: 'submission-unknown' });
    expect(came.of).toBeInstanceOf(SubmitError);
    expect(told(came.of)).toContain(words);
    expect(came.made).toEqual([]);
  });
});

describe('a change of a step that is cancelled', () => {
  it.each<[string, World]>([
    ['before it is asked for', { cancelledBefore: true }],
    ['while it is remembered', { cancelledWhenAnnounced: true }],
    ['while it waits after a refusal to serve', { fates: [answering(429)], cancelAfterMs: 100 }],
    ['while it cannot leave', { fates: [cancelledThen(UNSENT)] }],
  ])('%s is not made', async (_what, world) => {
    const came = await changed(world);
    expect([came.of, came.made]).toEqual(['SIGTERM', []]);
    expect(came.tookMs).toBeLessThanOrEqual(100);
  });

  it.each<[string, readonly Fate[], string]>([
    ['while the answer comes', [cancelledThen(SERVED)], BY_ANSWER],
    ['when its answer was lost', [cancelledThen(LOST_AFTER)], BY_READING],
    ['when it came through and was not answered', [CANCELLED_AFTER], BY_READING],
  ])('%s is known', async (_what, fates, watched) => {
    const came = await changed({ fates });
    expect([came.of, came.watched, came.made, came.tookMs]).toEqual([MADE, watched, ['b'], 0]);
  });

  it('when another has made it is known', async () => {
    const came = await changed({ meanwhile: 'b', fates: [cancelledThen(SERVED)] });
    expect([came.of, came.watched]).toEqual([FOUND, BY_READING]);
  });

  it.each<[string, World]>([
    ['when it is lost', { fates: [cancelledThen(LOST_BEFORE)] }],
    ['when it has not come through', { fates: [CANCELLED_BEFORE] }],
    ['while it is read back', { fates: [LOST_BEFORE], cancelAfterMs: 5_000 }],
    ['and cannot be read back in time', { fates: [CANCELLED_AFTER], reading: TOO_LATE }],
  ])('%s is not asked for again, and not said to have failed', async (_what, world) => {
    const came = await changed(world);
    expect([came.of, came.received.length]).toMatchObject([{ code: 'submission-unknown' }, 1]);
    expect(came.tookMs).toBeLessThanOrEqual(5_000);
  });
});
