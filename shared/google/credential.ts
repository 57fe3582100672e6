import { type Answer, answerJson, type HttpCall, unreadable } from '../http/http.ts';
import type { CredentialSource } from '../identity/credential.ts';
import type { ExchangeEnvironment } from '../identity/exchange.ts';
import {
  type AccessToken,
  accessToken,
  exchangedCredential,
  type Held,
  readAccessToken,
} from '../identity/exchanged-credential.ts';
import { tokenAt } from '../identity/token-answer.ts';
import { textAt } from '../json.ts';
import { explainImpersonation, explainSts } from './exchange-rejections.ts';
import { exchangeCall, type GoogleTrust, impersonationCall } from './trust.ts';

/** What a service account is asked for: a token of its own, made by the IAM Credentials API. */
export interface AccountToken {
  readonly call: HttpCall;
  /** Completes "exchanged at STS, …". */
  readonly title: string;
  /** How long such a token lives, where the answer does not say. */
  readonly lifetimeSeconds: number;
  /** The token of an answer; undefined when the answer has none. */
  read(answer: Answer): AccessToken | undefined;
}

/**
 * Credentials by Google's workload identity federation: the CI's token for a federated one at STS (RFC 8693), and where a service
 * account is given, that for a token of the account.
 * https://cloud.google.com/iam/docs/workload-identity-federation
 */
export function googleCredential(
  trust: GoogleTrust,
  environment: ExchangeEnvironment,
): CredentialSource<Held<AccessToken>> {
  const { serviceAccount, lifetimeSeconds } = trust;
  if (serviceAccount === undefined) return federatedCredential(trust, undefined, environment);
  const call = impersonationCall(trust);
  const title = `acting as ${serviceAccount}`;
  return federatedCredential(trust, { call, title, lifetimeSeconds, read: readAccountToken }, environment);
}

/** Credentials of the federated identity itself, or the tokens of a service account that it asks for. */
export function federatedCredential(
  trust: GoogleTrust,
  account: AccountToken | undefined,
  environment: ExchangeEnvironment,
): CredentialSource<Held<AccessToken>> {
  const { clock, http, subjectTokens } = environment;
  // The library is read while the CI makes its token; that it could not be is thrown where it is used.
  const library = import('./sts.ts');
  library.catch(() => undefined);
  return exchangedCredential(
    {
      demand: trust.demand,
      call: (subjectToken) => exchangeCall(trust, subjectToken),
      send: async (_call, { token }, signal) => {
        if (account !== undefined) http.warm(account.call.url);
        return (await library).exchangeAtSts(trust, token, http, signal);
      },
      read: readAccessToken,
      describe: (life) =>
        `exchanged at STS${account === undefined ? ' for a federated identity' : `, ${account.title}`}, ${life}`,
      explain: (subject, answer) =>
        explainSts(trust, subject, answer, subjectTokens.howToRequest(trust.demand.audiences[0])),
      issued: async (federated, subject, signal) => {
        if (account === undefined) return federated;
        const { call, lifetimeSeconds, read } = account;
        const sentAt = clock.now();
        const answer = await http.persist({ ...call, secretHeaders: federated.headers }, signal);
        if (answer.status !== 200) throw explainImpersonation(trust, subject, call.url, answer);
        const given = read(answer);
        if (given === undefined) throw unreadable(call.url, answer);
        return { ...given, expiresAt: given.expiresAt ?? sentAt + lifetimeSeconds * 1000 };
      },
      ownLifeMs: (account?.lifetimeSeconds ?? 0) * 1000,
    },
    environment,
  );
}

function readAccountToken(answer: Answer): AccessToken | undefined {
  const body = answerJson(answer);
  const token = tokenAt(body, 'accessToken');
  const expiresAt = Date.parse(textAt(body, 'expireTime') ?? '');
  if (token === undefined) return undefined;
  return accessToken(token, Number.isNaN(expiresAt) ? undefined : expiresAt);
}
