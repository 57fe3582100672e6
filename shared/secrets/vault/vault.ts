import { type Answer, answerJson } from '../../http/http.ts';
import type { ExchangeEnvironment } from '../../identity/exchange.ts';
import { type Issued, tokenExchange } from '../../identity/exchanged-credential.ts';
import { tokenAt } from '../../identity/token-answer.ts';
import { listAt, numberAt, objectAt } from '../../json.ts';
import { plainLine } from '../../remote-text.ts';
import { PLACEHOLDER, type Secret } from '../../secret.ts';
import { type BrokerSecret, defineBroker, madeOnce } from '../broker.ts';
import { explainVaultLogin, explainVaultRead } from './refusals.ts';
import {
  loginCall,
  parseVaultReference,
  readCall,
  readVaultSecret,
  revokeCall,
  tokenHeader,
  type VaultReference,
  type VaultTrust,
  vaultTrust,
} from './requests.ts';

/** Nobody waits long for the end of a token that ends by itself. */
const REVOKE_MS = 5_000;

/** https://developer.hashicorp.com/vault/docs/auth/jwt and https://openbao.org/docs/auth/jwt/ */
export const vault = defineBroker({
  word: 'vault',
  form: 'vault:MOUNT/PATH[?version=N]#FIELD',
  example: 'vault:secret/ci/prefect#api-key',
  needs: ['vault-address', 'vault-role'],
  takes: ['vault-auth-mount', 'vault-namespace', 'vault-kv-version'],
  parse: parseVaultReference,
  check: (references, { values, faults }) => {
    if (values['vault-kv-version'] === '1' && references.some(({ version }) => version !== undefined))
      faults.add('secret-from', 'version 1 of the key-value engine keeps no versions; leave out ?version=');
  },
  open: (values) => {
    const trust = vaultTrust(values);
    const login = madeOnce((environment) => vaultLogin(trust, environment));
    return (reference) => vaultSecret(trust, login, reference);
  },
});

type Login = (environment: ExchangeEnvironment) => ReturnType<typeof tokenExchange<VaultToken>>;

function vaultSecret(trust: VaultTrust, login: Login, reference: VaultReference): BrokerSecret {
  const read = readCall(trust, reference);
  const secretHeaders = tokenHeader(PLACEHOLDER);
  return {
    title: `Vault ${trust.origin}, ${reference.mount}/${reference.path}`,
    key: reference.field,
    calls: [
      loginCall(trust, PLACEHOLDER.reveal()),
      { ...read, secretHeaders },
      { ...revokeCall(trust), secretHeaders },
    ],
    // A login for each secret: roles may allow a token no second use, and a revoked token is worth nothing to anyone.
    open: async (environment, signal) => {
      const given = await login(environment).exchange(signal);
      try {
        const answer = await environment.http.persist({ ...read, secretHeaders: tokenHeader(given.token) }, signal);
        const reading = readVaultSecret(trust, answer);
        if (reading === undefined) throw explainVaultRead(trust, reference, given.policies, answer);
        return reading;
      } finally {
        await revoke(trust, given, environment);
      }
    },
  };
}

interface VaultToken extends Issued {
  readonly token: Secret;
  readonly policies: readonly string[];
  /** Its role allows the token a single request, which is the reading. */
  readonly endsWithReading: boolean;
}

function vaultLogin(trust: VaultTrust, environment: ExchangeEnvironment): ReturnType<Login> {
  const { audience, acceptsDefault, origin, role } = trust;
  const howToRequest = () => environment.subjectTokens.howToRequest(audience, 'secret-audience');
  return tokenExchange<VaultToken>(
    {
      demand: { audiences: [audience], acceptsDefault },
      call: (subjectToken) => loginCall(trust, subjectToken),
      read: readToken,
      explain: (subject, answer) => explainVaultLogin(trust, subject, answer, howToRequest()),
      describe: (_life, { policies }) =>
        `logged in at ${origin} with role ${role}, policies ${policies.join(', ') || '(none)'}`,
    },
    environment,
  );
}

function readToken(answer: Answer): VaultToken | undefined {
  const auth = objectAt(answerJson(answer), 'auth');
  const token = tokenAt(auth, 'client_token');
  if (token === undefined) return undefined;
  const policies = listAt(auth, 'policies').map((policy) => plainLine(String(policy), 60));
  return { token, policies, endsWithReading: numberAt(auth, 'num_uses') === 1, expiresAt: undefined };
}

/** Ends the token, also when the step is being cancelled. That it fails changes nothing about the secret. */
async function revoke(
  trust: VaultTrust,
  { token, endsWithReading }: VaultToken,
  { http, log }: ExchangeEnvironment,
): Promise<void> {
  const call = { ...revokeCall(trust), secretHeaders: tokenHeader(token) };
  const attempt = await http.once(call, AbortSignal.timeout(REVOKE_MS)).catch(() => undefined);
  const status = attempt?.kind === 'answer' ? attempt.status : undefined;
  // 403 is said of a token that is no more, and of one that may not end itself, for want of the default policy.
  if (status === 200 || status === 204 || (status === 403 && endsWithReading)) return;
  const why = status === undefined ? 'no answer came' : `it answered ${status}`;
  log.warning(`The token of ${trust.origin} could not be revoked (${why}); it ends by itself after its time to live.`);
}
