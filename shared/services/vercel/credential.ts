import { answerJson, bearer, type HttpCall, unreadable } from '../../http/http.ts';
import { type Credential, type CredentialSource, cachedCredential } from '../../identity/credential.ts';
import type { ExchangeEnvironment } from '../../identity/exchange.ts';
import { getSubjectToken, logToken, type SubjectTokenDemand } from '../../identity/subject-token.ts';
import { lifetimeAt, tokenAt } from '../../identity/token-answer.ts';
import { isObject, objectAt } from '../../json.ts';
import { plainLine } from '../../remote-text.ts';
import type { Secret } from '../../secret.ts';
import { explainVercelRejection } from './exchange-rejections.ts';
import type { VercelTrust } from './trust.ts';

/** The service's own command line tool, whose policies allow deployments. */
export const VERCEL_CLI_CLIENT = 'cl_HYyOPBNtFMfHhaUn9L4QPfTZz6TP47bp';
const TOKEN_ENDPOINT = 'https://api.vercel.com/login/oauth/token';

// A token is shown once and exchanged at once; each exchange gets a new one where the CI gives new ones.
const LIFETIME_SECONDS = 300;

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

/** The RFC 8693 token exchange under an OIDC federation policy. https://vercel.com/docs/oidc */
export function vercelExchangeCall(trust: VercelTrust, subjectToken: string): HttpCall {
  const form = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    client_id: trust.clientId,
    subject_token: subjectToken,
    subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
    requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    team_id_or_slug: trust.team,
    ...(trust.policyId === undefined ? {} : { policy_id: trust.policyId }),
  });
  return { method: 'POST', url: TOKEN_ENDPOINT, headers: FORM, body: form.toString() };
}

/** Ends a token before its time (RFC 7009). */
export function vercelRevocationCall(trust: VercelTrust, token: string): HttpCall {
  const form = new URLSearchParams({ client_id: trust.clientId, token, token_type_hint: 'access_token' });
  return { method: 'POST', url: `${TOKEN_ENDPOINT}/revoke`, headers: FORM, body: form.toString() };
}

interface LiveToken {
  readonly token: Secret;
  /** In ms; infinite where the service did not say. */
  readonly endsAt: number;
}

/** Credentials of a team's OIDC federation policy: short-lived, and revoked when the step ends. */
export function vercelCredential(trust: VercelTrust, environment: ExchangeEnvironment): CredentialSource {
  const { clock, http, log, subjectTokens, conceal } = environment;
  let subjectEndsAt: number | undefined;
  let shown = false;
  let live: readonly LiveToken[] = [];

  const exchange = async (signal: AbortSignal): Promise<Credential> => {
    const demand: SubjectTokenDemand = {
      audiences: [trust.audience],
      acceptsDefault: trust.acceptsDefault,
      lifetimeSeconds: LIFETIME_SECONDS,
    };
    const subject = await getSubjectToken(subjectTokens, demand, clock, signal);
    if (!subjectTokens.renewable) subjectEndsAt = subject.expiresAt;
    await conceal([subject.token]);
    if (!shown) logToken(log, subject);
    const call = vercelExchangeCall(trust, subject.token.reveal());
    const startedAt = clock.now();
    const answer = await http.persist(call, signal);
    const body = answerJson(answer);
    const token = tokenAt(body, 'access_token');
    if (answer.status === 200 && token !== undefined) {
      await conceal([token]);
      // How long such a token lives is not documented; without a word on it, it is taken to end with the CI's own.
      const told = lifetimeAt(body, 'expires_in');
      const seconds = told ?? (subject.expiresAt - startedAt) / 1000;
      const expiresAt = startedAt + seconds * 1000;
      const endsAt = told === undefined ? Number.POSITIVE_INFINITY : expiresAt;
      live = [...live.filter((each) => each.endsAt > startedAt), { token, endsAt }];
      if (!shown)
        log.info(`exchanged at api.vercel.com for team ${trust.team}, valid for ${Math.floor(seconds / 60)} min`);
      shown = true;
      return { headers: bearer(token), expiresAt };
    }
    if (!isObject(body) || answer.status === 200) throw unreadable(call.url, answer);
    throw explainVercelRejection(trust, subject, answer, subjectTokens.howToRequest(trust.audience));
  };

  /** What can be ended must not outlive the step; that it could not be is no reason to fail it. */
  const release = async (signal: AbortSignal): Promise<void> => {
    const ending = live.filter(({ endsAt }) => endsAt > clock.now());
    live = [];
    for (const { token } of ending) {
      const result = await http.once(vercelRevocationCall(trust, token.reveal()), signal).catch(() => undefined);
      if (result?.kind === 'answer' && result.status >= 200 && result.status < 300) continue;
      const why = result?.kind === 'answer' ? `it answered ${result.status}` : (result?.reason ?? 'no time was left');
      log.warning(`The Vercel token of this step could not be revoked (${plainLine(why, 160)}); it ends by itself.`);
    }
  };

  return {
    ...cachedCredential({ exchange, clock, log, subjectEndsAt: () => subjectEndsAt, ownLifeMs: 0 }),
    isRefusal: isRefusedToken,
    release,
  };
}

/** Whether a 403 is about the token, and not about what it may do. */
export function isRefusedToken(answer: { readonly status: number; readonly text: string }): boolean {
  if (answer.status !== 403 || !answer.text.includes('invalidToken')) return false;
  try {
    const body: unknown = JSON.parse(answer.text);
    return isObject(body) && objectAt(body, 'error').invalidToken === true;
  } catch {
    return false;
  }
}
