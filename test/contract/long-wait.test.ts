import { expect, test } from 'vitest';
import { EXIT } from '../../shared/errors.ts';
import { googleTenant } from '../simulators/tenant.ts';
import { createStage, runStep, type StepResult, sentTo } from './harness.ts';
import { RUN_SAMPLES, sampleOf } from './kind-samples.ts';
import { HOUR, MINUTE } from './remote-life.ts';

const SAMPLES = RUN_SAMPLES.map((sample) => [sample.id, sample] as const);
const FEDERATED = SAMPLES.filter(([, { hasKey }]) => hasKey === undefined);
/** Some kinds would give up sooner by themselves. */
const PATIENT = { timeout: '23h' };
const TWELVE_HOURS = { queuedMs: 30 * MINUTE, runningMs: 11.5 * HOUR, end: 'success' } as const;

/** A log that people can read: few lines in all the hours, and none that only repeats the one before. */
function expectReadable({ lines }: StepResult): void {
  const wait = lines.slice(
    lines.findIndex((line) => line.includes('Wait for the job')),
    lines.findIndex((line) => /(?:Result|Error)$/.test(line)),
  );
  expect(wait.length).toBeGreaterThan(2);
  expect(wait.length).toBeLessThan(45);
  const words = lines.map((line) => line.trim()).filter((line) => line !== '');
  expect(words.filter((line, index) => line === words[index - 1])).toEqual([]);
}

test.each(SAMPLES)('on Buildkite the wait for twelve hours of %s outlives its tokens', async (id, sample) => {
  await using stage = await createStage();
  sample.script(stage.world, TWELVE_HOURS);
  const startedAt = stage.clock.now();
  const result = await runStep(stage, { kind: id, ci: 'buildkite', settings: PATIENT });
  expect(result.exitCode, result.log).toBe(EXIT.done);
  expect(stage.clock.now() - startedAt).toBeGreaterThanOrEqual(12 * HOUR);
  expect(sample.jobs(stage.world)).toMatchObject([{ cancelled: false }]);
  // Every token lives an hour at most, and none is exchanged much before its time; a key is got once.
  const exchanges = sentTo(result.requests, sample.targets.exchange).length;
  expect(exchanges).toBeGreaterThanOrEqual(sample.hasKey === undefined ? 12 : 1);
  expect(exchanges).toBeLessThanOrEqual(sample.hasKey === undefined ? 14 : 1);
  expect(stage.world.agentApi.oidcRequests()).toHaveLength(exchanges);
  expectReadable(result);
});

test.each(SAMPLES.filter(([, { hasKey }]) => hasKey === true))(
  'on Bitbucket the wait for twelve hours of %s goes on with the key that the step got',
  async (id, sample) => {
    await using stage = await createStage();
    sample.script(stage.world, TWELVE_HOURS);
    const result = await runStep(stage, { kind: id, ci: 'bitbucket', settings: PATIENT });
    expect(result.exitCode, result.log).toBe(EXIT.done);
    expect(sentTo(result.requests, sample.targets.exchange)).toHaveLength(1);
    expectReadable(result);
  },
);

test.each(FEDERATED)(
  'on Bitbucket the wait for twelve hours of %s ends in time, and another step goes on',
  async (id, sample) => {
    await using stage = await createStage();
    sample.script(stage.world, TWELVE_HOURS);
    const startedAt = stage.clock.now();
    const first = await runStep(stage, { kind: id, ci: 'bitbucket', settings: PATIENT });
    expect(first.exitCode, first.log).toBe(EXIT.deadline);
    const [job] = sample.jobs(stage.world);
    expect(sample.jobs(stage.world)).toMatchObject([{ cancelled: false }]);
    expect(first.outputs).toMatchObject({ result: 'unfinished', id: job?.id });
    expect(first.log).toContain('wait-credential-ended: ');
    expect(first.lines).toContain(`    To wait for it in a later step: ATTACH: ${job?.id}`);
    expect(first.log).toMatch(/WARNING: This step can wait until about 2026-11-21T/);
    expectReadable(first);

    // It used what it had: the service answered to the end, and nothing was asked after it.
    const answers = sentTo(first.requests, sample.targets.status);
    expect(answers.length).toBeGreaterThan(50);
    const waited = stage.clock.now() - startedAt;
    expect(waited).toBeGreaterThan(58 * MINUTE);
    expect(waited).toBeLessThan(2 * HOUR);

    stage.clock.advance(startedAt + 11.5 * HOUR - stage.clock.now());
    const settings = { ...PATIENT, attach: 'file:.keyless-submit/outputs.json', spec: null };
    const second = await runStep(stage, { kind: id, ci: 'bitbucket', checkout: first.checkout, settings });
    expect(second.exitCode, second.log).toBe(EXIT.done);
    expect(second.outputs).toMatchObject({ result: 'succeeded', id: job?.id });
    expect(sample.jobs(stage.world)).toHaveLength(1);
    expectReadable(second);
  },
);

test('on Bitbucket a service account whose tokens live twelve hours is waited for as long', async () => {
  const { serviceAccounts, ...tenant } = googleTenant();
  const extended = serviceAccounts.map((account) => ({ ...account, lifetimeExtension: true }));
  await using stage = await createStage({ google: { ...tenant, serviceAccounts: extended } });
  const sample = sampleOf('vertex-custom-job');
  sample.script(stage.world, TWELVE_HOURS);
  const settings = { 'token-lifetime': '12h' };
  const result = await runStep(stage, { kind: sample.id, ci: 'bitbucket', settings });
  expect(result.exitCode, result.log).toBe(EXIT.done);
  expect(sample.jobs(stage.world)).toMatchObject([{ cancelled: false }]);
  expectReadable(result);
});
