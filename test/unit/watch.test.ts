import { describe, expect, it, test } from 'vitest';
import { formatDuration } from '../../shared/clock.ts';
import { type ErrorCode, SubmitError } from '../../shared/errors.ts';
import type { CredentialSource } from '../../shared/identity/credential.ts';
import type { Phase, Run, RunLog, RunStatus } from '../../shared/kind.ts';
import { pollInterval, type WatchEnd, watch } from '../../shared/run/watch.ts';
import { START, virtualClock } from '../contract/virtual-clock.ts';
import { fakeRun, fakeSession } from './fake-plan.ts';
import { recordingHost } from './recording-host.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

describe('the time between two looks', () => {
  it.each([
    [0, 1_000],
    [20_000, 1_000],
    [60_000, 3_000],
    [300_000, 15_000],
    [600_000, 30_000],
    [12 * 3_600_000, 30_000],
  ])('after %i ms is %i ms', (elapsed, interval) => expect(pollInterval(elapsed)).toBe(interval));

  it('never shrinks', () => {
    const intervals = Array.from({ length: 1_000 }, (_, second) => pollInterval(second * 1_000));
    expect(intervals).toEqual(intervals.toSorted((left, right) => left - right));
  });
});

describe('a duration for people', () => {
  it.each([
    [-5, '0s'],
    [0, '0s'],
    [42_400, '42s'],
    [59_600, '1m 00s'],
    [185_000, '3m 05s'],
    [3_599_600, '1h 00m'],
    [7_800_000, '2h 10m'],
    [86_399_600, '1d 0h'],
    [273_600_000, '3d 4h'],
  ])('of %i ms is %s', (ms, text) => expect(formatDuration(ms)).toBe(text));
});

function status(phase: Phase, word = phase.toUpperCase(), more: Partial<RunStatus> = {}): RunStatus {
  return { phase, word, parts: [], source: {}, ...more };
}

function fault(code: ErrorCode, lasting = false): SubmitError {
  return new SubmitError(code, { happened: `the service: ${code}`, remedy: [], lasting });
}

/** What a look at the job finds from a moment of the wait on; a function is called at each look. */
type Life = readonly (readonly [fromMs: number, found: RunStatus | Error | (() => RunStatus)])[];

interface Watched {
  readonly end: WatchEnd | Error;
  readonly waitedMs: number;
  readonly lines: readonly string[];
  readonly phases: readonly string[];
  readonly looksAt: readonly number[];
}

async function watched(
  life: Life,
  given: {
    readonly deadlineMs?: number;
    readonly credentialMs?: number;
    readonly isNew?: boolean;
    readonly abortMs?: number;
    /** The signal comes while the service is asked. */
    readonly abortDuringLook?: number;
    readonly run?: Partial<Run>;
  } = {},
): Promise<Watched> {
  const clock = virtualClock();
  const { host, lines } = recordingHost();
  const step = new AbortController();
  if (given.abortMs !== undefined) clock.after(given.abortMs, () => step.abort('SIGTERM'));
  const phases: string[] = [];
  const looksAt: number[] = [];
  const run = fakeRun({
    status: async () => {
      looksAt.push(clock.now() - START);
      if (looksAt.length === given.abortDuringLook) step.abort('SIGTERM');
      const found = life.findLast(([from]) => clock.now() - START >= from)?.[1];
      if (found instanceof Error) throw found;
      return typeof found === 'function' ? found() : (found ?? status('queued'));
    },
    ...given.run,
  });
  const credential: Pick<CredentialSource, 'lastsUntil'> = {
    lastsUntil: () => (given.credentialMs === undefined ? undefined : START + given.credentialMs),
  };
  const end = await watch(run, 'job/7', {
    session: fakeSession({ clock, log: host.log, signal: step.signal }),
    credential: credential as CredentialSource,
    deadline: START + (given.deadlineMs ?? 24 * HOUR),
    isNew: given.isNew ?? true,
    onPhase: ({ phase }) => phases.push(phase),
  }).catch((error: unknown) => {
    if (error instanceof Error) return error;
    throw error;
  });
  return { end, waitedMs: clock.now() - START, lines, phases, looksAt };
}

const RUNNING = status('running');
const DONE = status('succeeded');

describe('a wait', () => {
  it.each(['succeeded', 'failed', 'cancelled'] as const)('ends when the job has %s', async (phase) => {
    const over = status(phase);
    const { end, phases, lines } = await watched([
      [0, status('queued')],
      [10 * SECOND, RUNNING],
      [20 * SECOND, over],
    ]);
    expect(end).toEqual({ end: 'over', status: over, log: undefined });
    expect(phases).toEqual(['queued', 'running', phase]);
    expect(lines).toEqual([
      'info:      0s queued    QUEUED',
      'info:     10s running   RUNNING',
      `info:     20s ${phase.padEnd(9)} ${phase.toUpperCase()}`,
    ]);
  });

  it('ends at its deadline and not after it', async () => {
    const { end, waitedMs, looksAt } = await watched([[0, RUNNING]], { deadlineMs: 10 * MINUTE + 7 });
    expect(end).toEqual({ end: 'deadline', status: RUNNING, log: undefined });
    expect(waitedMs).toBe(10 * MINUTE + 7);
    // One last look, at the very end.
    expect(looksAt.at(-1)).toBe(10 * MINUTE + 7);
  });

  it('takes what the look at the deadline finds', async () => {
    const { end } = await watched(
      [
        [0, RUNNING],
        [MINUTE, DONE],
      ],
      { deadlineMs: MINUTE },
    );
    expect(end).toEqual({ end: 'over', status: DONE, log: undefined });
  });

  it('ends half a minute before its last credential', async () => {
    const { end, waitedMs } = await watched([[0, RUNNING]], { credentialMs: HOUR });
    expect(end).toEqual({ end: 'credential', status: RUNNING, log: undefined });
    expect(waitedMs).toBeGreaterThanOrEqual(HOUR - 30 * SECOND);
    expect(waitedMs).toBeLessThan(HOUR);
  });

  it('ends at a credential that ends in exactly half a minute', async () => {
    expect(await watched([[0, RUNNING]], { credentialMs: 30 * SECOND })).toMatchObject({
      end: { end: 'credential' },
      waitedMs: 0,
    });
  });

  it('ends with the step, without another look', async () => {
    const { end, looksAt } = await watched([[0, RUNNING]], { abortMs: 90 * SECOND });
    expect(end).toEqual({ end: 'aborted', status: RUNNING, log: undefined });
    expect(looksAt.every((at) => at < 90 * SECOND)).toBe(true);
  });

  it('ends with the step also where that makes the look fail', async () => {
    const { end } = await watched(
      [
        [0, RUNNING],
        [SECOND, new Error('aborted')],
      ],
      { abortDuringLook: 2 },
    );
    expect(end).toEqual({ end: 'aborted', status: RUNNING, log: undefined });
  });
});

const PASSING: readonly ErrorCode[] = ['service-unavailable', 'rate-limited', 'unreadable-answer'];

describe('while the service is out of reach', () => {
  it.each(PASSING)('the wait continues for ten minutes of %s, and says so once', async (code) => {
    const { end, lines } = await watched([
      [0, RUNNING],
      [30 * MINUTE, fault(code)],
      [39 * MINUTE, RUNNING],
      [50 * MINUTE, DONE],
    ]);
    expect(end).toEqual({ end: 'over', status: DONE, log: undefined });
    const warnings = lines.filter((line) => line.startsWith('warning: '));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/^warning: +30m \d\ds .*the service: /);
  });

  it.each(PASSING)('the wait ends after more than ten minutes of %s', async (code) => {
    const error = fault(code);
    const { end, waitedMs } = await watched([
      [0, RUNNING],
      [30 * MINUTE, error],
    ]);
    expect(end).toBe(error);
    expect(waitedMs).toBeGreaterThan(40 * MINUTE);
    expect(waitedMs).toBeLessThan(41 * MINUTE);
  });

  it('a second time, that is reported again and counts from its own beginning', async () => {
    const { end, lines } = await watched([
      [0, RUNNING],
      [30 * MINUTE, fault('service-unavailable')],
      [38 * MINUTE, RUNNING],
      [40 * MINUTE, fault('service-unavailable')],
      [48 * MINUTE, DONE],
    ]);
    expect(end).toEqual({ end: 'over', status: DONE, log: undefined });
    expect(lines.filter((line) => line.startsWith('warning: '))).toHaveLength(2);
  });

  it('from the first look on, that is reported as well', async () => {
    const { end, lines } = await watched([
      [0, fault('service-unavailable')],
      [5 * MINUTE, DONE],
    ]);
    expect(end).toEqual({ end: 'over', status: DONE, log: undefined });
    expect(lines.filter((line) => line.startsWith('warning: '))).toHaveLength(1);
  });

  it.each(['permission-denied', 'request-rejected', 'credential-rejected'] as const)(
    'is not what %s means: the wait ends at once',
    async (code) => {
      const error = fault(code);
      const { end, waitedMs, lines } = await watched([
        [0, RUNNING],
        [MINUTE, error],
      ]);
      expect(end).toBe(error);
      expect(waitedMs).toBeLessThan(MINUTE + 5 * SECOND);
      expect(lines.filter((line) => line.startsWith('warning: '))).toEqual([]);
    },
  );

  it('is not what a fault of this program means', async () => {
    const error = new TypeError('no such thing');
    expect((await watched([[0, error]])).end).toBe(error);
  });
});

describe('while something that waiting seldom cures is in the way, such as a proxy', () => {
  it('the wait continues for a minute', async () => {
    const { end } = await watched([
      [0, RUNNING],
      [30 * MINUTE, fault('service-unavailable', true)],
      [30 * MINUTE + 50 * SECOND, DONE],
    ]);
    expect(end).toEqual({ end: 'over', status: DONE, log: undefined });
  });

  it('and then ends', async () => {
    const error = fault('service-unavailable', true);
    const { end, waitedMs } = await watched([
      [0, RUNNING],
      [30 * MINUTE, error],
    ]);
    expect(end).toBe(error);
    expect(waitedMs).toBeLessThan(32 * MINUTE);
  });
});

describe('a job that is not found', () => {
  it.each([
    ['a new one may be unknown for a minute', true, 59 * SECOND, { end: 'over', status: DONE, log: undefined }],
    ['a new one is lost after a minute', true, 2 * MINUTE, expect.any(SubmitError)],
    ['one that was there before is lost at once', false, SECOND, expect.any(SubmitError)],
  ])('%s', async (_what, isNew, seenMs, expected) => {
    const { end } = await watched(
      [
        [0, fault('not-found')],
        [seenMs, DONE],
      ],
      { isNew },
    );
    expect(end).toEqual(expected);
  });

  it('is lost one minute after it was made, to the millisecond', async () => {
    const { waitedMs } = await watched([[0, fault('not-found')]]);
    expect(waitedMs).toBeGreaterThanOrEqual(MINUTE);
    expect(waitedMs).toBeLessThan(MINUTE + 4 * SECOND);
  });
});

describe('what a wait prints', () => {
  test('a change of detail is reported, and the phase is not reported again', async () => {
    const { lines, phases } = await watched([
      [0, status('queued', 'QUEUED', { detail: 'no room' })],
      [5 * SECOND, status('queued', 'QUEUED', { detail: 'still no room\u001b[31m' })],
      [10 * SECOND, DONE],
    ]);
    expect(lines).toEqual([
      'info:      0s queued    QUEUED · no room',
      'info:      5s queued    QUEUED · still no room',
      'info:     10s succeeded SUCCEEDED',
    ]);
    expect(phases).toEqual(['queued', 'succeeded']);
  });

  test('heartbeats come after 1, 2, 4, … minutes and then every half hour', async () => {
    const { lines } = await watched([
      [0, RUNNING],
      [4 * HOUR, DONE],
    ]);
    const beats = lines
      .filter((line) => line.includes('still running (RUNNING)'))
      .map((line) => line.slice(6, 13).trim());
    expect(beats.slice(0, 5).map((beat) => beat.replace(/ .*/, ''))).toEqual(['1m', '3m', '7m', '15m', '31m']);
    // Half hours from then on.
    expect(beats.slice(5).map((beat) => beat.replace(/ .*/, ''))).toEqual(['1h', '1h', '2h', '2h', '3h', '3h']);
  });

  test('after a change, heartbeats begin with the first one again', async () => {
    const { lines } = await watched([
      [0, RUNNING],
      [20 * MINUTE, status('running', 'UPDATING')],
      [23 * MINUTE, DONE],
    ]);
    expect(lines.some((line) => /2[12]m \d\ds still running \(UPDATING\)/.test(line))).toBe(true);
  });

  const parts = (load: string, train: string) => ({
    parts: [
      { name: 'load', phase: 'running', word: load },
      { name: 'train', phase: 'running', word: train },
    ] as const,
  });

  test('each task of several is reported when it changes', async () => {
    const { lines } = await watched([
      [0, status('running', 'RUNNING', parts('RUNNING', 'BLOCKED'))],
      [5 * SECOND, status('running', 'RUNNING', parts('SUCCESS', 'BLOCKED'))],
      [10 * SECOND, DONE],
    ]);
    expect(lines).toEqual([
      'info:      0s running   RUNNING',
      'info:      0s   load: RUNNING',
      'info:      0s   train: BLOCKED',
      'info:      5s   load: SUCCESS',
      'info:     10s succeeded SUCCEEDED',
    ]);
  });

  test('a single task, which says the same as the run, is not reported', async () => {
    const single = { parts: [{ name: 'train', phase: 'running', word: 'RUNNING' }] } as const;
    const { lines } = await watched([
      [0, status('running', 'RUNNING', single)],
      [SECOND, DONE],
    ]);
    expect(lines.filter((line) => line.includes('train'))).toEqual([]);
  });
});

/** A log that is written from its beginning for whoever reads it, a line at each look, and keeps what it was asked. */
function logOf(lines: readonly string[], asked: string[]): (id: string) => RunLog {
  return (id) => {
    const left = [...lines];
    return {
      next: async () => {
        asked.push(`${id} next`);
        return left.splice(0, 1);
      },
      rest: async () => left.splice(0),
    };
  };
}

describe('what the job writes', () => {
  const LIFE: Life = [
    [0, status('queued')],
    [10 * SECOND, RUNNING],
    [12 * SECOND, DONE],
  ];

  it('follows its state, and is not asked for while it is queued', async () => {
    const asked: string[] = [];
    const { lines, end } = await watched(LIFE, { run: { log: logOf(['epoch 1', 'epoch 2'], asked) } });
    expect(lines).toEqual([
      'info:      0s queued    QUEUED',
      'info:     10s running   RUNNING',
      'remote: epoch 1',
      'remote: epoch 2',
      'info:     12s succeeded SUCCEEDED',
    ]);
    expect(asked).toEqual(['job/7 next', 'job/7 next', 'job/7 next']);
    expect(end).toMatchObject({ end: 'over', status: DONE });
  });

  it('is left to the end of the step where it was not read yet', async () => {
    const { end } = await watched(LIFE, { run: { log: logOf(['1', '2', '3', '4', '5'], []) } });
    const { log } = end as WatchEnd;
    expect(await log?.rest(fakeSession(), DONE)).toEqual(['4', '5']);
  });

  it.each([
    ['the deadline', { deadlineMs: 11 * SECOND }],
    ['the credential', { credentialMs: 41 * SECOND }],
    ['the step', { abortMs: 11 * SECOND }],
  ])('is left to the end of the step where %s ends the wait', async (_what, given) => {
    const { end } = await watched(LIFE, { ...given, run: { log: logOf(['1', '2', '3', '4', '5'], []) } });
    const rest = await (end as WatchEnd).log?.rest(fakeSession(), DONE);
    expect(rest?.at(-1)).toBe('5');
    expect(rest?.[0]).not.toBe('1');
  });

  it('is read from its beginning by each watch, whoever asked for the state before', async () => {
    const run = fakeRun({ status: async () => DONE, log: logOf(['epoch 1'], []) });
    await run.status(fakeSession(), 'job/7');
    for (const _watch of [1, 2]) {
      const { lines } = await watched([], { run });
      expect(lines).toEqual(['info:      0s succeeded SUCCEEDED', 'remote: epoch 1']);
    }
  });

  it('costs no more than its lines where it cannot be had', async () => {
    const refused = fault('service-unavailable');
    const found = [refused, refused];
    const log = () => ({
      next: async () => {
        const error = found.shift();
        if (error !== undefined) throw error;
        return ['epoch 1'];
      },
      rest: async () => [],
    });
    const { lines, end } = await watched(LIFE, { run: { log } });
    expect(end).toMatchObject({ end: 'over' });
    expect(lines).toContain('remote: epoch 1');
  });
});

describe('a job that is late', () => {
  const LATE = status('queued', 'LATE', { isLate: true, detail: 'no worker' });

  /** A look at the job each second, and what the answers to `whyLate` were by then. */
  async function lateFor(seconds: number, found: RunStatus = LATE) {
    const asked: string[] = [];
    const whyLate = async (_session: unknown, { word }: RunStatus) => {
      asked.push(word);
      return `pool ${asked.length}`;
    };
    // A run whose state is looked at in the first 20 s is looked at each second.
    const result = await watched([[0, found]], { run: { whyLate }, deadlineMs: seconds * SECOND });
    return { ...result, asked };
  }

  it.each([
    [19, 1],
    [20, 2],
  ])(
    'is asked why at its first look and at each twentieth after: %i more looks, asked %i times',
    async (looks, times) => {
      const { asked, looksAt } = await lateFor(looks);
      expect(looksAt).toHaveLength(looks + 1);
      expect(asked).toEqual(Array.from({ length: times }, () => 'LATE'));
    },
  );

  it('is told of with what was found out last, before what the service says itself', async () => {
    const { lines } = await lateFor(20);
    expect(lines).toEqual([
      'info:      0s queued    LATE · pool 1; no worker',
      'info:     20s queued    LATE · pool 2; no worker',
    ]);
  });

  it('is told of by what is known', async () => {
    const { detail: _detail, ...silent } = LATE;
    expect((await lateFor(0, silent)).lines).toEqual(['info:      0s queued    LATE · pool 1']);
    expect((await watched([[0, LATE]], { deadlineMs: 0 })).lines).toEqual(['info:      0s queued    LATE · no worker']);
    const { end, lines } = await watched([[0, silent]], { deadlineMs: 0 });
    expect(lines).toEqual(['info:      0s queued    LATE']);
    expect((end as WatchEnd).status).toEqual(silent);
  });

  it('is one whose state says so, and no other', async () => {
    const { isLate: _isLate, ...punctual } = LATE;
    for (const found of [punctual, { ...LATE, isLate: false }]) {
      const { asked, lines } = await lateFor(25, found);
      expect(asked).toEqual([]);
      expect(lines).toEqual(['info:      0s queued    LATE · no worker']);
    }
  });

  it('is asked why at once by each watch', async () => {
    expect((await lateFor(5)).asked).toHaveLength(1);
    const asked: string[] = [];
    const run = fakeRun({
      status: async () => LATE,
      whyLate: async () => {
        asked.push('why');
        return 'pool';
      },
    });
    for (const times of [1, 2]) {
      await watched([], { run, deadlineMs: 5 * SECOND });
      expect(asked).toHaveLength(times);
    }
  });
});
