import type { BrokersOptions } from './brokers.ts';
import type { GoogleSecret } from './google.ts';
import { PREFECT } from './prefect-tenant.ts';
import { BITBUCKET, BUILDKITE_JOB, GOOGLE, googleTenant } from './tenant.ts';
import { VERCEL } from './vercel-tenant.ts';

/** The company's secrets, which every broker holds a copy of. */
export const HELD_SECRETS = {
  prefectKey: PREFECT.keys.service,
  /** The key before the last rotation, which Prefect takes no longer. */
  formerPrefectKey: PREFECT.keys.expired,
  /** The key of the team that has a Vault namespace of its own. */
  teamPrefectKey: PREFECT.keys.outsider,
  prefectAuthString: PREFECT.authString,
  vercelToken: VERCEL.tokens.project,
  /** What no CI job may read. */
  finance: 'simulated-finance-secret-0004',
  /** Of versions that nobody can read any more. */
  withdrawn: 'simulated-withdrawn-secret-0005',
};

/** Every secret value, for proving that none of them leaks. */
export function brokerSecrets(): string[] {
  return Object.values(HELD_SECRETS);
}

const CREATED_AT = Date.parse('2026-06-01T09:00:00Z');
const BITBUCKET_ISSUER = `https://api.bitbucket.org/2.0/workspaces/${BITBUCKET.workspace}/pipelines-config/identity/oidc`;
const BUILDKITE_ISSUER = 'https://agent.buildkite.com';

/** Both ways in are open: as the CI's federated identity, and as the service account that it may become. */
export function googleSecrets(): readonly GoogleSecret[] {
  const mayBecome = googleTenant().serviceAccounts.find(({ email }) => email === GOOGLE.trainer)?.bindings ?? [];
  const members = [`serviceAccount:${GOOGLE.trainer}`, ...mayBecome.map(({ member }) => member)];
  const bindings = members.map((member) => ({ role: 'roles/secretmanager.secretAccessor' as const, member }));
  const secret = (name: string, data: string) => ({ project: GOOGLE.project, name, versions: [{ data }], bindings });
  return [
    {
      ...secret('prefect-ci', ''),
      versions: [
        { data: HELD_SECRETS.withdrawn, state: 'DESTROYED' },
        { data: HELD_SECRETS.formerPrefectKey },
        { data: HELD_SECRETS.prefectKey },
      ],
      aliases: { former: 2, current: 3 },
    },
    secret('prefect-auth', HELD_SECRETS.prefectAuthString),
    secret('vercel-ci', HELD_SECRETS.vercelToken),
    { ...secret('prefect-ci', HELD_SECRETS.prefectKey), location: GOOGLE.region },
    { ...secret('paused', ''), versions: [{ data: HELD_SECRETS.withdrawn, state: 'DISABLED' }] },
    { ...secret('finance', HELD_SECRETS.finance), bindings: [] },
  ];
}

export const VAULT = {
  host: 'vault.acme.example',
  audience: 'https://vault.acme.example',
  /** The JWT auth mount of each CI. */
  mounts: { bitbucket: 'jwt', buildkite: 'jwt-buildkite' },
  role: 'ci',
  /** Its tokens serve for a single request, revocation included. */
  singleUseRole: 'ci-once',
  /** Holds another key at the same path. */
  namespace: 'team',
};

export function vaultTenant(): BrokersOptions['vault'] {
  const role = {
    boundAudiences: [VAULT.audience],
    boundClaimsType: 'glob' as const,
    policies: ['ci-secrets'],
    tokenTtlSeconds: 600,
  };
  const bitbucket = {
    ...role,
    boundClaims: { repositoryUuid: BITBUCKET.repositoryUuid, sub: `${BITBUCKET.repositoryUuid}:*` },
    userClaim: 'repositoryUuid',
  };
  const buildkite = {
    ...role,
    boundClaims: { organization_slug: BUILDKITE_JOB.organizationSlug, pipeline_slug: BUILDKITE_JOB.pipelineSlug },
    userClaim: 'pipeline_slug',
  };
  const auth = {
    [VAULT.mounts.bitbucket]: {
      issuer: BITBUCKET_ISSUER,
      roles: { [VAULT.role]: bitbucket, [VAULT.singleUseRole]: { ...bitbucket, tokenNumUses: 1 } },
    },
    [VAULT.mounts.buildkite]: {
      issuer: BUILDKITE_ISSUER,
      roles: { [VAULT.role]: buildkite, [VAULT.singleUseRole]: { ...buildkite, tokenNumUses: 1 } },
    },
  };
  const policies = { 'ci-secrets': { 'secret/data/ci/*': ['read'], 'kv1/ci/*': ['read'] } } as const;
  const version = (data: Record<string, unknown>) => ({ data, createdAt: CREATED_AT });
  const withdrawn = { ...version({ 'api-key': HELD_SECRETS.withdrawn }), deletedAt: CREATED_AT + 86_400_000 };
  const { prefectKey, formerPrefectKey, teamPrefectKey, prefectAuthString, vercelToken, finance } = HELD_SECRETS;
  return {
    host: VAULT.host,
    namespaces: {
      '': {
        auth,
        policies,
        kv: {
          secret: {
            version: 2,
            secrets: {
              'ci/prefect': [
                withdrawn,
                version({ 'api-key': formerPrefectKey }),
                version({ 'api-key': prefectKey, 'auth-string': prefectAuthString, port: 4200 }),
              ],
              'ci/vercel': [version({ token: vercelToken })],
              'ci/retired': [withdrawn],
              'finance/erp': [version({ password: finance })],
            },
          },
          kv1: {
            version: 1,
            secrets: { 'ci/prefect': { 'api-key': prefectKey }, 'finance/erp': { password: finance } },
          },
        },
      },
      [VAULT.namespace]: {
        auth,
        policies,
        kv: { secret: { version: 2, secrets: { 'ci/prefect': [version({ 'api-key': teamPrefectKey })] } } },
      },
    },
  };
}

export const AWS = {
  accountId: '111122223333',
  region: 'us-east-1',
  roleArn: 'arn:aws:iam::111122223333:role/ci-secrets',
  audience: 'sts.amazonaws.com',
  /** The version of `ci/prefect` before the last rotation. */
  formerVersionId: '0d1e2f30-0000-4000-8000-000000000001',
};

export function awsTenant(): BrokersOptions['aws'] {
  const arn = (rest: string) => `arn:aws:secretsmanager:${AWS.region}:${AWS.accountId}:secret:${rest}`;
  const { prefectKey, formerPrefectKey, prefectAuthString, vercelToken, finance, withdrawn } = HELD_SECRETS;
  const version = (value: string | Uint8Array, id = '0d1e2f30-0000-4000-8000-000000000002', stage = 'AWSCURRENT') => ({
    id,
    stages: [stage],
    value,
  });
  const secret = (name: string, ...versions: ReturnType<typeof version>[]) => ({
    region: AWS.region,
    name,
    arn: arn(`${name}-a1B2c3`),
    createdAt: CREATED_AT,
    versions,
  });
  const all = { 'prefect-api-key': prefectKey, 'prefect-auth': prefectAuthString, 'vercel-token': vercelToken };
  return {
    accountId: AWS.accountId,
    identityProviders: [BITBUCKET_ISSUER, BUILDKITE_ISSUER].map((issuer) => ({ issuer, clientIds: [AWS.audience] })),
    roles: [
      {
        name: 'ci-secrets',
        maxSessionSeconds: 3600,
        trust: [
          {
            issuer: BITBUCKET_ISSUER,
            stringEquals: { aud: [AWS.audience] },
            stringLike: { sub: [`${BITBUCKET.repositoryUuid}:*`] },
          },
          {
            issuer: BUILDKITE_ISSUER,
            stringEquals: { aud: [AWS.audience] },
            stringLike: { sub: ['organization:acme:pipeline:vision:*', BUILDKITE_JOB.ids.pipeline_id] },
          },
        ],
        readableSecrets: [arn('ci/*')],
      },
    ],
    secrets: [
      secret('ci/prefect', version(formerPrefectKey, AWS.formerVersionId, 'AWSPREVIOUS'), version(prefectKey)),
      secret('ci/all', version(JSON.stringify({ ...all, port: 4200 }))),
      secret('ci/binary', version(Buffer.from(prefectKey))),
      { ...secret('ci/locked', version(withdrawn)), undecryptable: true },
      { ...secret('ci/gone', version(withdrawn)), deleted: true },
      secret('finance/erp', version(finance)),
    ],
  };
}

export const AZURE = {
  tenantId: '3f2b1c0d-1111-4222-8333-000000000001',
  clientId: '3f2b1c0d-4444-4555-8666-000000000002',
  /** An application that Buildkite may become as well, but that may read nothing. */
  outsiderId: '3f2b1c0d-7777-4888-8999-000000000003',
  audience: 'api://AzureADTokenExchange',
  vault: 'acme-ci',
  /** The version of `prefect-ci` before the last rotation. */
  formerVersion: '00000000000040008000000000000001',
};

/** Only Buildkite, whose subject can be made to stay the same: `--subject-claim pipeline_id`. */
export function azureTenant(): BrokersOptions['azure'] {
  const federatedCredentials = [
    { issuer: BUILDKITE_ISSUER, subject: BUILDKITE_JOB.ids.pipeline_id, audience: AZURE.audience },
  ];
  const version = (value: string, id = '00000000000040008000000000000002') => ({ id, value, createdAt: CREATED_AT });
  const { prefectKey, formerPrefectKey, prefectAuthString, vercelToken, withdrawn } = HELD_SECRETS;
  return {
    tenantId: AZURE.tenantId,
    tenantDomain: 'acme.onmicrosoft.com',
    applications: [AZURE.clientId, AZURE.outsiderId].map((clientId) => ({ clientId, federatedCredentials })),
    vaults: [
      {
        name: AZURE.vault,
        readers: [AZURE.clientId],
        secrets: {
          'prefect-ci': [version(formerPrefectKey, AZURE.formerVersion), version(prefectKey)],
          'prefect-auth': [version(prefectAuthString)],
          'vercel-ci': [version(vercelToken)],
          paused: [{ ...version(withdrawn), enabled: false }],
        },
      },
    ],
  };
}

/** The company's brokers, and how they trust its CI jobs. */
export function brokersTenant(): Pick<BrokersOptions, 'vault' | 'aws' | 'azure'> {
  return { vault: vaultTenant(), aws: awsTenant(), azure: azureTenant() };
}
