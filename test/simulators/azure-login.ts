import { randomBytes } from 'node:crypto';
import { decodeJwt, type JWTPayload } from 'jose';
import { type OidcTokenFailure, oidcTokenFailure, verifyOidcToken } from './oidc-issuer.ts';
import type { Handler } from './serve.ts';

/** A federated credential of an application: all three must be the token's, to the letter. */
export interface AzureFederatedCredential {
  readonly issuer: string;
  readonly subject: string;
  readonly audience: string;
}

/** An application. Read at each request, so a test may change it. */
export interface AzureApplication {
  readonly clientId: string;
  readonly federatedCredentials: readonly AzureFederatedCredential[];
}

export interface AzureLoginOptions {
  readonly tenantId: string;
  /** The tenant's other name: `acme.onmicrosoft.com`. */
  readonly tenantDomain: string;
  readonly applications: readonly AzureApplication[];
  readonly outbound: (url: string) => Promise<Response>;
  readonly now: () => number;
}

export interface AzureAccessToken {
  readonly token: string;
  readonly clientId: string;
  readonly resource: string;
  readonly expiresAt: number;
}

interface Refusal {
  readonly status: 400 | 401;
  readonly error: string;
  readonly code: number;
  readonly text: string;
}

const LIFETIME_SECONDS = 3600;
const RESOURCES = ['https://vault.azure.net', 'https://management.azure.com'];
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** Microsoft Entra's token endpoint (https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow#third-case-access-token-request-with-a-federated-credential). */
export function azureLogin(options: AzureLoginOptions): { handle: Handler; tokens(): readonly AzureAccessToken[] } {
  const tokens: AzureAccessToken[] = [];

  const handle: Handler = async (request) => {
    const path = /^\/([^/]+)\/oauth2\/v2\.0\/token$/.exec(new URL(request.url).pathname);
    if (path === null) return new Response(null, { status: 404 });
    if (request.method !== 'POST') {
      const text = 'Endpoint only accepts POST requests.';
      return refused({ status: 400, error: 'invalid_request', code: 900561, text }, options.now());
    }
    const isForm = (request.headers.get('content-type') ?? '').startsWith('application/x-www-form-urlencoded');
    const form = new URLSearchParams(isForm ? await request.text() : '');
    const granted = await grant(decodeURIComponent(path[1] ?? ''), form, options);
    if ('error' in granted) return refused(granted, options.now());
    tokens.push(granted);
    return Response.json({
      token_type: 'Bearer',
      expires_in: LIFETIME_SECONDS - 1,
      ext_expires_in: LIFETIME_SECONDS - 1,
      access_token: granted.token,
    });
  };

  return { handle, tokens: () => tokens };
}

async function grant(
  tenant: string,
  form: URLSearchParams,
  options: AzureLoginOptions,
): Promise<AzureAccessToken | Refusal> {
  if (tenant !== options.tenantId && tenant !== options.tenantDomain) {
    return invalidRequest(
      90002,
      `Tenant '${tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.`,
    );
  }
  const grantType = form.get('grant_type');
  if (grantType === null) return missing('grant_type');
  if (grantType !== 'client_credentials') {
    const text = `The app requested an unsupported grant type '${grantType}'.`;
    return { status: 400, error: 'unsupported_grant_type', code: 70003, text };
  }
  const clientId = form.get('client_id');
  if (clientId === null) return missing('client_id');
  const application = options.applications.find((each) => each.clientId === clientId);
  if (application === undefined) {
    const text = `Application with identifier '${clientId}' was not found in the directory '${options.tenantDomain}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.`;
    return { status: 400, error: 'unauthorized_client', code: 700016, text };
  }
  const resource = resourceOf(form.get('scope'));
  if (typeof resource !== 'string') return resource;
  const assertion = form.get('client_assertion');
  if (assertion === null || form.get('client_assertion_type') !== ASSERTION_TYPE) {
    return invalidClient(
      7000218,
      "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
    );
  }
  const fault = await assertionFault(assertion, application, options);
  if (fault !== undefined) return fault;
  const token = ['{"typ":"JWT","alg":"RS256"}', randomBytes(400), randomBytes(256)]
    .map((part) => Buffer.from(part).toString('base64url'))
    .join('.');
  return { token, clientId, resource, expiresAt: options.now() + LIFETIME_SECONDS * 1000 };
}

function resourceOf(scope: string | null): string | Refusal {
  if (scope === null) return missing('scope');
  const resource = /^(\S+)\/\.default$/.exec(scope)?.[1];
  if (resource === undefined) {
    const text = `The provided value for scope ${scope} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).`;
    return { status: 400, error: 'invalid_scope', code: 1002012, text };
  }
  if (RESOURCES.includes(resource)) return resource;
  const text = `The resource principal named ${resource} was not found in the tenant.`;
  return { status: 400, error: 'invalid_resource', code: 500011, text };
}

async function assertionFault(
  assertion: string,
  { federatedCredentials }: AzureApplication,
  { outbound, now }: AzureLoginOptions,
): Promise<Refusal | undefined> {
  const claims = unverified(assertion);
  if (claims === undefined) return invalidClient(50027, 'JWT token is invalid or malformed.');
  const ofIssuer = federatedCredentials.filter(({ issuer }) => issuer === claims.iss);
  if (ofIssuer.length === 0) return noMatch(700211, 'issuer', claims.iss);
  try {
    await verifyOidcToken(assertion, { issuer: String(claims.iss), outbound, now });
  } catch (error) {
    const failure = oidcTokenFailure(error);
    if (failure === undefined) throw error;
    return verificationRefusal(failure, claims, now());
  }
  // Of a list of audiences only one that holds nothing else could match a credential's single audience.
  const [audience, ...others] = [claims.aud ?? []].flat();
  const ofAudience = ofIssuer.filter((each) => others.length === 0 && each.audience === audience);
  if (ofAudience.length === 0) return noMatch(700212, 'audience', [claims.aud].join(','));
  const matched = ofAudience.some(({ subject }) => subject === claims.sub);
  return matched ? undefined : noMatch(700213, 'subject', claims.sub);
}

function unverified(token: string): JWTPayload | undefined {
  try {
    return decodeJwt(token);
  } catch {
    return undefined;
  }
}

function verificationRefusal(failure: OidcTokenFailure, claims: JWTPayload, now: number): Refusal {
  if (failure === 'expired' || failure === 'not-yet-valid') {
    const time = (seconds: number | undefined) => new Date((seconds ?? 0) * 1000).toISOString();
    return invalidClient(
      700024,
      `Client assertion is not within its valid time range. Current time: ${new Date(now).toISOString()}, assertion valid from ${time(claims.nbf ?? claims.iat)}, expiry time of assertion ${time(claims.exp)}.`,
    );
  }
  if (failure === 'issuer-unreachable') return invalidRequest(90061, 'Request to External OIDC endpoint failed.');
  return invalidClient(700027, 'Client assertion failed signature validation.');
}

function noMatch(code: number, what: string, value: string | undefined): Refusal {
  return invalidClient(
    code,
    `No matching federated identity record found for presented assertion ${what} '${value}'. Check your federated identity credential Subject, Audience and Issuer against the presented assertion. https://learn.microsoft.com/entra/workload-id/workload-identity-federation`,
  );
}

function missing(name: string): Refusal {
  return invalidRequest(900144, `The request body must contain the following parameter: '${name}'.`);
}

function invalidRequest(code: number, text: string): Refusal {
  return { status: 400, error: 'invalid_request', code, text };
}

function invalidClient(code: number, text: string): Refusal {
  return { status: 401, error: 'invalid_client', code, text };
}

/** https://learn.microsoft.com/entra/identity-platform/reference-error-codes */
function refused({ status, error, code, text }: Refusal, now: number): Response {
  const trace_id = crypto.randomUUID();
  const correlation_id = crypto.randomUUID();
  const timestamp = new Date(now)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, 'Z');
  return Response.json(
    {
      error,
      error_description: `AADSTS${code}: ${text} Trace ID: ${trace_id} Correlation ID: ${correlation_id} Timestamp: ${timestamp}`,
      error_codes: [code],
      timestamp,
      trace_id,
      correlation_id,
      error_uri: `https://login.microsoftonline.com/error?code=${code}`,
    },
    { status },
  );
}
