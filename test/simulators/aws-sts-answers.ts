import type { AwsSession } from './aws-sessions.ts';

const NAMESPACE = 'https://sts.amazonaws.com/doc/2011-06-15/';
const XML = { 'content-type': 'text/xml' };

/** The answer to AssumeRoleWithWebIdentity, with what it tells about the token. */
export interface Assumed {
  readonly session: AwsSession;
  readonly subject: string;
  readonly audience: string;
  readonly provider: string;
}

export function assumedAnswer(assumed: Assumed, json: boolean): Response {
  const { session, subject, audience, provider } = assumed;
  const result = {
    Audience: audience,
    AssumedRoleUser: {
      AssumedRoleId: `AROA${session.accessKeyId.slice(4)}:${session.arn.split('/').at(-1)}`,
      Arn: session.arn,
    },
    Provider: provider,
    Credentials: {
      SecretAccessKey: session.secretAccessKey,
      SessionToken: session.sessionToken,
      Expiration: new Date(session.expiresAt).toISOString().replace(/\.\d+Z$/, 'Z'),
      AccessKeyId: session.accessKeyId,
    },
    SubjectFromWebIdentityToken: subject,
  };
  if (json) {
    const Credentials = { ...result.Credentials, Expiration: Math.floor(session.expiresAt / 1000) };
    return Response.json({
      AssumeRoleWithWebIdentityResponse: {
        AssumeRoleWithWebIdentityResult: { ...result, Credentials },
        ResponseMetadata: { RequestId: crypto.randomUUID() },
      },
    });
  }
  const content = {
    AssumeRoleWithWebIdentityResult: result,
    ResponseMetadata: { RequestId: crypto.randomUUID() },
  };
  const body = `<AssumeRoleWithWebIdentityResponse xmlns="${NAMESPACE}">\n${xml(content, '  ')}</AssumeRoleWithWebIdentityResponse>\n`;
  return new Response(body, { headers: XML });
}

/** An error of the query protocol (https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html). */
export function stsError(status: number, code: string, message: string, json: boolean): Response {
  const error = { Type: 'Sender', Code: code, Message: message };
  const RequestId = crypto.randomUUID();
  if (json) return Response.json({ Error: error, RequestId }, { status });
  const body = `<ErrorResponse xmlns="${NAMESPACE}">\n${xml({ Error: error, RequestId }, '  ')}</ErrorResponse>\n`;
  return new Response(body, { status, headers: XML });
}

type XmlContent = { readonly [name: string]: string | XmlContent };

function xml(content: XmlContent, indent: string): string {
  return Object.entries(content)
    .map(([name, value]) =>
      typeof value === 'string'
        ? `${indent}<${name}>${escaped(value)}</${name}>\n`
        : `${indent}<${name}>\n${xml(value, `${indent}  `)}${indent}</${name}>\n`,
    )
    .join('');
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
