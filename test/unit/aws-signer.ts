import { createHash, createHmac } from 'node:crypto';

/** The credentials in an answer of the token service. */
export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
}

export interface SignOptions {
  readonly region?: string;
  readonly service?: string;
  readonly at: number;
  /** Headers that are sent, but left out of the signature. */
  readonly unsigned?: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
}

/** A signed call of Secrets Manager, step by step as AWS describes it. */
export function signedInit(body: string, credentials: AwsCredentials, options: SignOptions): RequestInit {
  const { region = 'us-east-1', service = 'secretsmanager', at, unsigned = [] } = options;
  const date = new Date(at).toISOString().replace(/[-:]|\.\d+/g, '');
  const headers: Record<string, string> = {
    'content-type': 'application/x-amz-json-1.1',
    'x-amz-date': date,
    'x-amz-security-token': credentials.sessionToken,
    'x-amz-target': 'secretsmanager.GetSecretValue',
    ...options.headers,
  };
  const signed = Object.entries({ ...headers, host: `secretsmanager.${region}.amazonaws.com` })
    .filter(([name]) => !unsigned.includes(name))
    .sort(([one], [other]) => (one < other ? -1 : 1));
  const names = signed.map(([name]) => name).join(';');
  const lines = signed.map(([name, value]) => `${name}:${value}\n`).join('');
  const canonical = `POST\n/\n\n${lines}\n${names}\n${hash(body)}`;
  const scope = `${date.slice(0, 8)}/${region}/${service}/aws4_request`;
  const toSign = `AWS4-HMAC-SHA256\n${date}\n${scope}\n${hash(canonical)}`;
  let key: string | Buffer = `AWS4${credentials.secretAccessKey}`;
  for (const part of scope.split('/')) key = createHmac('sha256', key).update(part).digest();
  const signature = createHmac('sha256', key).update(toSign).digest('hex');
  const authorization = `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
  return { method: 'POST', headers: { ...headers, authorization }, body };
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
