import { SubmitError } from '../../errors.ts';
import { describeToken, type SubjectToken } from '../../identity/subject-token.ts';
import { plainLine } from '../../remote-text.ts';
import { type DatabricksTrust, principal } from './trust.ts';

const GUIDE = 'docs/databricks.md';

/** What a refusal of the token endpoint means, with the policy that would accept this token. */
export function explainExchange(
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
