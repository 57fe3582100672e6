import { join } from 'node:path';
import { expect, test } from 'vitest';
import { buildkiteHost } from '../../buildkite-plugin/buildkite-host.ts';
import { buildkiteSettings } from '../../buildkite-plugin/buildkite-settings.ts';
import { checkoutFiles } from '../../shared/edge/checkout-files.ts';
import type { Json } from '../../shared/json.ts';
import { bindRun } from '../../shared/run/bind.ts';
import { JOB_KINDS, KIND_SETTINGS } from '../../shared/services/index.ts';
import { sampleOf } from '../contract/kind-samples.ts';

const DAY = 86_400;
const BUILD = { directory: 'examples/vercel/output' };

/** How long a step with these settings would wait, in seconds. */
async function waitSeconds(kind: string, given: Readonly<Record<string, Json>>): Promise<number> {
  const settings = new Map(Object.entries({ job: kind, ...sampleOf(kind).settings('buildkite'), ...given }));
  const files = checkoutFiles(join(import.meta.dirname, '../..'));
  const env = {
    BUILDKITE_BRANCH: 'main',
    BUILDKITE_COMMIT: '0123456789abcdef0123456789abcdef01234567',
    BUILDKITE_REPO: 'https://github.com/acme/vision.git',
  };
  const agent = async () => ({ exitCode: 1, stdout: '', stderr: '' });
  const host = buildkiteHost({ env, settings, files, agent, write: () => undefined });
  const bound = await bindRun({
    host,
    hostSettings: buildkiteSettings,
    kinds: JOB_KINDS,
    kindSettings: KIND_SETTINGS,
    files,
    env,
    protectedVariables: new Set(),
  });
  return bound.waitSeconds;
}

test.each([
  ['vertex-custom-job', 'nothing says how long', {}, DAY],
  ['vertex-custom-job', 'the spec allows longer', { set: { 'jobSpec.scheduling.timeout': '172800s' } }, 2 * DAY],
  ['vertex-custom-job', 'the spec allows less', { set: { 'jobSpec.scheduling.timeout': '60s' } }, DAY],
  [
    'vertex-custom-job',
    'a timeout is set, it holds',
    { timeout: '1h', set: { 'jobSpec.scheduling.timeout': '172800s' } },
    3_600,
  ],
  ['databricks-submit-run', 'nothing says how long', {}, DAY],
  ['databricks-submit-run', 'the spec allows longer', { set: { timeout_seconds: 172_800 } }, 2 * DAY],
  ['databricks-submit-run', 'a timeout is set, it holds', { timeout: '1h', set: { timeout_seconds: 172_800 } }, 3_600],
  ['prefect-flow-run', 'nothing says how long', {}, DAY],
  ['vercel-deployment', 'nothing says how long, sooner than others', BUILD, 2_700],
  ['vercel-deployment', 'a timeout is set, it holds', { ...BUILD, timeout: '24h' }, DAY],
] as const)('the wait for %s where %s', async (kind, _what, given, seconds) => {
  expect(await waitSeconds(kind, given)).toBe(seconds);
});
