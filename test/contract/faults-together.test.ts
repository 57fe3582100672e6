import { expect, test } from 'vitest';
import { EXIT } from '../../shared/errors.ts';
import type { Json } from '../../shared/json.ts';
import { KINDS } from '../../tools/kinds.ts';
import { createStage, runStep } from './harness.ts';

type Given = Readonly<Record<string, Json>>;

/** What is wrong by itself and what is wrong between settings: both are told. */
const TOGETHER: readonly [string, string, Given, readonly string[]][] = [
  [
    'a malformed region and delegates without an account',
    'vertex-custom-job',
    {
      region: 'Mars!',
      'service-account': null,
      delegates: ['a@acme-ml.iam.gserviceaccount.com'],
    },
    ['region: expected', 'delegates: needs service-account'],
  ],
  [
    'a malformed client id and a job id given twice',
    'databricks-run-now',
    { 'client-id': 'me', spec: { job_id: 7 } },
    ['client-id: expected', 'job-id: the spec has a job_id of its own'],
  ],
  [
    'a malformed page and no way to log in',
    'prefect-flow-run',
    {
      'ui-url': 'nowhere',
      'secret-from': null,
      'workload-identity-provider': null,
      'service-account': null,
    },
    ['ui-url: expected', 'api-key: is required for Prefect Cloud'],
  ],
  [
    'a misspelt target and no build',
    'vercel-deployment',
    { target: 'prodution', directory: 'nowhere' },
    ['did you mean production?', 'directory: nowhere does not exist'],
  ],
  [
    'a malformed version of the deployment, and a version of the secret that cannot be',
    'prefect-deployment-update',
    {
      version: ['x'],
      'vault-address': 'https://vault.acme.example',
      'vault-role': 'ci',
      'vault-kv-version': 1,
      'secret-from': { 'api-key': 'vault:secret/ci/prefect?version=2#api-key' },
      'workload-identity-provider': null,
      'service-account': null,
    },
    ['version: expected', 'secret-from: version 1 of the key-value engine keeps no versions'],
  ],
  [
    'no team, and a smoke test without a path',
    'vercel-deployment',
    { team: null, 'smoke-path': null, 'smoke-audience': 'https://vercel.com/acme' },
    ['team: is required', 'smoke-audience: needs smoke-path'],
  ],
];

test.each(TOGETHER)('%s are told at once', async (_what, kind, settings, words) => {
  await using stage = await createStage();
  const { exitCode, lines } = await runStep(stage, { kind, ci: 'buildkite', settings });
  expect(exitCode).toBe(EXIT.settings);
  for (const each of words) expect(lines.filter((line) => line.includes(each))).toHaveLength(1);
  expect(stage.world.requests).toEqual([]);
});

test.each<[string, string, Given]>([
  ['service-account', 'vertex-custom-job', { delegates: ['a@acme-ml.iam.gserviceaccount.com'] }],
  ['api-url', 'prefect-flow-run', { 'secret-from': null, 'workload-identity-provider': null, 'service-account': null }],
  ['secret-from', 'prefect-flow-run', { 'vault-address': 'https://vault.acme.example', 'vault-role': 'ci' }],
  ['tags', 'prefect-deployment-update', { 'pull-commit': null, image: null, 'job-variables': null }],
  ['smoke-path', 'vercel-deployment', { 'smoke-status': '200' }],
  ['target', 'vercel-deployment', { 'skip-domain': true }],
])('where %s is malformed, nothing else is that only comes of it', async (name, kind, others) => {
  await using stage = await createStage();
  const { log } = await runStep(stage, { kind, ci: 'buildkite', settings: { ...others, [name]: [1.5] } });
  expect(log).toContain('A setting is wrong; nothing was sent');
  expect(log).toContain(`${name}: expected`);
});

const REFERENCE = 'google:projects/acme-ml/secrets/prefect-ci';

test.each<[string, Given, string]>([
  ['a broker', { 'api-key': 'gogle:projects/acme-ml/secrets/prefect-ci' }, 'did you mean google:?'],
  ['no broker', { 'api-key': 'projects/acme-ml/secrets/prefect-ci' }, 'expected a reference such as google:'],
  ['a setting', { apikey: REFERENCE }, 'did you mean api-key?'],
])('a reference that misspells %s makes no other setting look wrong', async (_what, reference, words) => {
  await using stage = await createStage();
  const settings = { 'secret-from': reference };
  const { log } = await runStep(stage, { kind: 'prefect-flow-run', ci: 'buildkite', settings });
  expect(log).toContain('A setting is wrong; nothing was sent');
  expect(log).toContain(words);
});

test.each(KINDS.map((kind) => [kind.id, kind] as const))(
  'in %s, no wrong setting makes another look wrong',
  async (id, { settings }) => {
    await using stage = await createStage();
    for (const [name, { form }] of Object.entries(settings)) {
      const wrong = form === 'text' || form === 'document' ? [1.5] : 1.5;
      const { exitCode, log } = await runStep(stage, { kind: id, ci: 'buildkite', settings: { [name]: wrong } });
      expect(exitCode, log).toBe(EXIT.settings);
      expect(log, name).toContain('A setting is wrong; nothing was sent');
    }
    expect(stage.world.requests).toEqual([]);
  },
);
