import type { ServiceAccount } from './google-iam-policy.ts';
import { googleIssuer, type OidcIssuer, oidcTokenFailure, verifyOidcToken } from './oidc-issuer.ts';

export interface IdTokenRequest {
  readonly audience: string;
  readonly includeEmail?: boolean;
}

/** The ID tokens of service accounts, which anybody can verify with Google's published keys. */
export interface GoogleIdTokens {
  issue(account: ServiceAccount, request: IdTokenRequest): Promise<string>;
  /** Whether a token is one of Google's, alive, and for this audience. */
  verify(token: string, audience: string): Promise<boolean>;
  issued(): readonly string[];
}

const LIFETIME_SECONDS = 3600;

/** Google as an issuer of ID tokens (https://cloud.google.com/docs/authentication/token-types#id). */
export function googleIdTokens(now: () => number): GoogleIdTokens {
  // Making the keys takes longer than most tests, few of which ask for an ID token.
  let started: Promise<OidcIssuer> | undefined;
  const google = () => {
    started ??= googleIssuer();
    return started;
  };
  const issued: string[] = [];

  return {
    issue: async ({ email, uniqueId = email }, { audience, includeEmail = false }) => {
      const iat = Math.floor(now() / 1000);
      const { sign } = await google();
      const token = await sign({
        aud: audience,
        azp: uniqueId,
        ...(includeEmail ? { email, email_verified: true } : {}),
        exp: iat + LIFETIME_SECONDS,
        iat,
        sub: uniqueId,
      });
      issued.push(token);
      return token;
    },
    verify: async (token, audience) => {
      const { issuer, handle } = await google();
      try {
        const claims = await verifyOidcToken(token, { issuer, outbound: (url) => handle(new Request(url)), now });
        return claims.aud === audience;
      } catch (error) {
        if (oidcTokenFailure(error) === undefined) throw error;
        return false;
      }
    },
    issued: () => issued,
  };
}
