import { describe, expect, it, test } from 'vitest';
import { EXIT, SubmitError } from '../../shared/errors.ts';
import type { Attempt } from '../../shared/http/http.ts';
import type { Cancellation, Conclusion, FailureCause, RunLog, RunStatus } from '../../shared/kind.ts';
import type { BoundRun } from '../../shared/run/bind.ts';
import { conclude } from '../../shared/run/ending.ts';
import { createGrace } from '../../shared/run/grace.ts';
import { createNarration } from '../../shared/run/narration.ts';
import type { WatchEnd } from '../../shared/run/watch.ts';
import { virtualClock } from '../contract/virtual-clock.ts';
import { answerOf as answer, fakeAccess, fakePlan, fakeRun, fakeSession, statusOf as status } from './fake-plan.ts';
import { recordingHost } from './recording-host.ts';

const ID = 'jobs/7';

const LOST: Attempt = { kind: 'lost', reason: 'no answer', sent: true };

const CANCELLATION: Cancellation = {
  call: (id) => ({ method: 'POST', url: `https://service.example/${id}:cancel` }),
  command: (id) => `service cancel ${id}`,
  refusal: () => undefined,
};

interface Given {
  readonly ending: WatchEnd;
  readonly onCancel?: 'cancel' | 'detach';
  readonly signal?: string;
  /** What the service answers to one cancellation after the other; then success. */
  readonly answers?: readonly Attempt[];
  readonly cancellation?: Cancellation | undefined;
  readonly conclusion?: Conclusion | Error;
  readonly startUrl?: string;
}

async function concluded(given: Given) {
  const { ending, onCancel = 'cancel', signal: cause, answers = [], conclusion, startUrl } = given;
  const clock = virtualClock();
  const recorded = recordingHost();
  const step = new AbortController();
  if (cause !== undefined) step.abort(cause);
  const sent: string[] = [];
  const left = [...answers];
  const session = fakeSession({
    clock,
    log: recorded.host.log,
    signal: step.signal,
    attempt: async ({ method, url }) => {
      sent.push(`${method} ${url}`);
      return left.shift() ?? answer(200);
    },
  });
  const run = fakeRun({
    cancellation: 'cancellation' in given ? given.cancellation : CANCELLATION,
    conclude: async () => {
      if (conclusion instanceof Error) throw conclusion;
      return conclusion ?? { outputs: {}, notes: [] };
    },
    url: () => startUrl,
  });
  const explain = () => new SubmitError('permission-denied', { happened: 'it may not cancel', remedy: [] });
  const bound = {
    kind: { id: 'kind', title: 'Kind' },
    plan: fakePlan({ run, access: fakeAccess({ explain }) }),
    values: { 'on-cancel': onCancel, wait: true },
    waitSeconds: 1_200,
  } as unknown as BoundRun;
  const delivered = { id: ID, attempt: 1, origin: 'created', run } as const;
  const narration = createNarration(bound, recorded.host, delivered, {
    key: 'a'.repeat(64),
    firstKey: 'a'.repeat(64),
  });
  const startedAt = clock.now();
  await narration.submitted();
  clock.advance(65_000);
  const grace = createGrace(step.signal);
  const environment = {
    bound,
    host: recorded.host,
    session,
    grace,
    narration,
    delivered,
    startedAt,
  };
  const end = await conclude(ending, environment).catch((error: unknown) => {
    if (error instanceof SubmitError) return error;
    throw error;
  });
  return { ...recorded, end, sent, log: recorded.lines.join('\n'), report: recorded.reports.at(-1) };
}

const over = (found: RunStatus, log?: RunLog): WatchEnd => ({ end: 'over', status: found, log });
const unfinished = (end: 'aborted' | 'deadline' | 'credential', found: RunStatus | undefined): WatchEnd => ({
  end,
  status: found,
  log: undefined,
});

describe('a job that is over', () => {
  it.each([
    ['succeeded', EXIT.done, 'passed'],
    ['failed', EXIT.jobFailed, 'failed'],
    ['cancelled', EXIT.cancelledElsewhere, 'failed'],
  ] as const)('ends the step: %s', async (phase, exit, state) => {
    const result = await concluded({ ending: over(status(phase, { url: 'https://service.example/jobs/7' })) });
    expect(result.end).toBe(exit);
    expect(result.sent).toEqual([]);
    expect(result.outputs()).toMatchObject({
      id: ID,
      result: phase,
      state: phase.toUpperCase(),
      url: 'https://service.example/jobs/7',
    });
    expect(result.outputs()).not.toHaveProperty('failure');
    expect(result.report).toMatchObject({ title: 'Kind: the job', state, url: 'https://service.example/jobs/7' });
    expect(result.report?.summary).toContain('1m 05s');
    expect(result.report?.facts).toContainEqual({ label: 'Duration', value: '1m 05s' });
    expect(result.lines.some((line) => line.startsWith(phase === 'succeeded' ? 'success: ' : 'error: '))).toBe(true);
    expect(result.log).toContain('<https://service.example/jobs/7>');
    expect(result.remembered()).toBeUndefined();
  });

  const CAUSES: readonly FailureCause[] = ['code', 'infrastructure', 'quota', 'permission', 'timeout'];

  it.each(CAUSES)('tells a failure by %s in words of its own, and those of the service', async (cause) => {
    const message = `because of ${cause}\u001b[31m`;
    const result = await concluded({ ending: over(status('failed', { failure: { cause, message } })) });
    expect(result.end).toBe(EXIT.jobFailed);
    expect(result.outputs()).toMatchObject({ result: 'failed', failure: cause });
    expect(result.lines).toContain(`remote: because of ${cause}`);
    expect(result.report?.remote).toEqual([message]);
    const others = await Promise.all(
      CAUSES.filter((each) => each !== cause).map((each) =>
        concluded({ ending: over(status('failed', { failure: { cause: each, message } })) }),
      ),
    );
    for (const other of others) expect(other.report?.summary).not.toBe(result.report?.summary);
  });

  it('prints no message where the service gives none', async () => {
    const { lines } = await concluded({ ending: over(status('failed', { failure: { cause: 'code', message: '' } })) });
    expect(lines.filter((line) => line.startsWith('remote: '))).toEqual([]);
  });

  it('hands out its outputs, and shows people those that are for them', async () => {
    const outputs = {
      'model-directory': 'gs://acme/model',
      page: 'https://service.example/model',
      tasks: '[{"name":"train"}]',
      artifacts: '{"a":1}',
      error: 'whole',
    };
    const notes = [{ title: 'End of the log', lines: ['last words'] }];
    const result = await concluded({ ending: over(status('succeeded')), conclusion: { outputs, notes } });
    expect(result.outputs()).toMatchObject(outputs);
    expect(result.lines).toEqual(
      expect.arrayContaining(['info: model-directory: gs://acme/model', 'info: End of the log:', 'remote: last words']),
    );
    for (const hidden of ['tasks', 'artifacts', 'error']) expect(result.log).not.toContain(`info: ${hidden}: `);
    expect(result.report?.facts).toEqual(
      expect.arrayContaining([
        { label: 'model-directory', value: 'gs://acme/model' },
        { label: 'page', value: 'https://service.example/model', url: 'https://service.example/model' },
      ]),
    );
    expect(result.report?.facts.map(({ label }) => label)).not.toContain('tasks');
    expect(result.report?.remote).toEqual(['End of the log:', 'last words']);
  });

  it('tells the end of its log before what its kind tells', async () => {
    const log: RunLog = {
      next: () => Promise.reject(new Error('only the rest is left')),
      rest: async (_session, { word }) => ['epoch 9', `then ${word}`],
    };
    const notes = [{ title: 'Task a failed', lines: ['no such table'] }];
    const result = await concluded({ ending: over(status('failed'), log), conclusion: { outputs: {}, notes } });
    const told = result.lines.indexOf("info: The end of the run's log:");
    expect(result.lines.slice(told, told + 6)).toEqual([
      "info: The end of the run's log:",
      'remote: epoch 9',
      'remote: then FAILED',
      'info: Task a failed:',
      'remote: no such table',
      'section result: Result',
    ]);
    expect(result.report?.remote).toEqual([
      "The end of the run's log:",
      'epoch 9',
      'then FAILED',
      'Task a failed:',
      'no such table',
    ]);
  });

  it('says nothing of a log that has no more lines', async () => {
    const log: RunLog = { next: async () => [], rest: async () => [] };
    const result = await concluded({ ending: over(status('succeeded'), log) });
    expect(result.log).not.toContain('log');
    expect(result.report?.remote).toEqual([]);
  });

  it('says that its log cannot be read', async () => {
    const refusal = new SubmitError('not-found', { happened: 'there is no log', remedy: [] });
    const log: RunLog = { next: async () => [], rest: () => Promise.reject(refusal) };
    const result = await concluded({ ending: over(status('succeeded'), log) });
    expect(result.end).toBe(EXIT.done);
    expect(result.lines).toContain("warning: The job's output cannot be read: there is no log");
  });

  it.each([
    [
      'says why',
      new SubmitError('not-found', { happened: 'there is no log', remedy: [] }),
      /warning: .*there is no log/,
      undefined,
    ],
    ['was cancelled', new Error('AbortError'), /warning: .*the step was cancelled/, 'SIGTERM'],
    ['met a fault of the program', new TypeError('no such member'), /warning: .*a fault of keyless-submit/, undefined],
  ])(
    'ends the step as it ended where its output cannot be read, which %s',
    async (_what, conclusion, words, signal) => {
      const result = await concluded({
        ending: over(status('succeeded')),
        conclusion,
        ...(signal === undefined ? {} : { signal }),
      });
      expect(result.end).toBe(EXIT.done);
      expect(result.log).toMatch(words);
      expect(result.outputs()).toMatchObject({ result: 'succeeded' });
    },
  );
});

const CANCEL = `POST https://service.example/${ID}:cancel`;
const REFUSING: Cancellation = {
  ...CANCELLATION,
  refusal: (given) => (given.text === '{}' ? undefined : { reason: given.text, isFinal: given.text === 'it is over' }),
};

/** What the service answers to the cancellations, what was sent, whether pre-exit has another try, and what is said. */
const CANCELLATIONS: readonly (readonly [
  what: string,
  given: Pick<Given, 'answers' | 'cancellation'>,
  sent: number,
  secondChance: boolean,
  words: RegExp,
])[] = [
  ['accepted', {}, 1, false, /the cancellation of jobs\/7 was accepted/],
  ['accepted with 202', { answers: [answer(202)] }, 1, false, /was accepted/],
  ['accepted after a lost answer', { answers: [LOST] }, 2, false, /was accepted/],
  ['accepted after a 503', { answers: [answer(503)] }, 2, false, /was accepted/],
  [
    'never answered',
    { answers: [LOST, LOST, LOST] },
    2,
    true,
    /could not be cancelled in time; .*service cancel jobs\/7/,
  ],
  ['answered with 503 only', { answers: [answer(503), answer(503)] }, 2, true, /could not be cancelled in time/],
  ['refused', { answers: [answer(403)] }, 1, false, /was not cancelled: it may not cancel/],
  ['redirected', { answers: [answer(302)] }, 1, false, /was not cancelled: it may not cancel/],
  ['impossible for the kind', { cancellation: undefined }, 0, false, /cannot be taken back/],
  [
    'answered with a refusal for good',
    { cancellation: REFUSING, answers: [answer(200, 'it is over')] },
    1,
    false,
    /was not cancelled: it is over/,
  ],
  [
    'answered with a refusal for now, twice',
    { cancellation: REFUSING, answers: [answer(200, 'later'), answer(200, 'later')] },
    2,
    true,
    /could not be cancelled in time \(later\)/,
  ],
  [
    'answered with a refusal for now, once',
    { cancellation: REFUSING, answers: [answer(200, 'later')] },
    2,
    false,
    /was accepted/,
  ],
];

describe.each(CANCELLATIONS)('a cancellation that is %s', (_what, given, requests, secondChance, words) => {
  it.each([
    ['SIGTERM', EXIT.terminated],
    ['SIGINT', EXIT.interrupted],
  ])('ends a step that gets %s', async (signal, exit) => {
    const found = status('running', { detail: 'epoch 3', outputs: { early: '1' } });
    const result = await concluded({ ...given, ending: unfinished('aborted', found), signal });
    expect(result.end).toBe(exit);
    expect(result.sent).toEqual(Array.from({ length: requests }, () => CANCEL));
    expect(result.log).toMatch(words);
    expect(result.report).toMatchObject({ state: 'failed', remote: ['epoch 3'] });
    expect(result.report?.summary).toMatch(words);
    expect(result.outputs()).toMatchObject({ id: ID, result: 'unfinished', state: 'RUNNING', early: '1' });
    expect(result.remembered()).toEqual(secondChance ? { kind: 'kind', id: ID } : undefined);
  });

  it('ends a wait whose time is over', async () => {
    const result = await concluded({ ...given, ending: unfinished('deadline', status('running')) });
    expect(result.end).toMatchObject({ code: 'wait-deadline', exitCode: EXIT.deadline });
    expect((result.end as SubmitError).message).toMatch(/20m 00s/);
    expect((result.end as SubmitError).message).toMatch(words);
    expect(result.sent).toEqual(Array.from({ length: requests }, () => CANCEL));
    expect(result.outputs()).toMatchObject({ result: 'unfinished', state: 'RUNNING' });
    expect(result.remembered()).toEqual(secondChance ? { kind: 'kind', id: ID } : undefined);
  });
});

describe('with on-cancel: detach', () => {
  it.each(['SIGTERM', 'SIGINT'])('the job keeps running when the step gets %s', async (signal) => {
    const ending = unfinished('aborted', status('running'));
    const result = await concluded({ ending, signal, onCancel: 'detach' });
    expect(result.sent).toEqual([]);
    expect(result.remembered()).toBeUndefined();
    expect(result.log).toContain(`attach: ${ID}`);
    expect(result.log).toContain(`service cancel ${ID}`);
    expect(result.report?.summary).toContain('on-cancel');
  });

  it('the job keeps running when its time is over', async () => {
    const ending = unfinished('deadline', status('running'));
    const { end, sent } = await concluded({ ending, onCancel: 'detach' });
    expect(sent).toEqual([]);
    expect(end).toMatchObject({ code: 'wait-deadline' });
    expect((end as SubmitError).explanation.remedy.join('\n')).toContain(`attach: ${ID}`);
  });
});

test('a job that is cancelled does not tell how to wait for it', async () => {
  const { end } = await concluded({ ending: unfinished('deadline', status('running')) });
  expect((end as SubmitError).explanation.remedy.join('\n')).not.toContain('attach');
});

test('a job that had not begun when its time was over is told from one that was too slow', async () => {
  const remedies = await Promise.all(
    [status('queued'), status('running'), undefined].map(async (found) => {
      const { end } = await concluded({ ending: unfinished('deadline', found) });
      return (end as SubmitError).explanation.remedy[0];
    }),
  );
  expect(remedies[0]).not.toBe(remedies[1]);
  expect(remedies[2]).toBe(remedies[1]);
});

test.each([
  [status('queued', { detail: 'no room' }), ['state QUEUED', 'no room']],
  [status('running'), ['state RUNNING']],
  [undefined, ['state unknown']],
])('the end of the wait says what state the job was in: %j', async (found, presented) => {
  for (const end of ['deadline', 'credential'] as const) {
    const result = await concluded({ ending: unfinished(end, found) });
    expect((result.end as SubmitError).explanation.presented).toEqual(presented);
  }
});

test('a step whose credential ends leaves the job running, and says how to wait for it', async () => {
  const result = await concluded({ ending: unfinished('credential', status('running')) });
  expect(result.end).toMatchObject({ code: 'wait-credential-ended', exitCode: EXIT.deadline });
  expect((result.end as SubmitError).explanation.remedy.join('\n')).toContain(`attach: ${ID}`);
  expect(result.sent).toEqual([]);
  expect(result.remembered()).toBeUndefined();
  expect(result.outputs()).toMatchObject({ result: 'unfinished', state: 'RUNNING' });
});

test('a step that is cancelled when its job has ended cancels nothing, and says what is not done', async () => {
  const ending = unfinished('aborted', status('succeeded'));
  const result = await concluded({ ending, signal: 'SIGTERM' });
  expect(result.end).toBe(EXIT.terminated);
  expect(result.sent).toEqual([]);
  expect(result.remembered()).toBeUndefined();
  expect(result.log).toContain('SUCCEEDED');
});

test('a step that is cancelled before it has seen its job publishes no state', async () => {
  const result = await concluded({ ending: unfinished('aborted', undefined), signal: 'SIGTERM' });
  expect(result.outputs()).toMatchObject({ id: ID, result: 'unfinished' });
  expect(result.outputs()).not.toHaveProperty('state');
  expect(result.outputs()).not.toHaveProperty('url');
  expect(result.report).not.toHaveProperty('url');
  expect(result.report).not.toHaveProperty('remote');
});

test('the address that is known from the beginning is handed out where no look gave another', async () => {
  const startUrl = 'https://service.example/start';
  const early = await concluded({ ending: unfinished('aborted', undefined), signal: 'SIGTERM', startUrl });
  expect(early.outputs()).toMatchObject({ url: startUrl });
  expect(early.report).toMatchObject({ url: startUrl });
  const found = status('running', { url: 'https://service.example/found' });
  const later = await concluded({ ending: unfinished('aborted', found), signal: 'SIGTERM', startUrl });
  expect(later.outputs()).toMatchObject({ url: 'https://service.example/found' });
});
