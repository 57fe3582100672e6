import { describe, expect, it } from 'vitest';
import { byToken, type Earlier, type TokenOptions } from './delivery-services.ts';
import {
  answering,
  attempts,
  cancelledThen,
  delivered,
  type Given,
  LOST_AFTER,
  LOST_BEFORE,
  moments,
  servedButAnswering,
} from './delivery-world.ts';

interface World extends Given {
  readonly service?: TokenOptions;
}

async function submitted({ service = {}, ...given }: World) {
  const { submission, serve, runs } = byToken(service);
  const { of, ...came } = await delivered(submission, serve, given);
  return { ...came, of, runs: runs() };
}

const made = (id: string, attempt = 1) => ({ id, attempt, origin: 'created' });
const found = (id: string, attempt = 1) => ({ id, attempt, origin: 'found' });
const R: Earlier = { id: 'r' };
const FAILED = { phase: 'failed' } as const;
const JOINED = [
  'info: Another job of this build submitted the identical request: joining its run r',
  'info: To submit a separate run, give each job a different INSTANCE.',
];

describe('the first run of a step', () => {
  it.each<[string, World, object, readonly number[], readonly string[]]>([
    [
      'joins the run that another job of the build published',
      { published: { id: 'r', attempt: 2 } },
      found('r', 2),
      [],
      JOINED,
    ],
    [
      'joins the run that the service has already',
      { service: { earlier: [R], tellsAge: true } },
      found('r'),
      [1],
      JOINED,
    ],
    [
      'cannot tell that the run was there, where the service does not',
      { service: { earlier: [R] } },
      made('r'),
      [1],
      [],
    ],
    [
      'does not say that another made the run when its own request may have',
      { service: { tellsAge: true }, fates: [LOST_AFTER] },
      made('n1'),
      [1, 1],
      ['debug: submission attempt 1: the connection broke; again in 500 ms'],
    ],
    [
      'says that another made the run after a refusal to serve, which made none',
      { service: { earlier: [R], tellsAge: true }, fates: [answering(429)] },
      found('r'),
      [1, 1],
      ['debug: submission attempt 1: it answered 429; again in 500 ms', ...JOINED],
    ],
  ])('%s', async (_what, world, end, sent, lines) => {
    const came = await submitted(world);
    expect(came.of).toMatchObject(end);
    expect(attempts(came)).toEqual(sent);
    expect(came.announced).toEqual(sent.slice(0, 1));
    expect(came.lines).toEqual(lines);
    expect(came.runs.length).toBeLessThanOrEqual(1);
  });

  it.each([
    ['is lost', LOST_BEFORE],
    ['loses its answer', LOST_AFTER],
    ['names no run', servedButAnswering(200, '{"made":"now"}')],
    ['does not say how its run was made', servedButAnswering(200, '{"id":"n1"}')],
  ])('sends a submission again at once that %s', async (_what, fate) => {
    const came = await submitted({ fates: [fate] });
    expect([came.of, came.runs, moments(came)]).toMatchObject([made('n1'), ['n1'], [0, 500]]);
  });
});

const RETRY = { attempt: 2, retry: 'automatic' } as const;
const AGAIN = { attempt: 2, retry: 'manual' } as const;
const AHEAD = 5_000_000;
const cancelling = cancelledThen(() => new Promise(() => undefined));

describe('a re-run', () => {
  it.each<[string, World, object, readonly number[], readonly string[]]>([
    [
      'has a run of its own where nobody had used the token, however soon that failed',
      { service: { tellsAge: true, made: FAILED }, context: AGAIN },
      made('n1'),
      [1],
      ['n1'],
    ],
    [
      'has a run of its own that reads do not know yet',
      { service: { tellsAge: true, readableAfterMs: 90_000 }, context: AGAIN },
      made('n1'),
      [1],
      ['n1'],
    ],
    [
      'has a run of its own where the run began when it was sent',
      { service: { aheadMs: AHEAD, made: { ...FAILED, startedAt: AHEAD } }, context: AGAIN },
      made('n1'),
      [1],
      ['n1'],
    ],
    [
      'has a run of its own where the run began after it was first sent',
      {
        service: { aheadMs: AHEAD, made: { ...FAILED, startedAt: AHEAD + 100 } },
        fates: [LOST_AFTER],
        context: AGAIN,
      },
      made('n1'),
      [1, 1],
      ['n1'],
    ],
    [
      'has an earlier one where the run began before',
      {
        service: { aheadMs: AHEAD, earlier: [{ id: 'r', stands: { ...FAILED, startedAt: AHEAD - 1 } }] },
        context: AGAIN,
      },
      made('n1', 2),
      [1, 2],
      ['r', 'n1'],
    ],
    [
      'has an earlier one where the service tells so, whenever it began',
      {
        service: { tellsAge: true, earlier: [{ id: 'r', stands: { ...FAILED, startedAt: 9e15 } }] },
        context: AGAIN,
      },
      made('n1', 2),
      [1, 2],
      ['r', 'n1'],
    ],
    [
      'has an earlier one where the service tells so, whenever its own clock says that it began',
      {
        service: { tellsAge: true, aheadMs: AHEAD, earlier: [{ id: 'r', stands: { ...FAILED, startedAt: 9e15 } }] },
        context: AGAIN,
      },
      made('n1', 2),
      [1, 2],
      ['r', 'n1'],
    ],
    [
      'has a run of its own, however soon that failed, although the first request for it was lost',
      { service: { tellsAge: true, made: FAILED }, fates: [LOST_BEFORE], context: AGAIN },
      made('n1'),
      [1, 1],
      ['n1'],
    ],
    [
      'has an earlier one where nothing tells when it was sent',
      { service: { earlier: [{ id: 'r', stands: { ...FAILED, startedAt: 9e15 } }] }, context: AGAIN },
      made('n1', 2),
      [1, 2],
      ['r', 'n1'],
    ],
    [
      'has an earlier one where nothing tells when it began',
      { service: { aheadMs: AHEAD, earlier: [{ id: 'r', stands: { phase: 'succeeded' } }] }, context: RETRY },
      found('r'),
      [1],
      ['r'],
    ],
    [
      'attaches to a run that was made just now and does not tell',
      { service: { readableAfterMs: 40_000 }, context: AGAIN },
      found('n1'),
      [1],
      ['n1'],
    ],
    [
      'passes over each attempt that is over, up to its own',
      {
        service: {
          tellsAge: true,
          earlier: [1, 2, 3].map((attempt) => ({ id: `r${attempt}`, attempt, stands: FAILED })),
        },
        context: { ...AGAIN, attempt: 4 },
      },
      made('n1', 4),
      [1, 2, 3, 4],
      ['r1', 'r2', 'r3', 'n1'],
    ],
    [
      'begins with the attempt that was published',
      {
        service: { tellsAge: true, earlier: [{ id: 's', attempt: 2, stands: FAILED }] },
        context: { ...AGAIN, attempt: 3 },
        published: { id: 's', attempt: 2 },
      },
      made('n1', 3),
      [2, 3],
      ['s', 'n1'],
    ],
    [
      'stays with a published attempt that is later than its own',
      {
        service: { tellsAge: true, earlier: [{ id: 'v', attempt: 5 }] },
        context: AGAIN,
        published: { id: 'v', attempt: 5 },
      },
      found('v', 5),
      [5],
      ['v'],
    ],
    [
      'makes the attempt after a published one that is over and later than its own',
      {
        service: { tellsAge: true, earlier: [{ id: 'v', attempt: 5, stands: FAILED }] },
        context: AGAIN,
        published: { id: 'v', attempt: 5 },
      },
      made('n1', 6),
      [5, 6],
      ['v', 'n1'],
    ],
    [
      'passes over the token of a run that was deleted, which the service refuses',
      { service: { earlier: [{ id: 'r', stands: () => undefined }] }, context: AGAIN },
      made('n1', 2),
      [1, 2],
      ['r', 'n1'],
    ],
    [
      'passes over the token of a run that is not found',
      { fates: [answering(404)], context: AGAIN },
      made('n1', 2),
      [1, 2],
      ['n1'],
    ],
    [
      'passes over a run that is answered with and gone',
      { fates: [answering(200, { text: '{"id":"r","made":"before"}' })], context: AGAIN },
      made('n1', 2),
      [1, 2],
      ['n1'],
    ],
    [
      'knows the run that is to be cancelled with the step',
      { service: { earlier: [R] }, reading: cancelling, context: AGAIN },
      found('r'),
      [1],
      ['r'],
    ],
    [
      'knows the run that is to be cancelled with the step, also where reads do not',
      { service: { readableAfterMs: 40_000 }, cancelAfterMs: 5_000, context: AGAIN },
      found('n1'),
      [1],
      ['n1'],
    ],
  ])('%s', async (_what, world, end, sent, runs) => {
    const came = await submitted(world);
    expect(came.of).toMatchObject(end);
    expect([attempts(came), came.runs]).toEqual([sent, runs]);
    expect(came.announced).toEqual([...new Set(sent)]);
  });

  it.each([
    ['permission-denied', 403],
    ['unreadable', 500],
  ])('ends with another fault than a refused token: %s', async (_what, status) => {
    const came = await submitted({ later: answering(status), context: AGAIN });
    expect(came.of).toMatchObject({ code: status === 403 ? 'permission-denied' : 'submission-unknown' });
    expect(new Set(attempts(came))).toEqual(new Set([1]));
  });

  it('ends with the refusal that comes again for its own attempt', async () => {
    const came = await submitted({ later: answering(400), context: AGAIN });
    expect(came.of).toMatchObject({ code: 'request-rejected' });
    expect(attempts(came)).toEqual([1, 2]);
  });

  it('ends with a fault of this program', async () => {
    const error = new TypeError('internal');
    expect((await submitted({ credentialFaults: [error], context: AGAIN })).of).toBe(error);
  });
});
