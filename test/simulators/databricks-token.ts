import { decodeJwt, type JWTPayload } from 'jose';
import { loginPage } from './databricks-errors.ts';
import { type Account, checkPolicies, decide, type FederationPolicy, noPolicy } from './databricks-federation.ts';
import { cloudOf, namesWorkspace } from './databricks-hosts.ts';
import { readExchange, type TokenRefusal } from './databricks-token-request.ts';
import { oidcTokenFailure, verifyOidcToken } from './oidc-issuer.ts';
import type { Handler } from './serve.ts';

export interface DatabricksTokenOptions {
  readonly workspaceHost: string;
  readonly workspaceId: string;
  readonly accountId: string;
  readonly policies: readonly FederationPolicy[];
  readonly users?: readonly string[];
  /** Fetches issuers' discovery documents and key sets. */
  readonly outbound: (url: string) => Promise<Response>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** The workspace host serves several workspaces of the account, which requests have to tell apart by header. */
  readonly unified?: boolean;
  /** Some deployments print `expires_in` as a string. */
  readonly expiresInAs?: 'number' | 'string';
  /** The URL by which clients reach a host; default `https://HOST`. */
  readonly urlOf?: (host: string) => string;
}

export interface IssuedToken {
  readonly accessToken: string;
  /** A service principal's application id, or a user name. */
  readonly principal: string;
  /** A workspace's token is good in that workspace; an account's in all workspaces of the account. */
  readonly level: 'workspace' | 'account';
  readonly scope: string;
  readonly claims: JWTPayload;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

export interface DatabricksTokenEndpoint {
  readonly handle: Handler;
  readonly issued: () => readonly IssuedToken[];
  /** The token, unless it is unknown or has expired. */
  readonly resolve: (accessToken: string) => IssuedToken | undefined;
}

const LONGEST_LIFE_SECONDS = 3600;

/**
 * Exchanges CI tokens for Databricks tokens at the workspace's and the account's token endpoint
 * (https://docs.databricks.com/aws/en/dev-tools/auth/oauth-federation-exchange, https://www.rfc-editor.org/rfc/rfc8693).
 */
export function databricksTokenEndpoint(options: DatabricksTokenOptions): DatabricksTokenEndpoint {
  checkPolicies(options.policies);
  const { cloud, accountsHost } = cloudOf(options.workspaceHost);
  const account: Account = { accountId: options.accountId, policies: options.policies, users: options.users ?? [] };
  const urlOf = options.urlOf ?? ((host: string) => `https://${host}`);
  const tokens = new Map<string, IssuedToken>();

  const exchange = async (request: Request, level: IssuedToken['level']): Promise<Response> => {
    const read = await readExchange(request);
    if ('error' in read) return refused(read);
    const verified = await verify(read.subjectToken);
    if ('error' in verified) return refused(verified);
    const { claims } = verified;
    const decision = decide(account, claims, read.clientId);
    if ('refused' in decision) return refused(invalidGrant(decision.refused));
    const left = Math.floor((claims.exp ?? 0) - options.now() / 1000);
    const lifetime = Math.min(left, LONGEST_LIFE_SECONDS);
    const token: IssuedToken = {
      accessToken: `dbx-${crypto.randomUUID()}`,
      principal: decision.principal,
      level,
      scope: read.scope,
      claims,
      expiresAt: options.now() + lifetime * 1000,
    };
    tokens.set(token.accessToken, token);
    return Response.json({
      access_token: token.accessToken,
      token_type: 'Bearer',
      scope: token.scope,
      expires_in: options.expiresInAs === 'string' ? String(lifetime) : lifetime,
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    });
  };

  const verify = async (token: string): Promise<{ readonly claims: JWTPayload } | TokenRefusal> => {
    const claims = unverifiedClaims(token);
    if (claims?.iss === undefined) return invalidGrant('TOKEN_INVALID (The subject token is not a JWT)');
    const { iss } = claims;
    if (!account.policies.some(({ issuer }) => issuer === iss)) return invalidGrant(noPolicy(claims));
    try {
      return { claims: await verifyOidcToken(token, { issuer: iss, outbound: options.outbound, now: options.now }) };
    } catch (error) {
      const failure = oidcTokenFailure(error);
      if (failure === undefined) throw error;
      return invalidGrant(`TOKEN_INVALID (${failure})`);
    }
  };

  const accountIssuer = (host: string) => `${urlOf(host)}/oidc/accounts/${options.accountId}`;
  const workspaceIssuer = () => `${urlOf(options.workspaceHost)}/oidc`;
  const hostMetadata = (host: string) => {
    const type = host === accountsHost ? 'account' : options.unified ? 'unified' : 'workspace';
    const ofWorkspace = type === 'workspace';
    return {
      oidc_endpoint: ofWorkspace ? workspaceIssuer() : `${urlOf(host)}/oidc/accounts/{account_id}`,
      account_id: options.accountId,
      ...(type === 'account' ? {} : { workspace_id: options.workspaceId }),
      cloud,
      host_type: type,
      token_federation_default_oidc_audiences: [ofWorkspace ? `${workspaceIssuer()}/v1/token` : options.accountId],
    };
  };

  const handle: Handler = async (request) => {
    const host = request.headers.get('x-simulated-host') ?? options.workspaceHost;
    const { pathname } = new URL(request.url);
    const route = `${request.method} ${pathname}`;
    if (route === 'GET /.well-known/databricks-config') return Response.json(hostMetadata(host));

    if (host === accountsHost || options.unified === true) {
      const base = `/oidc/accounts/${options.accountId}`;
      if (route === `GET ${base}/.well-known/oauth-authorization-server`) {
        return Response.json(authorizationServer(accountIssuer(host)));
      }
      if (route === `POST ${base}/v1/token`) return exchange(request, 'account');
    }
    if (host === options.workspaceHost) {
      if (!namesWorkspace(request, options)) return loginPage();
      if (route === 'GET /oidc/.well-known/oauth-authorization-server') {
        return Response.json(authorizationServer(workspaceIssuer()));
      }
      if (route === 'POST /oidc/v1/token') return exchange(request, 'workspace');
    }
    return new Response('Not Found', { status: 404 });
  };

  return {
    handle,
    issued: () => [...tokens.values()],
    resolve: (accessToken) => {
      const token = tokens.get(accessToken);
      return token !== undefined && token.expiresAt > options.now() ? token : undefined;
    },
  };
}

function authorizationServer(issuer: string): Record<string, unknown> {
  return {
    issuer,
    authorization_endpoint: `${issuer}/v1/authorize`,
    token_endpoint: `${issuer}/v1/token`,
    response_types_supported: ['code'],
    grant_types_supported: ['client_credentials', 'authorization_code', 'refresh_token'],
  };
}

function unverifiedClaims(token: string): JWTPayload | undefined {
  try {
    return decodeJwt(token);
  } catch {
    return undefined;
  }
}

function invalidGrant(reason: string): TokenRefusal {
  return { status: 400, error: 'invalid_grant', description: `Failed to process token: ${reason}` };
}

function refused({ status, error, description }: TokenRefusal): Response {
  return Response.json(
    { error, error_description: description, request_id: crypto.randomUUID() },
    { status, headers: { 'cache-control': 'no-store' } },
  );
}
