import { expect, test } from 'vitest';
import { EXIT } from '../../shared/errors.ts';
import type { FailureCause, Phase } from '../../shared/kind.ts';
import { aiplatformTypes } from '../simulators/protobuf-types.ts';
import { runStep } from './harness.ts';
import { CIS, KIND_SAMPLES, type KindSample } from './kind-samples.ts';
import { stagePool } from './stage-pool.ts';

const stages = stagePool();

/** What becomes of a job that is in a state, by the state's name in the published description. */
const JOB_STATES: Readonly<Record<string, Phase>> = {
  JOB_STATE_UNSPECIFIED: 'queued',
  JOB_STATE_QUEUED: 'queued',
  JOB_STATE_PENDING: 'queued',
  JOB_STATE_RUNNING: 'running',
  JOB_STATE_UPDATING: 'running',
  JOB_STATE_PAUSED: 'running',
  JOB_STATE_CANCELLING: 'running',
  JOB_STATE_SUCCEEDED: 'succeeded',
  JOB_STATE_PARTIALLY_SUCCEEDED: 'failed',
  JOB_STATE_FAILED: 'failed',
  JOB_STATE_EXPIRED: 'failed',
  JOB_STATE_CANCELLED: 'cancelled',
};
const EXIT_CODES: Readonly<Record<string, number>> = {
  succeeded: EXIT.done,
  failed: EXIT.jobFailed,
  cancelled: EXIT.cancelledElsewhere,
};

const published = Object.keys(aiplatformTypes()('google.cloud.aiplatform.v1.JobState', '')?.descriptor.values ?? {});

test('every published job state is looked at here', () => {
  expect(Object.keys(JOB_STATES).toSorted()).toEqual(published.toSorted());
});

test.each([...Object.entries(JOB_STATES), ['JOB_STATE_HIBERNATING', 'running'] as const])(
  'a custom job in %s is %s',
  (state, phase) =>
    stages.use(async (stage, build) => {
      const over = state in JOB_STATES && EXIT_CODES[phase] !== undefined;
      // Unspecified is the zero value, which JSON leaves out.
      const first = state === 'JOB_STATE_UNSPECIFIED' ? { forReads: 1 } : { state, forReads: 1 };
      stage.world.google.nextLife(over ? [{ state }] : [first, { state: 'JOB_STATE_SUCCEEDED' }]);
      const { exitCode, log, outputs } = await runStep(stage, { kind: 'vertex-custom-job', ci: 'buildkite', build });
      expect(log).toContain(`0s ${phase.padEnd(9)} ${state}`);
      expect(exitCode).toBe(over ? EXIT_CODES[phase] : EXIT.done);
      expect(outputs?.result).toBe(over ? phase : 'succeeded');
    }),
);

type End = 'succeeded' | 'cancelled' | FailureCause;

/** How a run ends by its termination code, with the type that comes with it. */
const TERMINATIONS: readonly (readonly [code: string, type: string, end: End])[] = [
  ['SUCCESS', 'SUCCESS', 'succeeded'],
  ['SUCCESS_WITH_FAILURES', 'CLIENT_ERROR', 'code'],
  ['CANCELED', 'CLIENT_ERROR', 'cancelled'],
  ['USER_CANCELED', 'CLIENT_ERROR', 'cancelled'],
  ['SKIPPED', 'CLIENT_ERROR', 'code'],
  ['DISABLED', 'CLIENT_ERROR', 'code'],
  ['INTERNAL_ERROR', 'INTERNAL_ERROR', 'infrastructure'],
  ['DRIVER_ERROR', 'INTERNAL_ERROR', 'infrastructure'],
  ['CLUSTER_ERROR', 'CLIENT_ERROR', 'infrastructure'],
  ['CLUSTER_REQUEST_LIMIT_EXCEEDED', 'CLIENT_ERROR', 'quota'],
  ['REPOSITORY_CHECKOUT_FAILED', 'CLIENT_ERROR', 'permission'],
  ['INVALID_CLUSTER_REQUEST', 'CLIENT_ERROR', 'code'],
  ['WORKSPACE_RUN_LIMIT_EXCEEDED', 'CLIENT_ERROR', 'quota'],
  ['FEATURE_DISABLED', 'CLIENT_ERROR', 'code'],
  ['STORAGE_ACCESS_ERROR', 'CLIENT_ERROR', 'permission'],
  ['RUN_EXECUTION_ERROR', 'CLIENT_ERROR', 'code'],
  ['UNAUTHORIZED_ERROR', 'CLIENT_ERROR', 'permission'],
  ['LIBRARY_INSTALLATION_ERROR', 'CLIENT_ERROR', 'code'],
  ['MAX_CONCURRENT_RUNS_EXCEEDED', 'CLIENT_ERROR', 'quota'],
  ['MAX_JOB_QUEUE_SIZE_EXCEEDED', 'CLIENT_ERROR', 'quota'],
  ['MAX_SPARK_CONTEXTS_EXCEEDED', 'CLIENT_ERROR', 'code'],
  ['RESOURCE_NOT_FOUND', 'CLIENT_ERROR', 'code'],
  ['INVALID_RUN_CONFIGURATION', 'CLIENT_ERROR', 'code'],
  ['CLOUD_FAILURE', 'CLOUD_FAILURE', 'infrastructure'],
  ['BREAKING_CHANGE', 'CLIENT_ERROR', 'code'],
  ['BUDGET_POLICY_LIMIT_EXCEEDED', 'CLIENT_ERROR', 'quota'],
  // Codes of tomorrow: their type tells whose problem it was.
  ['COMET_STRUCK', 'INTERNAL_ERROR', 'infrastructure'],
  ['COMET_STRUCK', 'CLOUD_FAILURE', 'infrastructure'],
  ['COMET_STRUCK', 'CLIENT_ERROR', 'code'],
  ['COMET_STRUCK', 'COMET', 'code'],
];

test.each(TERMINATIONS)('a run that ends with %s (%s) is told as %s', (code, type, end) =>
  stages.use(async (stage, build) => {
    const resultState = end === 'succeeded' ? 'SUCCESS' : end === 'cancelled' ? 'CANCELED' : 'FAILED';
    stage.world.databricks.nextLife({
      end: { kind: 'terminated', type, code, lifeCycleState: 'TERMINATED', resultState, message: `because of ${code}` },
    });
    const { exitCode, outputs, lines } = await runStep(stage, { kind: 'databricks-run-now', ci: 'buildkite', build });
    const phase = end === 'succeeded' || end === 'cancelled' ? end : 'failed';
    expect(exitCode).toBe(EXIT_CODES[phase]);
    expect(outputs).toMatchObject({ result: phase, state: code });
    expect(outputs?.failure).toBe(phase === 'failed' ? end : undefined);
    if (phase === 'failed') expect(lines).toContain(`  │ because of ${code}`);
  }),
);

const RUN_STATES: readonly (readonly [string, Phase])[] = [
  ['BLOCKED', 'queued'],
  ['PENDING', 'queued'],
  ['QUEUED', 'queued'],
  ['WAITING', 'queued'],
  ['RUNNING', 'running'],
  ['TERMINATING', 'running'],
  ['HIBERNATING', 'running'],
];

test.each(RUN_STATES)('a run in %s is %s', (state, phase) =>
  stages.use(async (stage, build) => {
    stage.world.databricks.nextLife({ phases: [{ state, span: { gets: 1 } }], end: { kind: 'success' } });
    const { exitCode, log } = await runStep(stage, { kind: 'databricks-run-now', ci: 'buildkite', build });
    expect(exitCode).toBe(EXIT.done);
    expect(log).toContain(`0s ${phase.padEnd(9)} ${state}`);
  }),
);

function canEnd({ ends }: KindSample, end: string): boolean {
  return ends === undefined || ends.some((each) => each === end);
}

const CAUSES: Readonly<Record<FailureCause, RegExp>> = {
  code: /own code or configuration failed/,
  infrastructure: /infrastructure failed; running it again may help/,
  quota: /a quota or a lack of capacity/,
  permission: /lacked a permission/,
  timeout: /took longer than it may/,
};

test.each(
  KIND_SAMPLES.flatMap((sample) =>
    Object.entries(CAUSES)
      .filter(([cause]) => canEnd(sample, cause))
      .flatMap(([cause, words]) => CIS.map((ci) => [sample.id, cause as FailureCause, ci, words, sample] as const)),
  ),
)('when %s fails for %s, %s tells so', (id, cause, ci, words, sample) =>
  stages.use(async (stage, build) => {
    sample.script(stage.world, { end: { cause } });
    const { exitCode, log, outputs, reports, reportState } = await runStep(stage, { kind: id, ci, build });
    expect(exitCode).toBe(EXIT.jobFailed);
    expect(outputs).toMatchObject({ result: 'failed', failure: cause });
    expect(log).toMatch(words);
    expect(reportState).toMatch(/^(?:error|FAILED)$/);
    expect(reports.at(-1)).toMatch(ci === 'bitbucket' ? words : /The job failed/);
  }),
);

test.each(
  KIND_SAMPLES.filter((sample) => canEnd(sample, 'cancelled')).flatMap((sample) =>
    CIS.map((ci) => [sample.id, ci, sample] as const),
  ),
)('when somebody else cancels %s, %s tells it from a failure', (id, ci, sample) =>
  stages.use(async (stage, build) => {
    sample.script(stage.world, { end: 'cancelled' });
    const { exitCode, log, outputs } = await runStep(stage, { kind: id, ci, build });
    expect(exitCode).toBe(EXIT.cancelledElsewhere);
    expect(outputs?.result).toBe('cancelled');
    expect(log).toContain('Somebody cancelled the job');
  }),
);
