import { answerJson, bearer, unreadable } from '../../http/http.ts';
import { type Credential, type CredentialSource, cachedCredential } from '../../identity/credential.ts';
import type { ExchangeEnvironment } from '../../identity/exchange.ts';
import { getSubjectToken, logToken, type SubjectTokenDemand } from '../../identity/subject-token.ts';
import { lifetimeAt, tokenAt } from '../../identity/token-answer.ts';
import { textAt } from '../../json.ts';
import { explainExchange } from './exchange-rejections.ts';
import { type DatabricksTrust, principal } from './trust.ts';

// The exchanged token lives no longer than the token handed in, so a long-lived one is asked for where the CI lets us choose.
const LIFETIME_SECONDS = 3600;

/** The form of an RFC 8693 token exchange at the workspace's token endpoint. */
export function exchangeForm(trust: DatabricksTrust, subjectToken: string): URLSearchParams {
  return new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: subjectToken,
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    scope: 'all-apis',
    ...(trust.clientId === undefined ? {} : { client_id: trust.clientId }),
  });
}

/** What tells a host that serves several workspaces which one is meant. */
export function workspaceHeader({ workspaceId }: DatabricksTrust): Record<string, string> {
  return workspaceId === undefined ? {} : { 'x-databricks-workspace-id': workspaceId };
}

/** Where the workspace exchanges tokens. */
export function tokenEndpoint(trust: DatabricksTrust): string {
  return `${trust.origin}/oidc/v1/token`;
}

/**
 * Credentials of a Databricks service principal by workload identity federation.
 * https://docs.databricks.com/aws/en/dev-tools/auth/oauth-federation-exchange
 */
export function databricksCredential(trust: DatabricksTrust, environment: ExchangeEnvironment): CredentialSource {
  const { clock, http, log, subjectTokens, conceal } = environment;
  let subjectEndsAt: number | undefined;
  let shown = false;

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
    const url = tokenEndpoint(trust);
    const startedAt = clock.now();
    const answer = await http.persist(
      {
        method: 'POST',
        url,
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...workspaceHeader(trust) },
        body: exchangeForm(trust, subject.token.reveal()).toString(),
      },
      signal,
    );
    const body = answerJson(answer);
    const token = tokenAt(body, 'access_token');
    if (answer.status === 200 && token !== undefined) {
      await conceal([token]);
      // The service derives the life from the token handed in; where it does not say, that token's own end is safe to assume.
      const seconds = lifetimeAt(body, 'expires_in') ?? (subject.expiresAt - startedAt) / 1000;
      if (!shown)
        log.info(`exchanged at ${trust.host} for ${principal(trust)}, valid for ${Math.floor(seconds / 60)} min`);
      shown = true;
      return { headers: bearer(token), expiresAt: startedAt + seconds * 1000 };
    }
    if (body === undefined || answer.status === 200) throw unreadable(url, answer);
    throw explainExchange(
      trust,
      subject,
      textAt(body, 'error') ?? textAt(body, 'errorCode') ?? `status ${answer.status}`,
      textAt(body, 'error_description') ?? textAt(body, 'errorSummary') ?? textAt(body, 'message') ?? '',
      subjectTokens.howToRequest(trust.audience),
    );
  };

  return cachedCredential({ exchange, clock, log, subjectEndsAt: () => subjectEndsAt, ownLifeMs: 0 });
}
