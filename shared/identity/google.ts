import { IdentityPoolClient } from 'google-auth-library/build/src/auth/identitypoolclient.js';
import { SubmitError } from '../errors.ts';
import { answerJson, unreadable } from '../http.ts';
import { isObject, numberAt, textAt } from '../json.ts';
import { plainLine } from '../remote-text.ts';
import { Secret } from '../secret.ts';
import { type Credential, type CredentialSource, cachedCredential } from './credential.ts';
import type { ExchangeEnvironment } from './exchange.ts';
import { explainImpersonation, explainSts } from './google-rejections.ts';
import { type GoogleTrust, impersonationCall, providerAudience, SCOPE, tokenUrl } from './google-trust.ts';
import { getSubjectToken, logToken, type SubjectToken } from './subject-token.ts';

/** How long the STS library may take, with its own retries. */
const STS_BUDGET_MS = 60_000;

/**
 * Credentials by Google's workload identity federation: the CI's token for a federated one at STS (RFC 8693), and where a service
 * account is given, that for a token of the account.
 * https://cloud.google.com/iam/docs/workload-identity-federation
 */
export function googleCredential(trust: GoogleTrust, environment: ExchangeEnvironment): CredentialSource {
  const { clock, log, subjectTokens } = environment;
  let subjectEndsAt: number | undefined;
  let shown = false;

  const exchange = async (signal: AbortSignal): Promise<Credential> => {
    const subject = await getSubjectToken(subjectTokens, trust.demand, clock, signal);
    if (!subjectTokens.renewable) subjectEndsAt = subject.expiresAt;
    if (!shown) logToken(log, subject);
    if (trust.serviceAccount !== undefined) environment.http.warm(impersonationCall(trust).url);
    const federated = await exchangeAtSts(trust, subject, environment, signal);
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

async function exchangeAtSts(
  trust: GoogleTrust,
  subject: SubjectToken,
  { clock, conceal, reach, subjectTokens }: ExchangeEnvironment,
  signal: AbortSignal,
): Promise<Credential> {
  // A client for each exchange: its own cache goes by the machine's clock and by age, ours by what the service said.
  const client = new IdentityPoolClient({
    type: 'external_account',
    audience: providerAudience(trust),
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    token_url: reach(tokenUrl(trust)),
    universe_domain: trust.universeDomain,
    scopes: [SCOPE],
    subject_token_supplier: { getSubjectToken: async () => subject.token.reveal() },
  });
  const startedAt = clock.now();
  const { token, res } = await withinBudget(client.getAccessToken(), signal).catch((error: unknown) => {
    signal.throwIfAborted();
    throw explainSts(trust, subject, error, subjectTokens.howToRequest(trust.demand.audiences[0]));
  });
  const body: unknown = res?.data;
  if (typeof token !== 'string' || !isObject(body)) throw stsUnreadable(trust);
  const secret = new Secret(token);
  await conceal([subject.token, secret]);
  // Absent for a token about to end, which the library would take for one that never does.
  const seconds = numberAt(body, 'expires_in') ?? Math.max(0, (subject.expiresAt - startedAt) / 1000);
  return { token: secret, expiresAt: startedAt + seconds * 1000 };
}

/** The library has no timeout of its own; what it leaves behind ends with the process. */
async function withinBudget<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const ended = AbortSignal.any([signal, AbortSignal.timeout(STS_BUDGET_MS)]);
  return Promise.race([
    promise,
    new Promise<never>((_resolve, reject) => {
      ended.addEventListener('abort', () => reject(new Error(`no answer within ${STS_BUDGET_MS / 1000} s`)), {
        once: true,
      });
    }),
  ]);
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
  const answer = await http.persist({ ...call, bearer: federated.token }, signal);
  const body = answerJson(answer);
  const accessToken = textAt(body, 'accessToken');
  if (answer.status !== 200) throw explainImpersonation(trust, subject, call.url, answer);
  if (accessToken === undefined) throw unreadable(call.url, answer);
  const token = new Secret(accessToken);
  await conceal([token]);
  const expiresAt = Date.parse(textAt(body, 'expireTime') ?? '');
  return { token, expiresAt: Number.isNaN(expiresAt) ? startedAt + trust.lifetimeSeconds * 1000 : expiresAt };
}

function stsUnreadable(trust: GoogleTrust): SubmitError {
  return new SubmitError('unreadable-answer', {
    happened: `${plainLine(new URL(tokenUrl(trust)).host)} answered the token exchange with something else than its documented JSON`,
    remedy: ['Check that no proxy answers in its place, then start the step again.'],
  });
}
