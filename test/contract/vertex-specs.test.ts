import { describe, expect, test } from 'vitest';
import { EXIT } from '../../shared/errors.ts';
import type { Json } from '../../shared/json.ts';
import { runStep, type Stage } from './harness.ts';
import { stagePool } from './stage-pool.ts';

const stages = stagePool();
const pool = {
  machineSpec: { machineType: 'n1-standard-4' },
  replicaCount: 1,
  containerSpec: { imageUri: 'x.io/y:1' },
};
const snakePool = {
  machine_spec: { machine_type: 'n1-standard-4' },
  replica_count: 1,
  container_spec: { image_uri: 'x.io/y:1' },
};

async function submit(stage: Stage, build: number, settings: Readonly<Record<string, Json>>, env = {}) {
  const before = stage.world.google.jobs().length;
  const result = await runStep(stage, { kind: 'vertex-custom-job', ci: 'bitbucket', build, settings, env });
  return { ...result, job: stage.world.google.jobs().slice(before)[0]?.job };
}

const WANTED = { workerPoolSpecs: [{ ...pool, replicaCount: '1' }], scheduling: { timeout: '86400s' } };
const OWN_TIMEOUT = { ...WANTED, scheduling: { timeout: '600s' } };

const SPECS: readonly (readonly [string, Json, unknown])[] = [
  [
    'a CustomJob',
    { displayName: 'train', jobSpec: { workerPoolSpecs: [pool] } },
    { displayName: 'train', jobSpec: WANTED },
  ],
  [
    'a CustomJob in snake_case',
    { display_name: 'train', job_spec: { worker_pool_specs: [snakePool] } },
    { displayName: 'train', jobSpec: WANTED },
  ],
  ['a CustomJobSpec, as for gcloud', { workerPoolSpecs: [pool] }, { displayName: 'vision-', jobSpec: WANTED }],
  ['a CustomJobSpec in snake_case', { worker_pool_specs: [snakePool] }, { displayName: 'vision-', jobSpec: WANTED }],
  [
    'one with a timeout of its own',
    { jobSpec: { workerPoolSpecs: [pool], scheduling: { timeout: '600s' } } },
    { displayName: 'vision-', jobSpec: OWN_TIMEOUT },
  ],
  [
    'one with a label of its own in the place of ours',
    { labels: { ci_branch: 'mine' }, jobSpec: { workerPoolSpecs: [pool] } },
    { displayName: 'vision-', jobSpec: WANTED, labels: { ci_branch: 'mine' } },
  ],
];

describe('a custom job may be written as', () => {
  test.each(SPECS)('%s', (_what, spec, wanted) =>
    stages.use(async (stage, build) => {
      const { exitCode, log, job } = await submit(stage, build, { spec });
      expect(exitCode, log).toBe(EXIT.done);
      const { displayName, ...rest } = wanted as { displayName: string };
      expect(job).toMatchObject(rest);
      expect(job?.displayName).toBe(displayName === 'vision-' ? `vision-${build}` : displayName);
    }),
  );
});

test('labels are cut to what the service takes', () =>
  stages.use(async (stage, build) => {
    const env = { BITBUCKET_BRANCH: `feature/ÄÖÜ_${'x'.repeat(100)}--`, BITBUCKET_TAG: '-v1.2.3+build!' };
    const settings = { spec: { jobSpec: { workerPoolSpecs: [pool] } } };
    const { exitCode, log, job } = await submit(stage, build, settings, env);
    expect(exitCode, log).toBe(EXIT.done);
    expect(job?.labels?.ci_branch).toMatch(/^feature-[-_x]+$/);
    expect(job?.labels?.ci_tag).toBe('v1-2-3-build');
  }));

test('single fields are set by path', () =>
  stages.use(async (stage, build) => {
    const spec = { jobSpec: { workerPoolSpecs: [pool] } };
    const set = {
      'jobSpec.workerPoolSpecs[0].replicaCount': 2,
      'jobSpec.scheduling.strategy': 'SPOT',
      displayName: 'b',
    };
    const { exitCode, log, job } = await submit(stage, build, { spec, set });
    expect(exitCode, log).toBe(EXIT.done);
    expect(job).toMatchObject({
      displayName: 'b',
      jobSpec: {
        workerPoolSpecs: [{ replicaCount: '2' }],
        scheduling: { strategy: 'SPOT', timeout: '86400s' },
      },
    });
  }));

const WRONG: readonly (readonly [string, Readonly<Record<string, Json>>, readonly string[]])[] = [
  ['without a spec', { spec: null }, ['SPEC: is required']],
  ['that is something else', { spec: { pipelineSpec: {} } }, ['has neither jobSpec (a CustomJob) nor workerPoolSpecs']],
  ['without pools', { spec: { jobSpec: {} } }, ['jobSpec.workerPoolSpecs must be a list']],
  ['named twice', { spec: { jobSpec: { workerPoolSpecs: [pool] }, job_spec: {} } }, ['has both jobSpec and job_spec']],
  [
    'with several faults, all of which are told',
    { region: 'us-central', labels: { Team: 'x' }, timeout: '5 hours', spec: { jobSpec: { workerPoolSpecs: '@{x}' } } },
    ['REGION: expected', 'LABELS: expected', 'TIMEOUT: expected', '@{x} is not a placeholder'],
  ],
];

test.each(WRONG)('a custom job %s is refused before anything is sent', (_what, settings, faults) =>
  stages.use(async (stage, build) => {
    const { exitCode, log, requests } = await submit(stage, build, settings);
    expect(exitCode).toBe(EXIT.settings);
    for (const fault of faults) expect(log).toContain(fault);
    expect(requests.filter(({ host }) => host.endsWith('googleapis.com'))).toEqual([]);
  }),
);
