import type { Ci, StepSettings } from '../e2e/step.ts';
import { BITBUCKET, BUILDKITE_JOB } from '../simulators/tenant.ts';
import type { World } from '../simulators/world.ts';

/** As docs/secrets.md has them: a JWT auth method for each CI, and roles that are bound to its own claims. */
export const MOUNTS: Readonly<Record<Ci, string>> = { bitbucket: 'jwt', buildkite: 'jwt-buildkite' };
export const BOUND: Readonly<Record<Ci, { user_claim: string; bound_claims: Readonly<Record<string, string>> }>> = {
  bitbucket: { user_claim: 'repositoryUuid', bound_claims: { repositoryUuid: BITBUCKET.repositoryUuid } },
  buildkite: {
    user_claim: 'pipeline_id',
    bound_claims: {
      organization_id: BUILDKITE_JOB.ids.organization_id,
      pipeline_id: BUILDKITE_JOB.ids.pipeline_id,
    },
  },
};
/** Where the keys are published that a CI's tokens are verified with. */
export function jwksOf(ci: Ci, { url }: World): string {
  const path = {
    bitbucket: `api.bitbucket.org/2.0/workspaces/${BITBUCKET.workspace}/pipelines-config/identity/oidc/keys.json`,
    buildkite: 'agent.buildkite.com/.well-known/jwks',
  };
  return `${url}/${path[ci]}`;
}

/** The field of each secret that the steps read. */
export const FIELD = 'auth-string';
const ELSEWHERE = 'https://elsewhere.example';

/** What stands in a step's way, and what its log says of it. */
export interface Refusal {
  readonly why: string;
  readonly code: string;
  readonly says: readonly (string | RegExp)[];
  readonly reference?: string;
  readonly role?: (ci: Ci) => Readonly<Record<string, unknown>>;
  readonly settings?: (ci: Ci) => StepSettings & { readonly audience?: string };
  readonly mount?: (ci: Ci) => string;
}

const OTHER_CLAIMS = 'The claims of the token are not those';
const NO_SECRET = 'secret-unavailable';
const otherMount = (ci: Ci) => MOUNTS[ci === 'bitbucket' ? 'buildkite' : 'bitbucket'];
/** A mount with the keys of a CI that expects another issuer. */
export const otherIssuer = (ci: Ci) => `${MOUNTS[ci]}-of-another-issuer`;

/** All that a Vault or OpenBao refuses a step. */
export const REFUSALS: readonly Refusal[] = [
  {
    why: 'another audience',
    code: 'exchange-audience',
    settings: () => ({ audience: ELSEWHERE, 'secret-audience': ELSEWHERE }),
    says: [`Add ${ELSEWHERE} to bound_audiences`, 'audience claim does not match any expected audience'],
  },
  {
    why: 'claims of another pipeline',
    code: 'exchange-policy',
    role: (ci) => ({ bound_claims: { [BOUND[ci].user_claim]: 'another' } }),
    says: [OTHER_CLAIMS, 'does not match any associated bound claim values'],
  },
  {
    why: 'a claim that the token lacks',
    code: 'exchange-policy',
    role: () => ({ bound_claims: { environment: 'production' } }),
    says: [OTHER_CLAIMS, 'claim "environment" is missing'],
  },
  {
    why: 'another subject',
    code: 'exchange-policy',
    role: () => ({ bound_subject: 'another' }),
    says: [OTHER_CLAIMS, 'subject (sub)'],
  },
  {
    why: 'a user claim that the token lacks',
    code: 'exchange-policy',
    role: () => ({ user_claim: 'email' }),
    says: [OTHER_CLAIMS, 'claim "email" not found'],
  },
  {
    why: 'an unknown role',
    code: 'exchange-policy',
    settings: () => ({ 'vault-role': 'nobody' }),
    says: ['Vault has no role nobody', 'role "nobody" could not be found'],
  },
  {
    why: 'a role for people',
    code: 'exchange-rejected',
    role: () => ({ role_type: 'oidc', allowed_redirect_uris: ['http://localhost'] }),
    says: ['role with oidc role_type is not allowed'],
  },
  {
    why: "the other CI's mount",
    code: 'exchange-signature',
    settings: (ci) => ({ 'vault-auth-mount': otherMount(ci) }),
    mount: otherMount,
    says: ['Vault cannot verify', 'failed to verify id token signature'],
  },
  {
    why: 'an unknown mount',
    code: 'exchange-policy',
    settings: () => ({ 'vault-auth-mount': 'nowhere' }),
    says: ['no JWT auth method at auth/nowhere'],
  },
  {
    why: 'another issuer',
    code: 'exchange-issuer',
    settings: (ci) => ({ 'vault-auth-mount': otherIssuer(ci) }),
    mount: otherIssuer,
    says: ['configured for another issuer'],
  },
  {
    why: 'an unknown namespace',
    code: 'exchange-policy',
    settings: () => ({ 'vault-namespace': 'nowhere' }),
    says: ['in the namespace nowhere', 'namespace not found'],
  },
  {
    why: 'a path that no policy allows',
    code: NO_SECRET,
    reference: `secret/finance/erp#${FIELD}`,
    says: ['path "secret/data/finance/erp" { capabilities = ["read"] }', 'policies default, prefect-ci'],
  },
  {
    why: 'an unknown path',
    code: NO_SECRET,
    reference: `secret/ci/nothing#${FIELD}`,
    says: ['Vault has no secret at secret/data/ci/nothing'],
  },
  {
    why: 'an unknown field',
    code: NO_SECRET,
    reference: 'secret/ci/prefect#autstring',
    says: ['it has no text at autstring', 'auth-string, port'],
  },
  {
    why: 'an unknown version',
    code: NO_SECRET,
    reference: `secret/ci/prefect?version=9#${FIELD}`,
    says: ['with the version 9'],
  },
  {
    why: 'a deleted version',
    code: NO_SECRET,
    reference: `secret/ci/withdrawn#${FIELD}`,
    says: ['Version 1 of secret/ci/withdrawn is deleted', 'vault kv undelete'],
  },
  {
    why: 'a destroyed version',
    code: NO_SECRET,
    reference: `secret/ci/destroyed#${FIELD}`,
    says: ['Version 1 of secret/ci/destroyed is destroyed'],
  },
  {
    why: 'the other version of the engine',
    code: NO_SECRET,
    reference: `kv1/ci/prefect#${FIELD}`,
    says: [/The path is that of version 2 .*vault.kv.version/i],
  },
];
