import { expect, test } from 'vitest';
import type { Json } from '../../shared/json.ts';
import { runStep } from './harness.ts';
import { CIS, type Ci } from './kind-samples.ts';
import { stagePool } from './stage-pool.ts';

const stages = stagePool();

const KEYS = {
  'of a known shape': 'dapi0123456789abcdef0123456789abcdef',
  'that looks random': 'wJalrXUtnFEMIaK7MDENGbbPxRfiCYzEXAMPLEKEY1',
  'of a variable with a telling name': 'correct-horse-battery',
};

/** Where a key may be pasted by mistake, by kind. */
const PLACES: readonly (readonly [kind: string, settings: (key: string) => Readonly<Record<string, Json>>])[] = [
  ['vertex-custom-job', (key) => ({ project: key })],
  ['vertex-custom-job', (key) => ({ job: key })],
  ['vertex-custom-job', (key) => ({ region: key })],
  ['vertex-custom-job', (key) => ({ spec: key })],
  ['vertex-custom-job', (key) => ({ attach: key, spec: null })],
  ['vertex-custom-job', (key) => ({ timeout: key })],
  ['vertex-custom-job', (key) => ({ labels: { [`${key}!`]: 'x' } })],
  ['vertex-custom-job', (key) => ({ labels: { team: `${key}!` } })],
  ['databricks-run-now', (key) => ({ host: key })],
  ['databricks-run-now', (key) => ({ host: `https://token:${key}@dbc-a1b2c3d4-e5f6.cloud.databricks.com` })],
  ['databricks-run-now', (key) => ({ 'client-id': key })],
  ['databricks-run-now', (key) => ({ 'job-id': key })],
  ['databricks-submit-run', (key) => ({ set: { [`${key}[`]: 1 } })],
  ['databricks-submit-run', (key) => ({ 'access-control-list': [{ user_name: 'x', permission_level: key }] })],
  ['prefect-flow-run', (key) => ({ 'api-url': key })],
  ['prefect-flow-run', (key) => ({ 'api-url': `https://me:${key}@prefect.example/api` })],
  ['prefect-flow-run', (key) => ({ deployment: key })],
  ['prefect-flow-run', (key) => ({ 'scheduled-time': key })],
  ['prefect-flow-run', (key) => ({ 'secret-from': { 'api-key': key } })],
  ['vercel-deployment', (key) => ({ directory: `${key}/../x` })],
  ['vercel-deployment', (key) => ({ aliases: [key] })],
  ['vercel-promote', (key) => ({ deployment: `file:${key}` })],
];

const cases = CIS.flatMap((ci) => Object.entries(KEYS).map(([what, key]) => [ci, what, key] as const));

test.each(cases)('on %s a key %s is not shown, whatever setting it was pasted into', (ci, what, key) =>
  stages.use(async (stage, build) => {
    for (const [kind, place] of PLACES) {
      const settings = place(key);
      const env = what.startsWith('of a variable') ? { PREFECT_TOKEN: key } : {};
      const { exitCode, log, reports } = await runStep(stage, {
        kind,
        ci,
        build,
        settings: { ...settings, debug: true },
        env,
      });
      expect(exitCode, `${JSON.stringify(settings)}: ${log}`).not.toBe(0);
      expect(`${log}${reports.join('')}`, JSON.stringify(settings)).not.toContain(key.slice(0, 16));
    }
  }),
);

test.each(CIS)('on %s a setting that does not exist is named, and its value is not shown', (ci) =>
  stages.use(async (stage, build) => {
    const [key] = Object.values(KEYS);
    const step = {
      kind: 'vertex-custom-job',
      ci,
      build,
      settings: { 'service-acount': key ?? '', [misspelt(ci)]: 'x' },
    };
    const { exitCode, log } = await runStep(stage, step);
    expect(exitCode).toBe(2);
    expect(log).toMatch(/service.acount/i);
    expect(log).not.toContain('0123456789abcdef');
  }),
);

/** On Buildkite every name is a setting; a pipe takes other variables for the user's own. */
function misspelt(ci: Ci): string {
  return ci === 'buildkite' ? 'ghp_0123456789abcdefghij0123456789abcd' : 'regionn';
}

test.each([
  ['buildkite', 'BUILDKITE_S3_SECRET_ACCESS_KEY'],
  ['buildkite', 'BUILDKITE_PLUGIN_KEYLESS_SUBMIT_API_KEY'],
  ['buildkite', 'BUILDKITE_PLUGIN_OTHER_PASSWORD'],
  ['bitbucket', 'API_KEY'],
  ['bitbucket', 'HEADERS_0'],
  ['bitbucket', 'HEADERS_COUNT'],
  ['bitbucket', 'TOKEN'],
  ['bitbucket', 'PIPELINES_SOMETHING'],
] as const)('on %s no placeholder copies %s into a spec or a setting', (ci, name) =>
  stages.use(async (stage, build) => {
    const step = { kind: 'databricks-run-now', ci, build, env: { [name]: '1-of-the-secrets' } };
    for (const settings of [{ 'job-parameters': { a: `@{env:${name}}` } }, { spec: { only: [`@{env:${name}}`] } }]) {
      const { exitCode, log, requests } = await runStep(stage, { ...step, settings });
      expect(exitCode, log).toBe(2);
      expect(log).toContain(`@{env:${name}} could copy a credential`);
      expect(requests.filter(({ host }) => host.includes('databricks'))).toEqual([]);
    }
  }),
);
