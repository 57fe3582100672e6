import { SubmitError } from '../../errors.ts';
import { type Answer, answerJson, unreadable } from '../../http/http.ts';
import { describeToken, type SubjectToken } from '../../identity/subject-token.ts';
import { isObject, type Json, listAt, objectAt, textAt } from '../../json.ts';
import { plainLine } from '../../remote-text.ts';
import { explainLogin, type LoginRefusal } from '../login-refusal.ts';
import { likelyAudience, stableClaim } from '../presented-token.ts';
import { GUIDE } from '../secret-source.ts';
import { apiPath, loginCall, readCall, type VaultReference, type VaultTrust } from './requests.ts';

const rolePath = ({ authMount, role }: VaultTrust): string => `auth/${authMount}/role/${role}`;
const configPath = ({ authMount }: VaultTrust): string => `auth/${authMount}/config`;

// What the JWT auth method says. https://developer.hashicorp.com/vault/docs/auth/jwt
const REFUSALS: readonly LoginRefusal<VaultTrust>[] = [
  {
    matches: /role .*could not be found|missing role/i,
    code: 'exchange-policy',
    happened: ({ role, authMount }) => `Vault has no role ${role} at auth/${authMount}`,
    expected: () => ['a role of that JWT auth method, in the namespace that is set'],
    remedy: (trust, subject) => [
      'Check «vault-role», and that «vault-auth-mount» is the mount of this CI. If they are right, create the role, bound to this pipeline:',
      ...roleLines(trust, subject),
    ],
  },
  {
    matches: /audience|\(aud\)/i,
    code: 'exchange-audience',
    happened: ({ role }) => `Vault's role ${role} does not allow the token's audience`,
    expected: () => ["one of the role's bound_audiences"],
    remedy: (trust, subject, howToRequest) => [
      `Add ${likelyAudience(trust.audience, subject)} to bound_audiences of the role:`,
      `vault read ${rolePath(trust)}`,
      'or have the token made for an audience that is there:',
      ...howToRequest,
    ],
  },
  {
    matches: /invalid issuer|\(iss\)|issued by a different/i,
    code: 'exchange-issuer',
    happened: ({ authMount }) => `Vault's auth/${authMount} is configured for another issuer`,
    expected: (_trust, subject) => [`bound_issuer ${subject.issuer}`],
    remedy: (trust, subject) => [
      'Point «vault-auth-mount» at the mount of this CI, or configure it:',
      `vault write ${configPath(trust)} oidc_discovery_url=${subject.issuer} bound_issuer=${subject.issuer}`,
    ],
  },
  {
    matches: /claim .*(?:does not match|missing|not found)|error validating claims|\(sub\)|subject/i,
    code: 'exchange-policy',
    happened: ({ role }) => `The claims of the token are not those that Vault's role ${role} is bound to`,
    expected: (trust) => [`the bound_claims and bound_subject of ${rolePath(trust)}, all of them`],
    remedy: (trust, subject) => [
      'Compare the claims above with the role:',
      `vault read ${rolePath(trust)}`,
      'or bind it to this pipeline:',
      ...roleLines(trust, subject),
    ],
  },
  {
    matches: /expired|\(exp\)|\(nbf\)|\(iat\)|not (?:yet )?valid/i,
    code: 'exchange-stale',
    happened: () => "Vault regards the CI's token as expired or not valid yet",
    expected: () => ['a token whose iat, nbf and exp enclose the present'],
    remedy: () => ['Start the step again for a new token, and check the clocks of this machine and of Vault.'],
  },
  {
    matches: /signature|failed to verify|verifying token|signing key/i,
    code: 'exchange-signature',
    happened: () => "Vault cannot verify the token's signature",
    expected: (_trust, subject) => [`keys of ${subject.issuer}, reachable from Vault`],
    remedy: (trust) => [
      'Check that «vault-auth-mount» is the mount of this CI, which has keys of its own; then the discovery URL, or the keys that were put there:',
      `vault read ${configPath(trust)}`,
    ],
  },
];

/** What a refusal to log in means, with the role that would accept this token. */
export function explainVaultLogin(
  trust: VaultTrust,
  subject: SubjectToken,
  answer: Answer,
  howToRequest: readonly string[],
): SubmitError {
  const words = errorsOf(answer);
  if (words === undefined) return unreadable(loginCall(trust, '').url, answer);
  const presented = [...describeToken(subject), ...place(trust)];
  const refusal = REFUSALS.find(({ matches }) => matches.test(words));
  if (refusal !== undefined && answer.status === 400) {
    return explainLogin(refusal, { trust, subject, presented, words, howToRequest });
  }
  if (answer.status === 403 || answer.status === 404) {
    return new SubmitError('exchange-policy', {
      happened: `Vault knows no JWT auth method at auth/${trust.authMount}${trust.namespace === undefined ? '' : ` in the namespace ${trust.namespace}`}, or lets nobody log in there`,
      presented,
      expected: ['a JWT auth method at that mount, in that namespace'],
      words,
      remedy: ['Correct «vault-auth-mount» or «vault-namespace» by what this prints:', 'vault auth list'],
      link: GUIDE,
    });
  }
  return new SubmitError('exchange-rejected', {
    happened: `Vault refused to log in with role ${trust.role} (${answer.status})`,
    presented,
    words,
    remedy: ['Compare the claims above with the role:', `vault read ${rolePath(trust)}`],
    link: GUIDE,
  });
}

/** What a refusal to read means. https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2 */
export function explainVaultRead(
  trust: VaultTrust,
  reference: VaultReference,
  policies: readonly string[],
  answer: Answer,
): SubmitError {
  const words = errorsOf(answer);
  if (words === undefined || answer.status === 200) return unreadable(readCall(trust, reference).url, answer);
  const path = apiPath(trust, reference);
  const presented = [`path ${path}`, ...place(trust), `policies ${policies.join(', ') || '(none)'}`];
  const refused = (happened: string, expected: readonly string[], remedy: readonly string[]) =>
    new SubmitError('secret-unavailable', { happened, presented, expected, words, remedy, link: GUIDE });
  const get = `vault kv metadata get -mount=${reference.mount} ${reference.path}`;
  if (answer.status === 403) {
    return refused(
      `Vault's role ${trust.role} may not read ${path}`,
      [`a policy of the role with: path "${path}" { capabilities = ["read"] }`],
      [
        'Add that to one of the policies above, or correct the reference in «secret-from».',
        `The path is that of version ${trust.hasVersions ? '2' : '1'} of the key-value engine; «vault-kv-version» says which one it is.`,
      ],
    );
  }
  if (answer.status === 404) {
    const metadata = objectAt(objectAt(answerJson(answer), 'data'), 'metadata');
    const version = textAt(metadata, 'version');
    if (version !== undefined) {
      const destroyed = metadata.destroyed === true;
      return refused(
        `Version ${plainLine(version, 20)} of ${reference.mount}/${reference.path} is ${destroyed ? 'destroyed' : 'deleted'}`,
        ['a version that is there'],
        [
          ...(destroyed
            ? []
            : [
                `Bring it back: vault kv undelete -mount=${reference.mount} -versions=${plainLine(version, 20)} ${reference.path}`,
              ]),
          'Or name another version; this lists them:',
          get,
        ],
      );
    }
    return refused(
      `Vault has no secret at ${path}${reference.version === undefined ? '' : ` with a version ${reference.version}`}`,
      [`a secret in a key-value engine of version ${trust.hasVersions ? '2' : '1'} at ${reference.mount}`],
      [
        'Compare with what is there (and «vault-kv-version» with the engine):',
        trust.hasVersions ? get : `vault kv get -mount=${reference.mount} ${reference.path}`,
      ],
    );
  }
  return refused(`Vault refused to give ${path} (${answer.status})`, [], ['Check the reference in «secret-from».']);
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

function roleLines({ authMount, role, audience }: VaultTrust, subject: SubjectToken): readonly string[] {
  const [name, value] = stableClaim(subject) ?? ['CLAIM', 'VALUE'];
  const configuration = {
    role_type: 'jwt',
    user_claim: name,
    bound_audiences: [likelyAudience(audience, subject)],
    bound_claims: { [name]: value },
    token_policies: ['POLICY'],
    token_ttl: '5m',
  };
  return [`vault write auth/${authMount}/role/${role} - <<< '${plainLine(JSON.stringify(configuration), 600)}'`];
}
