import { isJsonObject } from './json-object.ts';
import { type OidcTokenFailure, oidcTokenFailure, verifyOidcToken } from './oidc-issuer.ts';
import type { Handler } from './serve.ts';
import { invalidToken, permissionDenied, vaultAnswer, vaultError } from './vault-answers.ts';
import { claimFault, type VaultJwtRole } from './vault-jwt-claims.ts';
import { readKv, type VaultKv } from './vault-kv.ts';
import { capabilityOf, policiesAllow, type VaultPolicy } from './vault-policies.ts';
import { type VaultToken, vaultTokens } from './vault-tokens.ts';

/** A JWT auth mount: it trusts one issuer. */
export interface VaultJwtMount {
  readonly issuer: string;
  readonly roles: Readonly<Record<string, VaultJwtRole>>;
}

/** What a namespace holds; mounts by their path without slashes around. */
export interface VaultNamespace {
  readonly auth: Readonly<Record<string, VaultJwtMount>>;
  readonly kv: Readonly<Record<string, VaultKv>>;
  readonly policies: Readonly<Record<string, VaultPolicy>>;
}

export interface VaultOptions {
  readonly host: string;
  /** By path; '' is the root namespace. */
  readonly namespaces: Readonly<Record<string, VaultNamespace>>;
  /** Reaches the issuers' discovery documents and keys. */
  readonly outbound: (url: string) => Promise<Response>;
  readonly now: () => number;
}

export interface VaultSimulator {
  readonly hosts: (host: string) => Handler | undefined;
  /** Every token that a login gave, with how it ended. */
  tokens(): readonly VaultToken[];
  liveTokens(): readonly VaultToken[];
  issuedTokens(): readonly string[];
}

/** What a token may do with itself, unless its role leaves the policy out. */
const DEFAULT_POLICY: VaultPolicy = { 'auth/token/revoke-self': ['update'] };
const CLOCK_SKEW_SECONDS = 60;

/** A Vault or OpenBao server: login with CI tokens, key/value secrets, revocation (https://developer.hashicorp.com/vault/api-docs). */
export function vaultSimulator(options: VaultOptions): VaultSimulator {
  const tokens = vaultTokens(options.now);

  const handle: Handler = async (request) => {
    const url = new URL(request.url);
    const path = /^\/v1\/(.+)$/.exec(decodeURIComponent(url.pathname))?.[1];
    if (path === undefined) return vaultError(404);
    const header = (request.headers.get('x-vault-namespace') ?? '').replace(/^\/+|\/+$/g, '');
    const place = locate(options.namespaces, header === '' ? path : `${header}/${path}`);

    const mountName = /^auth\/(.+)\/login$/.exec(place.path)?.[1];
    const mount = mountName === undefined ? undefined : own(place.namespace.auth, mountName);
    if (mount !== undefined) return login(request, place.name, mount);

    const capability = capabilityOf(request.method);
    if (capability === undefined) return vaultError(405);
    const sent = sentToken(request);
    const token = sent === undefined ? undefined : tokens.use(sent);
    if (token === undefined) return sent === undefined ? vaultError(403, 'permission denied') : invalidToken();

    const inside = pathFrom(token.namespace, place.name, place.path);
    const given = { default: DEFAULT_POLICY, ...options.namespaces[token.namespace]?.policies };
    const policies = token.policies.map((name) => own(given, name) ?? {});
    const allowed = inside !== undefined && policiesAllow(policies, inside, capability);
    if (!allowed) return permissionDenied();
    if (place.path === 'auth/token/revoke-self') {
      tokens.revoke(token.token);
      return new Response(null, { status: 204 });
    }
    return read(place, capability, url.searchParams);
  };

  const login = async (request: Request, namespace: string, mount: VaultJwtMount): Promise<Response> => {
    if (request.method !== 'POST' && request.method !== 'PUT') return vaultError(405, 'unsupported operation');
    const body = await readBody(request);
    if (body instanceof Response) return body;
    const roleName = String(body.role ?? '').toLowerCase();
    if (roleName === '') return vaultError(400, 'missing role');
    const role = own(mount.roles, roleName);
    if (role === undefined) return vaultError(400, `role "${roleName}" could not be found`);
    const jwt = String(body.jwt ?? '');
    if (jwt === '') return vaultError(400, 'missing token');
    try {
      const claims = await verifyOidcToken(jwt, {
        issuer: mount.issuer,
        outbound: options.outbound,
        now: options.now,
        clockToleranceSeconds: CLOCK_SKEW_SECONDS,
      });
      const fault = claimFault(role, claims);
      if (fault !== undefined) return vaultError(400, fault);
    } catch (error) {
      const failure = oidcTokenFailure(error);
      if (failure === undefined) throw error;
      return vaultError(400, `error validating token: ${VALIDATION_FAILURES[failure]}`);
    }
    return loggedIn(tokens.issue(namespace, roleName, role), role, Object.keys(body));
  };

  return {
    hosts: (host) => (host === options.host ? handle : undefined),
    tokens: tokens.all,
    liveTokens: tokens.live,
    issuedTokens: () => tokens.all().map(({ token }) => token),
  };
}

interface Place {
  readonly name: string;
  readonly namespace: VaultNamespace;
  /** Relative to the namespace. */
  readonly path: string;
}

const NOWHERE: VaultNamespace = { auth: {}, kv: {}, policies: {} };

/** A namespace may be named by a header, by the path, or in parts by both. */
function locate(namespaces: VaultOptions['namespaces'], path: string): Place {
  const [name] = Object.keys(namespaces)
    .filter((each) => each === '' || path.startsWith(`${each}/`))
    .sort((one, other) => other.length - one.length);
  if (name === undefined) return { name: '', namespace: NOWHERE, path };
  return { name, namespace: namespaces[name] ?? NOWHERE, path: name === '' ? path : path.slice(name.length + 1) };
}

/** A path as a token's namespace sees it; undefined where the path is in none of its own. */
function pathFrom(namespace: string, placeName: string, path: string): string | undefined {
  if (namespace === placeName) return path;
  if (namespace === '') return `${placeName}/${path}`;
  return placeName.startsWith(`${namespace}/`) ? `${placeName.slice(namespace.length + 1)}/${path}` : undefined;
}

function read({ namespace, path }: Place, capability: string, query: URLSearchParams): Response {
  const [name] = Object.keys(namespace.kv)
    .filter((each) => path.startsWith(`${each}/`))
    .sort((one, other) => other.length - one.length);
  const mount = name === undefined ? undefined : namespace.kv[name];
  if (name === undefined || mount === undefined) {
    return vaultError(404, `no handler for route "${path}". route entry not found.`);
  }
  if (capability !== 'read') return vaultError(405, 'unsupported operation');
  return readKv(mount, path.slice(name.length + 1), query);
}

function sentToken(request: Request): string | undefined {
  const bearer = /^Bearer (\S+)$/.exec(request.headers.get('authorization') ?? '')?.[1];
  return request.headers.get('x-vault-token') ?? bearer;
}

async function readBody(request: Request): Promise<Readonly<Record<string, unknown>> | Response> {
  const text = await request.text();
  let body: unknown;
  try {
    body = text === '' ? {} : JSON.parse(text);
  } catch (error) {
    return vaultError(400, `failed to parse JSON input: ${(error as Error).message}`);
  }
  if (!isJsonObject(body)) return vaultError(400, 'failed to parse JSON input: not an object');
  const wrong = ['role', 'jwt'].find((name) => body[name] !== undefined && typeof body[name] !== 'string');
  return wrong === undefined ? body : vaultError(400, `error converting input for field "${wrong}"`);
}

function loggedIn(token: VaultToken, role: VaultJwtRole, sentFields: readonly string[]): Response {
  const ignored = sentFields.filter((name) => name !== 'role' && name !== 'jwt');
  return vaultAnswer({
    ...(ignored.length === 0
      ? {}
      : { warnings: [`Endpoint ignored these unrecognized parameters: [${ignored.join(' ')}]`] }),
    auth: {
      client_token: token.token,
      accessor: token.accessor,
      policies: token.policies,
      token_policies: token.policies,
      metadata: { role: token.role },
      lease_duration: role.tokenTtlSeconds,
      renewable: true,
      entity_id: crypto.randomUUID(),
      token_type: 'service',
      orphan: true,
      mfa_requirement: null,
      num_uses: role.tokenNumUses ?? 0,
    },
  });
}

const BAD_SIGNATURE = 'error verifying token signature: failed to verify id token signature';

const VALIDATION_FAILURES: Readonly<Record<OidcTokenFailure, string>> = {
  malformed:
    'error verifying token signature: oidc: malformed jwt: go-jose/go-jose: compact JWS format must have three parts',
  algorithm: BAD_SIGNATURE,
  // Its own issuer's keys did not sign it: that is found out first.
  'issuer-mismatch': BAD_SIGNATURE,
  'issuer-unreachable': 'error verifying token signature: fetching keys',
  'unknown-key': BAD_SIGNATURE,
  signature: BAD_SIGNATURE,
  'missing-claim': 'no issued at (iat), not before (nbf), or expiration time (exp) claims in token',
  'not-yet-valid': 'invalid not before (nbf) claim: token not yet valid',
  expired: 'invalid expiration time (exp) claim: token is expired',
};

function own<Value>(record: Readonly<Record<string, Value>>, name: string): Value | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}
