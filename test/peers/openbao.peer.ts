import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readable } from '../e2e/log-text.ts';
import { CIS, type Ci, runStep, type StepEnded, type StepSettings } from '../e2e/step.ts';
import { PREFECT } from '../simulators/prefect-tenant.ts';
import { BITBUCKET, BUILDKITE_JOB } from '../simulators/tenant.ts';
import { createWorld, type World } from '../simulators/world.ts';
import { type OpenBaoServer, startOpenBao } from './openbao-server.ts';

/** As docs/secrets.md has them: a JWT auth method for each CI, and roles that are bound to its own claims. */
const MOUNTS = { bitbucket: 'jwt', buildkite: 'jwt-buildkite' };
const OTHER: Readonly<Record<Ci, Ci>> = { bitbucket: 'buildkite', buildkite: 'bitbucket' };
const BOUND = {
  bitbucket: { user_claim: 'repositoryUuid', bound_claims: { repositoryUuid: BITBUCKET.repositoryUuid } },
  buildkite: {
    user_claim: 'pipeline_id',
    bound_claims: {
      organization_id: BUILDKITE_JOB.ids.organization_id,
      pipeline_id: BUILDKITE_JOB.ids.pipeline_id,
    },
  },
};
const KEYS = {
  bitbucket: `api.bitbucket.org/2.0/workspaces/${BITBUCKET.workspace}/pipelines-config/identity/oidc/keys.json`,
  buildkite: 'agent.buildkite.com/.well-known/jwks',
};
const ELSEWHERE = 'https://elsewhere.example';
const FIELD = 'auth-string';
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
    await bao.enableJwtAuth(MOUNTS[ci], { jwks_url: `${world.url}/${KEYS[ci]}`, bound_issuer: issuer });
    await bao.enableJwtAuth(`${MOUNTS[ci]}-of-another-issuer`, {
      jwks_url: `${world.url}/${KEYS[ci]}`,
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

describe.each(CIS)('a secret that a real OpenBao keeps, on %s', (ci) => {
  it.concurrent.each([
    ['the current version', 'secret/ci/prefect', { says: ', version 2, ' }],
    ['a mount of several segments', 'teams/vision/kv//ci/prefect', { says: ', version 1, ' }],
    ['an engine without versions', 'kv1/ci/prefect', { settings: { 'vault-kv-version': '1' } }],
    ['a token for one use', 'secret/ci/prefect', { role: { token_num_uses: 1 } }],
    ['a batch token', 'secret/ci/prefect', { role: { token_type: 'batch' } }],
    [
      'claims that are compared by patterns',
      'secret/ci/prefect',
      { role: { bound_claims_type: 'glob', bound_claims: { sub: ci === 'bitbucket' ? `${BITBUCKET.repositoryUuid}:*` : 'organization:acme:pipeline:vision:*' } } },
    ],
  ] as const)('opens it, and ends its token: %s', async (_, reference, { says = '', settings = {}, role: changes = {} }: { says?: string; settings?: StepSettings; role?: Readonly<Record<string, unknown>> }) => {
    const role = await newRole(ci, changes);
    const ended = await step(ci, role, `${reference}#${FIELD}`, settings);
    expect(ended.exitCode, ended.output).toBe(0);
    const log = readable(ended.output);
    console.log(log);
    expect(log).toContain(`logged in at ${bao.url} with role ${role}`);
    expect(log).toContain(`read auth-string${says}`);
    expect(log).not.toContain('could not be revoked');
    expect(await tokensOf(role)).toEqual([]);
    expectNothingSecret(ended);
  });

  it.concurrent('knows a token in force when it sees one', async () => {
    const role = await newRole(ci);
    const [jwt] = await Promise.all([tokenOf(ci)]);
    await bao.call('POST', `auth/${MOUNTS[ci]}/login`, { role, jwt }, '');
    expect(await tokensOf(role)).toHaveLength(1);
  });
});

async function tokenOf(ci: Ci): Promise<string> {
  if (ci === 'bitbucket') return await world.bitbucketToken({ audiences: [bao.url] });
  const { ids, organizationSlug, pipelineSlug } = BUILDKITE_JOB;
  const iat = Math.floor(Date.now() / 1000);
  const claims = { ...ids, organization_slug: organizationSlug, pipeline_slug: pipelineSlug };
  return await world.issuers.buildkite.sign({ sub: 'job', aud: bao.url, iat, exp: iat + 300, ...claims });
}

interface Refusal {
  readonly why: string;
  readonly code: string;
  readonly says: readonly (string | RegExp)[];
  readonly reference?: string;
  readonly role?: (ci: Ci) => Readonly<Record<string, unknown>>;
  readonly settings?: (ci: Ci) => StepSettings & { readonly audience?: string };
  readonly mount?: (ci: Ci) => string;
}

const REFUSALS: readonly Refusal[] = [
  { why: 'another audience', code: 'exchange-audience', settings: () => ({ audience: ELSEWHERE, 'secret-audience': ELSEWHERE }), says: ['bound_audiences'] },
  { why: 'claims of another pipeline', code: 'exchange-policy', role: (ci) => ({ bound_claims: { [BOUND[ci].user_claim]: 'another' } }), says: ['The claims of the token are not those'] },
  { why: 'a claim that the token lacks', code: 'exchange-policy', role: () => ({ bound_claims: { environment: 'production' } }), says: ['The claims of the token are not those'] },
  { why: 'another subject', code: 'exchange-policy', role: () => ({ bound_subject: 'another' }), says: ['The claims of the token are not those'] },
  { why: 'a user claim that the token lacks', code: 'exchange-policy', role: () => ({ user_claim: 'email' }), says: ['The claims of the token are not those'] },
  { why: 'an unknown role', code: 'exchange-policy', settings: () => ({ 'vault-role': 'nobody' }), says: ['Vault has no role nobody'] },
  { why: 'a role of another type', code: 'exchange-rejected', role: () => ({ role_type: 'oidc', allowed_redirect_uris: ['http://localhost'] }), says: [] },
  { why: "the other CI's mount", code: 'exchange-signature', settings: (ci) => ({ 'vault-auth-mount': MOUNTS[OTHER[ci]] }), mount: (ci) => MOUNTS[OTHER[ci]], says: ['cannot verify'] },
  { why: 'an unknown mount', code: 'exchange-policy', settings: () => ({ 'vault-auth-mount': 'nowhere' }), says: ['no JWT auth method at auth/nowhere'] },
  { why: 'another issuer', code: 'exchange-issuer', settings: (ci) => ({ 'vault-auth-mount': `${MOUNTS[ci]}-of-another-issuer` }), mount: (ci) => `${MOUNTS[ci]}-of-another-issuer`, says: ['configured for another issuer'] },
  { why: 'an unknown namespace', code: 'exchange-policy', settings: () => ({ 'vault-namespace': 'nowhere' }), says: ['in the namespace nowhere'] },
  { why: 'a policy without the path', code: 'secret-unavailable', reference: 'secret/finance/erp', says: ['path "secret/data/finance/erp" { capabilities = ["read"] }', 'policies default, prefect-ci'] },
  { why: 'an unknown path', code: 'secret-unavailable', reference: 'secret/ci/nothing', says: ['Vault has no secret at secret/data/ci/nothing'] },
  { why: 'an unknown field', code: 'secret-unavailable', reference: 'secret/ci/prefect#autstring', says: ['it has no text at autstring', 'auth-string, port'] },
  { why: 'an unknown version', code: 'secret-unavailable', reference: 'secret/ci/prefect?version=9', says: ['with a version 9'] },
  { why: 'a deleted version', code: 'secret-unavailable', reference: 'secret/ci/withdrawn', says: ['Version 1 of secret/ci/withdrawn is deleted', 'vault kv undelete'] },
  { why: 'a destroyed version', code: 'secret-unavailable', reference: 'secret/ci/destroyed', says: ['Version 1 of secret/ci/destroyed is destroyed'] },
  { why: 'the other version of the engine', code: 'secret-unavailable', reference: 'kv1/ci/prefect', says: ['vault-kv-version'] },
];

describe.each(CIS)('a real OpenBao that refuses, on %s', (ci) => {
  it.concurrent.each(REFUSALS)('$why', async ({ code, says, reference = 'secret/ci/prefect', role: changes, settings, mount }) => {
    const role = await newRole(ci, changes?.(ci), mount?.(ci));
    const before = world.requests.length;
    const ended = await step(ci, role, reference.includes('#') ? reference : `${reference}#${FIELD}`, settings?.(ci));
    const log = readable(ended.output);
    console.log(log);
    expect(ended.exitCode, log).toBe(3);
    expect(log).toContain(code);
    for (const text of says) expect(log).toMatch(text);
    expect(await tokensOf(role)).toEqual([]);
    expectNothingSecret(ended);
    void before;
  });
});
