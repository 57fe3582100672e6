import { AWS, AZURE, awsTenant, HELD_SECRETS, VAULT } from '../simulators/brokers-tenant.ts';
import { GOOGLE, providerName } from '../simulators/tenant.ts';
import { DEPLOY, DEPLOYMENT_UPDATE, googleSecret } from './kinds.ts';
import { OTHER_AUDIENCE, type SecretPath, signed } from './secret-paths.ts';
import type { Ci, StepSettings } from './step.ts';

/** The settings of one broker in the place of Google's. */
const LOGINS: Readonly<Record<'google' | 'vault' | 'aws' | 'azure', (ci: Ci) => StepSettings>> = {
  google: (ci) => ({ 'workload-identity-provider': providerName(ci) }),
  vault: (ci) => ({
    'workload-identity-provider': undefined,
    'vault-address': `https://${VAULT.host}`,
    'vault-role': VAULT.role,
    'vault-auth-mount': VAULT.mounts[ci],
  }),
  aws: () => ({ 'workload-identity-provider': undefined, 'aws-role': AWS.roleArn, 'aws-region': AWS.region }),
  azure: () => ({
    'workload-identity-provider': undefined,
    'azure-tenant': AZURE.tenantId,
    'azure-client-id': AZURE.clientId,
    'oidc-subject-claim': 'pipeline_id',
  }),
};

/** A change of a deployment with a key from a broker. */
export function withKeyFrom(
  broker: keyof typeof LOGINS,
  reference: string,
  more: StepSettings = {},
): Pick<SecretPath, 'kind' | 'settings' | 'ci'> {
  return {
    kind: DEPLOYMENT_UPDATE,
    settings: (ci) => ({
      ...LOGINS[broker](ci),
      'secret-from': { 'api-key': `${broker}:${reference}` },
      tags: ['ci'],
      ...more,
    }),
    ...(broker === 'azure' ? { ci: 'buildkite' } : {}),
  };
}

const NO_SECRET = { exit: 3, says: 'secret-unavailable' } as const;
export const AT_GOOGLE = `projects/${GOOGLE.project}/secrets`;
const done = { exit: 0, says: 'The job succeeded' } as const;
const ofAws = (name: string, code: string, says = 'exchange-'): SecretPath => ({
  name: `AWS that answers ${code}`,
  ...withKeyFrom('aws', name),
  exit: 3,
  says,
  arrange: (world) => world.brokers.aws.refuseNext({ status: 400, code, message: 'The words.' }),
});

export const READINGS: readonly SecretPath[] = [
  {
    name: 'a key that a service account reads at Google',
    ...withKeyFrom('google', `${AT_GOOGLE}/prefect-ci/versions/current`, { 'service-account': GOOGLE.trainer }),
    ...done,
  },
  {
    name: 'a key from Vault',
    ...withKeyFrom('vault', 'secret/ci/prefect#api-key'),
    ...done,
    finally: (world) => {
      if (world.brokers.vault.liveTokens().length > 0) throw new Error('a token of Vault outlives its use');
    },
  },
  {
    name: "a key from Vault's first key-value engine",
    ...withKeyFrom('vault', 'kv1/ci/prefect#api-key', { 'vault-kv-version': 1 }),
    ...done,
  },
  {
    name: 'a key from Vault by a token for one use',
    ...withKeyFrom('vault', 'secret/ci/prefect#api-key', { 'vault-role': VAULT.singleUseRole }),
    exit: 0,
    says: 'The job succeeded',
  },
  { name: 'a key from AWS', ...withKeyFrom('aws', 'ci/all#prefect-api-key'), ...done },
  { name: 'a key from Azure', ...withKeyFrom('azure', `${AZURE.vault}/prefect-ci`), ...done },
  {
    name: "Vercel's token from a broker",
    kind: DEPLOY,
    settings: (ci) => ({ ...LOGINS.google(ci), 'secret-from': { token: googleSecret('vercel-ci') } }),
    ...done,
  },
  {
    name: "a step of Vercel's that is only shown",
    kind: DEPLOY,
    settings: (ci) => ({
      ...LOGINS.vault(ci),
      'secret-from': { token: 'vault:secret/ci/vercel#token' },
      'dry-run': true,
    }),
    exit: 0,
    says: 'nothing was sent',
  },
  {
    name: 'a step with several secrets that is only shown',
    ...withKeyFrom('aws', 'ci/prefect', { 'dry-run': true }),
    exit: 0,
    says: 'nothing was sent',
  },
];

export const READING_REFUSALS: readonly SecretPath[] = [
  { name: "somebody else's secret at Google", ...withKeyFrom('google', `${AT_GOOGLE}/finance`), ...NO_SECRET },
  { name: 'no such version at Google', ...withKeyFrom('google', `${AT_GOOGLE}/prefect-ci/versions/99`), ...NO_SECRET },
  { name: 'a disabled version at Google', ...withKeyFrom('google', `${AT_GOOGLE}/paused`), ...NO_SECRET },
  {
    name: 'a checksum of Google that does not fit',
    ...withKeyFrom('google', `${AT_GOOGLE}/prefect-ci`),
    ...NO_SECRET,
    says: 'arrived damaged',
    ci: 'bitbucket',
    arrange: (world) => world.google.spoilNextChecksum(),
  },
  {
    name: 'a secret that is no JSON',
    ...withKeyFrom('google', `${AT_GOOGLE}/prefect-ci#api-key`),
    ...NO_SECRET,
  },
  {
    name: 'a secret of several lines',
    ...withKeyFrom('aws', 'ci/prefect'),
    ...NO_SECRET,
    says: 'it is not one line of text',
    world: () => {
      const aws = awsTenant();
      const secrets = aws.secrets.map((each) => ({
        ...each,
        versions: each.versions.map((version) => ({
          ...version,
          value: `${HELD_SECRETS.prefectKey}\nand another line`,
        })),
      }));
      return { brokers: { aws: { ...aws, secrets } } };
    },
  },
  {
    name: 'a role that Vault does not have',
    ...withKeyFrom('vault', 'secret/ci/prefect#api-key', { 'vault-role': 'nobody' }),
    exit: 3,
    says: 'exchange-policy',
  },
  {
    name: 'an audience that the role of Vault does not want',
    ...withKeyFrom('vault', 'secret/ci/prefect#api-key', { 'secret-audience': OTHER_AUDIENCE }),
    subject: (ci, world) => signed(ci, world, { aud: OTHER_AUDIENCE }),
    exit: 3,
    says: 'exchange-audience',
  },
  {
    name: 'a token that Vault finds expired',
    ...withKeyFrom('vault', 'secret/ci/prefect#api-key'),
    world: () => ({ brokers: { now: () => Date.now() + 7_200_000 } }),
    exit: 3,
    says: 'exchange-',
  },
  { name: "somebody else's secret in Vault", ...withKeyFrom('vault', 'secret/finance/erp#password'), ...NO_SECRET },
  { name: 'a deleted version in Vault', ...withKeyFrom('vault', 'secret/ci/retired#api-key'), ...NO_SECRET },
  { name: 'a field that is no text', ...withKeyFrom('vault', 'secret/ci/prefect#apikey'), ...NO_SECRET },
  {
    name: 'a token of Vault that cannot be revoked',
    ...withKeyFrom('vault', 'secret/ci/prefect#api-key'),
    exit: 0,
    says: 'could not be revoked',
    arrange: (world) => world.fault({ kind: 'status-500', path: /revoke-self$/, times: 9 }),
  },
  ofAws('ci/prefect', 'ExpiredTokenException', 'exchange-stale'),
  ofAws('ci/prefect', 'IDPCommunicationError'),
  { name: "somebody else's secret at AWS", ...withKeyFrom('aws', 'finance/erp'), ...NO_SECRET },
  { name: 'a secret of AWS that is being deleted', ...withKeyFrom('aws', 'ci/gone'), ...NO_SECRET },
  { name: 'a member that the secret of AWS has not', ...withKeyFrom('aws', 'ci/all#prefect'), ...NO_SECRET },
  {
    name: 'an application of Azure that may read nothing',
    ...withKeyFrom('azure', `${AZURE.vault}/prefect-ci`, { 'azure-client-id': AZURE.outsiderId }),
    ...NO_SECRET,
  },
  { name: 'a disabled secret of Azure', ...withKeyFrom('azure', `${AZURE.vault}/paused`), ...NO_SECRET },
  {
    name: 'a subject that Azure does not know',
    ...withKeyFrom('azure', `${AZURE.vault}/prefect-ci`, { 'oidc-subject-claim': 'organization_id' }),
    exit: 3,
    says: 'exchange-policy',
  },
  {
    name: 'a broker that gives the key of somebody else',
    ...withKeyFrom('vault', 'secret/ci/prefect#api-key', { 'vault-namespace': VAULT.namespace }),
    exit: 4,
    says: 'not-found',
  },
];
