import { expect, test } from 'vitest';
import type { ErrorCode } from '../../shared/errors.ts';
import type { Json } from '../../shared/json.ts';
import { AWS, AZURE, awsTenant, VAULT, vaultTenant } from '../simulators/brokers-tenant.ts';
import { GOOGLE, googleTenant, providerName } from '../simulators/tenant.ts';
import type { World, WorldOptions } from '../simulators/world.ts';
import { createStage } from './harness.ts';
import type { Ci } from './kind-samples.ts';
import { CIS, LOGIN, readSecrets } from './secrets-step.ts';

interface Refusal {
  readonly why: string;
  readonly cis?: readonly Ci[];
  settings(ci: Ci): Readonly<Record<string, Json>>;
  readonly audience?: string;
  readonly world?: WorldOptions;
  readonly prepare?: (world: World) => void;
  readonly code: ErrorCode;
  /** What its user reads. */
  readonly says: readonly (string | RegExp)[];
}

const from = (reference: string) => ({ 'secret-from': { 'api-key': reference } });
const google =
  (path: string, more: Readonly<Record<string, Json>> = {}) =>
  (ci: Ci) => ({
    ...LOGIN.google(ci),
    ...more,
    ...from(`google:projects/${GOOGLE.project}/${path}`),
  });
const vault =
  (reference: string, more: Readonly<Record<string, Json>> = {}) =>
  (ci: Ci) => ({
    ...LOGIN.vault(ci),
    ...from(`vault:${reference}`),
    ...more,
  });
const aws =
  (reference: string, more: Readonly<Record<string, Json>> = {}) =>
  () => ({
    'aws-role': AWS.roleArn,
    'aws-region': AWS.region,
    ...from(`aws:${reference}`),
    ...more,
  });
const azure =
  (reference: string, more: Readonly<Record<string, Json>> = {}) =>
  () => ({
    'azure-tenant': AZURE.tenantId,
    'azure-client-id': AZURE.clientId,
    'oidc-subject-claim': 'pipeline_id',
    ...from(`azure:${reference}`),
    ...more,
  });
const BUILDKITE_ONLY = ['buildkite'] as const;
const BITBUCKET_ONLY = ['bitbucket'] as const;
const NO_SECRET: ErrorCode = 'secret-unavailable';

const REFUSALS: readonly Refusal[] = [
  {
    why: 'Google: no permission',
    settings: google('secrets/finance'),
    code: NO_SECRET,
    says: [
      'may not read projects/acme-ml/secrets/finance',
      'gcloud secrets add-iam-policy-binding finance --project=acme-ml',
    ],
  },
  {
    why: 'Google: no permission for the service account',
    settings: google('secrets/finance', { 'service-account': GOOGLE.trainer }),
    code: NO_SECRET,
    says: [`--member="serviceAccount:${GOOGLE.trainer}"`],
  },
  {
    why: 'Google: no such version',
    settings: google('secrets/prefect-ci/versions/99'),
    code: NO_SECRET,
    says: ['has no projects/acme-ml/secrets/prefect-ci with a version 99', 'gcloud secrets versions list prefect-ci'],
  },
  {
    why: 'Google: a disabled version',
    settings: google('secrets/paused/versions/1'),
    code: NO_SECRET,
    says: ['Version 1 of projects/acme-ml/secrets/paused is disabled or destroyed'],
  },
  {
    why: 'Google: a destroyed version',
    settings: google('secrets/prefect-ci/versions/1'),
    code: NO_SECRET,
    says: ['is disabled or destroyed'],
  },
  {
    why: 'Google: a damaged answer',
    settings: google('secrets/prefect-ci'),
    prepare: (world) => world.google.spoilNextChecksum(),
    code: NO_SECRET,
    says: ['arrived damaged'],
  },
  {
    why: 'Google: a provider that trusts somebody else',
    settings: google('secrets/prefect-ci'),
    world: {
      google: { providers: googleTenant().providers.map((each) => ({ ...each, attributeCondition: 'false' })) },
    },
    code: 'exchange-condition',
    says: ['attribute condition'],
  },
  {
    why: 'Google: not the member of a JSON object',
    settings: google('secrets/prefect-ci#api-key'),
    code: NO_SECRET,
    says: ['it is not a JSON object'],
  },
  {
    why: 'Vault: no such role',
    settings: vault('secret/ci/prefect#api-key', { 'vault-role': 'nobody' }),
    code: 'exchange-policy',
    says: ['Vault has no role nobody', /vault write auth\/jwt[\w-]*\/role\/nobody/, /bound_claims/],
  },
  {
    why: 'Vault: another audience',
    cis: BUILDKITE_ONLY,
    settings: vault('secret/ci/prefect#api-key', { 'secret-audience': 'https://elsewhere.example' }),
    code: 'exchange-audience',
    says: ['bound_audiences', 'secret-audience: https://elsewhere.example'],
  },
  {
    why: 'Vault: the default audience of the CI',
    cis: BITBUCKET_ONLY,
    audience: 'https://elsewhere.example',
    settings: vault('secret/ci/prefect#api-key'),
    code: 'exchange-audience',
    says: ['bound_audiences', 'ari:cloud:bitbucket::workspace/'],
  },
  {
    why: 'Vault: claims of another pipeline',
    settings: vault('secret/ci/prefect#api-key'),
    world: { brokers: { vault: otherClaims() } },
    code: 'exchange-policy',
    says: ['are not those that', 'vault read auth/jwt'],
  },
  {
    why: "Vault: the other CI's mount",
    settings: (ci) => ({
      ...vault('secret/ci/prefect#api-key')(ci),
      'vault-auth-mount': VAULT.mounts[ci === 'bitbucket' ? 'buildkite' : 'bitbucket'],
    }),
    code: 'exchange-signature',
    says: ['cannot verify'],
  },
  {
    why: 'Vault: no such mount',
    settings: vault('secret/ci/prefect#api-key', { 'vault-auth-mount': 'nowhere' }),
    code: 'exchange-policy',
    says: ['no JWT auth method at auth/nowhere', 'vault auth list'],
  },
  {
    why: 'Vault: no such namespace',
    settings: vault('secret/ci/prefect#api-key', { 'vault-namespace': 'nowhere' }),
    code: 'exchange-policy',
    says: ['in the namespace nowhere'],
  },
  {
    why: 'Vault: no permission',
    settings: vault('secret/finance/erp#password'),
    code: NO_SECRET,
    says: ['path "secret/data/finance/erp" { capabilities = ["read"] }', 'policies ci-secrets'],
  },
  {
    why: 'Vault: no such secret',
    settings: vault('secret/ci/nothing#key'),
    code: NO_SECRET,
    says: ['Vault has no secret at secret/data/ci/nothing', 'vault kv metadata get'],
  },
  {
    why: 'Vault: a deleted version',
    settings: vault('secret/ci/prefect?version=1#api-key'),
    code: NO_SECRET,
    says: ['Version 1 of secret/ci/prefect is deleted', 'vault kv undelete'],
  },
  {
    why: 'Vault: no such field',
    settings: vault('secret/ci/prefect#apikey'),
    code: NO_SECRET,
    says: ['it has no text at apikey', 'api-key, auth-string, port'],
  },
  {
    why: 'AWS: an audience that the identity provider does not have',
    cis: BUILDKITE_ONLY,
    settings: aws('ci/prefect', { 'secret-audience': 'https://elsewhere.example' }),
    code: 'exchange-audience',
    says: ['aws iam add-client-id-to-open-id-connect-provider', 'secret-audience: https://elsewhere.example'],
  },
  {
    why: 'AWS: no identity provider',
    audience: AWS.audience,
    settings: aws('ci/prefect'),
    world: { brokers: { aws: { ...awsTenant(), identityProviders: [] } } },
    code: 'exchange-issuer',
    says: ['aws iam create-open-id-connect-provider --url https://'],
  },
  {
    why: 'AWS: a role that trusts somebody else',
    audience: AWS.audience,
    settings: aws('ci/prefect'),
    world: { brokers: { aws: { ...awsTenant(), roles: awsTenant().roles.map((role) => ({ ...role, trust: [] })) } } },
    code: 'exchange-policy',
    says: [`The trust policy of ${AWS.roleArn}`, 'StringLike', 'aws iam get-role --role-name ci-secrets'],
  },
  {
    why: 'AWS: no such role',
    audience: AWS.audience,
    settings: aws('ci/prefect', { 'aws-role': 'arn:aws:iam::111122223333:role/nobody' }),
    code: 'exchange-policy',
    says: ['or there is no such role'],
  },
  ...(
    [
      ['ExpiredTokenException', 400, 'exchange-stale', 'regards the CI'],
      ['IDPRejectedClaim', 403, 'exchange-policy', 'trust policy'],
      ['IDPCommunicationError', 400, 'exchange-signature', 'cannot verify'],
      ['RegionDisabledException', 403, 'exchange-rejected', 'not enabled'],
      ['MalformedPolicyDocument', 400, 'exchange-rejected', 'refused to exchange'],
    ] as const
  ).map(
    ([name, status, code, says]): Refusal => ({
      why: `AWS: ${name}`,
      audience: AWS.audience,
      settings: aws('ci/prefect'),
      prepare: (world) => world.brokers.aws.refuseNext({ status, code: name, message: 'The words.' }),
      code,
      says: [says, `${name}: The words.`],
    }),
  ),
  {
    why: 'AWS: no such secret',
    audience: AWS.audience,
    settings: aws('ci/nothing'),
    code: NO_SECRET,
    says: ['has no ci/nothing', 'aws secretsmanager describe-secret'],
  },
  {
    why: 'AWS: no permission',
    audience: AWS.audience,
    settings: aws('finance/erp'),
    code: NO_SECRET,
    says: ['ci-secrets may not read finance/erp', 'secretsmanager:GetSecretValue'],
  },
  {
    why: 'AWS: on its way to deletion',
    audience: AWS.audience,
    settings: aws('ci/gone'),
    code: NO_SECRET,
    says: ['on its way to deletion', 'restore-secret'],
  },
  {
    why: 'AWS: a key that is gone',
    audience: AWS.audience,
    settings: aws('ci/locked'),
    code: NO_SECRET,
    says: ['cannot decrypt ci/locked'],
  },
  {
    why: 'AWS: not a member of the JSON',
    audience: AWS.audience,
    settings: aws('ci/all#prefect'),
    code: NO_SECRET,
    says: ['it has no text at prefect', 'prefect-api-key'],
  },
  {
    why: 'Azure: another audience',
    cis: BUILDKITE_ONLY,
    settings: azure('acme-ci/prefect-ci', { 'secret-audience': 'https://elsewhere.example' }),
    code: 'exchange-audience',
    says: ["the token's audience", 'secret-audience: https://elsewhere.example'],
  },
  {
    why: 'Azure: another subject',
    cis: BUILDKITE_ONLY,
    settings: azure('acme-ci/prefect-ci', { 'oidc-subject-claim': 'organization_id' }),
    code: 'exchange-policy',
    says: ['issuer and the subject of this token', 'az ad app federated-credential list'],
  },
  {
    why: 'Azure: no such application',
    cis: BUILDKITE_ONLY,
    settings: azure('acme-ci/prefect-ci', { 'azure-client-id': '00000000-0000-4000-8000-000000000000' }),
    code: 'exchange-policy',
    says: ['has no application'],
  },
  {
    why: 'Azure: no such tenant',
    cis: BUILDKITE_ONLY,
    settings: azure('acme-ci/prefect-ci', { 'azure-tenant': '00000000-0000-4000-8000-000000000000' }),
    code: 'exchange-policy',
    says: ['The tenant 00000000-0000-4000-8000-000000000000'],
  },
  {
    why: 'Azure: no permission',
    cis: BUILDKITE_ONLY,
    settings: azure('acme-ci/prefect-ci', { 'azure-client-id': AZURE.outsiderId }),
    code: NO_SECRET,
    says: ['may not read secrets of acme-ci', 'Key Vault Secrets User'],
  },
  {
    why: 'Azure: no such secret',
    cis: BUILDKITE_ONLY,
    settings: azure('acme-ci/nothing'),
    code: NO_SECRET,
    says: ['The vault acme-ci has no secret nothing'],
  },
  {
    why: 'Azure: a disabled version',
    cis: BUILDKITE_ONLY,
    settings: azure('acme-ci/paused'),
    code: NO_SECRET,
    says: ['is disabled, expired or not valid yet'],
  },
];

/** Roles that are bound to another pipeline. */
function otherClaims(): ReturnType<typeof vaultTenant> {
  const tenant = vaultTenant();
  const root = tenant.namespaces[''];
  if (root === undefined) throw new Error('the tenant has a root namespace');
  const boundElsewhere = Object.entries(root.auth).map(([mount, { issuer, roles }]) => {
    const changed = Object.entries(roles).map(([name, role]) => [name, { ...role, boundClaims: { sub: 'elsewhere' } }]);
    return [mount, { issuer, roles: Object.fromEntries(changed) }];
  });
  return { ...tenant, namespaces: { '': { ...root, auth: Object.fromEntries(boundElsewhere) } } };
}

test.each(REFUSALS.flatMap((refusal) => (refusal.cis ?? CIS).map((ci) => [ci, refusal.why, refusal] as const)))(
  '%s: %s',
  async (ci, _why, { settings, audience, world, prepare, code, says }) => {
    await using stage = await createStage(world);
    prepare?.(stage.world);
    const given = settings(ci);
    const usual = 'vault-address' in given ? VAULT.audience : `https://iam.googleapis.com/${providerName(ci)}`;
    const { error, faults, values, log } = await readSecrets(stage, {
      ci,
      settings: given,
      audience: audience ?? usual,
    });
    expect(faults).toEqual([]);
    expect({ code: error?.code, exit: error?.exitCode }).toEqual({ code, exit: 3 });
    expect(values).toEqual({});
    for (const words of says) {
      if (typeof words === 'string') expect(log).toContain(words);
      else expect(log).toMatch(words);
    }
    expect(stage.world.brokers.vault.liveTokens()).toEqual([]);
  },
);
