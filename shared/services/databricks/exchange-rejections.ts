import type { SubmitError } from '../../errors.ts';
import { OR_ANOTHER_AUDIENCE, refusalError, refusals } from '../../http/refusal.ts';
import { likelyAudience, stableClaim } from '../../identity/subject-claims.ts';
import { describeToken, type SubjectToken } from '../../identity/subject-token.ts';
import { type DatabricksTrust, principal } from './trust.ts';

/** What the token endpoint says. */
export const DATABRICKS_EXCHANGE = refusals('Databricks', 'docs/databricks.md', 'exchange-rejected', [
  {
    words: /TOKEN_AUDIENCE_INVALID/,
    code: 'exchange-audience',
    happened: '{service} refused the token: no matching federation policy allows its audience',
    expected: ['an audience that the federation policy lists (a policy without audiences expects the account id)'],
    remedy: ["Add {audience} to the policy's audiences,", ...OR_ANOTHER_AUDIENCE],
  },
  { words: /TOKEN_EXPIRED|\bexpired\b/i, code: 'exchange-stale' },
  {
    words: /TOKEN_INVALID/,
    code: 'exchange-policy',
    happened: '{service} has no federation policy that accepts this token for {principal}',
    expected: [
      'a federation policy of that service principal with this issuer, an audience of the token, and one claim equal to its subject',
      'such as {policy}',
    ],
    remedy: [
      "Check that «client-id» is the service principal's application id (a UUID, not its numeric id; without it only account-wide policies count), then create or correct its policy as shown above.",
    ],
  },
  {
    remedy: [
      "Compare the token with the service principal's federation policies, and «host» with the workspace's own address.",
    ],
  },
]);

/** What a refusal of the token endpoint means, with the policy that would accept this token. */
export function explainExchange(
  trust: DatabricksTrust,
  subject: SubjectToken,
  error: string,
  description: string,
  howToRequest: readonly string[],
): SubmitError {
  return refusalError(DATABRICKS_EXCHANGE, {
    status: 400,
    words: `${error}: ${description}`,
    presented: [...describeToken(subject), `client_id ${trust.clientId ?? '(none: account-wide policy)'}`],
    service: trust.host,
    principal: principal(trust),
    audience: likelyAudience([trust.audience], subject),
    policy: proposedPolicy(trust, subject),
    tokenInstructions: howToRequest,
  });
}

function proposedPolicy(trust: DatabricksTrust, subject: SubjectToken): string | undefined {
  const claim = stableClaim(subject);
  if (claim === undefined) return undefined;
  const [name, value] = claim;
  return JSON.stringify({
    oidc_policy: {
      issuer: subject.issuer,
      audiences: [likelyAudience([trust.audience], subject)],
      subject_claim: name,
      subject: value,
    },
  });
}
