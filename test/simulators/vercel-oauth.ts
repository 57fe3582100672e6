import type { JWTPayload } from 'jose';
import { type OAuthError, oauthRefusal } from './vercel-errors.ts';
import { invalidRequest, readForm } from './vercel-oauth-form.ts';
import { checkPolicies, type FederationPolicy, policyMatches, unverifiedIssuer } from './vercel-policies.ts';
import { oidcTokenFailure, verifyOidcToken } from './verify-oidc-token.ts';

/** An application that may be acted for. */
export interface OAuthClient {
  readonly clientId: string;
  readonly name: string;
}

export interface VercelTeam {
  readonly id: string;
  readonly slug: string;
  readonly name: string;
  /** Members have to have signed in by SAML, which no token of the tenant has. */
  readonly saml?: boolean;
  /** No client may exchange tokens for this team's, whatever its policies say. */
  readonly exchangeNotEnabled?: boolean;
  /** Domains that the team owns, and those of them without a certificate. */
  readonly domains: readonly string[];
  readonly domainsWithoutCertificate?: readonly string[];
}

export interface VercelOAuthOptions {
  readonly teams: readonly VercelTeam[];
  readonly clients: readonly OAuthClient[];
  readonly policies: readonly FederationPolicy[];
  /** Fetches issuers' discovery documents and key sets. */
  readonly outbound: (url: string) => Promise<Response>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** How long an access token lives; default an hour. */
  readonly accessTokenSeconds?: number;
  /** A second exchange of the same CI token is refused. */
  readonly singleUse?: boolean;
  /** A claim that is a list never fulfils a policy; by default one element that does is enough. */
  readonly listsMatchNoPolicy?: boolean;
}

/** An access token from an exchange: of the client in one team, and of no user. */
export interface AppToken {
  readonly accessToken: string;
  readonly client: OAuthClient;
  readonly team: VercelTeam;
  readonly policy: FederationPolicy;
  readonly claims: JWTPayload;
  readonly issuedAt: number;
  readonly expiresAt: number;
  revokedAt?: number;
}

export interface VercelOAuth {
  readonly token: (request: Request) => Promise<Response>;
  readonly revoke: (request: Request) => Promise<Response>;
  readonly introspect: (request: Request) => Promise<Response>;
  readonly tokens: () => readonly AppToken[];
  /** The token, unless it is unknown, was revoked or has expired. */
  readonly resolve: (accessToken: string) => AppToken | undefined;
}

const EXCHANGE = {
  grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
  subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
  requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
} as const;

/** Exchanges CI tokens for access tokens (https://vercel.com/docs/monorepos/remote-caching/external-ci-cd, https://www.rfc-editor.org/rfc/rfc8693). */
export function vercelOAuth(options: VercelOAuthOptions): VercelOAuth {
  checkPolicies(options.policies);
  const { now, outbound } = options;
  const tokens = new Map<string, AppToken>();
  const used = new Set<string>();

  const verify = async (token: string, policies: readonly FederationPolicy[]): Promise<JWTPayload | OAuthError> => {
    const iss = unverifiedIssuer(token);
    if (iss === undefined) return invalidGrant('The subject token is not a JWT');
    if (!policies.some(({ issuerUrl }) => issuerUrl === iss)) return NO_POLICY;
    try {
      return await verifyOidcToken(token, { issuer: iss, outbound, now });
    } catch (error) {
      const failure = oidcTokenFailure(error);
      if (failure === undefined) throw error;
      return invalidGrant(`The subject token is invalid: ${failure}`);
    }
  };

  const exchange = async (form: ReadonlyMap<string, string>): Promise<AppToken | OAuthError> => {
    const value = (name: string) => form.get(name) ?? '';
    if (value('grant_type') !== EXCHANGE.grant_type) {
      return { status: 400, error: 'unsupported_grant_type', description: 'The grant type is not supported' };
    }
    for (const name of ['subject_token_type', 'requested_token_type'] as const) {
      if (value(name) !== EXCHANGE[name]) return invalidRequest(`Unsupported ${name}: ${value(name)}`);
    }
    const client = options.clients.find(({ clientId }) => clientId === value('client_id'));
    if (client === undefined) return UNKNOWN_CLIENT;
    const wanted = value('team_id_or_slug');
    const team = options.teams.find(({ id, slug }) => id === wanted || slug === wanted);
    if (team === undefined) return NO_POLICY;
    if (team.exchangeNotEnabled === true) {
      return {
        status: 400,
        error: 'unauthorized_client',
        description: 'The client is not enabled for token exchange in this team',
      };
    }

    const subjectToken = value('subject_token');
    const candidates = options.policies.filter(
      ({ policyId, teamId, clientId }) =>
        teamId === team.id && clientId === client.clientId && policyId === (form.get('policy_id') ?? policyId),
    );
    const claims = await verify(subjectToken, candidates);
    if (isError(claims)) return claims;
    const matching = candidates.filter((policy) => policyMatches(policy, claims, options.listsMatchNoPolicy !== true));
    const [policy] = matching;
    if (policy === undefined) return NO_POLICY;
    if (matching.length > 1) {
      return invalidRequest('Several OIDC federation policies match the subject token: policy_id is required');
    }
    if (options.singleUse === true && used.has(subjectToken)) {
      return invalidGrant('The subject token has already been used');
    }
    used.add(subjectToken);

    const token: AppToken = {
      accessToken: `vca_${crypto.randomUUID().replaceAll('-', '')}`,
      client,
      team,
      policy,
      claims,
      issuedAt: now(),
      expiresAt: now() + (options.accessTokenSeconds ?? 3600) * 1000,
    };
    tokens.set(token.accessToken, token);
    return token;
  };

  const resolve: VercelOAuth['resolve'] = (accessToken) => {
    const token = tokens.get(accessToken);
    return token !== undefined && token.revokedAt === undefined && token.expiresAt > now() ? token : undefined;
  };

  return {
    token: async (request) => {
      const form = await readForm(
        request,
        ['grant_type', 'client_id', 'subject_token_type', 'requested_token_type', 'team_id_or_slug', 'subject_token'],
        ['policy_id'],
      );
      if (isError(form)) return oauthRefusal(form);
      const token = await exchange(form);
      if (isError(token)) return oauthRefusal(token);
      return Response.json(
        {
          access_token: token.accessToken,
          issued_token_type: EXCHANGE.requested_token_type,
          token_type: 'Bearer',
          expires_in: Math.floor((token.expiresAt - token.issuedAt) / 1000),
        },
        { headers: { 'cache-control': 'no-store' } },
      );
    },

    // https://www.rfc-editor.org/rfc/rfc7009#section-2.2: a token that is not known is no error.
    revoke: async (request) => {
      const form = await readForm(request, ['client_id', 'token'], ['token_type_hint']);
      if (isError(form)) return oauthRefusal(form);
      const client = options.clients.find(({ clientId }) => clientId === form.get('client_id'));
      if (client === undefined) return oauthRefusal(UNKNOWN_CLIENT);
      const token = tokens.get(form.get('token') ?? '');
      if (token !== undefined && token.client !== client) {
        return oauthRefusal(invalidGrant('The token was issued to another client'));
      }
      if (token !== undefined) token.revokedAt ??= now();
      return new Response(null, { status: 200 });
    },

    introspect: async (request) => {
      const form = await readForm(request, ['token'], ['client_id', 'token_type_hint']);
      if (isError(form)) return oauthRefusal(form);
      const token = resolve(form.get('token') ?? '');
      if (token === undefined) return Response.json({ active: false });
      const { client, team } = token;
      return Response.json({
        active: true,
        client_id: client.clientId,
        client_name: client.name,
        team: { id: team.id, slug: team.slug },
      });
    },

    tokens: () => [...tokens.values()],
    resolve,
  };
}

const NO_POLICY: OAuthError = invalidGrant('No OIDC federation policy of the team matches the subject token');
const UNKNOWN_CLIENT: OAuthError = { status: 401, error: 'invalid_client', description: 'The client is not known' };

function invalidGrant(description: string): OAuthError {
  return { status: 400, error: 'invalid_grant', description };
}

function isError(value: object): value is OAuthError {
  return 'error' in value && 'description' in value;
}
