import { describe, it } from 'vitest';
import type { Json } from '../../shared/json.ts';
import { AWS, AZURE, VAULT } from '../simulators/brokers-tenant.ts';
import { providerName } from '../simulators/tenant.ts';
import { DEPLOY, DEPLOYMENT_UPDATE, googleSecret } from './kinds.ts';
import { type BadInput, expectRefusal, withEachCi } from './refusals.ts';

const NO_LOGIN = { 'workload-identity-provider': undefined };
const from = (reference: Json) => ({ ...NO_LOGIN, 'secret-from': { 'api-key': reference } });
const AT_VAULT = { 'vault-address': `https://${VAULT.host}`, 'vault-role': VAULT.role };

const SECRETS: readonly BadInput[] = [
  {
    name: 'a broker that is misspelt',
    settings: from('valt:secret/ci/prefect#api-key'),
    says: (spell) => [`${spell('secret-from')}: ${spell('api-key')}: did you mean vault:?`],
  },
  {
    name: 'a broker that nobody knows',
    settings: from('1password:vault/item'),
    says: (spell) => [`${spell('secret-from')}: ${spell('api-key')}: expected a reference such as google:`],
  },
  {
    name: 'a setting that is misspelt',
    settings: { 'secret-from': { 'api-kye': googleSecret('prefect-ci') } },
    says: (spell) => [
      `${spell('secret-from')}: api-kye is not a secret setting of this job; did you mean ${spell('api-key')}?`,
    ],
  },
  {
    name: 'a setting that is no secret',
    kind: DEPLOY,
    settings: { 'secret-from': { project: googleSecret('x') } },
    says: (spell) => [`the secret settings are ${spell('token')}`],
  },
  {
    name: 'Google without its provider',
    settings: from(googleSecret('prefect-ci')),
    says: (spell) => [`${spell('workload-identity-provider')}: is needed for the google: references`],
  },
  {
    name: 'Vault without its address',
    settings: from('vault:secret/ci/prefect#api-key'),
    says: (spell) =>
      ['vault-address', 'vault-role'].map((name) => `${spell(name)}: is needed for the vault: references`),
  },
  {
    name: 'AWS without its role',
    settings: from('aws:ci/prefect'),
    says: (spell) => [
      `${spell('aws-role')}: is needed for the aws: references`,
      `${spell('aws-region')}: is needed for a secret`,
    ],
  },
  {
    name: 'Azure without its tenant',
    ci: 'buildkite',
    settings: from(`azure:${AZURE.vault}/prefect-ci`),
    says: () => ['azure-tenant', 'azure-client-id'].map((name) => `${name}: is needed for the azure: references`),
  },
  {
    name: 'Azure, whom a Bitbucket step changes its subject for',
    ci: 'bitbucket',
    settings: {
      ...from(`azure:${AZURE.vault}/prefect-ci`),
      'azure-tenant': AZURE.tenantId,
      'azure-client-id': AZURE.clientId,
    },
    says: () => ['SECRET_FROM: '],
  },
  ...[
    'google:prefect-ci',
    'google:projects/acme-ml/secrets/../../x',
    'google:projects/acme-ml/secrets/prefect-ci#',
    'google:projects/acme-ml/secrets/prefect-ci\n$(touch pwned)',
  ].map((reference) => ({
    name: `a reference that is none: ${JSON.stringify(reference)}`,
    settings: { ...from(reference), 'workload-identity-provider': providerName('buildkite') },
    says: (spell: (name: string) => string) => [`${spell('secret-from')}: ${spell('api-key')}: expected google:`],
  })),
  ...['secret/ci/prefect', 'secret/../sys/seal#key', 'secret#key', 'secret/ci?version=x#key', '#'].map((reference) => ({
    name: `a reference to Vault that is none: ${reference}`,
    settings: { ...from(`vault:${reference}`), ...AT_VAULT },
    says: (spell: (name: string) => string) => [`${spell('secret-from')}: ${spell('api-key')}: expected vault:`],
  })),
  {
    name: 'settings of brokers that nothing asks',
    settings: { ...AT_VAULT, 'aws-role': AWS.roleArn, 'azure-tenant': AZURE.tenantId },
    says: (spell) => [
      `${spell('vault-address')}: is not used: no vault: reference stands in`,
      `${spell('aws-role')}: is not used: no aws: reference stands in`,
      `${spell('azure-tenant')}: is not used: no azure: reference stands in`,
    ],
  },
  {
    name: 'addresses of Vault that are none',
    settings: { 'vault-address': 'http://vault.acme.example' },
    says: (spell) => [`${spell('vault-address')}: expected an https address`],
  },
];

describe.concurrent('secrets are refused before anything is sent:', () => {
  const inputs = SECRETS.map(
    (input, at): BadInput => ({
      kind: DEPLOYMENT_UPDATE,
      // Both packagings read references in the same place.
      ci: at % 2 === 0 ? 'bitbucket' : 'buildkite',
      ...input,
    }),
  );
  it.each(withEachCi(inputs))('$title', ({ ci, input }) => expectRefusal(ci, input));
});
