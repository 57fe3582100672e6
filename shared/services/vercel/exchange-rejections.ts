import type { SubmitError } from '../../errors.ts';
import { type Answer, answerJson } from '../../http/http.ts';
import { refusalError, refusals } from '../../http/refusal.ts';
import { firstClaim, likelyAudience, pipelineClaim } from '../../identity/subject-claims.ts';
import { describeToken, type SubjectToken } from '../../identity/subject-token.ts';
import { defined, textAt } from '../../json.ts';
import type { VercelTrust } from './trust.ts';

const FALLBACK =
  'Where the team cannot have such policies, keep a token of the project in a secret broker: token in «secret-from».';

/** What the token endpoint says, as `error: description`. */
export const VERCEL_EXCHANGE = refusals('Vercel', 'docs/vercel.md', 'exchange-rejected', [
  {
    words: /multiple|several|more than one|ambiguous|provide .{0,20}policy_?id/i,
    code: 'exchange-policy',
    happened: 'Several OIDC policies of team {team} accept this token, and Vercel does not choose between them',
    remedy: [
      'Set «policy-id» to the policy of this pipeline (pol_…), or narrow the claims of the others so that one is left.',
    ],
  },
  {
    words: /^[^:]*(?:invalid|unauthorized)_client|not (?:been )?enabled|not allowed to use/i,
    code: 'exchange-policy',
    happened: 'Team {team} cannot exchange tokens for the client {clientId}',
    remedy: [
      "Look whether the team's settings offer OIDC policies for the Vercel CLI; if they do not, ask Vercel to enable them, and check «client-id».",
      FALLBACK,
    ],
  },
  { words: /expired/i, code: 'exchange-stale' },
  {
    words: /signature|\bkeys?\b|jwks/i,
    code: 'exchange-signature',
  },
  {
    words: /\bteam\b.*(?:not found|unknown|does not exist|invalid)|\b(?:not found|unknown|invalid)\b.*\bteam\b/i,
    happened: 'Vercel has no team {team}',
    expected: ["the team's id (team_…) or its slug, as in the dashboard's addresses"],
    remedy: ['Correct «team».'],
  },
  {
    words: /^[^:]*(?:invalid_grant|access_denied|invalid_target|unauthorized)|polic(?:y|ies)|claim/i,
    code: 'exchange-policy',
    happened: 'No OIDC policy of team {team} accepts this token for the client {clientId}',
    expected: ['a policy of that client with this issuer, of which every claim is in the token', 'such as {policy}'],
    remedy: [
      'Check «team» and the claims above.',
      'Check that «policy-id» {policyId} is the policy of this pipeline.',
      "If they are right, create or correct the policy as shown above (the team's settings, or POST /v1/oauth-apps/oidc-federation/policies).",
      'To limit it to {projectName}, add "resources":{"projectIds":["prj_…"]} with the id of the project, which its settings show.',
      "The token's audience is not «audience» ({missingAudience}); have it made for that one:",
      '{tokenInstructions}',
      FALLBACK,
    ],
  },
  { remedy: ["Compare the token with the team's OIDC policies, and «team» with the team's id or slug.", FALLBACK] },
]);

/** What a refusal of the token endpoint means, with the policy that would accept this token. */
export function explainVercelRejection(
  trust: VercelTrust,
  subject: SubjectToken,
  answer: Answer,
  howToRequest: readonly string[],
): SubmitError {
  const body = answerJson(answer);
  const error = textAt(body, 'error') ?? `status ${answer.status}`;
  const description = textAt(body, 'error_description') ?? textAt(body, 'message') ?? '';
  const { team, project, clientId, policyId, audience } = trust;
  const hasAudience = subject.audiences.includes(audience);
  return refusalError(VERCEL_EXCHANGE, {
    status: answer.status,
    words: `${error}: ${description}`,
    presented: [
      ...describeToken(subject),
      `team ${team}`,
      `client_id ${clientId}`,
      ...(policyId === undefined ? [] : [`policy_id ${policyId}`]),
    ],
    team,
    clientId,
    policyId,
    issuer: subject.issuer,
    policy: JSON.stringify(proposedPolicy(trust, subject)),
    projectName: isProjectId(project) ? undefined : project,
    missingAudience: hasAudience ? undefined : audience,
    tokenInstructions: hasAudience ? [] : howToRequest,
  });
}

function isProjectId(project: string): boolean {
  return project.startsWith('prj_');
}

/** The body of the request that makes a policy for this token and this project. */
function proposedPolicy(trust: VercelTrust, subject: SubjectToken) {
  const claims = [
    ['aud', likelyAudience([trust.audience], subject)] as const,
    // By names only where the token has no id.
    ...(pipelineClaim(subject) === undefined
      ? [firstClaim(subject, ['organization_slug']), firstClaim(subject, ['pipeline_slug'])]
      : [pipelineClaim(subject)]),
    // What of it may deploy: the environment that the CI guards, else the branch.
    firstClaim(subject, ['deploymentEnvironmentUuid', 'branchName', 'build_branch']),
  ];
  return {
    clientId: trust.clientId,
    issuerUrl: subject.issuer,
    name: `${trust.project} from CI`,
    claims: claims.flatMap((claim) =>
      claim === undefined ? [] : [{ name: claim[0], values: [{ value: claim[1], wildcards: false }] }],
    ),
    permissions: ['*'],
    ...defined({ resources: isProjectId(trust.project) ? { projectIds: [trust.project] } : undefined }),
  };
}
