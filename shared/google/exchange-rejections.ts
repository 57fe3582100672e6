import type { SubmitError } from '../errors.ts';
import { type Answer, answerJson, unreadable } from '../http/http.ts';
import { OR_ANOTHER_AUDIENCE, refusalError, refusals } from '../http/refusal.ts';
import { likelyAudience, pipelineClaim } from '../identity/subject-claims.ts';
import { describeToken, type SubjectToken } from '../identity/subject-token.ts';
import { objectAt, textAt } from '../json.ts';
import { errorInfo } from './errors.ts';
import { type GoogleTrust, providerAudience, tokenUrl } from './trust.ts';

const GUIDE = 'docs/vertex-ai.md';
const IN_POOL = '{provider} --location=global --workload-identity-pool={pool} --project={number}';
const DESCRIBE = `gcloud iam workload-identity-pools providers describe ${IN_POOL}`;
const UPDATE = `gcloud iam workload-identity-pools providers update-oidc ${IN_POOL}`;

/** What STS says. https://cloud.google.com/iam/docs/troubleshooting-workload-identity-federation */
export const GOOGLE_STS = refusals('Google STS', GUIDE, 'exchange-rejected', [
  {
    words: /Invalid value for "audience"/,
    code: 'exchange-audience-format',
    happened: 'Google STS does not recognise the provider name',
    expected: [
      'projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER, with the project number, not its id',
    ],
    remedy: [
      'Set «workload-identity-provider» to what this prints:',
      "gcloud iam workload-identity-pools providers describe PROVIDER --location=global --workload-identity-pool=POOL --format='value(name)'",
    ],
  },
  {
    words: /invalid_target/,
    code: 'exchange-provider',
    happened: 'The workload identity pool or provider does not exist, or is disabled or deleted',
    remedy: ['Check its name and state (a change takes up to 5 minutes to take effect everywhere):', DESCRIBE],
  },
  {
    words: /audience in ID Token/,
    code: 'exchange-audience',
    happened: "The provider does not allow the token's audience",
    expected: ["one of the provider's allowed audiences; when it has none, {defaultAudience}"],
    remedy: [
      'Allow the audience at the provider:',
      `${UPDATE} --allowed-audiences={audience}`,
      '(this replaces the list: name those that are there too)',
      ...OR_ANOTHER_AUDIENCE,
    ],
  },
  {
    words: /issuer in ID Token/,
    code: 'exchange-issuer',
    happened: 'The provider is configured for another issuer',
    expected: ['a provider of the issuer {issuer}, exactly (no slash at the end)'],
    remedy: [
      'Each CI has a separate issuer and provider: set «workload-identity-provider» to that of this CI. This shows which issuer it trusts:',
      `${DESCRIBE} --format='value(oidc.issuerUri)'`,
      'Only if no other CI uses this provider, point it at this one:',
      `${UPDATE} --issuer-uri={issuer}`,
    ],
  },
  { words: /stale to sign-in/, code: 'exchange-stale' },
  {
    words: /Unable to verify the ID Token signature|Error connecting to the given credential's issuer/,
    code: 'exchange-signature',
    remedy: [
      'Check that Google can reach the issuer {issuer}, and whether keys were uploaded to the provider that have since been replaced:',
      DESCRIBE,
    ],
  },
  {
    words: /rejected by the attribute condition/,
    code: 'exchange-condition',
    happened: "The provider's attribute condition refuses this pipeline",
    expected: ['a condition that is true for the claims above'],
    remedy: [
      'Show the condition, then add this pipeline to it (ids of Bitbucket are wrapped in braces):',
      `${DESCRIBE} --format='value(attributeCondition)'`,
    ],
  },
  {
    words: /exceeds the 127 bytes limit/,
    code: 'exchange-mapping',
    happened: 'The attribute mapping makes google.subject longer than 127 bytes',
    remedy: [
      "The token's sub has {subjectBytes} bytes. Map a shorter claim:",
      `${UPDATE} --attribute-mapping="google.subject=assertion.{shortClaim},…"`,
    ],
  },
  {
    words: /Could not obtain a value for google\.subject|mapped attribute/,
    code: 'exchange-mapping',
    happened: "The provider's attribute mapping gives no usable value for this token",
    expected: ['claims that the mapping names, each giving a string (wrap numbers in string())'],
    remedy: [
      'Compare the mapping with the claims above; on Buildkite, a claim such as pipeline_id is only there when «oidc-claims» asks for it:',
      `${DESCRIBE} --format='yaml(attributeMapping)'`,
    ],
  },
  { remedy: ["Compare the token with the provider's configuration:", DESCRIBE] },
]);

/** What a refusal of Google's security token service means. */
export function explainSts(
  trust: GoogleTrust,
  subject: SubjectToken,
  answer: Answer,
  howToRequest: readonly string[],
): SubmitError {
  const body = answerJson(answer);
  const error = textAt(body, 'error');
  if (error === undefined) return unreadable(tokenUrl(trust), answer);
  const words = `${error}: ${textAt(body, 'error_description') ?? ''}`;
  return refusalError(GOOGLE_STS, {
    status: answer.status,
    words,
    presented: presentedTo(trust, subject),
    ...providerFacts(trust),
    issuer: subject.issuer,
    audience: likelyAudience(trust.demand.audiences, subject),
    defaultAudience: `https:${providerAudience(trust)}`,
    subjectBytes: Buffer.byteLength(subject.subject),
    shortClaim: 'repositoryUuid' in subject.claims ? 'repositoryUuid' : 'pipeline_id',
    tokenInstructions: howToRequest,
  });
}

/** What generateAccessToken says. https://cloud.google.com/iam/docs/create-short-lived-credentials-direct */
export const IMPERSONATION = refusals('Google IAM', GUIDE, 'exchange-rejected', [
  {
    status: [400],
    words: /lifetime/i,
    code: 'impersonation-lifetime',
    happened: 'The organisation does not allow a token of {account} to live {lifetime} seconds',
    expected: [
      'at most 3600s, or 43200s for accounts listed in constraints/iam.allowServiceAccountCredentialLifetimeExtension',
    ],
    remedy: ['Lower «token-lifetime», or add the account to that constraint.'],
  },
  {
    status: [403, 404],
    if: 'isDisabled',
    code: 'impersonation-denied',
    happened: 'The IAM Service Account Credentials API is not enabled in the project of {account}',
    remedy: ['Enable it there:', 'gcloud services enable iamcredentials.googleapis.com'],
  },
  {
    status: [403, 404],
    code: 'impersonation-denied',
    happened: 'The federated identity may not act as {account}, or the account does not exist',
    expected: [
      "{role} on {target} for a principal of this pool that the token's claims belong to",
      '{delegateRole} for each delegate on the next account',
    ],
    remedy: [
      'Check «service-account». If it is right, bind the role (a new binding takes a few minutes to take effect):',
      'gcloud iam service-accounts add-iam-policy-binding {target} --role={role} --member="{member}"',
    ],
  },
  {
    happened: 'Google refused a token of {account} ({status})',
    remedy: ['Check «service-account».', 'Check «delegates»: {delegates}.'],
  },
]);

/** What a refusal of generateAccessToken means. */
export function explainImpersonation(
  trust: GoogleTrust,
  subject: SubjectToken,
  url: string,
  answer: Answer,
): SubmitError {
  const failure = objectAt(answerJson(answer), 'error');
  const words = textAt(failure, 'message');
  if (words === undefined) return unreadable(url, answer);
  const { serviceAccount: account = '', delegates, lifetimeSeconds } = trust;
  const creator = delegates.length === 0 ? undefined : 'roles/iam.serviceAccountTokenCreator';
  return refusalError(IMPERSONATION, {
    status: answer.status,
    words,
    presented: [
      ...presentedTo(trust, subject),
      `service account ${account}`,
      ...(creator === undefined ? [] : [`delegates ${delegates.join(', ')}`]),
    ],
    account,
    isDisabled: errorInfo(failure).reason === 'SERVICE_DISABLED',
    delegates: creator === undefined ? undefined : delegates.join(', '),
    lifetime: lifetimeSeconds,
    // With delegates the federated identity acts as the first of them, and that needs another role.
    target: delegates[0] ?? account,
    role: creator ?? 'roles/iam.workloadIdentityUser',
    delegateRole: creator,
    member: poolPrincipals(trust, subject),
  });
}

function presentedTo({ provider }: GoogleTrust, subject: SubjectToken): readonly string[] {
  return [...describeToken(subject), `provider ${provider}`];
}

function providerFacts({ provider: name }: GoogleTrust) {
  const [, number = '', , , , pool = '', , provider = ''] = name.split('/');
  return { number, pool, provider };
}

/** The principals of the pool that come from one pipeline, with the attributes that the guide maps. */
export function poolPrincipals(trust: GoogleTrust, subject: SubjectToken): string {
  const { number, pool } = providerFacts(trust);
  const [claim, value] = pipelineClaim(subject) ?? ['pipeline_id', 'PIPELINE_UUID'];
  const attribute = claim === 'repositoryUuid' ? 'repository_uuid' : claim;
  return `principalSet://iam.googleapis.com/projects/${number}/locations/global/workloadIdentityPools/${pool}/attribute.${attribute}/${value}`;
}
