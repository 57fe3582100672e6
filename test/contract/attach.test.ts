import { expect, test } from 'vitest';
import { EXIT } from '../../shared/errors.ts';
import { DATABRICKS } from '../simulators/tenant.ts';
import { runStep, type Stage, type Step, type StepResult, sentTo } from './harness.ts';
import { CIS, type Ci, type KindSample, RUN_SAMPLES } from './kind-samples.ts';
import { HOUR, MINUTE } from './remote-life.ts';
import { stagePool } from './stage-pool.ts';

const stages = stagePool();
const SAMPLES_AND_CIS = RUN_SAMPLES.flatMap((sample) => CIS.map((ci) => [sample.id, ci, sample] as const));

/** A step that submits and leaves. */
async function submitAndLeave(stage: Stage, step: Pick<Step, 'kind' | 'ci' | 'build'>): Promise<StepResult> {
  return runStep(stage, { ...step, settings: { wait: false, 'outputs-file': '.keyless-submit/outputs.json' } });
}

/** A later step of the same build, with the artifacts of the first. */
async function attach(
  stage: Stage,
  step: Pick<Step, 'kind' | 'ci' | 'build' | 'checkout'>,
  reference: string,
): Promise<StepResult> {
  stage.clock.advance(5 * MINUTE);
  return runStep(stage, { ...step, stepKey: 'evaluate', settings: { attach: reference, spec: null } });
}

type Reference = readonly [name: string, of: (submitted: StepResult, sample: KindSample) => string, cis: readonly Ci[]];

const REFERENCES: readonly Reference[] = [
  ['its id', ({ outputs }) => outputs?.id ?? '', CIS],
  ['its short id', ({ outputs }, sample) => sample.otherName(outputs?.id ?? ''), CIS],
  ['the outputs file', () => 'file:.keyless-submit/outputs.json', CIS],
  ['the step that submitted it', () => 'step:train', ['buildkite']],
  ['its submission key', ({ outputs }) => `key:${outputs?.['submission-key']}`, CIS],
];

test.each(SAMPLES_AND_CIS)('with wait: false, %s is left to itself on %s', (id, ci, sample) =>
  stages.use(async (stage, build) => {
    const left = await submitAndLeave(stage, { kind: id, ci, build });
    expect(left.exitCode, left.log).toBe(EXIT.done);
    const url = expect.stringMatching(/^https:/);
    expect(left.outputs).toMatchObject({ kind: id, result: 'submitted', attempt: '1', url });
    // One look at most, where only the service knows the address.
    expect(sentTo(left.requests, sample.targets.status).length).toBeLessThanOrEqual(1);
    expect(left.log).toContain(
      `To wait for it in a later step: ${ci === 'bitbucket' ? 'ATTACH' : 'attach'}: ${left.outputs?.id}`,
    );
  }),
);

test.each(
  RUN_SAMPLES.flatMap((sample) =>
    REFERENCES.filter(([name]) => sample.findsByKey || name !== 'its submission key').flatMap(([name, of, cis]) =>
      cis.map((ci) => [sample.id, name, ci, { sample, of }] as const),
    ),
  ),
)('%s is attached to by %s on %s', (id, _name, ci, { sample, of }) =>
  stages.use(async (stage, build) => {
    const before = sample.jobs(stage.world).length;
    sample.script(stage.world, { runningMs: 20 * MINUTE, end: 'success' });
    const left = await submitAndLeave(stage, { kind: id, ci, build });
    const { checkout } = left;
    const result = await attach(stage, { kind: id, ci, build, checkout }, of(left, sample));
    expect(result.exitCode, result.log).toBe(EXIT.done);
    expect(result.outputs).toMatchObject({ kind: id, result: 'succeeded', attempt: '1' });
    expect(sample.otherName(result.outputs?.id ?? '')).toBe(sample.otherName(left.outputs?.id ?? ''));
    expect(sample.jobs(stage.world)).toHaveLength(before + 1);
  }),
);

test.each(SAMPLES_AND_CIS)('an attached %s is cancelled with its step on %s', (id, ci, sample) =>
  stages.use(async (stage, build) => {
    sample.script(stage.world, { runningMs: HOUR, end: 'success' });
    const { outputs } = await submitAndLeave(stage, { kind: id, ci, build });
    const controller = new AbortController();
    stage.clock.after(10 * MINUTE, () => controller.abort('SIGTERM'));
    const settings = { attach: outputs?.id ?? '', spec: null };
    const result = await runStep(stage, { kind: id, ci, build, settings, signal: controller.signal });
    expect(result.exitCode, result.log).toBe(EXIT.terminated);
    expect(sample.jobs(stage.world).at(-1)).toMatchObject({ id: outputs?.id, cancelled: true });
  }),
);

test.each(SAMPLES_AND_CIS)('a failure of an attached %s fails the step on %s', (id, ci, sample) =>
  stages.use(async (stage, build) => {
    sample.script(stage.world, { end: { cause: 'code' } });
    const { outputs } = await submitAndLeave(stage, { kind: id, ci, build });
    const result = await attach(stage, { kind: id, ci, build }, outputs?.id ?? '');
    expect(result.exitCode, result.log).toBe(EXIT.jobFailed);
    expect(result.outputs).toMatchObject({ result: 'failed', failure: 'code' });
  }),
);

test.each(SAMPLES_AND_CIS)('a reference that leads to nothing is explained for %s on %s', (id, ci, sample) =>
  stages.use(async (stage, build) => {
    const missingFile = await attach(stage, { kind: id, ci, build }, 'file:nowhere.json');
    expect(missingFile.exitCode, missingFile.log).toBe(EXIT.settings);
    expect(missingFile.log).toContain('nowhere.json does not exist in the checkout');
    expect(missingFile.requests).toEqual([]);

    const nobody = ci === 'buildkite' ? 'step:nobody' : (sample.nobodysName ?? '404');
    const result = await attach(stage, { kind: id, ci, build }, nobody);
    expect(result.exitCode, result.log).toBe(EXIT.service);
    expect(result.log).toMatch(/not-found: \S.*/);
    expect(result.log).toMatch(/What to do:\n {4}\S/);
    expect(result.log).not.toContain('is not affected and keeps running');
  }),
);

test.each(SAMPLES_AND_CIS)('what cannot name %s is refused on %s before anything is sent', (id, ci, sample) =>
  stages.use(async (stage, build) => {
    const wrong = ['https://example.com/job', 'key:1234', ...(sample.findsByKey ? [] : [`key:${'0'.repeat(64)}`])];
    for (const reference of wrong) {
      const result = await attach(stage, { kind: id, ci, build }, reference);
      expect(result.exitCode, result.log).toBe(EXIT.settings);
      expect(result.log).toContain(`${ci === 'bitbucket' ? 'ATTACH' : 'attach'}: expected`);
      expect(result.requests.filter(({ host }) => !/buildkite|bitbucket/.test(host))).toEqual([]);
    }
  }),
);

test.each(CIS)('a Databricks run is attached to without its job-id on %s, and the log does not name a job', (ci) =>
  stages.use(async (stage, build) => {
    const kind = 'databricks-run-now';
    const left = await submitAndLeave(stage, { kind, ci, build });
    const settings = { attach: left.outputs?.id ?? '', 'job-id': null, 'job-parameters': null };
    const result = await runStep(stage, { kind, ci, build, stepKey: 'evaluate', settings });
    expect(result.exitCode, result.log).toBe(EXIT.done);
    expect(result.log).toContain(`Attach: a run on ${DATABRICKS.host}`);
  }),
);
