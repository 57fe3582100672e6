import { describe, expect, it } from 'vitest';
import { SubmitError } from '../../shared/errors.ts';
import type { Files } from '../../shared/files.ts';
import type { RememberedJob } from '../../shared/host/host.ts';
import { createHttp, HTTP_TIMINGS } from '../../shared/http/http.ts';
import type { CredentialSource } from '../../shared/identity/credential.ts';
import type { Json } from '../../shared/json.ts';
import { type Cancellation, defineKind, type FoundRun, type Run } from '../../shared/kind.ts';
import { cancelRemembered } from '../../shared/run/cancel-remembered.ts';
import { text } from '../../shared/settings/settings.ts';
import { START, virtualClock } from '../contract/virtual-clock.ts';
import { fakeAccess, fakePlan, fakeRun } from './fake-plan.ts';
import { recordingHost } from './recording-host.ts';

const KEY = 'ab'.repeat(32);
const RUNNING: RememberedJob = { kind: 'train', id: '7' };
const SENT: RememberedJob = { kind: 'train', key: KEY, attempt: 2 };
const SECTION = 'section cancel: Cancel the job that the step left running';
const SEARCHED = [
  'info: If it exists, a retry of this step finds it and attaches to it.',
  'info: To cancel it instead, look up its id at the service: stop ID',
];

interface Left {
  readonly remembered?: RememberedJob;
  readonly settings?: Readonly<Record<string, Json>>;
  /** The service's answer to the cancellation. */
  readonly answer?: number | Error;
  readonly refusal?: Cancellation['refusal'];
  /** The runs that the service lists from a moment of the search on. */
  readonly listed?: readonly FoundRun[];
  readonly listedAfterMs?: number;
  readonly run?: Partial<Run>;
  readonly credential?: Partial<CredentialSource>;
}

/** What the service received and what is told when a step left this behind. */
async function cancelled(left: Left) {
  const clock = virtualClock();
  const { host, lines } = recordingHost({
    settings: new Map(Object.entries({ job: 'train', ...left.settings })),
    spell: (setting) => setting.toUpperCase(),
  });
  const received: string[] = [];
  const bound: boolean[] = [];
  const credential: CredentialSource = {
    get: async () => ({ headers: {}, expiresAt: Number.POSITIVE_INFINITY }),
    renew: () => undefined,
    lastsUntil: () => undefined,
    release: async () => void received.push('the end of the credential'),
    ...left.credential,
  };
  const cancellation: Cancellation = {
    call: (id) => ({ method: 'POST', url: `https://service.example/runs/${id}/cancel` }),
    command: (id) => `stop ${id}`,
    refusal: left.refusal ?? (() => undefined),
  };
  const run = fakeRun({
    cancellation,
    find: async (_session, key) =>
      key === KEY && clock.now() - START >= (left.listedAfterMs ?? 0) ? (left.listed ?? []) : [],
    readReference: (reference) => /\d+$/.exec(reference)?.[0],
    ...left.run,
  });
  const train = defineKind({
    id: 'train',
    title: 'Training job',
    settings: { name: text({ description: '', expected: 'a name', example: 'x', pattern: /^\S+$/ }) },
    outputs: {},
    bind: (_values, { attach }) => {
      bound.push(attach);
      return fakePlan({ run, access: fakeAccess({ credential: () => credential }) });
    },
  });
  const { answer = 200 } = left;
  const transport = async (url: string) => {
    received.push(new URL(url).pathname);
    if (answer instanceof Error) throw answer;
    return { status: answer, headers: new Headers(), body: null };
  };
  await cancelRemembered(left.remembered ?? RUNNING, {
    host,
    hostSettings: {},
    kinds: [train, { ...train, id: 'serve' }].map((kind) => ({ ...kind, load: async () => ({ kind }) })),
    kindSettings: {},
    files: {} as Files,
    env: {},
    protectedVariables: { has: () => false },
    http: createHttp(transport, clock, HTTP_TIMINGS),
    clock,
    signal: new AbortController().signal,
  });
  return { received, lines, bound, tookMs: clock.now() - START };
}

const END = 'the end of the credential';
const MAY_RUN = 'warning: 7 may still be running; cancel it by hand: stop 7';

describe('a job that a killed step left running', () => {
  it.each<[string, Left, readonly string[], readonly string[]]>([
    ['is cancelled', {}, ['/runs/7/cancel', END], ['success: The cancellation of 7 was accepted']],
    [
      'is cancelled with 299',
      { answer: 299 },
      ['/runs/7/cancel', END],
      ['success: The cancellation of 7 was accepted'],
    ],
    ['may still run after a refusal', { answer: 404 }, ['/runs/7/cancel', END], [MAY_RUN]],
    ['may still run after a redirect', { answer: 300 }, ['/runs/7/cancel', END], [MAY_RUN]],
    ['may still run after no answer', { answer: new Error('reset') }, ['/runs/7/cancel', END], [MAY_RUN]],
    [
      'may still run after a success that was none',
      { refusal: () => ({ reason: 'busy', isFinal: false }) },
      ['/runs/7/cancel', END],
      [MAY_RUN],
    ],
    [
      'is over after a success that says so',
      { refusal: () => ({ reason: 'it is over', isFinal: true }) },
      ['/runs/7/cancel', END],
      ['warning: 7 was not cancelled: it is over'],
    ],
    [
      'is cancelled where a success is one',
      { refusal: () => undefined },
      ['/runs/7/cancel', END],
      ['success: The cancellation of 7 was accepted'],
    ],
    [
      'may still run after a refusal that would be a success that was none',
      { answer: 500, refusal: () => ({ reason: 'it is over', isFinal: true }) },
      ['/runs/7/cancel', END],
      [MAY_RUN],
    ],
    [
      'keeps running where it is to',
      { settings: { 'on-cancel': 'detach' } },
      [],
      ['info: The job keeps running (ON-CANCEL: detach)'],
    ],
    ['is left alone where nothing can cancel it', { run: { cancellation: undefined } }, [], []],
    [
      'is told of where the settings are wrong',
      { settings: { name: 'two words' } },
      [],
      [expect.stringMatching(/^warning: The job may still be running \(A setting is wrong; nothing was sent/)],
    ],
    [
      'is told of where its id has another form',
      { remembered: { kind: 'train', id: 'x7' } },
      [END],
      ['warning: The job may still be running (it could not be cancelled)'],
    ],
    [
      'is told of, with what to do, where there is no credential',
      {
        credential: {
          get: () => Promise.reject(new SubmitError('token-missing', { happened: 'There is no token', remedy: [] })),
        },
      },
      [END],
      ['warning: The job may still be running (There is no token); cancel it by hand: stop 7'],
    ],
    [
      'is told of where time is up',
      { credential: { get: () => Promise.reject(new DOMException('late', 'TimeoutError')) } },
      [END],
      ['warning: The job may still be running (it could not be cancelled within 4 s); cancel it by hand: stop 7'],
    ],
    [
      'is told of where something else ends the request',
      { credential: { get: () => Promise.reject(new DOMException('other', 'AbortError')) } },
      [END],
      ['warning: The job may still be running (it could not be cancelled); cancel it by hand: stop 7'],
    ],
  ])('%s', async (_what, left, received, lines) => {
    const came = await cancelled(left);
    expect(came.received).toEqual(received);
    expect(came.lines).toEqual([SECTION, ...lines]);
    expect(came.bound.every((attach) => attach)).toBe(true);
  });

  it('is none of this step where that is of another kind', async () => {
    expect(await cancelled({ settings: { job: 'serve' } })).toMatchObject({ received: [], lines: [] });
  });

  it.each<[string, Partial<CredentialSource>]>([
    ['cannot be ended', { release: () => Promise.reject(new Error('no')) }],
    ['never ends', { release: () => new Promise(() => undefined) }],
  ])('is cancelled under a credential that %s', async (_what, credential) => {
    const { lines, tookMs } = await cancelled({ credential });
    expect(lines.at(-1)).toBe('success: The cancellation of 7 was accepted');
    expect(tookMs).toBeLessThanOrEqual(1_000);
  });
});

const UNKNOWN = `warning: The step was killed before its submission was answered: a job with the submission key ${KEY} may be running`;

describe('a submission that a killed step left without an answer', () => {
  const listed = [
    { id: '6', attempt: 1 },
    { id: '7', attempt: 2 },
  ];
  it.each<[string, Left, readonly string[], readonly string[], number]>([
    ['is found and cancelled', { listed }, ['/runs/7/cancel', END], ['success: The cancellation of 7 was accepted'], 0],
    [
      'is cancelled although it is listed late',
      { listed, listedAfterMs: 2_500 },
      ['/runs/7/cancel', END],
      ['success: The cancellation of 7 was accepted'],
      2_500,
    ],
    [
      'is not found when it is listed too late',
      { listed, listedAfterMs: 2_501 },
      [END],
      [`${UNKNOWN}; it does not show up so far`, ...SEARCHED],
      2_500,
    ],
    [
      'is not found where only an earlier attempt is',
      { listed: [{ id: '6', attempt: 1 }] },
      [END],
      [`${UNKNOWN}; it does not show up so far`, ...SEARCHED],
      2_500,
    ],
    [
      'is not looked for where there is no list',
      { run: { find: undefined } },
      [END],
      [`${UNKNOWN}; this service cannot be searched for it`, ...SEARCHED],
      0,
    ],
    [
      'is left alone where what is found is no id',
      { listed: [{ id: '7; rm -r', attempt: 2 }] },
      [END],
      [`${UNKNOWN} (it could not be cancelled)`],
      0,
    ],
  ])('%s', async (_what, left, received, lines, lookedMs) => {
    const came = await cancelled({ remembered: SENT, ...left });
    expect(came.received).toEqual(received);
    expect(came.lines).toEqual([SECTION, ...lines]);
    expect(came.bound).toEqual([false]);
    // The pause for the credential's end passes at once on this clock.
    expect(came.tookMs - lookedMs).toBeLessThanOrEqual(1_000);
    expect(came.tookMs).toBeGreaterThanOrEqual(lookedMs);
  });
});
