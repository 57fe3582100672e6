import { describe, expect, it } from 'vitest';
import { type ErrorCode, SubmitError } from '../../shared/errors.ts';
import type { CiContext } from '../../shared/host/ci-context.ts';
import type { Cancellation } from '../../shared/kind.ts';
import {
  byMark,
  byName,
  byToken,
  nameOf,
  type RunService,
  type ServiceOptions,
  type Standing,
} from './delivery-services.ts';
import {
  answering,
  attempts,
  CANCELLED_AFTER,
  CANCELLED_BEFORE,
  cancelledThen,
  delivered,
  type Fate,
  fault,
  type Given,
  KEY,
  LOST_AFTER,
  LOST_BEFORE,
  moments,
  SERVED,
  servedButAnswering,
  TOO_LATE,
  told,
  UNSENT,
} from './delivery-world.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

interface Strategy {
  readonly service: (options?: ServiceOptions) => RunService;
  /** The id of the first run that is made here, by its attempt. */
  readonly idOf: (attempt: number) => string;
  /** An answer that was lost is looked for by reading, and sending again could make a second run. */
  readonly looks: boolean;
}

const STRATEGIES: readonly (readonly [string, Strategy])[] = [
  ['by a token', { service: byToken, idOf: () => 'n1', looks: false }],
  [
    'by a token, where the service tells whether it is new',
    { service: (options) => byToken({ ...options, tellsAge: true }), idOf: () => 'n1', looks: false },
  ],
  ['by a mark', { service: byMark, idOf: () => 'n1', looks: true }],
  ['by a name', { service: byName, idOf: nameOf, looks: false }],
];

const CUT = '{"id":';
const LIMITED = answering(429, { headers: { 'retry-after': '7' } });
const MANY = (fate: Fate, count: number) => Array.from({ length: count }, () => fate);

describe.each(STRATEGIES)('a submission %s', (_by, { service, idOf, looks }) => {
  const submit = async (given: Given = {}, options: ServiceOptions = {}) => {
    const world = service(options);
    const came = await delivered(world.submission, world.serve, given);
    return { ...came, runs: world.runs() };
  };
  const MADE = { id: idOf(1), attempt: 1, origin: 'created' };

  it('that nothing comes in the way of makes one run', async () => {
    const came = await submit();
    expect(came.of).toMatchObject(MADE);
    expect([came.runs, came.received, came.announced, came.lines]).toEqual([[idOf(1)], [[1, 0]], [1], []]);
  });

  it.each<[string, readonly Fate[]]>([
    ['is lost on its way', [LOST_BEFORE]],
    ['loses its answer', [LOST_AFTER]],
    ['is lost, and then loses its answer', [LOST_BEFORE, LOST_AFTER]],
    ['loses two answers', [LOST_AFTER, LOST_AFTER]],
    ['is answered with 503', [answering(503)]],
    ['is answered with 503 although it came through', [servedButAnswering(503)]],
    ['is answered with 500', [answering(500)]],
    ['is answered with 500 although it came through', [servedButAnswering(500)]],
    ['is answered with 408', [answering(408)]],
    ['is answered with 408 although it came through', [servedButAnswering(408)]],
    ['has its answer cut short', [servedButAnswering(200, CUT)]],
    ['never leaves at first', [UNSENT]],
    ['is limited by the rate', [answering(429), answering(429)]],
    ['is limited by the rate, and then loses its answer', [answering(429), LOST_AFTER]],
    ['loses its answer, and is then limited by the rate', [LOST_AFTER, answering(429)]],
  ])('that %s makes one run', async (_what, fates) => {
    const came = await submit({ fates });
    expect(came.of).toMatchObject(MADE);
    expect([came.runs, came.announced]).toEqual([[idOf(1)], [1]]);
    expect(came.tookMs).toBeLessThanOrEqual(looks ? 61 * SECOND : 2 * SECOND);
  });

  it('that is limited by the rate is sent again when the service says so, and that is told', async () => {
    const came = await submit({ fates: [LIMITED, answering(429, { headers: { 'retry-after': '40' } })] });
    expect(came.of).toMatchObject(MADE);
    expect(moments(came)).toEqual([0, 7 * SECOND, 47 * SECOND]);
    expect(came.lines).toEqual([
      'debug: submission attempt 1: it answered 429; again in 7000 ms',
      'debug: submission attempt 2: it answered 429; again in 40000 ms',
      'info: service.example: it answered 429; trying again in 40s',
    ]);
  });

  it.each<[string, Given, ErrorCode, string, number]>([
    ['is refused', { fates: [answering(400)] }, 'request-rejected', 'request-rejected', 1],
    ['may not', { fates: [answering(403)] }, 'permission-denied', 'permission-denied', 1],
    ['is answered by a redirect', { fates: [answering(300)] }, 'request-rejected', '', 1],
    ['meets a conflict', { fates: [answering(409)] }, 'request-rejected', '', 1],
    [
      'is refused for lack of capacity',
      { fates: [answering(429, { text: 'no capacity' })] },
      'request-rejected',
      '',
      1,
    ],
    ['has no credential', { credentialFaults: [fault('token-missing')] }, 'token-missing', 'token-missing', 1],
    ['is limited for too long', { later: answering(429) }, 'rate-limited', 'kept limiting', 11],
    [
      'is to be sent again too late',
      { later: answering(429, { headers: { 'retry-after': '121' } }) },
      'rate-limited',
      '(1 attempt)',
      1,
    ],
    ['never reaches the service', { later: UNSENT }, 'service-unavailable', 'no connection', 11],
    [
      'meets an obstacle that stays',
      {
        later: () => {
          const obstacle = { patienceMs: 0, presented: [], expected: [], remedy: ['Log in.'], link: 'x.md' };
          throw Object.assign(new Error('a proxy'), { unsent: true, obstacle });
        },
      },
      'service-unavailable',
      'Log in.',
      1,
    ],
  ])('that %s makes no run, and says so', async (_what, given, code, words, sent) => {
    const came = await submit(given);
    expect(came.of).toMatchObject({ code });
    expect(told(came.of)).toContain(words);
    expect(came.runs).toEqual([]);
    expect(attempts(came)).toEqual(Array.from({ length: code === 'token-missing' ? 0 : sent }, () => 1));
    expect(came.tookMs).toBeLessThanOrEqual(2 * MINUTE);
  });

  it('that may be sent again at the very end of its time is', async () => {
    const came = await submit({ fates: [answering(429, { headers: { 'retry-after': '120' } })] });
    expect(came.of).toMatchObject(MADE);
    expect(moments(came)).toEqual([0, 2 * MINUTE]);
  });

  it('that fails by a fault of this program fails by it', async () => {
    const error = new TypeError('internal');
    expect((await submit({ credentialFaults: [error] })).of).toBe(error);
  });

  it.each<[string, Given, readonly string[]]>([
    [
      'is not answered, and then refused',
      { fates: [LOST_BEFORE, answering(400)] },
      ['the connection broke. After that: the service: request-rejected'],
    ],
    [
      'is not answered, and then without a credential',
      { fates: [LOST_BEFORE], credentialFaults: [undefined, fault('token-missing')] },
      ['the connection broke. After that: the service: token-missing'],
    ],
    [
      'is not answered, and then something breaks',
      { fates: [LOST_BEFORE], credentialFaults: [undefined, new TypeError('internal')] },
      ['whether the job was submitted: the connection broke"'],
    ],
    ['is never answered', { later: answering(503) }, ['it answered 503. After that: service.example cannot be used']],
  ])('that %s is not said to have failed', async (_what, given, words) => {
    const came = await submit(given);
    expect(came.of).toMatchObject({ code: 'submission-unknown' });
    for (const each of words) expect(told(came.of)).toContain(each);
    expect(came.runs).toEqual([]);
  });

  it('that is not known to have failed says how it is found, and when it ends by itself', async () => {
    const given = { fates: [LOST_BEFORE, answering(400)] };
    const bounded = await submit({ ...given, serverTimeoutSeconds: 3_600 });
    expect((bounded.of as SubmitError).explanation).toMatchObject({
      presented: ['Training job', `submission key ${KEY}`],
      remedy: [expect.stringContaining('found by this key'), expect.stringContaining('after 3600 s')],
    });
    expect((await submit(given)).of).toMatchObject({ explanation: { remedy: [expect.any(String)] } });
  });

  it.each<[string, Given, readonly number[]]>([
    ['before it is sent', { cancelledBefore: true }, []],
    ['while it is remembered', { cancelledWhenAnnounced: true }, [1]],
    ['while it waits after a refusal to serve', { fates: [answering(429)], cancelAfterMs: 100 }, [1]],
    ['while it is refused to be served', { fates: [cancelledThen(answering(429))] }, [1]],
    ['while it cannot leave', { fates: [cancelledThen(UNSENT)] }, [1]],
  ])('of a step that is cancelled %s makes no run', async (_what, given, announced) => {
    const came = await submit(given);
    expect(came.of).toBe('SIGTERM');
    expect([came.runs, came.announced]).toEqual([[], announced]);
    expect(came.received.length).toBeLessThanOrEqual(1);
    expect(came.tookMs).toBeLessThanOrEqual(100);
  });

  it.each<[string, Given]>([
    ['while the answer comes', { fates: [cancelledThen(SERVED)] }],
    ['when its answer was lost', { fates: [cancelledThen(LOST_AFTER)] }],
    ['when it came through and was not answered', { fates: [CANCELLED_AFTER] }],
    ['while it waits after a lost answer', { fates: [LOST_AFTER], cancelAfterMs: 100 }],
    ['after a second lost answer', { fates: [LOST_AFTER, cancelledThen(LOST_AFTER)] }],
  ])('of a step that is cancelled %s names its run, which is then cancelled', async (_what, given) => {
    const came = await submit(given);
    expect(came.of).toMatchObject(MADE);
    expect([came.runs, came.announced]).toEqual([[idOf(1)], [1]]);
    expect(came.tookMs).toBeLessThanOrEqual(SECOND);
  });

  it.each<[string, Given]>([
    ['when it is lost', { fates: [cancelledThen(LOST_BEFORE)] }],
    ['when it has not come through', { fates: [CANCELLED_BEFORE] }],
    ['while it waits after a lost request', { fates: [LOST_BEFORE], cancelAfterMs: 100 }],
  ])('of a step that is cancelled %s makes no run that is not named', async (_what, given) => {
    const came = await submit(given);
    // Sending again names the run, where it cannot make a second one.
    if (looks) expect(came.of).toMatchObject({ code: 'submission-unknown' });
    else expect(came.of).toMatchObject(MADE);
    expect(came.runs).toEqual(looks ? [] : [idOf(1)]);
    expect(came.tookMs).toBeLessThanOrEqual(SECOND);
  });

  it.each<[string, Given, string]>([
    [
      'has no answer to its last request either',
      { fates: [CANCELLED_AFTER, TOO_LATE], reading: TOO_LATE },
      'the step was cancelled before an answer came',
    ],
    [
      'is answered with 503 at last',
      { fates: [CANCELLED_BEFORE, answering(503)], reading: TOO_LATE },
      looks ? 'the step was cancelled before an answer came' : 'it answered 503. After that: ',
    ],
  ])('of a step that is cancelled and %s is not said to have failed', async (_what, given, words) => {
    const came = await submit(given);
    expect(came.of).toMatchObject({ code: 'submission-unknown' });
    expect(told(came.of)).toContain(words);
    expect(came.received.length).toBeLessThanOrEqual(2);
    expect(came.tookMs).toBeLessThanOrEqual(SECOND);
  });
});

const RETRY = { attempt: 2, retry: 'automatic' } as const;
const AGAIN = { attempt: 2, retry: 'manual' } as const;
const R = nameOf(1);
const kept = `info: An earlier run of this step submitted ${R}, which succeeded: its result is kept`;
const anew = (word: string) => `info: An earlier run of this step submitted ${R}, which ${word}: submitting again`;
const attaching = (phase: string) => `info: This step's submission is ${R}, which ${phase}: attaching to it`;

/** What becomes of the run that an earlier run of the step submitted, and the attempt that a re-run ends with. */
const EARLIER: readonly (readonly [string, Partial<CiContext>, Standing, number, string])[] = [
  ['succeeded, automatically retried', RETRY, { phase: 'succeeded' }, 1, kept],
  ['succeeded, retried by hand', AGAIN, { phase: 'succeeded' }, 2, anew('succeeded')],
  ['failed, automatically retried', RETRY, { phase: 'failed' }, 2, anew('failed')],
  ['failed, retried by hand', AGAIN, { phase: 'failed' }, 2, anew('failed')],
  ['failed while it was ending', RETRY, { phase: 'failed', ending: true }, 2, anew('failed')],
  ['was cancelled, automatically retried', RETRY, { phase: 'cancelled' }, 2, anew('was cancelled')],
  ['was cancelled, retried by hand', AGAIN, { phase: 'cancelled' }, 2, anew('was cancelled')],
  ['is queued', RETRY, { phase: 'queued' }, 1, attaching('is queued')],
  ['is running, retried by hand', AGAIN, { phase: 'running' }, 1, attaching('is running')],
];

const ENDING: Standing = { phase: 'running', ending: true, word: 'TERMINATING' };

describe.each(STRATEGIES)('a re-run of a step that submits %s', (_by, { service, idOf }) => {
  const rerun = async (
    stands: Standing | ((passedMs: number) => Standing | undefined),
    given: Given,
    cancellation?: Cancellation,
  ) => {
    const world = service({ earlier: [{ id: R, stands }], ...(cancellation === undefined ? {} : { cancellation }) });
    const came = await delivered(world.submission, world.serve, given);
    return { ...came, runs: world.runs() };
  };
  const FOUND = { id: R, attempt: 1, origin: 'found' };
  const MADE = { id: idOf(2), attempt: 2, origin: 'created' };

  it.each(EARLIER)('finds that its run %s', async (_what, context, standing, attempt, line) => {
    const came = await rerun(standing, { context });
    expect(came.of).toMatchObject(attempt === 1 ? FOUND : MADE);
    expect(came.runs).toEqual(attempt === 1 ? [R] : [R, idOf(2)]);
    expect(came.lines).toEqual([line]);
    expect(came.announced.filter((each) => each > 1)).toEqual(attempt === 1 ? [] : [2]);
    expect(came.tookMs).toBe(0);
  });

  it('makes the next run once, although its answer is lost', async () => {
    const came = await rerun({ phase: 'failed' }, { context: RETRY, fates: [SERVED, ...MANY(LOST_AFTER, 2)] });
    expect(came.of).toMatchObject(MADE);
    expect(came.runs).toEqual([R, idOf(2)]);
  });

  it('waits for a run that is ending, and says so', async () => {
    const came = await rerun((ms) => (ms < 9 * MINUTE ? ENDING : { phase: 'cancelled' }), { context: RETRY });
    expect(came.of).toMatchObject(MADE);
    expect(came.lines).toEqual([
      `info: The earlier run ${R} is ending (TERMINATING); waiting to see how`,
      anew('was cancelled'),
    ]);
    expect(came.tookMs).toBe(9 * MINUTE);
  });

  it('submits again when a run that is being deleted is gone', async () => {
    const came = await rerun((ms) => (ms < MINUTE ? { ...ENDING, word: 'DELETING' } : undefined), { context: RETRY });
    expect(came.of).toMatchObject(MADE);
    expect(came.lines).toEqual([
      `info: The earlier run ${R} is ending (DELETING); waiting to see how`,
      anew('no longer exists'),
    ]);
    expect(came.tookMs).toBe(MINUTE);
  });

  it.each<[string, Cancellation | undefined, number]>([
    [
      'can be cancelled',
      { call: () => ({ method: 'POST', url: R }), command: (id) => `stop ${id}`, refusal: () => undefined },
      2,
    ],
    ['cannot be cancelled', undefined, 1],
  ])('does not wait for ever for one that is ending and %s', async (_what, cancellation, remedies) => {
    const came = await rerun(ENDING, { context: RETRY }, cancellation);
    expect(came.of).toMatchObject({ code: 'wait-deadline', explanation: { presented: ['state TERMINATING'] } });
    expect((came.of as SubmitError).message).toContain('is still terminating after 10m 00s');
    expect((came.of as SubmitError).explanation.remedy).toHaveLength(remedies);
    expect(told(came.of).includes(`stop ${R}`)).toBe(remedies === 2);
    expect([came.runs, came.tookMs]).toEqual([[R], 10 * MINUTE + 2 * SECOND]);
  });

  it('is cancelled while it waits for one that is ending', async () => {
    const came = await rerun(ENDING, { context: RETRY, cancelAfterMs: 5_000 });
    expect([came.of, came.runs, came.tookMs]).toEqual(['SIGTERM', [R], 5_000]);
  });

  it('fails when it cannot tell how its submission stands', async () => {
    const came = await rerun({ phase: 'failed' }, { context: RETRY, reading: answering(403) });
    expect(came.of).toMatchObject({ code: 'permission-denied' });
    expect(came.of).toBeInstanceOf(SubmitError);
    expect(came.announced).not.toContain(2);
    expect(came.runs).toEqual([R]);
  });
});
