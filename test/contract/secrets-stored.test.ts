import { expect, test } from 'vitest';
import { EXIT } from '../../shared/errors.ts';
import { PREFECT } from '../simulators/prefect-tenant.ts';
import { createStage, runStep } from './harness.ts';
import { CIS } from './kind-samples.ts';

const KIND = 'prefect-flow-run';
const KEY = PREFECT.keys.service;
const PLACEHOLDER = '@{env:PREFECT_KEY}';
const UNSET = { 'secret-from': null, 'workload-identity-provider': null, 'service-account': null } as const;

test('a stored key that is also elsewhere in the settings is not printed by a dry run', async () => {
  await using stage = await createStage();
  // The harness refuses a key in the log.
  const { exitCode, log, concealed } = await runStep(stage, {
    kind: KIND,
    ci: 'buildkite',
    env: { PREFECT_KEY: KEY },
    settings: { ...UNSET, 'api-key': PLACEHOLDER, parameters: { key: PLACEHOLDER }, 'dry-run': true },
  });
  expect(exitCode, log).toBe(EXIT.done);
  expect(log).toContain('"key": "[redacted]"');
  expect(concealed.filter((value) => value === KEY)).toHaveLength(1);
});

test("a pipe's secret setting cannot be copied into a job", async () => {
  await using stage = await createStage();
  const { exitCode, log } = await runStep(stage, {
    kind: KIND,
    ci: 'bitbucket',
    settings: { ...UNSET, 'api-key': KEY, parameters: { key: '@{env:API_KEY}' } },
  });
  expect(exitCode, log).toBe(EXIT.settings);
  expect(log).toContain('@{env:API_KEY} could copy a credential of the CI into the job');
});

test.each([
  ['written there', KEY, true],
  ['named there', PLACEHOLDER, false],
])('a key that stands in the pipeline itself: %s', async (_where, written, isVisible) => {
  await using stage = await createStage();
  const { exitCode, log } = await runStep(stage, {
    kind: KIND,
    ci: 'buildkite',
    env: { PREFECT_KEY: KEY },
    settings: { ...UNSET, 'api-key': written },
  });
  expect(exitCode, log).toBe(EXIT.done);
  expect(
    log.includes('api-key stands in the configuration of the plugin, which everybody who can see the build can read'),
  ).toBe(isVisible);
  expect(log.includes('write @{env:NAME}')).toBe(isVisible);
  expect(log.split('is a stored key')).toHaveLength(2);
});

test('a variable that is not there is told by its name', async () => {
  await using stage = await createStage();
  const settings = { ...UNSET, 'api-key': PLACEHOLDER };
  const { exitCode, log } = await runStep(stage, { kind: KIND, ci: 'buildkite', settings });
  expect(exitCode, log).toBe(EXIT.settings);
  expect(log).toContain(`api-key: ${PLACEHOLDER}: the environment variable is not set in this step`);
});

test('a key of the wrong form is not shown where it also stands elsewhere', async () => {
  await using stage = await createStage();
  const settings = { ...UNSET, 'api-key': 'no-such-form-of-a-key', timeout: 'no-such-form-of-a-key' };
  const { exitCode, log } = await runStep(stage, { kind: KIND, ci: 'buildkite', settings });
  expect(exitCode, log).toBe(EXIT.settings);
  expect(log).not.toContain('no-such-form');
});

test('a stored key that is refused is told of once', async () => {
  await using stage = await createStage();
  const settings = { ...UNSET, 'api-key': PLACEHOLDER };
  const env = { PREFECT_KEY: 'pnb_a_key_that_was_revoked' };
  const { exitCode, log } = await runStep(stage, { kind: KIND, ci: 'buildkite', env, settings });
  expect(exitCode, log).toBe(EXIT.identity);
  expect(log.split('is a stored key')).toHaveLength(2);
});

test.each(CIS)('on %s a variable that nothing has replaced is told by its name, and is no stored key', async (ci) => {
  await using stage = await createStage();
  const settings = { ...UNSET, 'api-key': '$PREFECT_KEY' };
  const { exitCode, log } = await runStep(stage, { kind: KIND, ci, settings });
  expect(exitCode, log).toBe(EXIT.settings);
  expect(log).toContain('got $PREFECT_KEY, which nothing has replaced: no variable of that name is set');
  expect(log).not.toContain('replace that key');
});
