import type { SubmitError } from '../../errors.ts';
import { type Answer, answerJson, unreadable } from '../../http/http.ts';
import { OR_ANOTHER_AUDIENCE, refusalError, refusals } from '../../http/refusal.ts';
import { likelyAudience, stableClaim } from '../../identity/subject-claims.ts';
import { describeToken, type SubjectToken } from '../../identity/subject-token.ts';
import { isObject, type Json, listAt, objectAt, textAt } from '../../json.ts';
import { tokenFacts } from '../presented-token.ts';
import { GUIDE } from '../secret-source.ts';
import { apiPath, loginCall, readCall, type VaultReference, type VaultTrust } from './requests.ts';

const READ_ROLE = 'vault read auth/{authMount}/role/{role}';

/** What the JWT auth method says. https://developer.hashicorp.com/vault/docs/auth/jwt */
export const VAULT_LOGIN = refusals('Vault', GUIDE, 'exchange-rejected', [
  {
    status: [403, 404],
    code: 'exchange-policy',
    happened:
      'Vault has no JWT auth method at auth/{authMount} in the namespace {namespace}, or does not allow to log in there',
    remedy: ['Correct «vault-auth-mount» or «vault-namespace» by what this prints:', 'vault auth list'],
  },
  {
    words: /role .*could not be found|missing role/i,
    code: 'exchange-policy',
    happened: 'Vault has no role {role} at auth/{authMount}',
    remedy: [
      'Check «vault-role», and that «vault-auth-mount» is the mount of this CI. If they are right, create the role, bound to this pipeline:',
      '{newRole}',
    ],
  },
  {
    words: /audience|\(aud\)/i,
    code: 'exchange-audience',
    happened: "Vault's role {role} does not allow the token's audience",
    remedy: ['Add {audience} to bound_audiences of the role:', READ_ROLE, ...OR_ANOTHER_AUDIENCE],
  },
  {
    words: /invalid issuer|\(iss\)|issued by a different/i,
    code: 'exchange-issuer',
    happened: "Vault's auth/{authMount} is configured for another issuer",
    remedy: [
      'Point «vault-auth-mount» at the mount of this CI, or configure it:',
      'vault write auth/{authMount}/config oidc_discovery_url={issuer} bound_issuer={issuer}',
    ],
  },
  {
    words: /claim .*(?:does not match|missing|not found)|error validating claims|\(sub\)|subject/i,
    code: 'exchange-policy',
    happened: "The claims of the token are not those that Vault's role {role} is bound to",
    remedy: [
      'Compare the claims above with bound_claims and bound_subject of the role, all of which have to match:',
      READ_ROLE,
      'or bind it to this pipeline:',
      '{newRole}',
    ],
  },
  { words: /expired|\(exp\)|\(nbf\)|\(iat\)|not (?:yet )?valid/i, code: 'exchange-stale' },
  {
    words: /signature|failed to verify|verifying token|signing key/i,
    code: 'exchange-signature',
    remedy: [
      'Check that «vault-auth-mount» is the mount of this CI, which has separate keys; then the discovery URL, or the keys that were put there:',
      'vault read auth/{authMount}/config',
    ],
  },
  { remedy: ['Compare the claims above with the role:', READ_ROLE] },
]);

/** What a refusal to log in means, with the role that would accept this token. */
export function explainVaultLogin(
  trust: VaultTrust,
  subject: SubjectToken,
  answer: Answer,
  howToRequest: readonly string[],
): SubmitError {
  const words = errorsOf(answer);
  if (words === undefined) return unreadable(loginCall(trust, '').url, answer);
  const { role, authMount, namespace = 'root' } = trust;
  const presented = [...describeToken(subject), ...place(trust)];
  return refusalError(VAULT_LOGIN, {
    status: answer.status,
    words,
    presented,
    ...tokenFacts(trust, subject, howToRequest),
    role,
    authMount,
    namespace,
    newRole: newRole(trust, subject),
  });
}

const LIST_VERSIONS = 'vault kv metadata get -mount={mount} {path}';

/** https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2 */
export const VAULT_READ = refusals('Vault', GUIDE, 'secret-unavailable', [
  {
    status: [403],
    happened: "Vault's role {role} may not read {apiPath}",
    expected: ['a policy of the role with: path "{apiPath}" { capabilities = ["read"] }'],
    remedy: [
      'Add that to one of the policies above, or correct the reference in «secret-from».',
      'The path is that of version {engine} of the key-value engine; «vault-kv-version» says which one it is.',
    ],
  },
  {
    status: [404],
    if: 'destroyed',
    happened: 'Version {destroyed} of {mount}/{path} is destroyed',
    remedy: ['Name another version; this lists them:', LIST_VERSIONS],
  },
  {
    status: [404],
    if: 'deleted',
    happened: 'Version {deleted} of {mount}/{path} is deleted',
    remedy: [
      'Bring it back:',
      'vault kv undelete -mount={mount} -versions={deleted} {path}',
      'or name another version; this lists them:',
      LIST_VERSIONS,
    ],
  },
  {
    status: [404],
    happened: 'Vault has no secret at {secret}',
    expected: ['a secret in a key-value engine of version {engine} at {mount}'],
    remedy: [
      'Compare with what is there (and «vault-kv-version» with the engine):',
      'vault kv {get} -mount={mount} {path}',
    ],
  },
  {},
]);

/** What a refusal to read means. */
export function explainVaultRead(
  trust: VaultTrust,
  reference: VaultReference,
  policies: readonly string[],
  answer: Answer,
): SubmitError {
  const words = errorsOf(answer);
  if (words === undefined || answer.status === 200) return unreadable(readCall(trust, reference).url, answer);
  const { mount, path, version } = reference;
  const metadata = objectAt(objectAt(answerJson(answer), 'data'), 'metadata');
  const requested = apiPath(trust, reference);
  const presented = [`path ${requested}`, ...place(trust), `policies ${policies.join(', ') || '(none)'}`];
  return refusalError(VAULT_READ, {
    status: answer.status,
    words,
    presented,
    role: trust.role,
    mount,
    path,
    apiPath: requested,
    secret: version === undefined ? requested : `${requested} with the version ${version}`,
    engine: trust.hasVersions ? 2 : 1,
    get: trust.hasVersions ? 'metadata get' : 'get',
    [metadata.destroyed === true ? 'destroyed' : 'deleted']: textAt(metadata, 'version'),
  });
}

function place({ origin, role, authMount, namespace }: VaultTrust): readonly string[] {
  return [`Vault ${origin}`, `role ${role} at auth/${authMount}`, `namespace ${namespace ?? '(the root namespace)'}`];
}

/** The words of an answer; undefined when it is not one of Vault's. A secret that is not there answers with none. */
function errorsOf(answer: Answer): string | undefined {
  const body = answerJson(answer);
  if (!isObject(body) || !('errors' in body || 'data' in body || 'warnings' in body)) return undefined;
  const lines: readonly Json[] = [...listAt(body, 'errors'), ...listAt(body, 'warnings')];
  return lines.map((line) => String(line).trim()).join('\n');
}

function newRole({ authMount, role, audience }: VaultTrust, subject: SubjectToken): string {
  const [name, value] = stableClaim(subject) ?? ['CLAIM', 'VALUE'];
  const configuration = {
    role_type: 'jwt',
    user_claim: name,
    bound_audiences: [likelyAudience([audience], subject)],
    bound_claims: { [name]: value },
    token_policies: ['POLICY'],
    token_ttl: '5m',
  };
  return `vault write auth/${authMount}/role/${role} - <<< '${JSON.stringify(configuration)}'`;
}
