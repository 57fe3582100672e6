import { describe, expect, it } from 'vitest';
import { byName, type Earlier, nameOf, type ServiceOptions } from './delivery-services.ts';
import {
  answering,
  attempts,
  cancelledThen,
  delivered,
  type Fate,
  type Given,
  KEY,
  LOST_AFTER,
  LOST_BEFORE,
  SERVED,
} from './delivery-world.ts';

interface World extends Given {
  readonly service?: ServiceOptions;
}

async function submitted({ service = {}, ...given }: World) {
  const { submission, serve, runs } = byName(service);
  const { of, ...came } = await delivered(submission, serve, given);
  return { ...came, of, runs: runs() };
}

const made = (attempt: number) => ({ id: nameOf(attempt), attempt, origin: 'created' });
const found = (attempt: number) => ({ id: nameOf(attempt), attempt, origin: 'found' });
const there = (attempt: number, more: Partial<Earlier> = {}): Earlier => ({ id: nameOf(attempt), attempt, ...more });
const FAILED = { phase: 'failed' } as const;
const GONE = { stands: () => undefined };
const JOINED = [
  `info: Another job of this build submitted the identical request: joining its run ${nameOf(1)}`,
  'info: To submit a separate run, give each job a different INSTANCE.',
];

describe('the first run of a step', () => {
  it.each<[string, World, object, readonly string[]]>([
    ['makes the run whose id follows from its key and attempt', {}, made(1), []],
    ['joins the run that another job of the build made', { service: { earlier: [there(1)] } }, found(1), JOINED],
    [
      'joins the run that another job of the build made and published',
      { service: { earlier: [there(1)] }, published: { id: nameOf(1), attempt: 1 } },
      found(1),
      JOINED,
    ],
    [
      'takes the run for its own when an earlier request for it was not answered',
      { fates: [LOST_AFTER] },
      made(1),
      ['debug: submission attempt 1: the connection broke; again in 500 ms'],
    ],
    [
      'joins the run after a refusal to serve, which made none',
      { service: { earlier: [there(1)] }, fates: [answering(429)] },
      found(1),
      ['debug: submission attempt 1: it answered 429; again in 500 ms', ...JOINED],
    ],
    [
      'takes the run that reads do not know yet',
      { service: { readableAfterMs: 10_000 }, fates: [LOST_AFTER] },
      made(1),
      ['debug: submission attempt 1: the connection broke; again in 500 ms'],
    ],
  ])('%s', async (_what, world, end, lines) => {
    const came = await submitted(world);
    expect(came.of).toMatchObject(end);
    expect([came.runs, came.announced, came.lines]).toEqual([[nameOf(1)], [1], lines]);
  });

  it('says clearly that the name is taken by something else', async () => {
    const came = await submitted({ service: { earlier: [there(1, { foreign: true })] } });
    expect(came.of).toMatchObject({
      code: 'request-rejected',
      explanation: {
        happened: `${nameOf(1)} exists and is not what this step would submit`,
        presented: ['Training job', `submission key ${KEY}`],
        remedy: [expect.stringContaining('choose another name')],
      },
    });
    expect([came.received.length, came.lines]).toEqual([1, []]);
  });

  it('fails as the service refuses, where nothing is to be found under the name', async () => {
    const came = await submitted({ service: { earlier: [there(1, GONE)] } });
    expect(came.of).toMatchObject({ code: 'request-rejected', message: 'the service: request-rejected' });
  });

  it('fails as the service refuses, where that is not for the name', async () => {
    const came = await submitted({ service: { earlier: [there(1)] }, fates: [answering(409, { text: 'busy' })] });
    expect(came.of).toMatchObject({ code: 'request-rejected', message: 'the service: request-rejected' });
    expect([came.received.length, came.tookMs]).toEqual([1, 0]);
  });

  it('is not said to have failed where what is under the name cannot be read after a lost answer', async () => {
    const came = await submitted({ fates: [LOST_AFTER], reading: answering(503) });
    expect([came.of, came.runs]).toMatchObject([{ code: 'submission-unknown' }, [nameOf(1)]]);
  });

  it('that is cancelled when it meets the run of another job knows it', async () => {
    const came = await submitted({ service: { earlier: [there(1)] }, fates: [cancelledThen(SERVED)] });
    expect([came.of, came.runs, came.tookMs]).toMatchObject([found(1), [nameOf(1)], 0]);
  });
});

const RETRY = { attempt: 2, retry: 'automatic' } as const;
const AGAIN = { attempt: 2, retry: 'manual' } as const;
/** Reads do not know a run before a moment. */
const readableFrom =
  (fromMs: number): Fate =>
  (serve, { passedMs }) =>
    passedMs < fromMs ? { status: 404 } : serve();

describe('a re-run', () => {
  it.each<[string, World, object, readonly number[], readonly string[]]>([
    ['submits what no earlier run of the step did', { context: AGAIN }, made(1), [1], [nameOf(1)]],
    [
      'finds the latest of several by their names',
      { service: { earlier: [there(1, { stands: FAILED }), there(2)] }, context: { ...AGAIN, attempt: 3 } },
      found(2),
      [],
      [nameOf(1), nameOf(2)],
    ],
    [
      'makes the attempt after the latest, where that is over',
      {
        service: { earlier: [there(1), there(2, { stands: FAILED })] },
        context: { ...RETRY, attempt: 3 },
      },
      made(3),
      [3],
      [nameOf(1), nameOf(2), nameOf(3)],
    ],
    [
      'finds a later one although an earlier one was deleted',
      { service: { earlier: [there(1, GONE), there(2)] }, context: { ...AGAIN, attempt: 4 } },
      found(2),
      [],
      [nameOf(1), nameOf(2)],
    ],
    [
      'does not ask for attempts that no earlier run of the step can have made',
      { service: { earlier: [there(2)] }, context: RETRY },
      made(1),
      [1],
      [nameOf(2), nameOf(1)],
    ],
    [
      'meets a run that reads did not know yet by its name',
      { service: { earlier: [there(1)] }, reading: readableFrom(3_000), context: RETRY },
      found(1),
      [1],
      [nameOf(1)],
    ],
    [
      'takes the next run for its own after a lost answer',
      { service: { earlier: [there(1, { stands: FAILED })] }, fates: [LOST_BEFORE, LOST_AFTER], context: RETRY },
      made(2),
      [2, 2, 2],
      [nameOf(1), nameOf(2)],
    ],
  ])('%s', async (_what, world, end, sent, runs) => {
    const came = await submitted(world);
    expect(came.of).toMatchObject(end);
    expect([attempts(came), came.runs]).toEqual([sent, runs]);
    expect(came.announced).toEqual([...new Set(sent)]);
    // What an earlier run of the step made is not of another job.
    expect(came.lines.join()).not.toContain('joining');
  });

  it('fails when it may not ask for an earlier run', async () => {
    const came = await submitted({ context: AGAIN, reading: answering(403) });
    expect([came.of, came.runs]).toMatchObject([{ code: 'permission-denied' }, []]);
  });
});
