import { expect, test } from 'vitest';
import { EXIT } from '../../shared/errors.ts';
import { runStep } from './harness.ts';
import { sampleOf } from './kind-samples.ts';
import { stagePool } from './stage-pool.ts';

const stages = stagePool();
const KIND = 'vertex-batch-prediction-job';

// Of a hundred instances, so many fail; the service calls the job succeeded all the same.
test.each([
  [0, undefined, EXIT.done],
  [1, undefined, EXIT.jobFailed],
  [3, 2, EXIT.jobFailed],
  [3, 3, EXIT.done],
] as const)('with %i failed instances, of which %s may fail, the step ends with %i', (failed, most, exitCode) =>
  stages.use(async (stage, build) => {
    sampleOf(KIND).script(stage.world, { end: 'success', failedInstances: failed });
    const settings = most === undefined ? {} : { 'max-failed-instances': most };
    const step = await runStep(stage, { kind: KIND, ci: 'bitbucket', build, settings });
    expect(step.exitCode, step.log).toBe(exitCode);
    expect(step.outputs).toMatchObject({
      state: 'JOB_STATE_SUCCEEDED',
      result: exitCode === EXIT.done ? 'succeeded' : 'failed',
      'successful-instances': String(100 - failed),
      'failed-instances': String(failed),
      'output-directory': expect.stringMatching(/^gs:\/\/acme-ml-data\/predictions\/prediction-churn-/),
    });
    if (failed > 0) expect(step.log).toContain(`${failed} of 100 instances failed`);
    if (exitCode === EXIT.jobFailed) expect(step.log).toContain(`max-failed-instances allows ${most ?? 0}`);
  }),
);

test('predictions in BigQuery are named by their table', () =>
  stages.use(async (stage, build) => {
    const { spec, ...settings } = sampleOf(KIND).settings('buildkite');
    const bigquery = {
      inputConfig: { instancesFormat: 'bigquery', bigquerySource: { inputUri: 'bq://acme-ml.rows.today' } },
      outputConfig: { predictionsFormat: 'bigquery', bigqueryDestination: { outputUri: 'bq://acme-ml' } },
    };
    const body = { ...(spec as object), ...bigquery };
    const step = await runStep(stage, { kind: KIND, ci: 'buildkite', build, settings: { ...settings, spec: body } });
    expect(step.exitCode, step.log).toBe(EXIT.done);
    expect(step.outputs?.['output-table']).toBeTruthy();
    expect(step.outputs?.['output-directory']).toBeUndefined();
  }));

test.each([
  ['no model', { model: undefined }, 'needs one of model and unmanagedContainerModel'],
  ['two models', { unmanagedContainerModel: {} }, 'needs one of model and unmanagedContainerModel'],
  ['no input', { inputConfig: undefined }, 'inputConfig.instancesFormat is missing'],
  ['an input that is text', { inputConfig: 'gs://x' }, 'inputConfig must be a mapping'],
  ['an output without a format', { outputConfig: {} }, 'outputConfig.predictionsFormat is missing'],
  ['a config spelled twice', { input_config: {} }, 'has both inputConfig and input_config'],
] as const)('a spec with %s is refused before anything is sent', (_what, change, fault) =>
  stages.use(async (stage, build) => {
    const { spec } = sampleOf(KIND).settings('buildkite');
    const wrong = JSON.parse(JSON.stringify({ ...(spec as object), ...change }));
    const step = await runStep(stage, { kind: KIND, ci: 'buildkite', build, settings: { spec: wrong } });
    expect(step.exitCode, step.log).toBe(EXIT.settings);
    expect(step.log).toContain(fault);
  }),
);
