import type { AwsSession, AwsSessions } from './aws-sessions.ts';
import { type Authorization, readAuthorization, signatureMatches } from './aws-signature.ts';

/** An error of the JSON protocol. */
export interface AwsRefusal {
  readonly type: string;
  readonly message: string;
}

export interface AuthenticateOptions {
  readonly host: string;
  readonly region: string;
  readonly service: string;
  readonly sessions: AwsSessions;
  readonly now: () => number;
}

const SKEW_MS = 5 * 60 * 1000;

/** Who signed a request (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html), or why it is refused. */
export function authenticate(
  request: Request,
  body: Uint8Array,
  { host, region, service, sessions, now }: AuthenticateOptions,
): AwsSession | AwsRefusal {
  const header = request.headers.get('authorization');
  const authorization = header === null ? undefined : readAuthorization(header);
  if (authorization === undefined) {
    return { type: 'MissingAuthenticationTokenException', message: 'Missing Authentication Token' };
  }
  if ('missing' in authorization) {
    return incomplete(`Authorization header requires '${authorization.missing}' parameter.`);
  }
  const date = request.headers.get('x-amz-date') ?? '';
  const signedAt = toMilliseconds(date);
  if (signedAt === undefined)
    return incomplete("Authorization header requires existence of a valid 'X-Amz-Date' header.");

  const session = sessions.find(authorization.accessKeyId);
  const token = request.headers.get('x-amz-security-token');
  if (session === undefined || token !== session.sessionToken) {
    return { type: 'UnrecognizedClientException', message: 'The security token included in the request is invalid.' };
  }
  const fault =
    scopeFault(authorization, { region, service, date }) ??
    headerFault(authorization, request.headers) ??
    skewFault(date, signedAt, now());
  if (fault !== undefined) return { type: 'InvalidSignatureException', message: fault };

  const url = new URL(request.url);
  const signed = {
    method: request.method,
    path: url.pathname,
    query: url.search.slice(1),
    headers: new Map([...request.headers, ['host', host] as const]),
    body,
  };
  if (!signatureMatches(signed, authorization, session.secretAccessKey)) {
    return {
      type: 'InvalidSignatureException',
      message:
        'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key ' +
        'and signing method. Consult the service documentation for details.',
    };
  }
  if (session.expiresAt <= now()) {
    return { type: 'ExpiredTokenException', message: 'The security token included in the request is expired' };
  }
  return session;
}

function scopeFault(
  authorization: Authorization,
  { region, service, date }: { region: string; service: string; date: string },
): string | undefined {
  const day = date.slice(0, 8);
  if (authorization.date !== day) {
    return `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${authorization.date}' != '${day}', from '${date}'.`;
  }
  if (authorization.region !== region) return 'Credential should be scoped to a valid region. ';
  if (authorization.service !== service) return `Credential should be scoped to correct service: '${service}'. `;
  if (authorization.terminator !== 'aws4_request') {
    return "Credential should be scoped with a valid terminator: 'aws4_request'. ";
  }
  return undefined;
}

/** The host and every `x-amz-` header must be signed, in order and in small letters. */
function headerFault({ signedHeaders }: Authorization, headers: Headers): string | undefined {
  if (!signedHeaders.includes('host')) {
    return "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.";
  }
  const unsigned = [...headers.keys()].filter((name) => name.startsWith('x-amz-') && !signedHeaders.includes(name));
  if (unsigned.length > 0) {
    return `There were headers present in the request which were not signed: ${unsigned.join(', ')}`;
  }
  const canonical = [...new Set(signedHeaders.map((name) => name.toLowerCase()))].sort();
  return canonical.join() === signedHeaders.join() ? undefined : 'SignedHeaders must be lowercase, unique and sorted.';
}

function skewFault(date: string, signedAt: number, now: number): string | undefined {
  const current = compact(now);
  if (signedAt < now - SKEW_MS) {
    return `Signature expired: ${date} is now earlier than ${compact(now - SKEW_MS)} (${current} - 5 min.)`;
  }
  if (signedAt <= now + SKEW_MS) return undefined;
  return `Signature not yet current: ${date} is still later than ${compact(now + SKEW_MS)} (${current} + 5 min.)`;
}

function toMilliseconds(date: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second] = match;
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(time) ? undefined : time;
}

/** `20261121T080000Z` */
function compact(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replaceAll(/[-:]|\.\d+/g, '');
}

function incomplete(message: string): AwsRefusal {
  return { type: 'IncompleteSignatureException', message };
}
