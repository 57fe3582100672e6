import { SubmitError } from '../../errors.ts';
import { answerJson, bearer, unreadable } from '../../http/http.ts';
import { type Credential, type CredentialSource, cachedCredential } from '../../identity/credential.ts';
import type { ExchangeEnvironment } from '../../identity/exchange.ts';
import {
  describeToken,
  getSubjectToken,
  logToken,
  type SubjectToken,
  type SubjectTokenDemand,
} from '../../identity/subject-token.ts';
import { lifetimeAt, tokenAt } from '../../identity/token-answer.ts';
import { textAt } from '../../json.ts';
import { plainLine } from '../../remote-text.ts';

export interface DatabricksTrust {
  /** The workspace's host name, without scheme. */
  readonly host: string;
  /** `https://HOST`, or the loopback address in its place. */
  readonly origin: string;
  /** The workspace's id, where the address names it: hosts that serve several workspaces go by it. */
  readonly workspaceId: string | undefined;
  /** The service principal's application id; left out for account-wide policies. */
  readonly clientId: string | undefined;
  /** What the federation policy expects in `aud`. */
  readonly audience: string;
  /** Whether the CI's default audience will do as well: unless another was asked for, only the service can tell. */
  readonly acceptsDefault: boolean;
}

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
    throw explainRejection(
      trust,
      subject,
      textAt(body, 'error') ?? textAt(body, 'errorCode') ?? `status ${answer.status}`,
      textAt(body, 'error_description') ?? textAt(body, 'errorSummary') ?? textAt(body, 'message') ?? '',
      subjectTokens.howToRequest(trust.audience),
    );
  };

  return cachedCredential({ exchange, clock, log, subjectEndsAt: () => subjectEndsAt, ownLifeMs: 0 });
}

function principal({ clientId }: DatabricksTrust): string {
  return clientId === undefined ? 'the identity of the account-wide policy' : `service principal ${clientId}`;
}

const GUIDE = 'docs/databricks.md';

/** What a refusal of the token endpoint means, with the policy that would accept this token. */
export function explainRejection(
  trust: DatabricksTrust,
  subject: SubjectToken,
  error: string,
  description: string,
  howToRequest: readonly string[],
): SubmitError {
  const words = `${error}: ${description}`;
  const presented = [...describeToken(subject), `client_id ${trust.clientId ?? '(none: account-wide policy)'}`];
  if (description.includes('TOKEN_AUDIENCE_INVALID')) {
    return new SubmitError('exchange-audience', {
      happened: `${trust.host} refused the token: no matching federation policy allows its audience`,
      presented,
      expected: ['an audience that the federation policy lists (a policy without audiences expects the account id)'],
      words,
      remedy: [
        `Add ${plainLine(likelyAudience(trust, subject), 200)} to the policy's audiences, or have the token made for one that it lists:`,
        ...howToRequest,
      ],
      link: GUIDE,
    });
  }
  if (description.includes('TOKEN_EXPIRED') || /\bexpired\b/i.test(description)) {
    return new SubmitError('exchange-stale', {
      happened: `${trust.host} regards the CI's token as expired`,
      presented,
      words,
      remedy: ['Start the step again for a new token.'],
      link: GUIDE,
    });
  }
  if (description.includes('TOKEN_INVALID')) {
    return new SubmitError('exchange-policy', {
      happened: `${trust.host} has no federation policy that accepts this token for ${principal(trust)}`,
      presented,
      expected: [
        'a federation policy of that service principal with this issuer, an audience of the token, and one claim equal to its subject',
        ...policyLines(trust, subject),
      ],
      words,
      remedy: [
        trust.clientId === undefined
          ? 'Set «client-id»: without it only account-wide policies are looked at.'
          : "Check that «client-id» is the service principal's application id (a UUID, not its numeric id), then create or correct its policy as shown above.",
      ],
      link: GUIDE,
    });
  }
  return new SubmitError('exchange-rejected', {
    happened: `${trust.host} refused to exchange the token`,
    presented,
    words,
    remedy: [
      "Compare the token with the service principal's federation policies, and the host with the workspace's own address.",
    ],
    link: GUIDE,
  });
}

// Claims that stay the same from run to run and cannot be claimed by a stranger, most specific first.
const STABLE_CLAIMS = ['deploymentEnvironmentUuid', 'repositoryUuid', 'pipeline_id', 'cluster_id'] as const;

/** The audience of the token that was asked for on purpose, else its first. */
function likelyAudience(trust: DatabricksTrust, { audiences }: SubjectToken): string {
  return audiences.includes(trust.audience) ? trust.audience : (audiences[0] ?? '');
}

function policyLines(trust: DatabricksTrust, subject: SubjectToken): readonly string[] {
  const { issuer, claims } = subject;
  const claim = STABLE_CLAIMS.find((name) => typeof claims[name] === 'string');
  if (claim === undefined) return [];
  const policy = {
    oidc_policy: {
      issuer,
      audiences: [likelyAudience(trust, subject)],
      subject_claim: claim,
      subject: String(claims[claim]),
    },
  };
  return [`such as ${plainLine(JSON.stringify(policy), 600)}`];
}
