import type { AccessTokens, Caller } from './google-access-tokens.ts';
import { badRequest, errorInfo, googleError, jsonBody, noSuchPath } from './google-error.ts';
import { allows, type Permission, type ServiceAccount, serviceAccountCaller } from './google-iam-policy.ts';
import type { GoogleIdTokens } from './google-id-tokens.ts';
import { durationSeconds } from './protobuf-json-values.ts';
import { typeLookup } from './protobuf-types.ts';
import { validateMessage } from './protobuf-walker.ts';
import type { Handler } from './serve.ts';

export interface GoogleIamCredentialsOptions {
  readonly serviceAccounts: readonly ServiceAccount[];
  readonly tokens: AccessTokens;
  readonly idTokens: GoogleIdTokens;
  readonly now: () => number;
}

/** One impersonation that was asked for and allowed. */
export interface Impersonation {
  readonly at: number;
  readonly caller: string;
  readonly serviceAccount: string;
  readonly delegates: readonly string[];
  readonly lifetimeSeconds: number;
}

interface GenerateAccessTokenRequest {
  readonly scope: readonly string[];
  readonly lifetime?: string;
  readonly delegates?: readonly string[];
}

interface GenerateIdTokenRequest {
  readonly audience: string;
  readonly includeEmail?: boolean;
  readonly delegates?: readonly string[];
}

/** The caller's right to become the account at the end of the chain was checked. */
interface Call<Body> {
  readonly caller: Caller;
  readonly target: ServiceAccount;
  readonly body: Body;
}

const DEFAULT_LIFETIME_SECONDS = 3600;
const EXTENDED_LIFETIME_SECONDS = 43_200;
const LIFETIME_CONSTRAINT = 'constraints/iam.allowServiceAccountCredentialLifetimeExtension';
const RESOURCE = 'projects/-/serviceAccounts/';

/** The request's fields beside `name`, which is in the path (https://github.com/googleapis/googleapis/blob/master/google/iam/credentials/v1/common.proto). */
const types = typeLookup({
  nested: {
    GenerateAccessTokenRequest: {
      fields: {
        delegates: { rule: 'repeated', type: 'string' },
        scope: { rule: 'repeated', type: 'string', options: { '(google.api.field_behavior)': 'REQUIRED' } },
        lifetime: { type: 'google.protobuf.Duration' },
      },
    },
    GenerateIdTokenRequest: {
      fields: {
        delegates: { rule: 'repeated', type: 'string' },
        audience: { type: 'string', options: { '(google.api.field_behavior)': 'REQUIRED' } },
        includeEmail: { type: 'bool' },
        organizationNumberIncluded: { type: 'bool' },
      },
    },
    google: { nested: { protobuf: { nested: { Duration: { fields: {} } } } } },
  },
});

/** The Service Account Credentials API (https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken). */
export function googleIamCredentials(options: GoogleIamCredentialsOptions): {
  handle: Handler;
  impersonations(): readonly Impersonation[];
} {
  const impersonations: Impersonation[] = [];

  const handle: Handler = async (request) => {
    const path = decodeURIComponent(new URL(request.url).pathname);
    const [, name, verb] = /^\/v1\/(projects\/-\/serviceAccounts\/[^/:]+):(\w+)$/.exec(path) ?? [];
    if (request.method !== 'POST' || name === undefined) return noSuchPath(request);
    if (verb === 'generateAccessToken') {
      const call = await readCall<GenerateAccessTokenRequest>(
        request,
        name,
        'GenerateAccessTokenRequest',
        'iam.serviceAccounts.getAccessToken',
      );
      return call instanceof Response ? call : generateAccessToken(call);
    }
    if (verb !== 'generateIdToken') return noSuchPath(request);
    const call = await readCall<GenerateIdTokenRequest>(
      request,
      name,
      'GenerateIdTokenRequest',
      'iam.serviceAccounts.getOpenIdToken',
    );
    if (call instanceof Response) return call;
    return Response.json({ token: await options.idTokens.issue(call.target, call.body) });
  };

  async function readCall<Body extends { delegates?: readonly string[] }>(
    request: Request,
    name: string,
    message: string,
    permission: Permission,
  ): Promise<Call<Body> | Response> {
    const caller = options.tokens.authenticate(request, 'iamcredentials.googleapis.com');
    if (caller instanceof Response) return caller;
    const json = await jsonBody(request);
    if (json instanceof Response) return json;
    const violations = validateMessage(message, json.body, { types });
    if (violations.length > 0) {
      return googleError('INVALID_ARGUMENT', violations.map(({ description }) => description).join('\n'), [
        badRequest(violations.map(({ field, description }) => ({ field, description }))),
      ]);
    }
    const body = json.body as Body;
    const chain = [...(body.delegates ?? []), name].map((each) => findServiceAccount(options.serviceAccounts, each));
    const target = chain.at(-1);
    const denied = deniedPermission(caller, chain, permission);
    if (denied !== undefined || target === undefined) return permissionDenied(denied ?? permission);
    return { caller, target, body };
  }

  function generateAccessToken({ caller, target, body }: Call<GenerateAccessTokenRequest>): Response {
    const { scope, lifetime, delegates = [] } = body;
    const lifetimeSeconds = lifetime === undefined ? DEFAULT_LIFETIME_SECONDS : (durationSeconds(lifetime) ?? 0);
    const fault = lifetimeFault(lifetimeSeconds, target);
    if (fault !== undefined) return googleError('INVALID_ARGUMENT', fault);

    const expiresAt = options.now() + lifetimeSeconds * 1000;
    const accessToken = options.tokens.issue({
      kind: 'service-account',
      caller: serviceAccountCaller(target.email),
      scopes: scope,
      expiresAt,
    });
    impersonations.push({
      at: options.now(),
      caller: caller.identity,
      serviceAccount: target.email,
      delegates,
      lifetimeSeconds,
    });
    return Response.json({ accessToken, expireTime: new Date(expiresAt).toISOString().replace(/\.\d+Z$/, 'Z') });
  }

  return { handle, impersonations: () => impersonations };
}

/** Each account of the chain must be allowed to delegate to the next, and the last one to make the token. */
function deniedPermission(
  caller: Caller,
  chain: readonly (ServiceAccount | undefined)[],
  wanted: Permission,
): Permission | undefined {
  let current = caller;
  for (const [index, account] of chain.entries()) {
    const permission = index === chain.length - 1 ? wanted : 'iam.serviceAccounts.implicitDelegation';
    if (account === undefined || !allows(account.bindings, current, permission)) return permission;
    current = serviceAccountCaller(account.email);
  }
  return undefined;
}

function findServiceAccount(accounts: readonly ServiceAccount[], resource: string): ServiceAccount | undefined {
  if (!resource.startsWith(RESOURCE)) return undefined;
  const id = resource.slice(RESOURCE.length);
  return accounts.find(({ email, uniqueId }) => email === id || uniqueId === id);
}

function lifetimeFault(seconds: number, { lifetimeExtension }: ServiceAccount): string | undefined {
  if (seconds <= 0) return 'The access token lifetime must be greater than 0 seconds.';
  if (seconds > EXTENDED_LIFETIME_SECONDS) {
    return `The access token lifetime cannot exceed ${EXTENDED_LIFETIME_SECONDS} seconds.`;
  }
  if (seconds > DEFAULT_LIFETIME_SECONDS && lifetimeExtension !== true) {
    return (
      `Access tokens of this service account cannot have lifetimes of more than 1 hour unless the service account is an ` +
      `allowed value of the policy \`${LIFETIME_CONSTRAINT}\`.`
    );
  }
  return undefined;
}

/** The same for a service account that does not exist. */
function permissionDenied(permission: Permission): Response {
  return googleError('PERMISSION_DENIED', `Permission '${permission}' denied on resource (or it may not exist).`, [
    errorInfo('IAM_PERMISSION_DENIED', 'iam.googleapis.com', { permission }),
  ]);
}
