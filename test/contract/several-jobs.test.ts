import { expect, test } from 'vitest';
import { EXIT } from '../../shared/errors.ts';
import { createStage, runStep, type Stage, type Step, type StepResult } from './harness.ts';
import { type KindSample, RUN_SAMPLES } from './kind-samples.ts';
import { MINUTE } from './remote-life.ts';
import { stagePool } from './stage-pool.ts';

const stages = stagePool();
const SAMPLES = RUN_SAMPLES.map((sample) => [sample.id, sample] as const);

function keyOf({ outputs }: StepResult): string {
  return (outputs?.['submission-key'] ?? '').slice(0, 12);
}

/** A job of a matrix: it shares its step with the others. */
function jobOf(id: string, build: number, sibling: number, settings: Step['settings'] = {}): Step {
  return { kind: id, ci: 'buildkite', build, sibling, settings };
}

function runsOf(stage: Stage, sample: KindSample): () => number {
  const before = sample.jobs(stage.world).length;
  return () => sample.jobs(stage.world).length - before;
}

test.each(SAMPLES)('jobs of a Buildkite step that submit different requests keep their own %s', (id, sample) =>
  stages.use(async (stage, build) => {
    const { agentApi } = stage.world;
    const runs = runsOf(stage, sample);
    const annotationsBefore = agentApi.annotations().length;
    const first = await runStep(stage, jobOf(id, build, 1, { instance: 'a' }));
    const firstKey = keyOf(first);
    const ofFirst = agentApi.metaData().get(`keyless-submit:train:${firstKey}`);
    const second = await runStep(stage, jobOf(id, build, 2, { instance: 'b' }));
    expect([first.exitCode, second.exitCode], second.log).toEqual([EXIT.done, EXIT.done]);
    expect(runs()).toBe(2);

    // The second job's outputs are its own; neither passes for the step's any more.
    const metaData = agentApi.metaData();
    expect(JSON.parse(ofFirst ?? '')).toMatchObject({ id: first.outputs?.id, result: 'succeeded' });
    expect(metaData.get(`keyless-submit:train:${firstKey}`)).toBe(ofFirst);
    expect(JSON.parse(metaData.get('keyless-submit:train') ?? '')).toMatchObject({ kind: id, result: 'several' });
    expect(metaData.get('keyless-submit:train:id')).toBe('several');
    expect(second.log).toContain('this step has several submissions');

    const annotations = agentApi.annotations().slice(annotationsBefore);
    expect(annotations).toHaveLength(2);
    expect(annotations.map(({ context }) => context)).toContain(`keyless-submit-${firstKey}`);
  }),
);

test.each(SAMPLES)('a later step that attaches to several %s sees the list of them', (id, sample) =>
  stages.use(async (stage, build) => {
    const first = await runStep(stage, jobOf(id, build, 1, { instance: 'a', wait: false }));
    await runStep(stage, jobOf(id, build, 2, { instance: 'b', wait: false }));
    const ids = sample
      .jobs(stage.world)
      .slice(-2)
      .map((job) => job.id);
    const settings = { attach: 'step:train', spec: null };
    const result = await runStep(stage, { ...jobOf(id, build, 3, settings), stepKey: 'evaluate' });
    expect(result.exitCode, result.log).toBe(EXIT.service);
    expect(result.log).toContain('The step train submitted 2 jobs');
    for (const each of ids) expect(result.log).toContain(`${each} (submitted, submission key `);
    expect(first.exitCode).toBe(EXIT.done);
  }),
);

test.each(SAMPLES)('an identical %s of another job of the step is joined, and the log says so', (id, sample) =>
  stages.use(async (stage, build) => {
    const runs = runsOf(stage, sample);
    sample.script(stage.world, { runningMs: 20 * MINUTE, end: 'success' });
    await runStep(stage, jobOf(id, build, 1, { wait: false }));
    const second = await runStep(stage, jobOf(id, build, 2));
    expect(second.exitCode, second.log).toBe(EXIT.done);
    expect(runs()).toBe(1);
    expect(second.log).toContain('Another job of this build submitted the identical request: joining its run');
    expect(second.log).toContain('give each job a different instance');
    const alone = await runStep(stage, jobOf(id, build, 3, { instance: 'seed-2' }));
    expect(alone.exitCode, alone.log).toBe(EXIT.done);
    expect(runs()).toBe(2);
  }),
);

test.each(SAMPLES)('jobs that submit an identical %s in the same moment hear of each other', async (id, sample) => {
  let publish = async () => {};
  await using stage = await createStage({
    onAnswer: ({ method, host, path }) => {
      const { submission } = sample.targets;
      if (method === submission.method && submission.path.test(`/${host}${path.replace(/\?.*/, '')}`)) publish();
    },
  });
  // The other job publishes after this one asked for what is published, and before it publishes itself.
  publish = async () => {
    const asked = stage.world.requests.filter(({ path }) => path.endsWith('/data/get')).at(-1);
    const { key } = JSON.parse((await asked?.body()) ?? '{}');
    stage.world.agentApi.setMetaData(key, JSON.stringify({ kind: id, id: 'another-run', attempt: '1' }));
  };
  const result = await runStep(stage, jobOf(id, 1, 1));
  expect(result.exitCode, result.log).toBe(EXIT.done);
  expect(result.log).toContain('submitted the identical request at the same time: its run is another-run');
  expect(result.log).toContain('give each job a different instance');
});

test.each(SAMPLES)('a retry of %s does not take the result of a twin that was retried more often', (id, sample) =>
  stages.use(async (stage, build) => {
    const runs = runsOf(stage, sample);
    sample.script(stage.world, { end: { cause: 'code' } });
    await runStep(stage, jobOf(id, build, 1));
    for (const attempt of [2, 3]) {
      sample.script(stage.world, { end: { cause: 'code' } });
      const failed = await runStep(stage, { ...jobOf(id, build, 1), retry: 'manual', attempt });
      expect(failed.outputs).toMatchObject({ attempt: String(attempt) });
    }
    const twin = await runStep(stage, { ...jobOf(id, build, 2), retry: 'manual', attempt: 2 });
    expect(twin.exitCode, twin.log).toBe(EXIT.done);
    expect(runs()).toBe(4);
  }),
);

test.each(SAMPLES)(
  'jobs that are retried and submit an identical %s in the same moment hear of each other',
  async (id, sample) => {
    let publish = async () => {};
    await using stage = await createStage({
      onAnswer: ({ method, host, path }) => {
        const { submission } = sample.targets;
        if (method === submission.method && submission.path.test(`/${host}${path.replace(/\?.*/, '')}`)) publish();
      },
    });
    sample.script(stage.world, { end: { cause: 'code' } });
    const first = await runStep(stage, jobOf(id, 1, 1));
    const place = `keyless-submit:train:${keyOf(first)}`;
    publish = async () =>
      stage.world.agentApi.setMetaData(place, JSON.stringify({ kind: id, id: 'another-run', attempt: '2' }));
    const again = await runStep(stage, { ...jobOf(id, 1, 1), retry: 'manual' });
    expect(again.exitCode, again.log).toBe(EXIT.done);
    expect(again.log).toContain('submitted the identical request at the same time: its run is another-run');
  },
);

test.each(SAMPLES)('a retried %s keeps the places of its report and outputs', (id, sample) =>
  stages.use(async (stage, build) => {
    const { agentApi } = stage.world;
    const annotationsBefore = agentApi.annotations().length;
    sample.script(stage.world, { end: { cause: 'code' } });
    const first = await runStep(stage, jobOf(id, build, 1));
    const again = await runStep(stage, { ...jobOf(id, build, 1), retry: 'manual' });
    expect([first.exitCode, again.exitCode], again.log).toEqual([EXIT.jobFailed, EXIT.done]);
    expect(keyOf(again)).toBe(keyOf(first));
    expect(agentApi.annotations().slice(annotationsBefore)).toMatchObject([{ style: 'success' }]);
    expect(agentApi.metaData().get('keyless-submit:train:id')).toBe(again.outputs?.id);
  }),
);

test.each(SAMPLES)('a retried %s leaves no report of the failure before its submission', (id, sample) =>
  stages.use(async (stage, build) => {
    for (const ci of ['buildkite', 'bitbucket'] as const) {
      const { agentApi, reports } = stage.world;
      const shown = () =>
        ci === 'buildkite' ? agentApi.annotations() : reports.reports().filter(({ current }) => current !== undefined);
      const before = shown().length;
      const target = sample.targets.exchange;
      stage.world.fault({
        kind: 'answer',
        ...target,
        times: 1,
        answer: { status: 400, type: 'text/plain', text: 'no' },
      });
      const first = await runStep(stage, { kind: id, ci, build });
      expect(first.exitCode, first.log).not.toBe(EXIT.done);
      expect(shown()).toHaveLength(before + 1);
      const again = await runStep(stage, { kind: id, ci, build, retry: 'automatic' });
      expect(again.exitCode, again.log).toBe(EXIT.done);
      expect(shown()).toHaveLength(before + 1);
    }
  }),
);

test.each(SAMPLES)('two pipes of one Bitbucket step keep their own %s', (id, sample) =>
  stages.use(async (stage, build) => {
    const runs = runsOf(stage, sample);
    const reportsBefore = stage.world.reports.reports().length;
    const step = { kind: id, ci: 'bitbucket', build } as const;
    const first = await runStep(stage, { ...step, settings: { instance: 'a' } });
    const { checkout } = first;
    const second = await runStep(stage, { ...step, checkout, settings: { instance: 'b' } });
    expect([first.exitCode, second.exitCode], second.log).toEqual([EXIT.done, EXIT.done]);
    expect(runs()).toBe(2);
    const own = `file:.keyless-submit/outputs-${keyOf(first)}.json`;
    const attached = await runStep(stage, { ...step, checkout, settings: { attach: own, spec: null } });
    expect(attached.exitCode, attached.log).toBe(EXIT.done);
    expect(attached.outputs).toMatchObject({ id: first.outputs?.id });
    const ids = stage.world.reports.reports().slice(reportsBefore);
    expect(ids).toHaveLength(3);

    const third = await runStep(stage, { ...step, checkout, settings: { instance: 'a' } });
    expect(third.log).toContain('Another job of this build submitted the identical request: joining its run');
    expect(runs()).toBe(2);
  }),
);

const OTHER_WORKSPACE = 'dbc-00000000-0000.cloud.databricks.com';
/** A workspace that exchanges every token and has one run, which it says it made. */
async function otherWorkspace(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  return pathname.endsWith('/oidc/v1/token')
    ? Response.json({ access_token: 'a-token-of-another-workspace', token_type: 'Bearer', expires_in: 3600 })
    : Response.json({ run_id: 77, state: { life_cycle_state: 'TERMINATED', result_state: 'SUCCESS' } });
}

test.each([
  ['vertex-custom-job', { project: 'acme-research' }, '/v1/projects/acme-research/locations/'],
  ['databricks-submit-run', { host: OTHER_WORKSPACE }, `${OTHER_WORKSPACE}/api/2.2/jobs/runs/submit`],
  ['databricks-run-now', { host: OTHER_WORKSPACE }, `${OTHER_WORKSPACE}/api/2.2/jobs/run-now`],
])('the same %s in another project or workspace is not the same submission', async (id, elsewhere, place) => {
  await using stage = await createStage({ hosts: { [OTHER_WORKSPACE]: otherWorkspace } });
  for (const ci of ['buildkite', 'bitbucket'] as const) {
    const first = await runStep(stage, { kind: id, ci });
    const { checkout } = first;
    const second = await runStep(stage, { kind: id, ci, sibling: 2, checkout, settings: elsewhere });
    expect(first.exitCode, first.log).toBe(EXIT.done);
    expect(second.log).not.toContain('joining its run');
    expect(
      second.requests.filter(({ method, host, path }) => method === 'POST' && `${host}${path}`.includes(place)),
    ).not.toEqual([]);
  }
});
