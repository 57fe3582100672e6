import { SubmitError } from '../../errors.ts';
import { type Answer, answerJson } from '../../http/http.ts';
import { describeToken, type SubjectToken } from '../../identity/subject-token.ts';
import { textAt } from '../../json.ts';
import { plainLine } from '../../remote-text.ts';
import type { VercelTrust } from './trust.ts';

const GUIDE = 'docs/vercel.md';
const FALLBACK =
  'Where the team cannot have such policies, keep a token of the project in a secret broker: token in «secret-from».';

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
  const text = `${error}: ${description}`;
  const presented = [
    ...describeToken(subject),
    `team ${trust.team}`,
    `client_id ${trust.clientId}`,
    ...(trust.policyId === undefined ? [] : [`policy_id ${trust.policyId}`]),
  ];
  const shown = { presented, words: text, link: GUIDE };

  if (/multiple|several|more than one|ambiguous|provide .{0,20}policy_?id/i.test(description)) {
    return new SubmitError('exchange-policy', {
      ...shown,
      happened: `Several OIDC policies of team ${trust.team} accept this token, and Vercel does not choose between them`,
      expected: ['one matching policy, or the id of the one that is meant'],
      remedy: [
        'Set «policy-id» to the policy of this pipeline (pol_…), or narrow the claims of the others so that one is left.',
      ],
    });
  }
  if (
    /invalid_client|unauthorized_client/.test(error) ||
    /not (?:been )?enabled|not allowed to use/i.test(description)
  ) {
    return new SubmitError('exchange-policy', {
      ...shown,
      happened: `Team ${trust.team} cannot exchange tokens for the client ${trust.clientId}`,
      expected: ['a client that takes part in OIDC federation, and a team for which Vercel has enabled it'],
      remedy: [
        "Look whether the team's settings offer OIDC policies for the Vercel CLI; if they do not, ask Vercel to enable them, and check «client-id».",
        FALLBACK,
      ],
    });
  }
  if (/expired/i.test(description)) {
    return new SubmitError('exchange-stale', {
      ...shown,
      happened: "Vercel regards the CI's token as expired",
      remedy: ['Start the step again for a new token.'],
    });
  }
  if (/signature|\bkeys?\b|jwks/i.test(description)) {
    return new SubmitError('exchange-signature', {
      ...shown,
      happened: "Vercel cannot verify the signature of the CI's token",
      expected: [`keys that Vercel can read at the issuer ${plainLine(subject.issuer, 300)}`],
      remedy: ["Check that the issuer's address can be reached from the internet, and start the step again."],
    });
  }
  if (/\bteam\b/i.test(description) && /not found|unknown|does not exist|invalid/i.test(description)) {
    return new SubmitError('exchange-rejected', {
      ...shown,
      happened: `Vercel does not know the team ${trust.team}`,
      expected: ["the team's id (team_…) or its slug, as it stands in the dashboard's addresses"],
      remedy: ['Correct «team».'],
    });
  }
  if (
    /invalid_grant|access_denied|invalid_target|unauthorized/.test(error) ||
    /polic(?:y|ies)|claim/i.test(description)
  ) {
    return new SubmitError('exchange-policy', {
      ...shown,
      happened: `No OIDC policy of team ${trust.team} accepts this token for the client ${trust.clientId}`,
      expected: [
        'a policy of that client with this issuer, of which every claim is in the token',
        `such as ${proposedPolicy(trust, subject)}`,
      ],
      remedy: [
        `Check «team»${trust.policyId === undefined ? '' : ', «policy-id»'} and the claims above.`,
        "If they are right, create or correct the policy as shown above (the team's settings, or POST /v1/oauth-apps/oidc-federation/policies).",
        ...(isProjectId(trust.project)
          ? []
          : [
              `To let it touch ${trust.project} only, add "resources":{"projectIds":["prj_…"]} with the project's id, which stands in its settings.`,
            ]),
        ...(subject.audiences.includes(trust.audience)
          ? []
          : ['The token has another audience than «audience» names; to have it made for that one:', ...howToRequest]),
        FALLBACK,
      ],
    });
  }
  return new SubmitError('exchange-rejected', {
    ...shown,
    happened: 'Vercel refused to exchange the token',
    remedy: ["Compare the token with the team's OIDC policies, and «team» with the team's id or slug.", FALLBACK],
  });
}

// Claims that stay the same from run to run and cannot be claimed by a stranger; by names only where the token has no id.
const WHO = ['repositoryUuid', 'pipeline_id'] as const;
const WHO_BY_NAME = ['organization_slug', 'pipeline_slug'] as const;
/** What of it may deploy: the environment that the CI guards, else the branch. */
const WHAT = ['deploymentEnvironmentUuid', 'branchName', 'build_branch'] as const;

function isProjectId(project: string): boolean {
  return project.startsWith('prj_');
}

/** The body of the request that makes a policy for this token and this project. */
function proposedPolicy(trust: VercelTrust, { issuer, audiences, claims }: SubjectToken): string {
  const audience = audiences.includes(trust.audience) ? trust.audience : (audiences[0] ?? trust.audience);
  const told = (names: readonly string[]) =>
    names.flatMap((name) => {
      const value = claims[name];
      return typeof value === 'string' && value !== '' ? [[name, value] as const] : [];
    });
  const who = told(WHO);
  const policy = {
    clientId: trust.clientId,
    issuerUrl: issuer,
    name: `${trust.project} from CI`,
    claims: [['aud', audience] as const, ...(who.length > 0 ? who : told(WHO_BY_NAME)), ...told(WHAT).slice(0, 1)].map(
      ([name, value]) => ({ name, values: [{ value, wildcards: false }] }),
    ),
    permissions: ['*'],
    ...(isProjectId(trust.project) ? { resources: { projectIds: [trust.project] } } : {}),
  };
  return plainLine(JSON.stringify(policy), 1_500);
}
