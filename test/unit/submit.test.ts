import { describe, expect, it } from 'vitest';
import { type ErrorCode, SubmitError } from '../../shared/errors.ts';
import type { CiContext } from '../../shared/host/ci-context.ts';
import { type Attempt, createHttp, HTTP_TIMINGS } from '../../shared/http/http.ts';
import type { ServiceClient } from '../../shared/identity/service-client.ts';
import type { Cancellation, FoundRun, Job, Phase, RunStatus } from '../../shared/kind.ts';
import { createGrace } from '../../shared/run/grace.ts';
import { type Submitted, submitOnce } from '../../shared/run/submit.ts';
import { attemptToken } from '../../shared/submission-key.ts';
import { START, virtualClock } from '../contract/virtual-clock.ts';
import { recordingHost } from './recording-host.ts';

const KEY = 'a'.repeat(64);
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const URL = 'https://service.example/runs';
const LOST: Attempt = { kind: 'lost', reason: 'the connection broke', sent: true };
const UNSENT: Attempt = { kind: 'lost', reason: 'no connection', sent: false };

function answer(status: number, text = '', more: Partial<Extract<Attempt, { kind: 'answer' }>> = {}): Attempt {
  return { kind: 'answer', status, contentType: 'application/json', text, ...more };
}

/** The answer to a submission: the run's id, with `new` or `old` where the service tells that. */
const run = (text: string, more = {}) => answer(200, text, more);
const EMPTY = run('');

function status(phase: Phase, more: Partial<RunStatus> = {}): RunStatus {
  return { phase, word: phase.toUpperCase(), parts: [], source: {}, ...more };
}

function fault(code: ErrorCode): SubmitError {
  return new SubmitError(code, { happened: `the service: ${code}`, remedy: [] });
}

interface Moment {
  readonly passedMs: number;
  /** Cancels the step. */
  readonly cancel: () => void;
  /** Lets time pass. */
  readonly advance: (ms: number) => void;
}

type Scripted<T> = T | Error | ((moment: Moment) => T | Error);

interface World {
  /** The service recognises a repeated submission by its token; else it lists its runs by their key. */
  readonly tokens?: boolean;
  /** The answers to submissions in order, the last one again and again. */
  readonly answers: readonly Scripted<Attempt>[];
  readonly listed?: Scripted<readonly FoundRun[]>;
  readonly states?: Readonly<Record<string, Scripted<RunStatus>>>;
  readonly supply?: Scripted<boolean>;
  readonly job?: Partial<Job>;
  readonly context?: Partial<CiContext>;
  readonly published?: FoundRun;
  readonly cancelAfterMs?: number;
  readonly cancelledBefore?: true;
  /** The signal comes while the attempt is remembered. */
  readonly cancelledWhenAnnounced?: true;
}

interface Came {
  readonly of: Submitted | unknown;
  /** The attempts whose submission the service received, each with the ms that had passed. */
  readonly received: readonly (readonly [attempt: number, atMs: number])[];
  /** The attempts that were announced before they were sent. */
  readonly announced: readonly number[];
  readonly lines: readonly string[];
  readonly tookMs: number;
}

async function submitted(world: World): Promise<Came> {
  const clock = virtualClock();
  const step = new AbortController();
  const cancel = () => step.abort('SIGTERM');
  if (world.cancelledBefore) cancel();
  if (world.cancelAfterMs !== undefined) clock.after(world.cancelAfterMs, cancel);
  const play = <T>(scripted: Scripted<T>): T => {
    const moment = { passedMs: clock.now() - START, cancel, advance: clock.advance };
    const played = scripted instanceof Function ? scripted(moment) : scripted;
    if (played instanceof Error) throw played;
    return played;
  };
  const { host, lines } = recordingHost();
  const received: (readonly [number, number])[] = [];
  const announced: number[] = [];
  const { signal } = step;
  const grace = createGrace(signal);
  const client: Pick<ServiceClient, 'attempt'> = {
    attempt: async (call, limit) => {
      // A request of a cancelled step may only take what is left of its grace.
      expect(limit).toBe(signal.aborted ? grace.lastTry : grace.answer);
      const { attempt, key, token, ...payload } = JSON.parse(String(call.body));
      expect({ key, token, payload }).toEqual({
        key: KEY,
        token: attemptToken(KEY, attempt),
        payload: { image: 'train' },
      });
      received.push([attempt, clock.now() - START]);
      return play(world.answers[Math.min(received.length, world.answers.length) - 1] ?? EMPTY);
    },
  };
  const { listed, supply } = world;
  const job: Pick<Job, 'title' | 'recognisesRepeats' | 'find' | 'status' | 'submissionCall'> & Partial<Job> = {
    title: 'Training job',
    recognisesRepeats: world.tokens === true,
    submissionCall: (payload, mark) => ({ method: 'POST', url: URL, body: JSON.stringify({ ...payload, ...mark }) }),
    readSubmission: ({ text }) => {
      const [id = '', age] = text.split(' ');
      if (id === '') return undefined;
      return age === undefined ? { id } : { id, isNew: age === 'new' };
    },
    find: listed === undefined ? undefined : async (_client, key) => (key === KEY ? play(listed) : []),
    status: async (_client, id) => play(world.states?.[id] ?? fault('not-found')),
    isCapacity: ({ text }) => text === 'no capacity',
    explain: () => fault('request-rejected'),
    ...(supply === undefined ? {} : { supply: async (refusal) => refusal.status === 400 && play(supply) }),
    ...world.job,
  };
  const end = await submitOnce(job as Job, { image: 'train' }, KEY, {
    client: client as ServiceClient,
    clock,
    grace,
    signal,
    log: host.log,
    spell: (setting) => setting.toUpperCase(),
    context: { ...host.context, ...world.context },
    published: async (key) => (key === KEY ? world.published : undefined),
    beforeSending: async (attempt) => {
      announced.push(attempt);
      if (world.cancelledWhenAnnounced) cancel();
    },
    http: createHttp(() => Promise.reject(new Error('nothing is sent but by the client')), clock, HTTP_TIMINGS),
    subjectTokens: host.subjectTokens,
    conceal: host.conceal,
  }).catch((error: unknown) => error);
  return { of: end, received, announced, lines, tookMs: clock.now() - START };
}

/** What a step is told when it ends with an error. */
function told(error: unknown): string {
  expect(error).toBeInstanceOf(SubmitError);
  return JSON.stringify((error as SubmitError).explanation);
}

const attempts = ({ received }: Came) => received.map(([attempt]) => attempt);
const made = (id: string, attempt = 1) => ({ id, attempt, origin: 'created' });
const found = (id: string, attempt = 1) => ({ id, attempt, origin: 'found' });
const JOINED = [
  'info: Another job of this build submitted the identical request: joining its run r',
  'info: To submit a separate run, give each job a different INSTANCE.',
];

describe('the first run of a step', () => {
  it('sends nothing when it is cancelled just before', async () => {
    const came = await submitted({ answers: [run('r')], cancelledWhenAnnounced: true });
    expect(came).toMatchObject({ of: 'SIGTERM', announced: [1], received: [] });
  });

  it.each<[string, World, Submitted, readonly number[], readonly string[]]>([
    ['submits', { answers: [run('r')] }, made('r') as Submitted, [1], []],
    ['knows a run that is new', { answers: [run('r new')] }, { ...made('r'), isNew: true } as Submitted, [1], []],
    [
      'joins the run that another job of the build published',
      { answers: [], published: { id: 'r', attempt: 2 } },
      found('r', 2) as Submitted,
      [],
      JOINED,
    ],
    [
      'joins the run that the service has already',
      { answers: [run('r old')] },
      { ...found('r'), isNew: false } as Submitted,
      [1],
      JOINED,
    ],
    [
      'asks again for what brings about the same state, whoever asked for it before',
      { answers: [run('r')], published: { id: 'p', attempt: 1 }, job: { repeatable: true } },
      made('r') as Submitted,
      [1],
      [],
    ],
    [
      'says nothing of a state that is there already',
      { answers: [run('r old')], job: { repeatable: true } },
      { ...found('r'), isNew: false } as Submitted,
      [1],
      [],
    ],
  ])('%s', async (_what, world, end, sent, lines) => {
    const came = await submitted(world);
    expect(came.of).toEqual(end);
    expect(attempts(came)).toEqual(sent);
    expect(came.announced).toEqual(sent);
    expect(came.lines).toEqual(lines);
  });

  it('dates the submission by the clock of the service, back to when it was first sent', async () => {
    const answers = [answer(429), ({ passedMs }: Moment) => run('r', { dateMs: 9_000_000 + passedMs })];
    expect((await submitted({ answers })).of).toEqual({ ...made('r'), sentAt: 9_000_000 });
  });
});

const LOST_WORDS =
  'warning: The response to the submission was lost (the connection broke); looking for the job by its key for up to a minute';

describe('a submission without an answer', () => {
  it.each<[string, World, unknown, Came['received']]>([
    [
      'is sent again under its token',
      { tokens: true, answers: [LOST, run('r')] },
      made('r'),
      [
        [1, 0],
        [1, 500],
      ],
    ],
    [
      'whose run is then found under its token was its own',
      { tokens: true, answers: [LOST, run('r old')] },
      made('r'),
      [
        [1, 0],
        [1, 500],
      ],
    ],
    [
      'is found by its key and its attempt',
      {
        answers: [LOST],
        listed: [
          { id: 'r', attempt: 1 },
          { id: 's', attempt: 2 },
        ],
      },
      made('r'),
      [[1, 0]],
    ],
    [
      'is found although it is listed late',
      { answers: [LOST], listed: ({ passedMs }) => (passedMs < 50_000 ? [] : [{ id: 'r', attempt: 1 }]) },
      made('r'),
      [[1, 0]],
    ],
    [
      'is sent again when it is not listed within a minute',
      { answers: [LOST, run('r')], listed: [{ id: 's', attempt: 2 }] },
      made('r'),
      [
        [1, 0],
        [1, 60_500],
      ],
    ],
    [
      'is looked for more briefly where it has a name of its own',
      { answers: [LOST, run('r')], listed: [], job: { repeatable: true } },
      made('r'),
      [
        [1, 0],
        [1, 15_500],
      ],
    ],
    [
      'cannot be looked for where the service has no list',
      { answers: [answer(503), run('r')] },
      made('r'),
      [
        [1, 0],
        [1, 60_500],
      ],
    ],
    [
      'is looked for after a success that names no run',
      { answers: [EMPTY], listed: [{ id: 'r', attempt: 1 }] },
      made('r'),
      [[1, 0]],
    ],
    [
      'that cannot have come through is sent again at once',
      { answers: [UNSENT, run('r')], listed: [{ id: 'r', attempt: 1 }] },
      made('r'),
      [
        [1, 0],
        [1, 500],
      ],
    ],
    [
      'that was limited by the rate is sent again when the service says so',
      { answers: [answer(429, '', { retryAfterMs: 7_000 }), run('r')], listed: [{ id: 'x', attempt: 1 }] },
      made('r'),
      [
        [1, 0],
        [1, 7_000],
      ],
    ],
  ])('%s', async (_what, world, end, received) => {
    const came = await submitted(world);
    expect(came.of).toEqual(end);
    expect(came.received).toEqual(received);
    expect(came.announced).toEqual([1]);
  });

  it('is told of, and so are long pauses', async () => {
    const answers = [LOST, answer(429, '', { retryAfterMs: 40_000 }), run('r')];
    const { lines } = await submitted({ answers, listed: [] });
    expect(lines).toEqual([
      LOST_WORDS,
      'debug: submission attempt 1: the connection broke; again in 500 ms',
      'info: service.example: the connection broke; trying again in 1s',
      'debug: submission attempt 2: it answered 429; again in 40000 ms',
      'info: service.example: it answered 429; trying again in 40s',
    ]);
  });
});

const TIMES = (count: number) => Array.from({ length: count }, () => 1);

describe('a submission that fails', () => {
  it.each<[string, World, ErrorCode, string, number]>([
    ['is refused', { answers: [answer(400)] }, 'request-rejected', 'request-rejected', 1],
    ['is answered by a redirect', { answers: [answer(300, 'r')] }, 'request-rejected', '', 1],
    ['is refused for lack of capacity', { answers: [answer(429, 'no capacity')] }, 'request-rejected', '', 1],
    ['has no credential', { answers: [fault('token-missing')] }, 'token-missing', 'token-missing', 1],
    ['is limited for too long', { answers: [answer(429)] }, 'rate-limited', 'kept limiting', 11],
    ['is to be sent again too late', { answers: [answer(429, '', { retryAfterMs: 120_001 })] }, 'rate-limited', '', 1],
    ['never reaches the service', { answers: [UNSENT] }, 'service-unavailable', 'no connection', 11],
    [
      'meets an obstacle that stays',
      {
        answers: [
          { ...UNSENT, obstacle: { patienceMs: 0, presented: [], expected: [], remedy: ['Log in.'], link: 'x.md' } },
        ],
      },
      'service-unavailable',
      'Log in.',
      1,
    ],
    [
      'is not answered, and then refused',
      { tokens: true, answers: [LOST, answer(400)] },
      'submission-unknown',
      'the connection broke. After that: the service: request-rejected',
      2,
    ],
    [
      'is not answered, and then without a credential',
      { tokens: true, answers: [LOST, fault('token-missing')] },
      'submission-unknown',
      'the connection broke. After that: the service: token-missing',
      2,
    ],
    [
      'is not answered, and then something breaks',
      { tokens: true, answers: [LOST, new TypeError('internal')] },
      'submission-unknown',
      'whether the job was submitted: the connection broke"',
      2,
    ],
    [
      'is not answered, and cannot be looked for',
      { answers: [LOST], listed: fault('permission-denied') },
      'submission-unknown',
      'the connection broke. After that: the service: permission-denied',
      1,
    ],
    [
      'is never answered',
      { tokens: true, answers: [answer(503)] },
      'submission-unknown',
      'it answered 503. After that: service.example cannot be used',
      11,
    ],
  ])('because it %s', async (_what, world, code, words, sent) => {
    const came = await submitted(world);
    expect(came.of).toMatchObject({ code });
    expect(told(came.of)).toContain(words);
    expect(attempts(came)).toEqual(TIMES(sent));
    expect(came.tookMs).toBeLessThanOrEqual(2 * MINUTE);
  });

  it('without being known to have failed says how it is found, and when it ends by itself', async () => {
    const world = { tokens: true, answers: [LOST, answer(400)] };
    const bounded = await submitted({ ...world, job: { serverTimeoutSeconds: 3_600 } });
    expect(told(bounded.of)).toContain(`submission key ${KEY}`);
    expect((bounded.of as SubmitError).explanation).toMatchObject({
      presented: ['Training job', `submission key ${KEY}`],
      remedy: [expect.stringContaining('found by this key'), expect.stringContaining('after 3600 s')],
    });
    expect((await submitted(world)).of).toMatchObject({ explanation: { remedy: [expect.any(String)] } });
  });
});

describe('a submission that asks for something first', () => {
  it('is sent again once that is there, however long it took', async () => {
    const answers = [answer(400), answer(429), run('r')];
    const supply = ({ advance }: Moment) => {
      advance(10 * MINUTE);
      return true;
    };
    const came = await submitted({ answers, supply });
    expect(came.of).toEqual(made('r'));
    expect(came.received.map(([, at]) => at)).toEqual([0, 10 * MINUTE, 10 * MINUTE + 1_000]);
  });

  it.each<[string, World, ErrorCode]>([
    ['is refused when it cannot be supplied', { answers: [answer(400)], supply: false }, 'request-rejected'],
    ['fails as the supply does', { answers: [answer(400)], supply: fault('permission-denied') }, 'permission-denied'],
    [
      'is unknown when the supply fails after an answer was lost',
      { tokens: true, answers: [LOST, answer(400)], supply: fault('permission-denied') },
      'submission-unknown',
    ],
  ])('%s', async (_what, world, code) => {
    expect((await submitted(world)).of).toMatchObject({ code });
  });

  it('is not sent again for a step that was cancelled meanwhile', async () => {
    const supply = ({ cancel }: Moment) => {
      cancel();
      return true;
    };
    const came = await submitted({ answers: [answer(400), run('r')], supply });
    expect([came.of, attempts(came)]).toEqual(['SIGTERM', [1]]);
    // What may have been submitted before is to be named and cancelled.
    const unanswered = await submitted({ tokens: true, answers: [LOST, answer(400), run('r')], supply });
    expect([unanswered.of, attempts(unanswered)]).toEqual([made('r'), [1, 1, 1]]);
  });
});

const cutShort = ({ cancel }: Moment) => {
  cancel();
  return new Error('SIGTERM');
};
const answeredLate =
  (attempt: Attempt) =>
  ({ cancel }: Moment) => {
    cancel();
    return attempt;
  };

describe('a step that is cancelled', () => {
  it.each<[string, World, unknown, readonly number[]]>([
    ['before it submits submits nothing', { answers: [run('r')], cancelledBefore: true }, 'SIGTERM', []],
    ['while the answer comes knows its run', { answers: [answeredLate(run('r'))] }, made('r'), [1]],
    [
      'while it waits after a refusal to serve submits nothing any more',
      { answers: [answer(429), run('r')], cancelAfterMs: 100 },
      'SIGTERM',
      [1],
    ],
    [
      'while it is refused to be served submits nothing any more',
      { tokens: true, answers: [answeredLate(answer(429)), run('r')] },
      'SIGTERM',
      [1],
    ],
    [
      'while it waits after a lost answer names its run by one more submission',
      { tokens: true, answers: [LOST, run('r')], cancelAfterMs: 100 },
      made('r'),
      [1, 1],
    ],
    [
      'without an answer names its run by one more submission',
      { tokens: true, answers: [cutShort, run('r')] },
      made('r'),
      [1, 1],
    ],
    [
      'without an answer names its run by its key',
      { answers: [cutShort], listed: [{ id: 'r', attempt: 1 }] },
      made('r'),
      [1],
    ],
  ])('%s', async (_what, world, end, sent) => {
    const came = await submitted(world);
    expect(came.of).toEqual(end);
    expect(attempts(came)).toEqual(sent);
    expect(came.announced).toEqual(sent.slice(0, 1));
    expect(came.tookMs).toBeLessThanOrEqual(SECOND);
  });

  it.each<[string, World, string, readonly number[]]>([
    [
      'when the last try gets no answer either',
      { tokens: true, answers: [cutShort, answer(503), run('r')] },
      'it answered 503. After that: ',
      [1, 1],
    ],
    [
      'when its last try breaks',
      { tokens: true, answers: [LOST, new Error('late'), run('r')], cancelAfterMs: 100 },
      'the step was cancelled before an answer came. After that: ',
      [1, 1],
    ],
    [
      'where another submission could make a second run',
      { answers: [cutShort, run('r')], listed: [] },
      'whether the job was submitted: the step was cancelled before an answer came"',
      [1],
    ],
    [
      'while it waits after an answer was lost, where another submission could make a second run',
      { answers: [LOST, run('r')], listed: [], cancelAfterMs: 60_100 },
      'whether the job was submitted: the connection broke"',
      [1],
    ],
  ])('does not know whether it submitted %s', async (_what, world, words, sent) => {
    const came = await submitted(world);
    expect(came.of).toMatchObject({ code: 'submission-unknown' });
    expect(told(came.of)).toContain(words);
    expect(attempts(came)).toEqual(sent);
  });
});

const RETRY = { attempt: 2, retry: 'automatic' } as const;
const AGAIN = { attempt: 2, retry: 'manual' } as const;
const DONE = status('succeeded');
const ACTIVE = status('running');
const kept = 'info: An earlier run of this step submitted r, which succeeded: its result is kept';
const anew = (word: string) => `info: An earlier run of this step submitted r, which ${word}: submitting again`;
const attaching = (phase: string) => `info: This step's submission is r, which ${phase}: attaching to it`;

/** What becomes of the run that an earlier run of the step submitted, and the attempts that a re-run ends with. */
const EARLIER: readonly (readonly [string, Partial<CiContext>, RunStatus, number, string])[] = [
  ['succeeded, automatically retried', RETRY, DONE, 1, kept],
  ['succeeded, retried by hand', AGAIN, DONE, 2, anew('succeeded')],
  ['failed, automatically retried', RETRY, status('failed'), 2, anew('failed')],
  ['failed while it was ending', RETRY, status('failed', { ending: true }), 2, anew('failed')],
  ['was cancelled', RETRY, status('cancelled'), 2, anew('was cancelled')],
  ['is queued', RETRY, status('queued'), 1, attaching('is queued')],
  ['is running, retried by hand', AGAIN, ACTIVE, 1, attaching('is running')],
];

describe.each([
  ['by tokens', { tokens: true, answers: [run('r old'), run('s new')] }],
  ['in a list', { answers: [run('s')], listed: [{ id: 'r', attempt: 1 }] }],
] as const)('a re-run that recognises its submission %s', (_how, world: World) => {
  it.each(EARLIER)('finds that it %s', async (_what, context, state, attempt, line) => {
    const came = await submitted({ ...world, context, states: { r: state } });
    expect(came.of).toMatchObject(attempt === 1 ? found('r') : made('s', 2));
    expect(came.lines).toEqual([line]);
    expect(came.announced.at(-1)).toBe(world.tokens || attempt === 2 ? attempt : undefined);
  });

  it('waits for one that is ending, and says so', async () => {
    const r = ({ passedMs }: Moment) =>
      passedMs < 9 * MINUTE ? status('running', { ending: true, word: 'TERMINATING' }) : status('cancelled');
    const came = await submitted({ ...world, context: RETRY, states: { r } });
    expect(came.of).toMatchObject(made('s', 2));
    expect(came.lines).toEqual([
      'info: The earlier run r is ending (TERMINATING); waiting to see how',
      anew('was cancelled'),
    ]);
    expect(came.tookMs).toBe(9 * MINUTE);
  });

  it.each<[string, Cancellation | undefined, number]>([
    ['can be cancelled', { call: () => ({ method: 'POST', url: URL }), command: (id) => `stop ${id}` }, 2],
    ['cannot be cancelled', undefined, 1],
  ])('does not wait for ever for one that is ending and %s', async (_what, cancellation, remedies) => {
    const states = { r: status('running', { ending: true, word: 'TERMINATING' }) };
    const came = await submitted({ ...world, context: RETRY, states, job: { cancellation } });
    expect(came.of).toMatchObject({ code: 'wait-deadline', explanation: { presented: ['state TERMINATING'] } });
    expect((came.of as SubmitError).explanation.remedy).toHaveLength(remedies);
    expect(told(came.of).includes('stop r')).toBe(remedies === 2);
    expect(came.tookMs).toBe(10 * MINUTE + 2 * SECOND);
  });

  it('is cancelled while it waits for one that is ending', async () => {
    const states = { r: status('running', { ending: true }) };
    const came = await submitted({ ...world, context: RETRY, states, cancelAfterMs: 5_000 });
    expect([came.of, came.tookMs]).toEqual(['SIGTERM', 5_000]);
  });

  it('fails when it cannot tell how its submission stands', async () => {
    const came = await submitted({ ...world, context: RETRY, states: { r: fault('permission-denied') } });
    expect(came.of).toMatchObject({ code: 'permission-denied' });
    expect(came.announced).not.toContain(2);
  });
});

describe('a re-run that asks by tokens', () => {
  const tokens = true;
  it.each<[string, Omit<World, 'tokens'>, unknown, readonly number[]]>([
    [
      'has a run of its own where nobody had used the token, however soon that failed',
      { answers: [run('r new')], states: { r: status('failed') }, context: AGAIN },
      { ...made('r'), isNew: true },
      [1],
    ],
    [
      'has a run of its own where the run began after it was sent',
      { answers: [run('r', { dateMs: 5_000 })], states: { r: status('failed', { startedAt: 5_000 }) }, context: AGAIN },
      { ...made('r'), sentAt: 5_000 },
      [1],
    ],
    [
      'has an earlier one where the run began before',
      {
        answers: [run('r', { dateMs: 5_000 }), run('s')],
        states: { r: status('failed', { startedAt: 4_999 }) },
        context: AGAIN,
      },
      made('s', 2),
      [1, 2],
    ],
    [
      'has an earlier one where nothing tells when it was sent',
      { answers: [run('r'), run('s')], states: { r: status('failed', { startedAt: 5_000 }) }, context: AGAIN },
      made('s', 2),
      [1, 2],
    ],
    [
      'has an earlier one where nothing tells when it began',
      { answers: [run('r', { dateMs: 5_000 })], states: { r: DONE }, context: RETRY },
      { ...found('r'), sentAt: 5_000 },
      [1],
    ],
    [
      'passes over each attempt that is over, up to its own',
      {
        answers: [run('r old'), run('s old'), run('t old'), run('u new')],
        states: { r: status('failed'), s: status('failed'), t: status('failed') },
        context: { ...AGAIN, attempt: 4 },
      },
      { ...made('u', 4), isNew: true },
      [1, 2, 3, 4],
    ],
    [
      'begins with the attempt that was published',
      {
        answers: [run('s old'), run('t new')],
        states: { s: status('failed') },
        context: { ...AGAIN, attempt: 3 },
        published: { id: 's', attempt: 2 },
      },
      { ...made('t', 3), isNew: true },
      [2, 3],
    ],
    [
      'stays with a published attempt that is later than its own',
      {
        answers: [run('v old')],
        states: { v: status('running') },
        context: AGAIN,
        published: { id: 'v', attempt: 5 },
      },
      { ...found('v', 5), isNew: false },
      [5],
    ],
    [
      'passes over a token that the service refuses',
      { answers: [answer(400), run('s new')], context: AGAIN },
      { ...made('s', 2), isNew: true },
      [1, 2],
    ],
    [
      'passes over the token of a run that is not found',
      { answers: [fault('not-found'), run('s new')], context: AGAIN },
      { ...made('s', 2), isNew: true },
      [1, 2],
    ],
    [
      'knows the run that is to be cancelled with the step',
      {
        answers: [run('r')],
        states: {
          r: ({ cancel }) => {
            cancel();
            return new Error('SIGTERM');
          },
        },
        context: AGAIN,
      },
      found('r'),
      [1],
    ],
  ])('%s', async (_what, world, end, sent) => {
    const came = await submitted({ tokens, ...world });
    expect(came.of).toEqual(end);
    expect(attempts(came)).toEqual(sent);
  });

  it.each<[ErrorCode]>([['permission-denied'], ['token-missing']])('ends with another fault: %s', async (code) => {
    const came = await submitted({ tokens, answers: [fault(code), run('s')], context: AGAIN });
    expect(came.of).toMatchObject({ code });
    expect(attempts(came)).toEqual([1]);
  });

  it('ends with a fault of its own', async () => {
    const came = await submitted({ tokens, answers: [new TypeError('internal'), run('s')], context: AGAIN });
    expect(came.of).toBeInstanceOf(TypeError);
  });
});

const LOOKING =
  'info: Looking for up to a minute for a job that an earlier run of this step may have submitted, since new jobs can be listed late';
const from = (ms: number, late: readonly FoundRun[], early: readonly FoundRun[] = []) => {
  return ({ passedMs }: Moment) => (passedMs < ms ? early : late);
};
const R = { id: 'r', attempt: 1 };
const S = { id: 's', attempt: 2 };

describe('a re-run that looks into a list', () => {
  it.each<[string, World, unknown, number, readonly string[]]>([
    [
      'submits what is not there after a minute',
      { answers: [run('n')], listed: [], context: RETRY },
      made('n'),
      60_000,
      [LOOKING],
    ],
    ['submits where there is no list', { answers: [run('n')], context: RETRY }, made('n'), 60_000, [LOOKING]],
    [
      'finds what is listed late',
      { answers: [], listed: from(29_000, [R]), states: { r: ACTIVE }, context: RETRY },
      found('r'),
      30_000,
      [LOOKING, attaching('is running')],
    ],
    [
      'looks for a later attempt that an earlier run may have made',
      {
        answers: [],
        listed: from(6_000, [R, S], [R]),
        states: { r: status('failed'), s: DONE },
        context: { ...RETRY, attempt: 3 },
      },
      found('s', 2),
      7_000,
      [LOOKING, kept.replace('submitted r', 'submitted s')],
    ],
    [
      'makes the attempt after the latest that it found',
      { answers: [run('n')], listed: [R], states: { r: status('failed') }, context: { ...RETRY, attempt: 3 } },
      made('n', 2),
      60_000,
      [LOOKING, anew('failed')],
    ],
    [
      'knows that there is no later one than one that is active',
      { answers: [], listed: [R], states: { r: ACTIVE }, context: { ...AGAIN, attempt: 3 } },
      found('r'),
      0,
      [attaching('is running')],
    ],
    [
      'knows what was published and is not listed yet',
      { answers: [], listed: [], states: { r: ACTIVE }, context: RETRY, published: R },
      found('r'),
      0,
      [attaching('is running')],
    ],
    [
      'takes what was published for later than what is listed',
      { answers: [], listed: [R], states: { s: DONE }, context: { ...RETRY, attempt: 3 }, published: S },
      found('s', 2),
      0,
      [kept.replace('submitted r', 'submitted s')],
    ],
    [
      'takes what is listed for the latest, where it is the same attempt',
      { answers: [], listed: [R], states: { r: DONE }, context: RETRY, published: { id: 'old', attempt: 1 } },
      found('r'),
      0,
      [kept],
    ],
    [
      'reads what has a name of its own once, and not what was published',
      { answers: [run('n')], listed: [], context: RETRY, published: R, job: { repeatable: true } },
      made('n'),
      0,
      [],
    ],
  ])('%s', async (_what, world, end, tookMs, lines) => {
    const came = await submitted(world);
    expect(came.of).toEqual(end);
    expect(came.tookMs).toBe(tookMs);
    expect(came.lines).toEqual(lines);
  });

  it('submits nothing when it is cancelled while it looks', async () => {
    const came = await submitted({ answers: [run('n')], listed: [], context: RETRY, cancelAfterMs: 5_000 });
    expect([came.of, came.announced, came.tookMs]).toEqual(['SIGTERM', [], 5_000]);
  });
});
