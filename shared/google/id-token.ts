import { decodeJwt } from 'jose';
import { type Answer, answerJson, type HttpCall } from '../http/http.ts';
import type { CredentialSource } from '../identity/credential.ts';
import type { ExchangeEnvironment } from '../identity/exchange.ts';
import { type AccessToken, accessToken } from '../identity/exchanged-credential.ts';
import { tokenAt } from '../identity/token-answer.ts';
import { type AccountToken, federatedCredential } from './credential.ts';
import { accountCall, type GoogleTrust } from './trust.ts';

/** Only a service account has ID tokens; a federated identity has none of its own. */
export interface GoogleAccountTrust extends GoogleTrust {
  readonly serviceAccount: string;
}

/** Google's ID tokens live an hour, whatever is asked for. */
const LIFETIME_SECONDS = 3600;

/**
 * ID tokens of a service account for `audience`: what Identity-Aware Proxy and Cloud Run want to see.
 * https://cloud.google.com/iap/docs/authentication-howto
 */
export function googleIdTokenCredential(
  trust: GoogleAccountTrust,
  audience: string,
  environment: ExchangeEnvironment,
): CredentialSource {
  const token: AccountToken = {
    call: idTokenCall(trust, audience),
    title: `ID token of ${trust.serviceAccount} for ${audience}`,
    lifetimeSeconds: LIFETIME_SECONDS,
    read: readIdToken,
  };
  return federatedCredential(trust, token, environment);
}

/** https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateIdToken */
export function idTokenCall(trust: GoogleAccountTrust, audience: string): HttpCall {
  return accountCall(trust, 'generateIdToken', { audience, includeEmail: true });
}

/** The token of an answer, with the end that it names. */
export function readIdToken(answer: Answer): AccessToken | undefined {
  const token = tokenAt(answerJson(answer), 'token');
  if (token === undefined) return undefined;
  try {
    const { exp } = decodeJwt(token.reveal());
    return accessToken(token, typeof exp === 'number' ? exp * 1000 : undefined);
  } catch {
    // jose's message is left out: it may quote the token.
    return undefined;
  }
}
