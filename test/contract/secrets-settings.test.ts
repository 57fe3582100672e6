import { expect, test } from 'vitest';
import type { Json } from '../../shared/json.ts';
import { AWS, AZURE, VAULT } from '../simulators/brokers-tenant.ts';
import type { Handler } from '../simulators/serve.ts';
import { createStage } from './harness.ts';
import { LOGIN, readSecrets } from './secrets-step.ts';

const GOOGLE = LOGIN.google('bitbucket');
const GOOGLE_KEY = 'google:projects/acme-ml/secrets/prefect-ci';

test.each<[why: string, settings: Readonly<Record<string, Json>>, faults: readonly (string | RegExp)[]]>([
  [
    'a setting in both places',
    { ...GOOGLE, 'api-key': 'stored', 'secret-from': { 'api-key': GOOGLE_KEY } },
    ['API_KEY: is set by itself and in SECRET_FROM; remove one of them'],
  ],
  [
    'a setting in both spellings',
    { ...GOOGLE, 'secret-from': { 'api-key': GOOGLE_KEY, API_KEY: GOOGLE_KEY } },
    ['API_KEY: is named twice in SECRET_FROM'],
  ],
  ['a name that is nearly one', { 'secret-from': { 'api-kye': GOOGLE_KEY } }, [/did you mean API_KEY\?/]],
  ['a name that is none', { 'secret-from': { spec: GOOGLE_KEY } }, [/the secret settings are API_KEY, AUTH_STRING/]],
  [
    'a broker that is nearly one',
    { 'secret-from': { 'api-key': 'valt:secret/ci#key' } },
    [/did you mean vault:\? Expected vault:MOUNT\/PATH/],
  ],
  [
    'a reference that is not one',
    { ...GOOGLE, 'secret-from': { 'api-key': 'google:prefect-ci' } },
    [/SECRET_FROM: API_KEY: expected google:projects\/PROJECT.*such as google:projects\/acme-ml/],
  ],
  [
    'no provider',
    { 'secret-from': { 'api-key': GOOGLE_KEY } },
    ['WORKLOAD_IDENTITY_PROVIDER: is needed for the google: references in SECRET_FROM'],
  ],
  [
    'no Vault',
    { 'secret-from': { 'api-key': 'vault:secret/ci#key' } },
    [
      'VAULT_ADDRESS: is needed for the vault: references in SECRET_FROM',
      'VAULT_ROLE: is needed for the vault: references in SECRET_FROM',
    ],
  ],
  [
    'versions where none are kept',
    { ...LOGIN.vault('bitbucket'), 'vault-kv-version': 1, 'secret-from': { 'api-key': 'vault:kv/ci?version=2#key' } },
    [/keeps no versions/],
  ],
  [
    'no region',
    { 'aws-role': AWS.roleArn, 'secret-from': { 'api-key': 'aws:ci/prefect' } },
    [/^AWS_REGION: is needed/],
  ],
  [
    'settings that nothing uses',
    { ...GOOGLE, 'aws-role': AWS.roleArn, 'secret-audience': 'x', 'api-key': 'stored' },
    [
      'WORKLOAD_IDENTITY_PROVIDER: is not used: no google: reference stands in SECRET_FROM',
      'AWS_ROLE: is not used: no aws: reference stands in SECRET_FROM',
      'SECRET_AUDIENCE: is not used: no secret is got from a broker in SECRET_FROM',
    ],
  ],
  [
    'one audience for two brokers',
    {
      ...GOOGLE,
      'vault-address': 'https://vault.acme.example',
      'vault-role': 'ci',
      'secret-audience': 'https://vault.acme.example',
      'secret-from': { 'api-key': GOOGLE_KEY, 'auth-string': 'vault:secret/ci/prefect#auth-string' },
    },
    ['SECRET_AUDIENCE: is for one receiver of the token, and here there are several; remove it'],
  ],
  [
    'Vault without encryption',
    { 'vault-address': 'http://vault.acme.example' },
    [/^VAULT_ADDRESS: expected an https address/],
  ],
  [
    'Vault with a path',
    { 'vault-address': 'https://vault.acme.example/v1' },
    [/^VAULT_ADDRESS: expected an https address/],
  ],
  [
    'Vault with a user',
    { 'vault-address': 'https://a@vault.acme.example' },
    [/^VAULT_ADDRESS: expected an https address/],
  ],
])('%s is a fault, and nothing is sent', async (_why, settings, expected) => {
  await using stage = await createStage();
  const { faults, requests } = await readSecrets(stage, { ci: 'bitbucket', settings });
  expect(faults).toHaveLength(expected.length);
  faults.forEach((fault, index) => {
    expect(fault).toMatch(expected[index] ?? '');
  });
  expect(requests).toEqual([]);
});

test.each([
  'pnb_0123456789abcdef0123456789',
  'google:pnb_0123456789abcdef0123456789',
  { key: 'pnb_0123456789abcdef0123456789' },
])('a secret put where its reference belongs is not shown', async (value) => {
  await using stage = await createStage();
  const { faults } = await readSecrets(stage, {
    ci: 'bitbucket',
    settings: { ...GOOGLE, 'secret-from': { 'api-key': value } },
  });
  expect(faults.length).toBeGreaterThan(0);
  expect(faults.join('\n')).not.toContain('0123456789abcdef');
});

const BROKERS = [
  {
    host: 'secretmanager.googleapis.com',
    settings: { ...LOGIN.google('buildkite'), 'secret-from': { 'api-key': GOOGLE_KEY } },
  },
  {
    host: VAULT.host,
    settings: { ...LOGIN.vault('buildkite'), 'secret-from': { 'api-key': 'vault:secret/ci/prefect#api-key' } },
  },
  ...['sts.us-east-1.amazonaws.com', 'secretsmanager.us-east-1.amazonaws.com'].map((host) => ({
    host,
    settings: { 'aws-role': AWS.roleArn, 'aws-region': AWS.region, 'secret-from': { 'api-key': 'aws:ci/prefect' } },
  })),
  ...['login.microsoftonline.com', `${AZURE.vault}.vault.azure.net`].map((host) => ({
    host,
    settings: {
      'azure-tenant': AZURE.tenantId,
      'azure-client-id': AZURE.clientId,
      'oidc-subject-claim': 'pipeline_id',
      'secret-from': { 'api-key': `azure:${AZURE.vault}/prefect-ci` },
    },
  })),
];
const html =
  (status: number): Handler =>
  async () =>
    new Response('<html><title>Sign in</title></html>', { status, headers: { 'content-type': 'text/html' } });
const ANSWERS: Readonly<Record<string, Handler>> = {
  'a login page': html(200),
  'a page of refusal': html(403),
  'a redirect': async () => new Response(null, { status: 302, headers: { location: 'https://elsewhere.example/' } }),
  'another JSON': async () => Response.json({ hello: 'world' }),
  'a refusal of another form': async () => Response.json({ hello: 'world' }, { status: 403 }),
  'no JSON': async () => new Response('pnb_5imulatedServiceAccountKey', { status: 200 }),
};

test.each(
  BROKERS.flatMap((broker) =>
    Object.entries(ANSWERS).map(([what, handler]) => [broker.host, what, broker, handler] as const),
  ),
)('%s answers with %s', async (host, _what, { settings }, handler) => {
  const elsewhere: Handler = async () => {
    throw new Error('a redirect was followed');
  };
  await using stage = await createStage({ hosts: { [host]: handler, 'elsewhere.example': elsewhere } });
  const { error, faults, requests, log } = await readSecrets(stage, { ci: 'buildkite', settings });
  expect(faults).toEqual([]);
  expect(error?.code).toBe('unreadable-answer');
  expect(error?.message).toContain(host);
  expect(log).not.toContain('5imulated');
  expect(requests.filter((request) => request.host === 'elsewhere.example')).toEqual([]);
});
