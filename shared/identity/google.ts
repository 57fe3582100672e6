import { answerJson, bearer, unreadable } from '../http.ts';
import { numberAt, textAt } from '../json.ts';
import { Secret } from '../secret.ts';
import { type Credential, type CredentialSource, cachedCredential } from './credential.ts';
import type { ExchangeEnvironment } from './exchange.ts';
import { explainImpersonation } from './google-rejections.ts';
import { type GoogleTrust, impersonationCall } from './google-trust.ts';
import { getSubjectToken, logToken, type SubjectToken } from './subject-token.ts';

/**
 * Credentials by Google's workload identity federation: the CI's token for a federated one at STS (RFC 8693), and where a service
 * account is given, that for a token of the account.
 * https://cloud.google.com/iam/docs/workload-identity-federation
 */
export function googleCredential(trust: GoogleTrust, environment: ExchangeEnvironment): CredentialSource {
  const { clock, conceal, http, log, subjectTokens } = environment;
  let subjectEndsAt: number | undefined;
  let shown = false;

  const exchange = async (signal: AbortSignal): Promise<Credential> => {
    // The library is read while the CI makes its token.
    const loading = import('./google-sts.ts');
    const subject = await getSubjectToken(subjectTokens, trust.demand, clock, signal);
    if (!subjectTokens.renewable) subjectEndsAt = subject.expiresAt;
    if (!shown) logToken(log, subject);
    if (trust.serviceAccount !== undefined) http.warm(impersonationCall(trust).url);
    await conceal([subject.token]);
    const { exchangeAtSts } = await loading;
    const startedAt = clock.now();
    const howToRequest = subjectTokens.howToRequest(trust.demand.audiences[0]);
    const { token, answer } = await exchangeAtSts(trust, subject, http, signal, howToRequest);
    await conceal([token]);
    // Absent for a token that is about to end.
    const seconds = numberAt(answerJson(answer), 'expires_in') ?? Math.max(0, (subject.expiresAt - startedAt) / 1000);
    const federated: Credential = { headers: bearer(token), expiresAt: startedAt + seconds * 1000 };
    const credential =
      trust.serviceAccount === undefined
        ? federated
        : await impersonate(trust, subject, federated, environment, signal);
    if (!shown) {
      const minutes = Math.floor((credential.expiresAt - clock.now()) / 60_000);
      log.info(
        trust.serviceAccount === undefined
          ? `exchanged at STS for a federated identity, valid for ${minutes} min`
          : `exchanged at STS, acting as ${trust.serviceAccount}, valid for ${minutes} min`,
      );
    }
    shown = true;
    return credential;
  };

  return cachedCredential({
    exchange,
    clock,
    subjectEndsAt: () => subjectEndsAt,
    ownLifeMs: trust.serviceAccount === undefined ? 0 : trust.lifetimeSeconds * 1000,
  });
}

async function impersonate(
  trust: GoogleTrust,
  subject: SubjectToken,
  federated: Credential,
  { clock, conceal, http }: ExchangeEnvironment,
  signal: AbortSignal,
): Promise<Credential> {
  const call = impersonationCall(trust);
  const startedAt = clock.now();
  const answer = await http.persist({ ...call, secretHeaders: federated.headers }, signal);
  const body = answerJson(answer);
  const accessToken = textAt(body, 'accessToken');
  if (answer.status !== 200) throw explainImpersonation(trust, subject, call.url, answer);
  if (accessToken === undefined) throw unreadable(call.url, answer);
  const token = new Secret(accessToken);
  await conceal([token]);
  const expiresAt = Date.parse(textAt(body, 'expireTime') ?? '');
  return {
    headers: bearer(token),
    expiresAt: Number.isNaN(expiresAt) ? startedAt + trust.lifetimeSeconds * 1000 : expiresAt,
  };
}
