import { type AwsRefusal, authenticate } from './aws-authentication.ts';
import type { AwsSession, AwsSessions } from './aws-sessions.ts';
import { matchesLike } from './aws-trust.ts';
import { type JsonObject, parseJsonObject } from './json-object.ts';
import type { Handler } from './serve.ts';

export interface AwsSecretVersion {
  readonly id: string;
  /** AWSCURRENT, AWSPREVIOUS, AWSPENDING or a label of one's own. */
  readonly stages: readonly string[];
  /** Bytes are a binary secret. */
  readonly value: string | Uint8Array;
}

/** A secret. Read at each request, so a test may change it. */
export interface AwsSecret {
  readonly region: string;
  readonly name: string;
  readonly arn: string;
  readonly createdAt: number;
  readonly versions: readonly AwsSecretVersion[];
  /** Scheduled for deletion. */
  readonly deleted?: boolean;
  /** The key that it was encrypted with is gone. */
  readonly undecryptable?: boolean;
}

export interface AwsSecretsManagerOptions {
  readonly accountId: string;
  readonly secrets: readonly AwsSecret[];
  readonly sessions: AwsSessions;
  readonly now: () => number;
}

/** One secret that was read. */
export interface AwsSecretRead {
  readonly arn: string;
  readonly versionId: string;
  readonly by: string;
}

const TARGET = 'secretsmanager.GetSecretValue';
const JSON_11 = 'application/x-amz-json-1.1';

/** Secrets Manager (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html). */
export function awsSecretsManager(options: AwsSecretsManagerOptions): {
  handle: Handler;
  secretReads(): readonly AwsSecretRead[];
} {
  const reads: AwsSecretRead[] = [];

  const handle: Handler = async (request) => {
    const host = request.headers.get('x-simulated-host') ?? '';
    const region = host.split('.')[1] ?? '';
    const target = request.headers.get('x-amz-target');
    const isJson = request.headers.get('content-type') === JSON_11;
    if (request.method !== 'POST' || new URL(request.url).pathname !== '/' || !isJson || target === null) {
      return answer(400, { __type: 'UnknownOperationException' });
    }
    const bytes = new Uint8Array(await request.arrayBuffer());
    const { sessions, now } = options;
    const session = authenticate(request, bytes, { host, region, service: 'secretsmanager', sessions, now });
    if ('type' in session) return answer(400, { __type: session.type, message: session.message });
    if (target !== TARGET) return answer(400, { __type: 'UnknownOperationException' });
    const asked = readBody(new TextDecoder().decode(bytes));
    const found = 'type' in asked ? asked : find(asked, region, session);
    if ('type' in found) return answer(400, { __type: found.type, Message: found.message });

    const { secret, version } = found;
    reads.push({ arn: secret.arn, versionId: version.id, by: session.arn });
    return answer(200, {
      ARN: secret.arn,
      Name: secret.name,
      VersionId: version.id,
      ...(typeof version.value === 'string'
        ? { SecretString: version.value }
        : { SecretBinary: Buffer.from(version.value).toString('base64') }),
      VersionStages: version.stages,
      CreatedDate: secret.createdAt / 1000,
    });
  };

  function find(
    { SecretId: id, VersionId: versionId, VersionStage: stage }: GetSecretValue,
    region: string,
    session: AwsSession,
  ): { secret: AwsSecret; version: AwsSecretVersion } | AwsRefusal {
    const secret = options.secrets.find(
      ({ name, arn, region: home }) => home === region && (name === id || arn === id || arn.slice(0, -7) === id),
    );
    // What does not exist is judged by the name that it would have.
    const absent = id.startsWith('arn:') ? id : `arn:aws:secretsmanager:${region}:${options.accountId}:secret:${id}`;
    const resource = secret?.arn ?? absent;
    if (!session.role.readableSecrets.some((pattern) => matchesLike(pattern, resource))) {
      return {
        type: 'AccessDeniedException',
        message:
          `User: ${session.arn} is not authorized to perform: secretsmanager:GetSecretValue on resource: ${id} ` +
          'because no identity-based policy allows the secretsmanager:GetSecretValue action',
      };
    }
    if (secret === undefined) return notFound("Secrets Manager can't find the specified secret.");
    if (secret.deleted === true) {
      return {
        type: 'InvalidRequestException',
        message: "You can't perform this operation on the secret because it was marked for deletion.",
      };
    }
    const wantedStage = stage ?? (versionId === undefined ? 'AWSCURRENT' : undefined);
    const version = secret.versions.find(
      (each) =>
        (versionId === undefined || each.id === versionId) &&
        (wantedStage === undefined || each.stages.includes(wantedStage)),
    );
    if (version === undefined) {
      const by = versionId === undefined ? `staging label: ${wantedStage}` : `VersionId: ${versionId}`;
      return notFound(`Secrets Manager can't find the specified secret value for ${by}`);
    }
    if (secret.undecryptable !== true) return { secret, version };
    return {
      type: 'DecryptionFailure',
      message: "Secrets Manager can't decrypt the protected secret text using the provided KMS key.",
    };
  }

  return { handle, secretReads: () => reads };
}

interface GetSecretValue {
  readonly SecretId: string;
  readonly VersionId?: string;
  readonly VersionStage?: string;
}

/** Fields that the operation does not have are left alone, as the protocol wants it. */
function readBody(text: string): GetSecretValue | AwsRefusal {
  const body: JsonObject | undefined = parseJsonObject(text);
  if (body === undefined) return { type: 'SerializationException', message: 'The request body is not a JSON object.' };
  const { SecretId, VersionId, VersionStage } = body;
  const sent = [SecretId, VersionId, VersionStage].filter((value) => value !== undefined && value !== null);
  if (sent.some((value) => typeof value !== 'string')) {
    return { type: 'SerializationException', message: 'A value of the request body is not of the type STRING_VALUE.' };
  }
  if (typeof SecretId !== 'string' || SecretId === '') {
    return {
      type: 'ValidationException',
      message: "1 validation error detected: Value at 'secretId' failed to satisfy constraint: Member must not be null",
    };
  }
  if (typeof VersionId === 'string' && (VersionId.length < 32 || VersionId.length > 64)) {
    return {
      type: 'ValidationException',
      message:
        "1 validation error detected: Value at 'versionId' failed to satisfy constraint: Member must have length between 32 and 64",
    };
  }
  return {
    SecretId,
    ...(typeof VersionId === 'string' ? { VersionId } : {}),
    ...(typeof VersionStage === 'string' ? { VersionStage } : {}),
  };
}

function notFound(message: string): AwsRefusal {
  return { type: 'ResourceNotFoundException', message };
}

function answer(status: number, body: JsonObject): Response {
  const headers = { 'content-type': JSON_11, 'x-amzn-requestid': crypto.randomUUID() };
  return new Response(JSON.stringify(body), { status, headers });
}
