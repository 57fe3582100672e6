import { SubmitError } from '../../errors.ts';
import { type Answer, answerJson, unreadable } from '../../http/http.ts';
import { describeToken, type SubjectToken } from '../../identity/subject-token.ts';
import { type Json, textAt } from '../../json.ts';
import { plainLine } from '../../remote-text.ts';
import { explainLogin, type LoginRefusal } from '../login-refusal.ts';
import { likelyAudience } from '../presented-token.ts';
import { GUIDE } from '../secret-source.ts';
import type { AwsReference } from './reference.ts';
import { type AwsTrust, assumeRoleCall, awsHost, stsRefusal, unreadableSts } from './sts.ts';

const provider = ({ issuer }: SubjectToken): string => issuer.replace(/^https:\/\//, '');
const account = ({ role }: AwsTrust): string => role.split(':')[4] ?? '';
const partition = ({ role }: AwsTrust): string => role.split(':')[1] ?? 'aws';
const roleName = ({ role }: AwsTrust): string => role.split('/').at(-1) ?? '';
const providerArn = (trust: AwsTrust, subject: SubjectToken): string =>
  `arn:${partition(trust)}:iam::${account(trust)}:oidc-provider/${provider(subject)}`;

// By code and words. https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html#API_AssumeRoleWithWebIdentity_Errors
const REFUSALS: readonly LoginRefusal<AwsTrust>[] = [
  {
    matches: /^InvalidIdentityToken: .*audience/i,
    code: 'exchange-audience',
    happened: () => "The token's audience is not one that the IAM identity provider allows",
    expected: () => ["one of the identity provider's client ids"],
    remedy: (trust, subject, howToRequest) => [
      'Add the audience to the identity provider:',
      `aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn ${providerArn(trust, subject)} --client-id ${likelyAudience(trust.audience, subject)}`,
      'or have the token made for one that is there:',
      ...howToRequest,
    ],
  },
  {
    matches: /^InvalidIdentityToken: .*(?:No OpenIDConnect provider|issuer)/i,
    code: 'exchange-issuer',
    happened: (trust) => `The AWS account ${account(trust)} has no identity provider for the issuer of the token`,
    expected: (trust, subject) => [providerArn(trust, subject)],
    remedy: (trust, subject) => [
      'Create it, once for the account:',
      `aws iam create-open-id-connect-provider --url ${subject.issuer} --client-id-list ${likelyAudience(trust.audience, subject)}`,
    ],
  },
  {
    matches: /^(?:InvalidIdentityToken|IDPCommunicationError): /,
    code: 'exchange-signature',
    happened: () => 'AWS cannot verify the token',
    expected: (_trust, subject) => [`keys of ${subject.issuer}, reachable from AWS`],
    remedy: (trust, subject) => [
      'Start the step again; if it stays so, look at the identity provider:',
      `aws iam get-open-id-connect-provider --open-id-connect-provider-arn ${providerArn(trust, subject)}`,
    ],
  },
  {
    matches: /^ExpiredToken/,
    code: 'exchange-stale',
    happened: () => "AWS regards the CI's token as expired",
    expected: () => ['a token whose iat and exp enclose the present'],
    remedy: () => ['Start the step again for a new token, and check the clock of the machine that it runs on.'],
  },
  {
    matches: /^(?:AccessDenied|IDPRejectedClaim)/,
    code: 'exchange-policy',
    happened: ({ role }) => `The trust policy of ${role} does not accept this token, or there is no such role`,
    expected: (trust, subject) => [
      'a trust policy with a statement whose conditions on aud and sub are true for the token, such as',
      plainLine(JSON.stringify(statement(trust, subject)), 1_000),
    ],
    remedy: (trust) => [
      'Compare it with what is there:',
      `aws iam get-role --role-name ${roleName(trust)} --query Role.AssumeRolePolicyDocument`,
    ],
  },
  {
    matches: /^RegionDisabled/,
    code: 'exchange-rejected',
    happened: ({ region }) => `The region ${region} is not enabled for the account's security token service`,
    expected: () => ['a region that is'],
    remedy: () => ['Enable it in the account settings of IAM, or correct «aws-region».'],
  },
];

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
  const words = `${failure.code}: ${failure.message}`;
  const presented = [...describeToken(subject), `role ${trust.role}`, `session ${trust.sessionName}`];
  const refusal = REFUSALS.find(({ matches }) => matches.test(words));
  if (refusal === undefined) {
    return new SubmitError('exchange-rejected', {
      happened: `${awsHost('sts', trust.region)} refused to exchange the token`,
      presented,
      words,
      remedy: ['Check «aws-role» and «aws-region».'],
      link: GUIDE,
    });
  }
  return explainLogin(refusal, { trust, subject, presented, words, howToRequest });
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
      StringEquals: { [`${name}:aud`]: likelyAudience(trust.audience, subject) },
      StringLike: { [`${name}:sub`]: stable },
    },
  };
}

/** What a refusal to give the secret means. https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html#API_GetSecretValue_Errors */
export function explainAwsSecret(trust: AwsTrust, reference: AwsReference, url: string, answer: Answer): SubmitError {
  const body = answerJson(answer);
  const type = textAt(body, '__type')?.split('#').at(-1)?.split(':')[0];
  if (type === undefined) return unreadable(url, answer);
  const words = `${type}: ${textAt(body, 'Message') ?? textAt(body, 'message') ?? ''}`;
  const version = Object.entries(reference.version ?? { VersionStage: 'AWSCURRENT' });
  const presented = [
    `secret ${reference.id}`,
    ...version.map(([name, value]) => `${name} ${value}`),
    `region ${trust.region}`,
    `role ${trust.role}`,
  ];
  const refused = (happened: string, expected: readonly string[], remedy: readonly string[]) =>
    new SubmitError('secret-unavailable', { happened, presented, expected, words, remedy, link: GUIDE });
  const describe = `aws secretsmanager describe-secret --region ${trust.region} --secret-id '${reference.id}'`;
  if (/^ResourceNotFound/.test(type)) {
    return refused(
      `AWS Secrets Manager has no ${reference.id} with such a version in ${trust.region}`,
      ['a secret of that name or ARN in that region, with that version'],
      [
        'Compare with what is there:',
        `aws secretsmanager list-secrets --region ${trust.region} --query 'SecretList[].Name'`,
        'and, where the name is right, with its versions:',
        describe,
      ],
    );
  }
  if (/^AccessDenied/.test(type)) {
    return refused(
      `${roleName(trust)} may not read ${reference.id}`,
      [
        `a policy of the role that allows secretsmanager:GetSecretValue on that one secret (its ARN ends with six random characters, so name it with -?????? at the end)`,
        'and kms:Decrypt on its key, where that is not aws/secretsmanager',
      ],
      ["Add it to the role's policies, and look whether the secret's own policy denies it."],
    );
  }
  if (/^InvalidRequest/.test(type)) {
    return refused(
      `${reference.id} cannot be read as it is now: it may be on its way to deletion, or have no value yet`,
      ['a secret that is not scheduled for deletion and has a value'],
      [
        'Look at it, and bring it back where it was deleted:',
        describe,
        `aws secretsmanager restore-secret --region ${trust.region} --secret-id '${reference.id}'`,
      ],
    );
  }
  if (/^DecryptionFailure/.test(type)) {
    return refused(
      `AWS Secrets Manager cannot decrypt ${reference.id}`,
      ['an enabled KMS key, and kms:Decrypt on it for the role'],
      ['Look at the key that this names:', describe],
    );
  }
  if (/^(?:InvalidSignature|RequestExpired|RequestTimeTooSkewed|SignatureDoesNotMatch)/.test(type)) {
    return refused(
      'AWS does not accept the signature of the request',
      ['a signature made at the present'],
      ['Check the clock of the machine that the step runs on.'],
    );
  }
  if (
    /^(?:UnrecognizedClient|InvalidClientTokenId|ExpiredToken|IncompleteSignature|MissingAuthenticationToken)/.test(
      type,
    )
  ) {
    return refused(
      "AWS does not accept the role's temporary keys",
      ['keys of a session that is still valid and was not revoked'],
      ["Start the step again; look whether the role's active sessions were revoked."],
    );
  }
  return refused(
    `AWS Secrets Manager refused to give ${reference.id} (${answer.status})`,
    [],
    ['Check the reference in «secret-from».'],
  );
}
