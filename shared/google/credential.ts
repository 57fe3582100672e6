import { type Answer, answerJson, bearer, type HttpCall, unreadable } from '../http/http.ts';
import { type Credential, type CredentialSource, cachedCredential } from '../identity/credential.ts';
import type { ExchangeEnvironment } from '../identity/exchange.ts';
import { getSubjectToken, logToken, type SubjectToken } from '../identity/subject-token.ts';
import { lifetimeAt, tokenAt } from '../identity/token-answer.ts';
import { textAt } from '../json.ts';
import type { Secret } from '../secret.ts';
import { explainImpersonation } from './exchange-rejections.ts';
import { type GoogleTrust, impersonationCall } from './trust.ts';

/** What a service account is asked for: a token of its own, made by the IAM Credentials API. */
export interface AccountToken {
  readonly call: HttpCall;
  /** Completes "exchanged at STS, …". */
  readonly title: string;
  /** How long such a token lives, where the answer does not say. */
  readonly lifetimeSeconds: number;
  /** The token of an answer, with its end in ms where the answer tells it; undefined when the answer has none. */
  read(answer: Answer): { readonly token: Secret; readonly expiresAt: number | undefined } | undefined;
}

/**
 * Credentials by Google's workload identity federation: the CI's token for a federated one at STS (RFC 8693), and where a service
 * account is given, that for a token of the account.
 * https://cloud.google.com/iam/docs/workload-identity-federation
 */
export function googleCredential(trust: GoogleTrust, environment: ExchangeEnvironment): CredentialSource {
  const { serviceAccount } = trust;
  if (serviceAccount === undefined) return federatedCredential(trust, undefined, environment);
  const token: AccountToken = {
    call: impersonationCall(trust),
    title: `acting as ${serviceAccount}`,
    lifetimeSeconds: trust.lifetimeSeconds,
    read: readAccessToken,
  };
  return federatedCredential(trust, token, environment);
}

/** Credentials of the federated identity itself, or the tokens of a service account that it asks for. */
export function federatedCredential(
  trust: GoogleTrust,
  accountToken: AccountToken | undefined,
  environment: ExchangeEnvironment,
): CredentialSource {
  const { clock, conceal, http, log, subjectTokens } = environment;
  let subjectEndsAt: number | undefined;
  let shown = false;

  const exchange = async (signal: AbortSignal): Promise<Credential> => {
    // The library is read while the CI makes its token.
    const loading = import('./sts.ts');
    const subject = await getSubjectToken(subjectTokens, trust.demand, clock, signal);
    if (!subjectTokens.renewable) subjectEndsAt = subject.expiresAt;
    if (!shown) logToken(log, subject);
    if (accountToken !== undefined) http.warm(accountToken.call.url);
    await conceal([subject.token]);
    const { exchangeAtSts } = await loading;
    const startedAt = clock.now();
    const howToRequest = subjectTokens.howToRequest(trust.demand.audiences[0]);
    const { token, answer } = await exchangeAtSts(trust, subject, http, signal, howToRequest);
    await conceal([token]);
    // Absent for a token that is about to end.
    const seconds = lifetimeAt(answerJson(answer), 'expires_in') ?? Math.max(0, (subject.expiresAt - startedAt) / 1000);
    const federated: Credential = { headers: bearer(token), expiresAt: startedAt + seconds * 1000 };
    const credential =
      accountToken === undefined
        ? federated
        : await impersonate(trust, accountToken, subject, federated, environment, signal);
    if (!shown) {
      const minutes = Math.floor((credential.expiresAt - clock.now()) / 60_000);
      const title = accountToken?.title ?? 'for a federated identity';
      log.info(`exchanged at STS${accountToken === undefined ? ' ' : ', '}${title}, valid for ${minutes} min`);
    }
    shown = true;
    return credential;
  };

  const ownLifeMs = (accountToken?.lifetimeSeconds ?? 0) * 1000;
  return cachedCredential({ exchange, clock, log, subjectEndsAt: () => subjectEndsAt, ownLifeMs });
}

function readAccessToken(answer: Answer): ReturnType<AccountToken['read']> {
  const body = answerJson(answer);
  const token = tokenAt(body, 'accessToken');
  const expiresAt = Date.parse(textAt(body, 'expireTime') ?? '');
  return token === undefined ? undefined : { token, expiresAt: Number.isNaN(expiresAt) ? undefined : expiresAt };
}

async function impersonate(
  trust: GoogleTrust,
  { call, lifetimeSeconds, read }: AccountToken,
  subject: SubjectToken,
  federated: Credential,
  { clock, conceal, http }: ExchangeEnvironment,
  signal: AbortSignal,
): Promise<Credential> {
  const startedAt = clock.now();
  const answer = await http.persist({ ...call, secretHeaders: federated.headers }, signal);
  if (answer.status !== 200) throw explainImpersonation(trust, subject, call.url, answer);
  const given = read(answer);
  if (given === undefined) throw unreadable(call.url, answer);
  await conceal([given.token]);
  return { headers: bearer(given.token), expiresAt: given.expiresAt ?? startedAt + lifetimeSeconds * 1000 };
}
