import { SubmitError } from '../../errors.ts';
import type { CiContext } from '../../host/ci-context.ts';
import { formCall } from '../../http/calls.ts';
import { type Answer, answerJson, type HttpCall, unreadable } from '../../http/http.ts';
import type { Issued } from '../../identity/exchanged-credential.ts';
import { tokenAt } from '../../identity/token-answer.ts';
import { isObject, type Json, objectAt, textAt } from '../../json.ts';
import type { Secret } from '../../secret.ts';
import type { BrokerAudience } from '../presented-token.ts';

/** Where AWS is and which role a CI job takes on there. */
export interface AwsTrust extends BrokerAudience {
  readonly role: string;
  readonly region: string;
  readonly sessionName: string;
}

/** Temporary credentials of a role. */
export interface AwsKeys extends Issued {
  readonly accessKeyId: Secret;
  readonly secretAccessKey: Secret;
  readonly sessionToken: Secret;
}

/** The shortest that AWS gives: one read takes seconds. */
const LIFETIME_SECONDS = 900;
const LONGEST_SESSION_NAME = 64;

/** The host of a service in a region. */
export function awsHost(service: string, region: string): string {
  return `${service}.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
}

/** What the session is called in CloudTrail: the repository and the build, in the letters that AWS allows. */
export function sessionName({ repository, buildNumber }: CiContext): string {
  const clean = (text: string) => text.replace(/[^\w+=,.@-]+/g, '-');
  const build = `-${clean(buildNumber)}`.slice(0, LONGEST_SESSION_NAME / 2);
  return `${clean(repository).slice(0, LONGEST_SESSION_NAME - build.length)}${build}`;
}

/** https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html */
export function assumeRoleCall({ role, region, sessionName }: AwsTrust, token: string): HttpCall {
  const fields = {
    Action: 'AssumeRoleWithWebIdentity',
    Version: '2011-06-15',
    RoleArn: role,
    RoleSessionName: sessionName,
    DurationSeconds: String(LIFETIME_SECONDS),
    WebIdentityToken: token,
  };
  return { ...formCall(`https://${awsHost('sts', region)}/`, fields), isPassing: isThrottled };
}

/** AWS answers 400 to requests that come too often. https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html */
export function isThrottled({ status, text }: Answer): boolean {
  return status === 400 && /\b(?:ThrottlingException|Throttling|RequestLimitExceeded)\b/.test(text.slice(0, 2_000));
}

/** An answer of STS, which is JSON where it minds `accept` and XML where it does not; undefined when it is neither. */
export async function stsAnswer(answer: Answer): Promise<Json | undefined> {
  const json = answerJson(answer);
  if (json !== undefined || !answer.text.trimStart().startsWith('<')) return json;
  const { xmlAsJson } = await import('./xml-answer.ts');
  return xmlAsJson(answer.text);
}

/** The credentials in an answer; undefined when it has none. */
export function readAwsKeys(answer: Json | undefined): AwsKeys | undefined {
  const result = objectAt(objectAt(answer, 'AssumeRoleWithWebIdentityResponse'), 'AssumeRoleWithWebIdentityResult');
  const credentials = objectAt(result, 'Credentials');
  const [accessKeyId, secretAccessKey, sessionToken] = ['AccessKeyId', 'SecretAccessKey', 'SessionToken'].map((name) =>
    tokenAt(credentials, name),
  );
  if (accessKeyId === undefined || secretAccessKey === undefined || sessionToken === undefined) return undefined;
  return { accessKeyId, secretAccessKey, sessionToken, expiresAt: expiryOf(credentials.Expiration) };
}

/** Seconds since the epoch in JSON, a date in XML. */
function expiryOf(expiration: Json | undefined): number | undefined {
  const at = typeof expiration === 'number' ? expiration * 1000 : Date.parse(String(expiration));
  return Number.isNaN(at) ? undefined : at;
}

/** The code and the words of a refusal; undefined when the answer is not one of STS. */
export function stsRefusal(answer: Json | undefined): { readonly code: string; readonly message: string } | undefined {
  if (!isObject(answer)) return undefined;
  const error = objectAt('ErrorResponse' in answer ? objectAt(answer, 'ErrorResponse') : answer, 'Error');
  const code = textAt(error, 'Code');
  return code === undefined ? undefined : { code, message: textAt(error, 'Message') ?? '' };
}

/** The error for an answer that is neither. Nothing of it is shown: a part of it may be that of a key. */
export function unreadableSts(url: string, answer: Answer): SubmitError {
  const isPage = /html/i.test(answer.contentType) || /^\s*<(?:!doctype )?html/i.test(answer.text);
  if (isPage || !answer.text.trimStart().startsWith('<')) return unreadable(url, answer);
  return new SubmitError('unreadable-answer', {
    happened: `${new URL(url).host} answered ${answer.status} with XML that is cut short or not the documented one`,
    remedy: ['Start the step again; if it stays so, look at what stands between this machine and AWS.'],
  });
}
