import {
  createLocalJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  jwtVerify,
} from 'jose';

/** Why a token was refused, for the service that verifies to say it in its own words. */
export type OidcTokenFailure =
  | 'malformed'
  | 'algorithm'
  | 'issuer-mismatch'
  | 'issuer-unreachable'
  | 'unknown-key'
  | 'signature'
  | 'missing-claim'
  | 'not-yet-valid'
  | 'expired';

export interface VerifyOptions {
  /** The issuer that the verifier was configured with, to the letter. */
  readonly issuer: string;
  readonly outbound: (url: string) => Promise<Response>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly clockToleranceSeconds?: number;
}

const REFUSED = Symbol('refused');

/**
 * Verifies a token as any relying party does: discovery and key set over HTTP, then signature, `iss`, `exp`, `iat`, `nbf`
 * (https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation). The audience is left to the caller.
 * Throws an error whose reason `oidcTokenFailure` tells.
 */
export async function verifyOidcToken(token: string, options: VerifyOptions): Promise<JWTPayload> {
  const { kid, iss } = unverified(token);
  if (iss !== options.issuer) throw refused('issuer-mismatch');
  if (typeof kid !== 'string' || kid === '') throw refused('unknown-key');
  const keys = await publishedKeys(options);
  try {
    const { payload } = await jwtVerify(token, createLocalJWKSet(keys), {
      algorithms: ['RS256', 'ES256'],
      currentDate: new Date(options.now()),
      clockTolerance: options.clockToleranceSeconds ?? 0,
      requiredClaims: ['iat', 'exp'],
    });
    const latestIat = Math.floor(options.now() / 1000) + (options.clockToleranceSeconds ?? 0);
    if (payload.iat !== undefined && payload.iat > latestIat) throw refused('not-yet-valid');
    return payload;
  } catch (error) {
    throw oidcTokenFailure(error) === undefined ? refused(failureOf(error)) : error;
  }
}

/** The reason held by an error of `verifyOidcToken`; undefined for any other error. */
export function oidcTokenFailure(error: unknown): OidcTokenFailure | undefined {
  return error instanceof Error && REFUSED in error ? (error[REFUSED] as OidcTokenFailure) : undefined;
}

function refused(failure: OidcTokenFailure): Error {
  return Object.assign(new Error(`token refused: ${failure}`), { [REFUSED]: failure });
}

function unverified(token: string): { kid: unknown; iss: unknown } {
  try {
    return { kid: decodeProtectedHeader(token).kid, iss: decodeJwt(token).iss };
  } catch {
    throw refused('malformed');
  }
}

async function publishedKeys({ issuer, outbound }: VerifyOptions): Promise<JSONWebKeySet> {
  try {
    const discovery = (await fetchJson(outbound, `${issuer}/.well-known/openid-configuration`)) as Record<
      string,
      unknown
    >;
    if (discovery.issuer !== issuer || typeof discovery.jwks_uri !== 'string') throw new Error('bad discovery');
    return (await fetchJson(outbound, discovery.jwks_uri)) as JSONWebKeySet;
  } catch {
    throw refused('issuer-unreachable');
  }
}

async function fetchJson(outbound: VerifyOptions['outbound'], url: string): Promise<unknown> {
  const response = await outbound(url);
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  return response.json();
}

function failureOf(error: unknown): OidcTokenFailure {
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys)
    return 'unknown-key';
  if (error instanceof errors.JWKSInvalid) return 'issuer-unreachable';
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'signature';
  if (error instanceof errors.JOSEAlgNotAllowed) return 'algorithm';
  if (error instanceof errors.JWTExpired) return 'expired';
  if (error instanceof errors.JWTClaimValidationFailed) {
    return error.reason === 'missing' ? 'missing-claim' : error.claim === 'nbf' ? 'not-yet-valid' : 'malformed';
  }
  return 'malformed';
}
