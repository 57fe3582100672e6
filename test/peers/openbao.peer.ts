import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readable } from '../e2e/log-text.ts';
import { CIS, type Ci, runStep, type StepEnded, type StepSettings } from '../e2e/step.ts';
import { PREFECT } from '../simulators/prefect-tenant.ts';
import { BITBUCKET } from '../simulators/tenant.ts';
import { createWorld, type World } from '../simulators/world.ts';
import { BOUND, FIELD, jwksOf, MOUNTS, otherIssuer, REFUSALS } from './openbao-refusals.ts';
import { type OpenBaoServer, startOpenBao } from './openbao-server.ts';

const POLICY = `path "secret/data/ci/*" {
  capabilities = ["read"]
}
path "kv1/ci/*" {
  capabilities = ["read"]
}
path "teams/vision/kv/data/ci/*" {
  capabilities = ["read"]
}`;
let bao: OpenBaoServer;
let world: World;

beforeAll(async () => {
  await promisify(execFile)('sh', [join(import.meta.dirname, 'install-openbao.sh')]);
  [bao, world] = await Promise.all([startOpenBao(), createWorld()]);
  for (const ci of CIS) {
    const { issuer } = world.issuers[ci];
    await bao.enableJwtAuth(MOUNTS[ci], { jwks_url: jwksOf(ci, world), bound_issuer: issuer });
    await bao.enableJwtAuth(otherIssuer(ci), {
      jwks_url: jwksOf(ci, world),
      bound_issuer: 'https://issuer.example',
    });
  }
  await bao.writePolicy('prefect-ci', POLICY);
  await bao.enableKv('kv1', 1);
  await bao.enableKv('teams/vision/kv', 2);
  await bao.writeSecret('secret', 2, 'ci/prefect', { [FIELD]: 'ci:of-the-first-version' });
  await bao.writeSecret('secret', 2, 'ci/prefect', { [FIELD]: PREFECT.authString, port: 4200 });
  await bao.writeSecret('secret', 2, 'ci/withdrawn', { [FIELD]: 'ci:withdrawn' });
  await bao.writeSecret('secret', 2, 'ci/destroyed', { [FIELD]: 'ci:destroyed' });
  await bao.writeSecret('secret', 2, 'finance/erp', { [FIELD]: 'ci:finance' });
  await bao.writeSecret('kv1', 1, 'ci/prefect', { [FIELD]: PREFECT.authString });
  await bao.writeSecret('teams/vision/kv', 2, 'ci/prefect', { [FIELD]: PREFECT.authString });
  await bao.call('DELETE', 'secret/data/ci/withdrawn');
  await bao.call('PUT', 'secret/destroy/ci/destroyed', { versions: [1] });
}, 120_000);

afterAll(() => Promise.all([bao?.[Symbol.asyncDispose](), world?.close()]));

/** A role that nobody else logs in with. */
async function newRole(ci: Ci, changes: Readonly<Record<string, unknown>> = {}, mount = MOUNTS[ci]): Promise<string> {
  const name = `prefect-ci-${crypto.randomUUID()}`;
  const role = { ...BOUND[ci], bound_audiences: [bao.url], token_policies: ['prefect-ci'], token_ttl: '5m' };
  await bao.writeRole(mount, name, { ...role, ...changes });
  return name;
}

/** A step that asks a simulated Prefect with what the real OpenBao keeps. */
async function step(
  ci: Ci,
  role: string,
  reference: string,
  { audience = bao.url, ...settings }: StepSettings & { readonly audience?: string } = {},
): Promise<StepEnded> {
  return await runStep(ci, {
    simulators: world.url,
    token: await world.bitbucketToken({ audiences: [audience] }),
    settings: {
      job: 'prefect-flow-run',
      'api-url': PREFECT.serverApi,
      deployment: `${PREFECT.flow}/${PREFECT.deployments.prod.name}`,
      parameters: { epochs: 1 },
      wait: false,
      'secret-from': { 'auth-string': `vault:${reference}` },
      'vault-address': bao.url,
      'vault-role': role,
      'vault-auth-mount': MOUNTS[ci],
      ...settings,
    },
    // Steps of one build that are not each other's repetition.
    env: { BITBUCKET_STEP_UUID: `{${crypto.randomUUID()}}`, BUILDKITE_STEP_ID: crypto.randomUUID() },
  });
}

/** The tokens of a role that are in force. */
async function tokensOf(role: string): Promise<readonly unknown[]> {
  const { body } = await bao.call('LIST', 'auth/token/accessors');
  const { keys } = (body as { data: { keys: readonly string[] } }).data;
  const tokens = await Promise.all(
    keys.map(async (accessor) => (await bao.call('POST', 'auth/token/lookup-accessor', { accessor })).body),
  );
  return tokens.filter((token) => (token as { data?: { meta?: { role?: string } } }).data?.meta?.role === role);
}

/** Neither the secret nor a token is in the log. */
function expectNothingSecret({ output }: StepEnded): void {
  const tokens = world.agentApi.oidcRequests().map(({ token }) => token);
  const basic = Buffer.from(PREFECT.authString).toString('base64');
  const found = [PREFECT.authString, basic, 'hvs.', 's.', ...tokens].filter((secret) =>
    output.split(/\s/).some((word) => (secret.endsWith('.') ? word.startsWith(secret) : word.includes(secret))),
  );
  expect(found).toEqual([]);
}

interface Opening {
  readonly why: string;
  readonly reference?: string;
  readonly role?: (ci: Ci) => Readonly<Record<string, unknown>>;
  readonly settings?: StepSettings;
  readonly says?: string;
}

const OPENINGS: readonly Opening[] = [
  { why: 'the current version', says: ', version 2, ' },
  { why: 'a mount of several segments', reference: 'teams/vision/kv//ci/prefect', says: ', version 1, ' },
  {
    why: 'an engine without versions',
    reference: 'kv1/ci/prefect',
    settings: { 'vault-kv-version': '1' },
    says: ', from Vault ',
  },
  { why: 'a token for one use', role: () => ({ token_num_uses: 1 }) },
  {
    why: 'claims that are compared by patterns',
    role: (ci) => ({
      bound_claims_type: 'glob',
      bound_claims: {
        sub: { bitbucket: `${BITBUCKET.repositoryUuid}:*`, buildkite: 'organization:acme:pipeline:vision:*' }[ci],
      },
    }),
  },
];

describe.each(CIS)('a secret that a real OpenBao keeps, on %s', (ci) => {
  it.concurrent.each(OPENINGS)('is opened, and the token ended: $why', async (opening) => {
    const { reference = 'secret/ci/prefect', role: changes, settings, says = '' } = opening;
    const role = await newRole(ci, changes?.(ci));
    const ended = await step(ci, role, `${reference}#${FIELD}`, settings);
    const log = readable(ended.output);
    expect(ended.exitCode, log).toBe(0);
    expect(log).toContain(`logged in at ${bao.url} with role ${role}, policies default, prefect-ci`);
    expect(log).toContain(`read auth-string${says}`);
    expect(log).not.toContain('could not be revoked');
    expect(await tokensOf(role)).toEqual([]);
    expectNothingSecret(ended);
  });

  it.concurrent('is opened by a token that nobody can end, which is told', async () => {
    const role = await newRole(ci, { token_type: 'batch' });
    const ended = await step(ci, role, `secret/ci/prefect#${FIELD}`);
    const log = readable(ended.output);
    expect(ended.exitCode, log).toBe(0);
    expect(log).toContain(`The token of ${bao.url} could not be revoked (it answered 400)`);
  });

  it.concurrent('is opened once there is the role that the refusal shows', async () => {
    const role = `suggested-${crypto.randomUUID()}`;
    const refused = readable((await step(ci, role, `secret/ci/prefect#${FIELD}`)).output);
    const [, mount, name, shown = ''] = /vault write auth\/(\S+)\/role\/(\S+) - <<< '(.*)'/.exec(refused) ?? [];
    expect([mount, name], refused).toEqual([MOUNTS[ci], role]);
    await bao.writeRole(MOUNTS[ci], role, JSON.parse(shown.replace('POLICY', 'prefect-ci')));
    const ended = await step(ci, role, `secret/ci/prefect#${FIELD}`);
    expect(ended.exitCode, ended.output).toBe(0);
    expect(await tokensOf(role)).toEqual([]);
  });
});

describe.each(CIS)('a real OpenBao that refuses, on %s', (ci) => {
  it.concurrent.each(REFUSALS)('$why', async (refusal) => {
    const { code, says, reference = `secret/ci/prefect#${FIELD}`, role: changes, settings, mount } = refusal;
    const role = await newRole(ci, changes?.(ci), mount?.(ci));
    const ended = await step(ci, role, reference, settings?.(ci));
    const log = readable(ended.output);
    expect(ended.exitCode, log).toBe(3);
    expect(log).toContain(`${code}: `);
    for (const text of says) expect(log).toMatch(text);
    expect(await tokensOf(role)).toEqual([]);
    expectNothingSecret(ended);
  });
});

it('shows a token that is in force among those of its role', async () => {
  const role = await newRole('bitbucket');
  const jwt = await world.bitbucketToken({ audiences: [bao.url] });
  expect(await bao.call('POST', `auth/${MOUNTS.bitbucket}/login`, { role, jwt }, '')).toMatchObject({ status: 200 });
  expect(await tokensOf(role)).toHaveLength(1);
});
