import type { SubmitError } from '../../errors.ts';
import { type Answer, answerJson, unreadable } from '../../http/http.ts';
import { OR_ANOTHER_AUDIENCE, refusalError, refusals } from '../../http/refusal.ts';
import { likelyAudience } from '../../identity/subject-claims.ts';
import { describeToken, type SubjectToken } from '../../identity/subject-token.ts';
import { type Json, textAt } from '../../json.ts';
import { tokenFacts } from '../presented-token.ts';
import { GUIDE } from '../secret-source.ts';
import type { AwsReference } from './reference.ts';
import { type AwsTrust, assumeRoleCall, stsRefusal, unreadableSts } from './sts.ts';

const provider = ({ issuer }: SubjectToken): string => issuer.replace(/^https:\/\//, '');
const account = ({ role }: AwsTrust): string => role.split(':')[4] ?? '';
const roleName = ({ role }: AwsTrust): string => role.split('/').at(-1) ?? '';
const providerArn = (trust: AwsTrust, subject: SubjectToken): string =>
  `arn:${trust.role.split(':')[1] ?? 'aws'}:iam::${account(trust)}:oidc-provider/${provider(subject)}`;

/** By code and words. https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html#API_AssumeRoleWithWebIdentity_Errors */
export const ASSUME_ROLE = refusals('AWS', GUIDE, 'exchange-rejected', [
  {
    words: /^InvalidIdentityToken: .*audience/i,
    code: 'exchange-audience',
    happened: "The token's audience is not one of the client ids of the IAM identity provider",
    remedy: [
      'Add the audience to the identity provider:',
      'aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn {providerArn} --client-id {audience}',
      ...OR_ANOTHER_AUDIENCE,
    ],
  },
  {
    words: /^InvalidIdentityToken: .*(?:No OpenIDConnect provider|issuer)/i,
    code: 'exchange-issuer',
    happened: 'The AWS account {account} has no identity provider for the issuer of the token',
    expected: ['{providerArn}'],
    remedy: [
      'Create it, once for the account:',
      'aws iam create-open-id-connect-provider --url {issuer} --client-id-list {audience}',
    ],
  },
  {
    words: /^(?:InvalidIdentityToken|IDPCommunicationError): /,
    code: 'exchange-signature',
    remedy: [
      'Retry the step. If it fails again, look at the identity provider:',
      'aws iam get-open-id-connect-provider --open-id-connect-provider-arn {providerArn}',
    ],
  },
  { words: /^ExpiredToken/, code: 'exchange-stale' },
  {
    words: /^(?:AccessDenied|IDPRejectedClaim)/,
    code: 'exchange-policy',
    happened: 'The trust policy of {role} does not accept this token, or there is no such role',
    expected: [
      'a trust policy with a statement whose conditions on aud and sub are true for the token, such as',
      '{statement}',
    ],
    remedy: [
      'Compare it with the existing one:',
      'aws iam get-role --role-name {roleName} --query Role.AssumeRolePolicyDocument',
    ],
  },
  {
    words: /^RegionDisabled/,
    happened: "The region {region} is not enabled for the account's security token service",
    remedy: ['Enable it in the account settings of IAM, or correct «aws-region».'],
  },
  { remedy: ['Check «aws-role» and «aws-region».'] },
]);

/** What a refusal to take on the role means, with the trust policy that would accept this token. */
export function explainAssumeRole(
  trust: AwsTrust,
  subject: SubjectToken,
  answer: Answer,
  body: Json | undefined,
  howToRequest: readonly string[],
): SubmitError {
  const failure = answer.status === 200 ? undefined : stsRefusal(body);
  if (failure === undefined) return unreadableSts(assumeRoleCall(trust, '').url, answer);
  const { role, region, sessionName } = trust;
  const words = `${failure.code}: ${failure.message}`;
  const presented = [...describeToken(subject), `role ${role}`, `session ${sessionName}`];
  return refusalError(ASSUME_ROLE, {
    status: answer.status,
    words,
    presented,
    ...tokenFacts(trust, subject, howToRequest),
    account: account(trust),
    providerArn: providerArn(trust, subject),
    region,
    role,
    roleName: roleName(trust),
    statement: JSON.stringify(statement(trust, subject)),
  });
}

function statement(trust: AwsTrust, subject: SubjectToken) {
  const name = provider(subject);
  const { claims } = subject;
  // Only aud and sub can be conditions, and the rest of a sub changes from run to run.
  const stable =
    typeof claims.repositoryUuid === 'string'
      ? `${claims.repositoryUuid}:*`
      : typeof claims.pipeline_slug === 'string' && subject.subject.startsWith('organization:')
        ? `organization:${String(claims.organization_slug)}:pipeline:${claims.pipeline_slug}:*`
        : subject.subject;
  return {
    Effect: 'Allow',
    Action: 'sts:AssumeRoleWithWebIdentity',
    Principal: { Federated: providerArn(trust, subject) },
    Condition: {
      StringEquals: { [`${name}:aud`]: likelyAudience([trust.audience], subject) },
      StringLike: { [`${name}:sub`]: stable },
    },
  };
}

const DESCRIBE = "aws secretsmanager describe-secret --region {region} --secret-id '{secret}'";

/** By code. https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html#API_GetSecretValue_Errors */
export const SECRETS_MANAGER = refusals('AWS Secrets Manager', GUIDE, 'secret-unavailable', [
  {
    words: /^ResourceNotFound/,
    happened: '{service} has no {secret} with such a version in {region}',
    remedy: [
      'Compare with what is there:',
      "aws secretsmanager list-secrets --region {region} --query 'SecretList[].Name'",
      'and, where the name is right, with its versions:',
      DESCRIBE,
    ],
  },
  {
    words: /^AccessDenied/,
    happened: '{roleName} may not read {secret}',
    expected: [
      'a policy of the role that allows secretsmanager:GetSecretValue on that one secret (its ARN ends with six random characters, so name it with -?????? at the end)',
      'and kms:Decrypt on its key, where that is not aws/secretsmanager',
    ],
    remedy: ["Add it to the role's policies, and look whether the secret's own policy denies it."],
  },
  {
    words: /^InvalidRequest/,
    happened: '{secret} cannot be read as it is now: it may be on its way to deletion, or have no value yet',
    remedy: [
      'Look at it, and bring it back where it was deleted:',
      DESCRIBE,
      "aws secretsmanager restore-secret --region {region} --secret-id '{secret}'",
    ],
  },
  {
    words: /^DecryptionFailure/,
    happened: '{service} cannot decrypt {secret}',
    expected: ['an enabled KMS key, and kms:Decrypt on it for the role'],
    remedy: ['Look at the key that this names:', DESCRIBE],
  },
  {
    words: /^(?:InvalidSignature|RequestExpired|RequestTimeTooSkewed|SignatureDoesNotMatch)/,
    happened: 'AWS does not accept the signature of the request',
    remedy: ['Check the clock of the machine that the step runs on.'],
  },
  {
    words: /^(?:UnrecognizedClient|InvalidClientTokenId|ExpiredToken|IncompleteSignature|MissingAuthenticationToken)/,
    happened: "AWS does not accept the role's temporary keys",
    remedy: ["Retry the step. If it fails again, look whether the role's active sessions were revoked."],
  },
  {},
]);

/** What a refusal to give the secret means. */
export function explainAwsSecret(trust: AwsTrust, reference: AwsReference, url: string, answer: Answer): SubmitError {
  const body = answerJson(answer);
  const type = textAt(body, '__type')?.split('#').at(-1)?.split(':')[0];
  if (type === undefined) return unreadable(url, answer);
  const { region, role } = trust;
  const { id: secret, version = { VersionStage: 'AWSCURRENT' } } = reference;
  const words = `${type}: ${textAt(body, 'Message') ?? textAt(body, 'message') ?? ''}`;
  const presented = [
    `secret ${secret}`,
    ...Object.entries(version).map(([name, value]) => `${name} ${value}`),
    `region ${region}`,
    `role ${role}`,
  ];
  return refusalError(SECRETS_MANAGER, {
    status: answer.status,
    words,
    presented,
    secret,
    region,
    roleName: roleName(trust),
  });
}
