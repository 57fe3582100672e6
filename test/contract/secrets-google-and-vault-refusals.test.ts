import type { Json } from '../../shared/json.ts';
import { VAULT, vaultTenant } from '../simulators/brokers-tenant.ts';
import { GOOGLE, googleTenant } from '../simulators/tenant.ts';
import type { Ci } from './kind-samples.ts';
import { from, NO_SECRET, testRefusals } from './secrets-refusal.ts';
import { LOGIN } from './secrets-step.ts';

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

const BUILDKITE_ONLY = ['buildkite'] as const;
const BITBUCKET_ONLY = ['bitbucket'] as const;

testRefusals([
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
]);

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
