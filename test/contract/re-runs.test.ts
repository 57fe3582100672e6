import { expect, test } from 'vitest';
import { EXIT } from '../../shared/errors.ts';
import { VERCEL } from '../simulators/vercel-tenant.ts';
import { breakRequests } from './breakable.ts';
import { createStage, runStep, type Stage, type Step } from './harness.ts';
import { CIS, type Ci, type KindSample, RUN_SAMPLES, sampleOf } from './kind-samples.ts';
import { HOUR, MINUTE, type RemoteLife } from './remote-life.ts';
import { stagePool } from './stage-pool.ts';

const stages = stagePool();
type Retry = NonNullable<Step['retry']>;

const RETRIES: readonly (readonly [Ci, Retry])[] = [
  ['bitbucket', 'automatic'],
  ['buildkite', 'manual'],
  ['buildkite', 'automatic'],
];

function jobsOf(stage: Stage, sample: KindSample) {
  const before = sample.jobs(stage.world).length;
  return () => sample.jobs(stage.world).slice(before);
}

/** What the first run of the step leaves behind, and whether a re-run submits anew. */
const FIRST_RUNS: readonly (readonly [string, RemoteLife, (retry: Retry) => boolean])[] = [
  ['succeeded', { end: 'success' }, (retry) => retry === 'manual'],
  ['failed', { end: { cause: 'code' } }, () => true],
  ['was cancelled by somebody', { end: 'cancelled' }, () => true],
];

test.each(
  RUN_SAMPLES.flatMap((sample) =>
    RETRIES.flatMap(([ci, retry]) =>
      FIRST_RUNS.map(([end, life, anew]) => [sample.id, end, retry, ci, { sample, life, anew: anew(retry) }] as const),
    ),
  ),
)('when %s %s, this comes of a %s re-run on %s', (id, _end, retry, ci, { sample, life, anew }) =>
  stages.use(async (stage, build) => {
    const jobs = jobsOf(stage, sample);
    sample.script(stage.world, life);
    await runStep(stage, { kind: id, ci, build });
    const again = await runStep(stage, { kind: id, ci, build, retry });
    expect(again.exitCode, again.log).toBe(EXIT.done);
    expect(jobs()).toHaveLength(anew ? 2 : 1);
    expect(again.outputs).toMatchObject({ id: jobs().at(-1)?.id, attempt: anew ? '2' : '1', result: 'succeeded' });
    expect(again.log).toContain(anew ? 'submitting again' : 'its result is kept');
  }),
);

const EACH_RETRY = RUN_SAMPLES.flatMap((sample) =>
  RETRIES.map(([ci, retry]) => [sample.id, retry, ci, sample] as const),
);

test.each(EACH_RETRY)('while %s is active, a %s re-run on %s attaches to it', (id, retry, ci, sample) =>
  stages.use(async (stage, build) => {
    const jobs = jobsOf(stage, sample);
    sample.script(stage.world, { runningMs: 20 * MINUTE, end: 'success' });
    const cut = new AbortController();
    stage.clock.after(5 * MINUTE, () => cut.abort('SIGTERM'));
    const settings = { 'on-cancel': 'detach' };
    await runStep(stage, { kind: id, ci, build, settings, signal: cut.signal });
    const again = await runStep(stage, { kind: id, ci, build, settings, retry });
    expect(again.exitCode, again.log).toBe(EXIT.done);
    expect(jobs()).toHaveLength(1);
    expect(again.log).toContain('Attaching to');
  }),
);

test.each(EACH_RETRY)(
  'while %s is being cancelled, a %s re-run on %s waits and submits anew',
  (id, retry, ci, sample) =>
    stages.use(async (stage, build) => {
      const jobs = jobsOf(stage, sample);
      sample.script(stage.world, { runningMs: HOUR, end: 'success' });
      const cut = new AbortController();
      stage.clock.after(5 * MINUTE, () => cut.abort('SIGTERM'));
      await runStep(stage, { kind: id, ci, build, signal: cut.signal });
      const again = await runStep(stage, { kind: id, ci, build, retry });
      expect(again.exitCode, again.log).toBe(EXIT.done);
      expect(jobs().map(({ cancelled }) => cancelled)).toEqual([true, false]);
    }),
);

test.each(EACH_RETRY)(
  'a re-run of %s that cannot see the first run does not submit (%s, %s)',
  (id, retry, ci, sample) =>
    stages.use(async (stage, build) => {
      const jobs = jobsOf(stage, sample);
      sample.script(stage.world, { runningMs: HOUR, end: 'success' });
      await runStep(stage, { kind: id, ci, build, settings: { wait: false } });
      const target = sample.targets.lookUp ?? sample.targets.submission;
      const recover = breakRequests(stage.world, target, { kind: 'status-503', times: 99 });
      const again = await runStep(stage, { kind: id, ci, build, retry });
      recover();
      expect(again.exitCode, again.log).toBe(EXIT.service);
      expect(jobs()).toHaveLength(1);
    }),
);

const EACH_MANUAL = EACH_RETRY.filter(([, retry]) => retry === 'manual');

test.each(EACH_MANUAL)('each further re-run of %s (%s, %s) is a further attempt', (id, retry, ci, sample) =>
  stages.use(async (stage, build) => {
    const jobs = jobsOf(stage, sample);
    await runStep(stage, { kind: id, ci, build });
    for (const attempt of [2, 3, 4]) {
      const { outputs } = await runStep(stage, { kind: id, ci, build, retry, attempt });
      expect(outputs).toMatchObject({ attempt: String(attempt), id: jobs().at(-1)?.id });
      expect(jobs()).toHaveLength(attempt);
    }
  }),
);

test.each(EACH_MANUAL)('a re-run of %s (%s, %s) attaches to the attempt that is active', (id, retry, ci, sample) =>
  stages.use(async (stage, build) => {
    const jobs = jobsOf(stage, sample);
    await runStep(stage, { kind: id, ci, build });
    sample.script(stage.world, { runningMs: 20 * MINUTE, end: 'success' });
    const cut = new AbortController();
    stage.clock.after(5 * MINUTE, () => cut.abort('SIGTERM'));
    const settings = { 'on-cancel': 'detach' };
    await runStep(stage, { kind: id, ci, build, retry, settings, signal: cut.signal });
    const third = await runStep(stage, { kind: id, ci, build, retry, attempt: 3 });
    expect(third.exitCode, third.log).toBe(EXIT.done);
    expect(third.outputs).toMatchObject({ attempt: '2', id: jobs()[1]?.id });
    expect(jobs()).toHaveLength(2);
  }),
);

test.each(EACH_MANUAL)(
  'a re-run of %s (%s, %s) finds nothing when the first run never got so far',
  (id, retry, ci, sample) =>
    stages.use(async (stage, build) => {
      const jobs = jobsOf(stage, sample);
      const recover = breakRequests(stage.world, sample.targets.exchange, { kind: 'status-503', times: 99 });
      await runStep(stage, { kind: id, ci, build });
      recover();
      const again = await runStep(stage, { kind: id, ci, build, retry });
      expect(again.exitCode, again.log).toBe(EXIT.done);
      expect(jobs()).toHaveLength(1);
    }),
);

test.each(RUN_SAMPLES.map((sample) => [sample.id, sample] as const))('what makes %s another submission', (id, sample) =>
  stages.use(async (stage, build) => {
    const jobs = jobsOf(stage, sample);
    const step = { kind: id, ci: 'buildkite', build } as const;
    await runStep(stage, step);
    await runStep(stage, { ...step, stepKey: 'other' });
    await runStep(stage, { ...step, env: { BUILDKITE_PARALLEL_JOB: '0' } });
    await runStep(stage, { ...step, env: { BUILDKITE_PARALLEL_JOB: '1' } });
    await runStep(stage, { ...step, ci: 'bitbucket' });
    await runStep(stage, { ...step, build: build + 10_000 });
    expect(jobs()).toHaveLength(6);
    await runStep(stage, { ...step, retry: 'automatic' });
    expect(jobs()).toHaveLength(6);
  }),
);

test('a run that was deleted since is submitted anew', () =>
  stages.use(async (stage, build) => {
    const step = { kind: 'databricks-submit-run', ci: 'buildkite', build } as const;
    const first = await runStep(stage, step);
    stage.world.databricks.deleteRun(first.outputs?.id ?? '');
    const again = await runStep(stage, { ...step, retry: 'automatic' });
    expect(again.exitCode, again.log).toBe(EXIT.done);
    expect(again.outputs).toMatchObject({ attempt: '2' });
  }));

const LISTED = RUN_SAMPLES.filter(({ targets }) => targets.lookUp !== undefined);
const NOT_FOUND = JSON.stringify({ error: { code: 'not_found', status: 'NOT_FOUND', message: 'It is not there.' } });

test.each(
  LISTED.flatMap((sample) => (['manual', 'automatic'] as const).map((retry) => [sample.id, retry, sample] as const)),
)('a published %s that was deleted since is submitted again (%s)', (id, retry, sample) =>
  stages.use(async (stage, build) => {
    const jobs = jobsOf(stage, sample);
    const step = { kind: id, ci: 'buildkite', build } as const;
    // What was deleted is in no list.
    sample.script(stage.world, { end: { cause: 'code' }, listedAfterMs: 24 * HOUR });
    const first = await runStep(stage, step);
    const recover = breakRequests(stage.world, statusOf(first.outputs?.id ?? ''), {
      kind: 'answer',
      times: 99,
      answer: { status: 404, type: 'application/json', text: NOT_FOUND },
    });
    const again = await runStep(stage, { ...step, retry });
    recover();
    expect(again.exitCode, again.log).toBe(EXIT.done);
    expect(again.log).toContain(`${first.outputs?.id}, which no longer exists: submitting again`);
    expect(again.outputs).toMatchObject({ id: jobs().at(-1)?.id, attempt: '2' });
    expect(jobs()).toHaveLength(2);
  }),
);

test.each(LISTED.map((sample) => [sample.id, sample] as const))(
  'a published %s that the service does not show yet is attached to',
  (id, sample) =>
    stages.use(async (stage, build) => {
      const jobs = jobsOf(stage, sample);
      const step = { kind: id, ci: 'buildkite', build } as const;
      sample.script(stage.world, { runningMs: 20 * MINUTE, end: 'success', listedAfterMs: 24 * HOUR });
      const first = await runStep(stage, { ...step, settings: { wait: false } });
      breakRequests(stage.world, statusOf(first.outputs?.id ?? ''), {
        kind: 'answer',
        times: 4,
        answer: { status: 404, type: 'application/json', text: NOT_FOUND },
      });
      const again = await runStep(stage, { ...step, retry: 'automatic' });
      expect(again.exitCode, again.log).toBe(EXIT.done);
      expect(again.outputs).toMatchObject({ id: first.outputs?.id, attempt: '1' });
      expect(jobs()).toHaveLength(1);
    }),
);

function statusOf(id: string) {
  return { method: 'GET', path: new RegExp(`/${id.split('/').at(-1)}$`) } as const;
}

test.each(CIS)('on %s a re-run finds its deployment behind hundreds of newer ones', async (ci) => {
  await using stage = await createStage();
  const { vercel } = stage.world;
  vercel.nextLife({ buildingMs: 20 * MINUTE });
  const step = { kind: 'vercel-deployment', ci } as const;
  const first = await runStep(stage, { ...step, settings: { wait: false } });
  for (let newer = 0; newer < 250; newer += 1) {
    stage.clock.advance(1_000);
    vercel.deployed(VERCEL.projectId, { target: 'preview' });
  }
  const before = vercel.deployments().length;
  const again = await runStep(stage, { ...step, retry: ci === 'bitbucket' ? 'automatic' : 'manual' });
  expect(again.exitCode, again.log).toBe(EXIT.done);
  expect(again.outputs?.id).toBe(first.outputs?.id);
  expect(vercel.deployments()).toHaveLength(before);
});

test.each(CIS)('on %s a re-run finds its custom job behind a page that is empty', async (ci) => {
  await using stage = await createStage({ google: { emptyFirstPage: true } });
  const sample = sampleOf('vertex-custom-job');
  const step = { kind: sample.id, ci } as const;
  const retry = ci === 'bitbucket' ? 'automatic' : 'manual';
  sample.script(stage.world, { end: { cause: 'code' } });
  await runStep(stage, step);
  sample.script(stage.world, { runningMs: HOUR, end: 'success' });
  const second = await runStep(stage, { ...step, retry, settings: { wait: false } });
  const third = await runStep(stage, { ...step, retry, attempt: 3 });
  expect(third.exitCode, third.log).toBe(EXIT.done);
  expect(third.outputs).toMatchObject({ id: second.outputs?.id, attempt: '2' });
  expect(sample.jobs(stage.world)).toHaveLength(2);
});
