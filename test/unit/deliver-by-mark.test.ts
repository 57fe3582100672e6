import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../shared/errors.ts';
import type { Answer } from '../../shared/http/http.ts';
import { byMark, type Earlier, type MarkOptions } from './delivery-services.ts';
import {
  answering,
  delivered,
  type Fate,
  fault,
  type Given,
  LOST_AFTER,
  LOST_BEFORE,
  moments,
  SERVED,
  servedButAnswering,
  told,
} from './delivery-world.ts';

const MINUTE = 60_000;

interface World extends Given {
  readonly service?: MarkOptions;
}

async function submitted({ service = {}, ...given }: World) {
  const { submission, serve, runs } = byMark(service);
  const { of, ...came } = await delivered(submission, serve, given);
  return { ...came, of, runs: runs() };
}

const made = (id: string, attempt = 1) => ({ id, attempt, origin: 'created' });
const found = (id: string, attempt = 1) => ({ id, attempt, origin: 'found' });
const LOST =
  'warning: The response to the submission was lost (the connection broke); looking for the job by its key for up to a minute';

describe('the first run of a step', () => {
  it('joins the run that another job of the build published', async () => {
    const came = await submitted({ published: { id: 'r', attempt: 2 } });
    expect(came.of).toMatchObject(found('r', 2));
    expect([came.received, came.runs]).toEqual([[], []]);
    expect(came.lines).toEqual([
      'info: Another job of this build submitted the identical request: joining its run r',
      'info: To submit a separate run, give each job a different INSTANCE.',
    ]);
  });

  it('does not look for the run of another job that was not published, but makes its own', async () => {
    const came = await submitted({ service: { earlier: [{ id: 'r' }] }, reading: answering(403) });
    expect([came.of, came.runs, came.lines]).toMatchObject([made('n1'), ['r', 'n1'], []]);
  });
});

describe('a submission without an answer', () => {
  it.each<[string, World, readonly number[], readonly string[]]>([
    ['is found by its key', { fates: [LOST_AFTER] }, [0], ['n1']],
    ['is found although it is listed late', { fates: [LOST_AFTER], service: { listedAfterMs: 60_000 } }, [0], ['n1']],
    ['is found after a success that names no run', { fates: [servedButAnswering(200, '{}')] }, [0], ['n1']],
    ['is sent again when it is not listed within a minute', { fates: [LOST_BEFORE] }, [0, 60_500], ['n1']],
    [
      'is told from other attempts',
      { fates: [LOST_BEFORE], service: { earlier: [{ id: 's', attempt: 2 }] } },
      [0, 60_500],
      ['s', 'n1'],
    ],
    [
      'is found among other attempts',
      { fates: [LOST_AFTER], service: { earlier: [{ id: 's', attempt: 2 }] } },
      [0],
      ['s', 'n1'],
    ],
    ['is sent again twice at most', { fates: [LOST_BEFORE, answering(429)] }, [0, 60_500, 61_500], ['n1']],
  ])('%s', async (_what, world, received, runs) => {
    const came = await submitted(world);
    expect([came.of, came.runs, moments(came)]).toMatchObject([made('n1'), runs, received]);
    expect(came.announced).toEqual([1]);
  });

  it('is told of, and so are long pauses', async () => {
    const { lines } = await submitted({ fates: [LOST_BEFORE, answering(429, { headers: { 'retry-after': '40' } })] });
    expect(lines).toEqual([
      LOST,
      'debug: submission attempt 1: the connection broke; again in 500 ms',
      'info: service.example: the connection broke; trying again in 1s',
      'debug: submission attempt 2: it answered 429; again in 40000 ms',
      'info: service.example: it answered 429; trying again in 40s',
    ]);
  });

  it('is not known to have failed where it cannot be looked for', async () => {
    const came = await submitted({ fates: [LOST_BEFORE], reading: answering(403) });
    expect(came.of).toMatchObject({ code: 'submission-unknown' });
    expect(told(came.of)).toContain('the connection broke. After that: the service: permission-denied');
    expect(moments(came)).toEqual([0]);
  });
});

describe('a submission that asks for something first', () => {
  const ASKS = answering(400);
  const supplies =
    (whether: boolean | Error) =>
    async ({ status }: Answer): Promise<boolean> => {
      if (whether instanceof Error) throw whether;
      return status === 400 && whether;
    };

  it('is sent again once that is there, however long it took', async () => {
    let advance: (ms: number) => void = () => undefined;
    const asks: Fate = (_serve, moment) => {
      advance = moment.advance;
      return { status: 400 };
    };
    const supply = async ({ status }: Answer) => {
      if (status !== 400) return false;
      advance(10 * MINUTE);
      return true;
    };
    const came = await submitted({ service: { supply }, fates: [asks, answering(429)] });
    expect([came.of, came.runs]).toMatchObject([made('n1'), ['n1']]);
    expect(moments(came)).toEqual([0, 10 * MINUTE, 10 * MINUTE + 1_000]);
  });

  it.each<[string, World, ErrorCode]>([
    [
      'is refused when it cannot be supplied',
      { service: { supply: supplies(false) }, fates: [ASKS] },
      'request-rejected',
    ],
    [
      'is refused when it asks for nothing',
      { service: { supply: supplies(true) }, fates: [answering(404)] },
      'not-found',
    ],
    [
      'fails as the supply does',
      { service: { supply: supplies(fault('permission-denied')) }, fates: [ASKS] },
      'permission-denied',
    ],
    [
      'is unknown when the supply fails after an answer was lost',
      { service: { supply: supplies(fault('permission-denied')) }, fates: [LOST_BEFORE, ASKS] },
      'submission-unknown',
    ],
  ])('%s', async (_what, world, code) => {
    const came = await submitted(world);
    expect(came.of).toMatchObject({ code });
    expect(came.runs).toEqual([]);
  });

  it.each<[string, readonly Fate[], object | string, readonly string[]]>([
    ['is not sent again', [], 'SIGTERM', []],
    ['is named where it may have come through before', [LOST_BEFORE], made('n1'), ['n1']],
  ])('%s for a step that is cancelled meanwhile', async (_what, before, end, runs) => {
    let cancel: () => void = () => undefined;
    const asks: Fate = (_serve, moment) => {
      cancel = moment.cancel;
      return { status: 400 };
    };
    const supply = async () => {
      cancel();
      return true;
    };
    const came = await submitted({ service: { supply }, fates: [...before, asks, SERVED] });
    if (typeof end === 'string') expect(came.of).toBe(end);
    else expect(came.of).toMatchObject(end);
    expect(came.runs).toEqual(runs);
  });
});

const RETRY = { attempt: 2, retry: 'automatic' } as const;
const AGAIN = { attempt: 2, retry: 'manual' } as const;
const LOOKING =
  'info: Looking for up to a minute for a job that an earlier run of this step may have submitted, since new jobs can be listed late';
const kept = (id: string) => `info: An earlier run of this step submitted ${id}, which succeeded: its result is kept`;
const anew = (id: string, word: string) =>
  `info: An earlier run of this step submitted ${id}, which ${word}: submitting again`;
const attaching = `info: This step's submission is r, which is running: attaching to it`;

const r = (phase: 'running' | 'failed' | 'succeeded'): Earlier => ({ id: 'r', stands: { phase } });
const s = (phase: 'running' | 'failed' | 'succeeded'): Earlier => ({ id: 's', attempt: 2, stands: { phase } });
const GONE: Earlier = { id: 'r', stands: () => undefined };
/** A run that reads know and lists do not show before a moment. */
const listedFrom =
  (fromMs: number, hidden: string): Fate =>
  (serve, { passedMs }) => {
    const reply = serve();
    if (passedMs >= fromMs || reply.text?.startsWith('[') !== true) return reply;
    const all = JSON.parse(reply.text) as readonly { readonly id: string }[];
    return { ...reply, text: JSON.stringify(all.filter(({ id }) => id !== hidden)) };
  };

describe('a re-run', () => {
  it.each<[string, World, object, number, readonly string[], readonly string[]]>([
    ['submits what is not there after a minute', { context: RETRY }, made('n1'), MINUTE, ['n1'], [LOOKING]],
    [
      'finds what is listed late',
      { service: { earlier: [r('running')] }, reading: listedFrom(29_000, 'r'), context: RETRY },
      found('r'),
      30_000,
      ['r'],
      [LOOKING, attaching],
    ],
    [
      'looks for a later attempt that an earlier run may have made',
      {
        service: { earlier: [r('failed'), s('succeeded')] },
        reading: listedFrom(6_000, 's'),
        context: { ...RETRY, attempt: 3 },
      },
      found('s', 2),
      7_000,
      ['r', 's'],
      [LOOKING, kept('s')],
    ],
    [
      'makes the attempt after the latest that it found',
      { service: { earlier: [r('failed')] }, context: { ...RETRY, attempt: 3 } },
      made('n1', 2),
      MINUTE,
      ['r', 'n1'],
      [LOOKING, anew('r', 'failed')],
    ],
    [
      'knows that there is no later one than one that is active',
      { service: { earlier: [r('running')] }, context: { ...AGAIN, attempt: 3 } },
      found('r'),
      0,
      ['r'],
      [attaching],
    ],
    [
      'knows what was published and is not listed yet',
      {
        service: { earlier: [r('running')] },
        reading: listedFrom(MINUTE, 'r'),
        context: RETRY,
        published: { id: 'r', attempt: 1 },
      },
      found('r'),
      0,
      ['r'],
      [attaching],
    ],
    [
      'takes what was published for later than what is listed',
      {
        service: { earlier: [r('failed'), s('succeeded')] },
        reading: listedFrom(MINUTE, 's'),
        context: { ...RETRY, attempt: 3 },
        published: { id: 's', attempt: 2 },
      },
      found('s', 2),
      0,
      ['r', 's'],
      [kept('s')],
    ],
    [
      'takes what is listed for the latest, where it is the same attempt',
      { service: { earlier: [r('succeeded')] }, context: RETRY, published: { id: 'old', attempt: 1 } },
      found('r'),
      0,
      ['r'],
      [kept('r')],
    ],
    [
      'submits again what was published and deleted since',
      { service: { earlier: [GONE] }, context: RETRY, published: { id: 'r', attempt: 1 } },
      made('n1', 2),
      MINUTE,
      ['r', 'n1'],
      [anew('r', 'no longer exists')],
    ],
    [
      'submits anew what was deleted and is not listed',
      { service: { earlier: [GONE] }, context: AGAIN },
      made('n1'),
      MINUTE,
      ['r', 'n1'],
      [LOOKING],
    ],
  ])('%s', async (_what, world, end, tookMs, runs, lines) => {
    const came = await submitted(world);
    expect(came.of).toMatchObject(end);
    expect([came.tookMs, came.runs, came.lines]).toEqual([tookMs, runs, lines]);
  });

  it('attaches to a run that reads do not know yet', async () => {
    let refused = 0;
    const reading: Fate = (serve, { passedMs }) => {
      if (passedMs >= 7_000) return serve();
      refused += 1;
      return { status: 404 };
    };
    const came = await submitted({
      service: { earlier: [r('running')] },
      reading: (serve, moment) => (serve().text?.startsWith('[') === true ? serve() : reading(serve, moment)),
      context: RETRY,
    });
    expect(came.of).toMatchObject(found('r'));
    expect([came.runs, came.tookMs, refused > 1]).toEqual([['r'], 7_000, true]);
  });

  it.each<[string, World]>([
    ['looks into a list', {}],
    ['looks for what was published', { published: { id: 'r', attempt: 1 }, service: { earlier: [GONE] } }],
  ])('submits nothing when it is cancelled while it %s', async (_what, world) => {
    const came = await submitted({ ...world, context: RETRY, cancelAfterMs: 5_000 });
    expect([came.of, came.announced, came.tookMs]).toEqual(['SIGTERM', [], 5_000]);
    expect(came.lines.join()).not.toContain('submitting again');
  });

  it('fails when it cannot look into the list', async () => {
    const came = await submitted({ context: RETRY, reading: answering(403) });
    expect([came.of, came.runs]).toMatchObject([{ code: 'permission-denied' }, []]);
  });
});
