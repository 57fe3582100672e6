import { exportJWK, type GenerateKeyPairResult, generateKeyPair, SignJWT } from 'jose';
import type { Handler } from './serve.ts';

export { type BitbucketClaimOptions, bitbucketClaims } from './bitbucket-claims.ts';
export { BUILDKITE_OPTIONAL_CLAIMS, type BuildkiteClaimOptions, buildkiteClaims } from './buildkite-claims.ts';
export { type OidcTokenFailure, oidcTokenFailure, type VerifyOptions, verifyOidcToken } from './verify-oidc-token.ts';

/** How one token is signed; the defaults give a token that verifies. */
export interface SignOptions {
  /** Key id written in the header: anything but the published one is unknown to every verifier. */
  readonly kid?: string;
  /** `unpublished` signs with a second key under the published key id, so that the signature is wrong. */
  readonly key?: 'published' | 'unpublished';
}

/** An OpenID Connect issuer with its own keys: it signs tokens and publishes what is needed to verify them. */
export interface OidcIssuer {
  readonly issuer: string;
  /** Serves discovery and the key set on the issuer's own URL paths. */
  readonly handle: Handler;
  /** Signs the claims as they are given; only `iss` is added where it is missing. */
  sign(claims: Record<string, unknown>, options?: SignOptions): Promise<string>;
}

/** The issuer of a Bitbucket workspace (https://support.atlassian.com/bitbucket-cloud/docs/integrate-pipelines-with-resource-servers-using-oidc/). */
export function bitbucketIssuer(options: { readonly workspace: string }): Promise<OidcIssuer> {
  const issuer = bitbucketIssuerUrl(options.workspace);
  return createIssuer(issuer, `${issuer}/keys.json`);
}

/** The issuer URL holds the workspace's slug, while its default audience holds the UUID. */
export function bitbucketIssuerUrl(workspace: string): string {
  return `https://api.bitbucket.org/2.0/workspaces/${workspace}/pipelines-config/identity/oidc`;
}

/** The one issuer that every Buildkite organization shares (https://buildkite.com/docs/agent/cli/reference/oidc). */
export function buildkiteIssuer(): Promise<OidcIssuer> {
  return createIssuer('https://agent.buildkite.com', 'https://agent.buildkite.com/.well-known/jwks');
}

/** The issuer of Google's ID tokens (https://developers.google.com/identity/openid-connect/openid-connect#discovery). */
export function googleIssuer(): Promise<OidcIssuer> {
  return createIssuer('https://accounts.google.com', 'https://www.googleapis.com/oauth2/v3/certs');
}

interface IssuerKeys {
  readonly published: GenerateKeyPairResult;
  readonly unpublished: GenerateKeyPairResult;
}

/** By issuer: making keys takes longer than all the rest of a world, and an issuer may keep the same ones in each. */
const keysOf = new Map<string, Promise<IssuerKeys>>();

async function makeKeys(): Promise<IssuerKeys> {
  const [published, unpublished] = await Promise.all([generateKeyPair('RS256'), generateKeyPair('RS256')]);
  return { published, unpublished };
}

async function createIssuer(issuer: string, jwksUri: string): Promise<OidcIssuer> {
  const keys = keysOf.get(issuer) ?? makeKeys();
  keysOf.set(issuer, keys);
  const { published, unpublished } = await keys;
  const publishedKid = crypto.randomUUID();
  const documents = new Map<string, unknown>([
    [
      new URL(`${issuer}/.well-known/openid-configuration`).pathname,
      {
        issuer,
        jwks_uri: jwksUri,
        response_types_supported: ['id_token'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: ['RS256'],
        scopes_supported: ['openid'],
      },
    ],
    [
      new URL(jwksUri).pathname,
      { keys: [{ ...(await exportJWK(published.publicKey)), kid: publishedKid, alg: 'RS256', use: 'sig' }] },
    ],
  ]);

  return {
    issuer,
    handle: async (request) => {
      const document = documents.get(new URL(request.url).pathname);
      if (document === undefined) return Response.json({ message: 'Not found' }, { status: 404 });
      if (request.method !== 'GET') return Response.json({ message: 'Method not allowed' }, { status: 405 });
      return Response.json(document);
    },
    sign: (claims, { kid = publishedKid, key = 'published' } = {}) =>
      new SignJWT({ iss: issuer, ...claims })
        .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid })
        .sign((key === 'published' ? published : unpublished).privateKey),
  };
}
