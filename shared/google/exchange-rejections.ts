import { type ErrorCode, SubmitError } from '../errors.ts';
import { type Answer, answerJson, unreadable } from '../http/http.ts';
import { describeToken, type SubjectToken } from '../identity/subject-token.ts';
import { listAt, objectAt, textAt } from '../json.ts';
import { plainLine } from '../remote-text.ts';
import { type GoogleTrust, providerAudience, tokenUrl } from './trust.ts';

const GUIDE = 'docs/vertex-ai.md';

interface Rejection {
  readonly matches: RegExp;
  readonly code: ErrorCode;
  readonly happened: string;
  expected(trust: GoogleTrust, subject: SubjectToken, words: string): readonly string[];
  remedy(trust: GoogleTrust, subject: SubjectToken, howToRequest: readonly string[]): readonly string[];
}

function providerId({ provider }: GoogleTrust): { pool: string; id: string; number: string } {
  const [, number = '', , , , pool = '', , id = ''] = provider.split('/');
  return { number, pool, id };
}

/** The audience of the token that was asked for on purpose, else its first. */
function likelyAudience({ demand }: GoogleTrust, { audiences }: SubjectToken): string {
  return audiences.find((audience) => demand.audiences.includes(audience)) ?? audiences[0] ?? '';
}

function describeProvider(trust: GoogleTrust): string {
  const { number, pool, id } = providerId(trust);
  return `gcloud iam workload-identity-pools providers describe ${id} --location=global --workload-identity-pool=${pool} --project=${number}`;
}

function updateProvider(trust: GoogleTrust, flag: string): string {
  const { number, pool, id } = providerId(trust);
  return `gcloud iam workload-identity-pools providers update-oidc ${id} --location=global --workload-identity-pool=${pool} --project=${number} ${flag}`;
}

// What STS says, in the order in which it is tried. https://cloud.google.com/iam/docs/troubleshooting-workload-identity-federation
const STS_REJECTIONS: readonly Rejection[] = [
  {
    matches: /Invalid value for "audience"/,
    code: 'exchange-audience-format',
    happened: 'Google STS does not recognise the provider name',
    expected: () => [
      'projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER, with the project number, not its id',
    ],
    remedy: () => [
      'Set «workload-identity-provider» to what this prints:',
      "gcloud iam workload-identity-pools providers describe PROVIDER --location=global --workload-identity-pool=POOL --format='value(name)'",
    ],
  },
  {
    matches: /invalid_target/,
    code: 'exchange-provider',
    happened: 'The workload identity pool or provider does not exist, or is disabled or deleted',
    expected: (trust) => [`an enabled provider ${trust.provider}`],
    remedy: (trust) => [
      'Check its name and state (a change takes up to 5 minutes to be known everywhere):',
      describeProvider(trust),
    ],
  },
  {
    matches: /audience in ID Token/,
    code: 'exchange-audience',
    happened: "The provider does not allow the token's audience",
    expected: (trust) => [
      `one of the provider's allowed audiences; when it has none, https:${providerAudience(trust)}`,
    ],
    remedy: (trust, subject, howToRequest) => [
      'Allow the audience at the provider:',
      updateProvider(trust, `--allowed-audiences=${likelyAudience(trust, subject)}`),
      '(this replaces the list: name those that are there too)',
      'or have the token made for one that it allows:',
      ...howToRequest,
    ],
  },
  {
    matches: /issuer in ID Token/,
    code: 'exchange-issuer',
    happened: 'The provider is configured for another issuer',
    expected: (_trust, subject) => [`a provider of the issuer ${subject.issuer}, to the letter (no slash at the end)`],
    remedy: (trust, subject) => [
      'Each CI has an issuer, and a provider, of its own: set «workload-identity-provider» to that of this CI. This shows which issuer it trusts:',
      `${describeProvider(trust)} --format='value(oidc.issuerUri)'`,
      'Only if no other CI uses this provider, point it at this one:',
      updateProvider(trust, `--issuer-uri=${subject.issuer}`),
    ],
  },
  {
    matches: /stale to sign-in/,
    code: 'exchange-stale',
    happened: "Google STS regards the CI's token as expired",
    expected: () => ['a token whose iat and exp enclose the present'],
    remedy: () => ['Start the step again for a new token, and check the clock of the machine that it runs on.'],
  },
  {
    matches: /Unable to verify the ID Token signature|Error connecting to the given credential's issuer/,
    code: 'exchange-signature',
    happened: "Google STS cannot verify the token's signature",
    expected: (_trust, subject) => [`keys of ${subject.issuer}, reachable from Google or uploaded to the provider`],
    remedy: (trust) => [
      'Check the issuer, and whether keys were uploaded to the provider that have since been replaced:',
      describeProvider(trust),
    ],
  },
  {
    matches: /rejected by the attribute condition/,
    code: 'exchange-condition',
    happened: "The provider's attribute condition refuses this pipeline",
    expected: () => ['claims for which the condition is true; compare the ones above with it'],
    remedy: (trust) => [
      'Show the condition, then add this pipeline to it (ids of Bitbucket are wrapped in braces):',
      `${describeProvider(trust)} --format='value(attributeCondition)'`,
    ],
  },
  {
    matches: /exceeds the 127 bytes limit/,
    code: 'exchange-mapping',
    happened: 'The attribute mapping makes google.subject longer than 127 bytes',
    expected: () => ['a mapping from a short claim, such as assertion.repositoryUuid or assertion.pipeline_id'],
    remedy: (trust, subject) => [
      `The token's sub has ${Buffer.byteLength(subject.subject)} bytes. Map another claim:`,
      updateProvider(
        trust,
        `--attribute-mapping="google.subject=assertion.${'repositoryUuid' in subject.claims ? 'repositoryUuid' : 'pipeline_id'},…"`,
      ),
    ],
  },
  {
    matches: /Could not obtain a value for google\.subject|mapped attribute/,
    code: 'exchange-mapping',
    happened: "The provider's attribute mapping gives no usable value for this token",
    expected: () => ['claims that the mapping names, each giving a string (wrap numbers in string())'],
    remedy: (trust) => [
      'Compare the mapping with the claims above; on Buildkite, a claim such as pipeline_id is only there when «oidc-claims» asks for it:',
      `${describeProvider(trust)} --format='yaml(attributeMapping)'`,
    ],
  },
];

/**
 * What a refusal of Google's security token service means.
 * https://cloud.google.com/iam/docs/troubleshooting-workload-identity-federation
 */
export function explainSts(
  trust: GoogleTrust,
  subject: SubjectToken,
  answer: Answer,
  howToRequest: readonly string[],
): SubmitError {
  const body = answerJson(answer);
  const error = textAt(body, 'error');
  if (error === undefined) return unreadable(tokenUrl(trust), answer);
  const description = textAt(body, 'error_description') ?? '';
  const words = `${error}: ${description}`;
  const rejection = STS_REJECTIONS.find(({ matches }) => matches.test(words));
  const presented = [...describeToken(subject), `provider ${trust.provider}`];
  if (rejection === undefined) {
    return new SubmitError('exchange-rejected', {
      happened: 'Google STS refused to exchange the token',
      presented,
      words,
      remedy: ["Compare the token with the provider's configuration:", describeProvider(trust)],
      link: GUIDE,
    });
  }
  return new SubmitError(rejection.code, {
    happened: rejection.happened,
    presented,
    expected: rejection.expected(trust, subject, words),
    words,
    remedy: rejection.remedy(trust, subject, howToRequest),
    link: GUIDE,
  });
}

/** What a refusal of generateAccessToken means. https://cloud.google.com/iam/docs/create-short-lived-credentials-direct */
export function explainImpersonation(
  trust: GoogleTrust,
  subject: SubjectToken,
  url: string,
  answer: Answer,
): SubmitError {
  const body = answerJson(answer);
  const failure = objectAt(body, 'error');
  const words = textAt(failure, 'message');
  if (words === undefined) return unreadable(url, answer);
  const account = trust.serviceAccount ?? '';
  const presented = [...describeToken(subject), `provider ${trust.provider}`, `service account ${account}`];
  if (answer.status === 400 && /lifetime/i.test(words)) {
    return new SubmitError('impersonation-lifetime', {
      happened: `The organisation does not allow a token of ${account} to live ${trust.lifetimeSeconds} seconds`,
      presented: [`«token-lifetime» ${trust.lifetimeSeconds}s`],
      expected: [
        'at most 3600s, or 43200s for accounts listed in constraints/iam.allowServiceAccountCredentialLifetimeExtension',
      ],
      words,
      remedy: ['Lower «token-lifetime», or add the account to that constraint.'],
      link: GUIDE,
    });
  }
  if (answer.status === 403 || answer.status === 404) {
    const disabled = listAt(failure, 'details').some((detail) => textAt(detail, 'reason') === 'SERVICE_DISABLED');
    // With delegates the federated identity acts as the first of them, and that needs another role.
    const [target = account] = trust.delegates;
    const role = trust.delegates.length > 0 ? 'roles/iam.serviceAccountTokenCreator' : 'roles/iam.workloadIdentityUser';
    return new SubmitError('impersonation-denied', {
      happened: disabled
        ? `The IAM Service Account Credentials API is not enabled in the project of ${account}`
        : `The federated identity may not act as ${account}, or the account does not exist`,
      presented: trust.delegates.length > 0 ? [...presented, `delegates ${trust.delegates.join(', ')}`] : presented,
      expected: [
        `${role} on ${target} for a principal of this pool that the token's claims belong to`,
        ...(trust.delegates.length > 0
          ? ['roles/iam.serviceAccountTokenCreator for each delegate on the next account']
          : []),
      ],
      words,
      remedy: disabled
        ? ['Enable it: gcloud services enable iamcredentials.googleapis.com']
        : [
            'Check «service-account». If that is the one, bind the role (a new binding takes a few minutes to be known):',
            `gcloud iam service-accounts add-iam-policy-binding ${target} --role=${role} --member="${member(trust, subject)}"`,
          ],
      link: GUIDE,
    });
  }
  return new SubmitError('exchange-rejected', {
    happened: `Google refused a token of ${account} (${answer.status})`,
    presented,
    words,
    remedy: [`Check «service-account»${trust.delegates.length === 0 ? '' : ' and «delegates»'}.`],
    link: GUIDE,
  });
}

function member(trust: GoogleTrust, { claims }: SubjectToken): string {
  const { number, pool } = providerId(trust);
  const [attribute, value] =
    typeof claims.repositoryUuid === 'string'
      ? ['repository_uuid', claims.repositoryUuid]
      : ['pipeline_id', typeof claims.pipeline_id === 'string' ? claims.pipeline_id : 'PIPELINE_UUID'];
  return plainLine(
    `principalSet://iam.googleapis.com/projects/${number}/locations/global/workloadIdentityPools/${pool}/attribute.${attribute}/${value}`,
    300,
  );
}
