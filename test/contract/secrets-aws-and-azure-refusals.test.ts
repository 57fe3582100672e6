import type { Json } from '../../shared/json.ts';
import { AWS, AZURE, awsTenant } from '../simulators/brokers-tenant.ts';
import { from, NO_SECRET, type Refusal, testRefusals } from './secrets-refusal.ts';

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

testRefusals([
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
      ['ExpiredTokenException', 400, 'exchange-stale', 'says that the CI token has expired'],
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
    why: 'Azure: a tenant without Key Vault',
    cis: BUILDKITE_ONLY,
    settings: azure('acme-ci/prefect-ci'),
    world: {
      hosts: {
        'login.microsoftonline.com': async () =>
          Response.json(
            { error: 'invalid_resource', error_description: 'AADSTS500011: The resource principal was not found.' },
            { status: 400 },
          ),
      },
    },
    code: 'exchange-rejected',
    says: ['Microsoft Entra refused to exchange the token', 'AADSTS500011'],
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
]);
