import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { EXIT } from '../../shared/errors.ts';
import { breakRequests } from './breakable.ts';
import { runStep, type Stage, sentTo } from './harness.ts';
import { CIS, type KindSample, RUN_SAMPLES, type Target } from './kind-samples.ts';
import { HOUR, MINUTE } from './remote-life.ts';
import { stagePool } from './stage-pool.ts';

const stages = stagePool();
const SAMPLES_AND_CIS = RUN_SAMPLES.flatMap((sample) => CIS.map((ci) => [sample.id, ci, sample] as const));

/** A signal that comes when the step has waited so long. */
function signalAfter({ clock }: Stage, ms: number, name: string): AbortSignal {
  const controller = new AbortController();
  clock.after(ms, () => controller.abort(name));
  return controller.signal;
}

/** A signal that comes while a request to the target is under way. */
function signalDuring({ world }: Stage, target: Target, name: string): AbortSignal {
  const controller = new AbortController();
  const before = sentTo(world.requests, target).length + (target.skip ?? 0);
  const look = async (): Promise<void> => {
    for (let left = 5_000; left > 0 && sentTo(world.requests, target).length <= before; left -= 1) await pause(1);
    controller.abort(name);
  };
  look();
  return controller.signal;
}

function cancelOf({ id, targets }: KindSample): Target {
  if (targets.cancel === undefined) throw new Error(`${id} cannot be cancelled`);
  return targets.cancel;
}

function jobsOf(stage: Stage, sample: KindSample) {
  const before = sample.jobs(stage.world).length;
  return () => sample.jobs(stage.world).slice(before);
}

const MOMENTS = [
  ['in the queue', { queuedMs: 10 * MINUTE, runningMs: HOUR, end: 'success' }],
  ['running', { queuedMs: MINUTE, runningMs: HOUR, end: 'success' }],
] as const;
const SIGNALS = [
  ['SIGTERM', EXIT.terminated],
  ['SIGINT', EXIT.interrupted],
] as const;

test.each(
  SAMPLES_AND_CIS.flatMap(([id, ci, sample]) =>
    MOMENTS.flatMap(([moment, life]) =>
      SIGNALS.map(([name, exit]) => [name, id, moment, ci, { sample, life, exit }] as const),
    ),
  ),
)('%s cancels %s that is %s, once, on %s', (name, id, _moment, ci, { sample, life, exit }) =>
  stages.use(async (stage, build) => {
    const jobs = jobsOf(stage, sample);
    sample.script(stage.world, life);
    const result = await runStep(stage, { kind: id, ci, build, signal: signalAfter(stage, 5 * MINUTE, name) });
    expect(result.exitCode, result.log).toBe(exit);
    expect(jobs()).toMatchObject([{ cancelled: true }]);
    expect(sentTo(result.requests, sample.targets.cancel)).toHaveLength(1);
    expect(result.log).toContain(`the cancellation of ${jobs()[0]?.id} was accepted`);
    expect(result.outputs).toMatchObject({ result: 'unfinished', id: jobs()[0]?.id });
    expect(result.reportState).toMatch(/^(?:error|FAILED)$/);
  }),
);

test.each(SAMPLES_AND_CIS)('a signal while %s is being submitted on %s cancels what comes of it', (id, ci, sample) =>
  stages.use(async (stage, build) => {
    const jobs = jobsOf(stage, sample);
    sample.script(stage.world, { runningMs: HOUR, end: 'success' });
    breakRequests(stage.world, sample.targets.submission, { kind: 'late', times: 1, lateMs: 200 });
    const signal = signalDuring(stage, sample.targets.submission, 'SIGTERM');
    const result = await runStep(stage, { kind: id, ci, build, signal });
    expect(result.exitCode, result.log).toBe(EXIT.terminated);
    expect(jobs()).toMatchObject([{ cancelled: true }]);
    expect(sentTo(result.requests, sample.targets.cancel)).toHaveLength(1);
  }),
);

/** How long a request waits for its answer: every other one must come in this time, also on a busy machine. */
const PATIENCE_MS = 800;
/** An answer that is never read: too late for its attempt, or cut off. */
const LOSSES = [
  [
    'while it waits for',
    { kind: 'late', times: 1, lateMs: 2 * PATIENCE_MS },
    (stage: Stage, { targets }: KindSample) => signalDuring(stage, targets.submission, 'SIGTERM'),
  ],
  ['after it lost', { kind: 'drop-after', times: 1 }, (stage: Stage) => signalAfter(stage, 200, 'SIGTERM')],
] as const;

test.each(
  SAMPLES_AND_CIS.flatMap(([id, ci, sample]) =>
    LOSSES.map(([moment, fault, signalFor]) => [moment, id, ci, { sample, fault, signalFor }] as const),
  ),
)('a step cancelled %s the answer to %s on %s leaves no job behind', (_moment, id, ci, { sample, fault, signalFor }) =>
  stages.use(async (stage, build) => {
    const jobs = jobsOf(stage, sample);
    sample.script(stage.world, { runningMs: HOUR, end: 'success' });
    breakRequests(stage.world, sample.targets.submission, fault);
    const signal = signalFor(stage, sample);
    const result = await runStep(stage, { kind: id, ci, build, signal, timings: { attemptMs: PATIENCE_MS } });
    expect(jobs(), result.log).toMatchObject([{ cancelled: true }]);
    expect(result.exitCode, result.log).toBe(EXIT.terminated);
  }),
);

test.each(SAMPLES_AND_CIS)('a signal before %s is submitted on %s submits nothing', (id, ci, sample) =>
  stages.use(async (stage, build) => {
    const jobs = jobsOf(stage, sample);
    const recover = breakRequests(stage.world, sample.targets.exchange, { kind: 'late', times: 1, lateMs: 100 });
    const signal = signalDuring(stage, sample.targets.exchange, 'SIGTERM');
    const result = await runStep(stage, { kind: id, ci, build, signal });
    recover();
    expect(result.exitCode, result.log).toBe(EXIT.terminated);
    expect(jobs()).toEqual([]);
    expect(result.log).toContain('cancelled before anything was submitted');
  }),
);

test.each(SAMPLES_AND_CIS)('with on-cancel: detach, %s goes on when its step on %s is cancelled', (id, ci, sample) =>
  stages.use(async (stage, build) => {
    const jobs = jobsOf(stage, sample);
    sample.script(stage.world, { runningMs: HOUR, end: 'success' });
    const signal = signalAfter(stage, 5 * MINUTE, 'SIGTERM');
    const result = await runStep(stage, { kind: id, ci, build, signal, settings: { 'on-cancel': 'detach' } });
    expect(result.exitCode, result.log).toBe(EXIT.terminated);
    expect(jobs()).toMatchObject([{ cancelled: false }]);
    expect(sentTo(result.requests, sample.targets.cancel)).toEqual([]);
    expect(result.log).toContain(`To wait for it in a later step: ${ci === 'bitbucket' ? 'ATTACH' : 'attach'}: `);
  }),
);

test.each(SAMPLES_AND_CIS)('when timeout passes, %s is cancelled and the step on %s ends', (id, ci, sample) =>
  stages.use(async (stage, build) => {
    const jobs = jobsOf(stage, sample);
    sample.script(stage.world, { runningMs: HOUR, end: 'success' });
    const startedAt = stage.clock.now();
    const result = await runStep(stage, { kind: id, ci, build, settings: { timeout: '20m' } });
    expect(result.exitCode, result.log).toBe(EXIT.deadline);
    expect(stage.clock.now() - startedAt).toBeLessThan(21 * MINUTE);
    expect(jobs()).toMatchObject([{ cancelled: true }]);
    expect(result.log).toContain('wait-deadline: The job is not over after 20m 00s');
    expect(result.outputs?.result).toBe('unfinished');
  }),
);

test.each(SAMPLES_AND_CIS)('with on-cancel: detach, %s outlives the timeout of its step on %s', (id, ci, sample) =>
  stages.use(async (stage, build) => {
    const jobs = jobsOf(stage, sample);
    sample.script(stage.world, { runningMs: HOUR, end: 'success' });
    const settings = { timeout: '20m', 'on-cancel': 'detach' };
    const result = await runStep(stage, { kind: id, ci, build, settings });
    expect(result.exitCode, result.log).toBe(EXIT.deadline);
    expect(jobs()).toMatchObject([{ cancelled: false }]);
    expect(result.log).toContain(`${ci === 'bitbucket' ? 'ATTACH' : 'attach'}: ${jobs()[0]?.id}`);
  }),
);

test.each(SAMPLES_AND_CIS)('a cancellation of %s that gets lost on %s is sent again', (id, ci, sample) =>
  stages.use(async (stage, build) => {
    const jobs = jobsOf(stage, sample);
    sample.script(stage.world, { runningMs: HOUR, end: 'success' });
    breakRequests(stage.world, cancelOf(sample), { kind: 'drop-before', times: 1 });
    const result = await runStep(stage, { kind: id, ci, build, signal: signalAfter(stage, MINUTE, 'SIGTERM') });
    expect(result.exitCode, result.log).toBe(EXIT.terminated);
    expect(jobs()).toMatchObject([{ cancelled: true }]);
  }),
);

test.each(SAMPLES_AND_CIS)('when %s cannot be cancelled, the user on %s is told how to do it', (id, ci, sample) =>
  stages.use(async (stage, build) => {
    const jobs = jobsOf(stage, sample);
    sample.script(stage.world, { runningMs: HOUR, end: 'success' });
    const recover = breakRequests(stage.world, cancelOf(sample), { kind: 'status-503', times: 99 });
    const result = await runStep(stage, { kind: id, ci, build, signal: signalAfter(stage, MINUTE, 'SIGTERM') });
    recover();
    expect(result.exitCode, result.log).toBe(EXIT.terminated);
    expect(jobs()).toMatchObject([{ cancelled: false }]);
    const shortId = jobs()[0]?.id.split('/').at(-1);
    expect(result.log).toMatch(new RegExp(`could not be cancelled in time; cancel it by hand: \\S.*[ /]${shortId}\\b`));
  }),
);

test.each(SAMPLES_AND_CIS.filter(([, , { targets }]) => targets.completion !== undefined))(
  'a signal while %s is completed on %s cancels nothing that has ended, and says so',
  (id, ci, sample) =>
    stages.use(async (stage, build) => {
      const { completion } = sample.targets;
      if (completion === undefined) throw new Error('nothing is completed');
      sample.script(stage.world, { end: 'success' });
      breakRequests(stage.world, completion, { kind: 'late', times: 1, lateMs: 200 });
      const signal = signalDuring(stage, completion, 'SIGTERM');
      const result = await runStep(stage, { kind: id, ci, build, signal });
      expect(result.exitCode, result.log).toBe(EXIT.terminated);
      expect(sentTo(result.requests, sample.targets.cancel)).toEqual([]);
      expect(result.log).toMatch(/had ended \(READY\), and what was to be done at its end may not be/);
    }),
);
