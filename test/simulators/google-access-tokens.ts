import { randomBytes } from 'node:crypto';
import { errorInfo, googleError } from './google-error.ts';

export const CLOUD_PLATFORM_SCOPE = 'https://www.googleapis.com/auth/cloud-platform';

/** Who makes a request. */
export interface Caller {
  /** `principal://…` of a federated identity, or a service account's email. */
  readonly identity: string;
  /** Every IAM member that stands for this caller (https://cloud.google.com/iam/docs/principal-identifiers). */
  readonly members: readonly string[];
}

interface IssuedToken {
  readonly caller: Caller;
  readonly scopes: readonly string[];
  readonly expiresAt: number;
}

/** The access tokens that this Google Cloud has issued: opaque to everyone else, valid until their time is over. */
export interface AccessTokens {
  issue(token: {
    kind: 'federated' | 'service-account';
    caller: Caller;
    scopes: readonly string[];
    expiresAt: number;
  }): string;
  /** The caller of a request to an API that needs the cloud-platform scope, or the refusal to send. */
  authenticate(request: Request, service: string): Caller | Response;
  /** Every token ever issued, for proving that none of them leaks. */
  issued(): readonly string[];
}

const EXPECTED =
  'Expected OAuth 2 access token, login cookie or other valid authentication credential. ' +
  'See https://developers.google.com/identity/sign-in/web/devconsole-project.';

/** Creates an empty store of access tokens. */
export function accessTokens(now: () => number): AccessTokens {
  const tokens = new Map<string, IssuedToken>();
  return {
    issue: ({ kind, caller, scopes, expiresAt }) => {
      const token = `ya29.${kind === 'federated' ? 'd' : 'c'}.${randomBytes(96).toString('base64url')}`;
      tokens.set(token, { caller, scopes, expiresAt });
      return token;
    },
    authenticate: (request, service) => {
      const header = request.headers.get('authorization');
      if (header === null) {
        return googleError('UNAUTHENTICATED', `Request is missing required authentication credential. ${EXPECTED}`, [
          errorInfo('CREDENTIALS_MISSING', 'googleapis.com', { service }),
        ]);
      }
      const token = tokens.get(/^Bearer (\S+)$/i.exec(header)?.[1] ?? '');
      if (token === undefined || token.expiresAt <= now()) {
        const reason = token === undefined ? 'ACCESS_TOKEN_TYPE_UNSUPPORTED' : 'ACCESS_TOKEN_EXPIRED';
        return invalidCredentials(service, reason);
      }
      if (!token.scopes.includes(CLOUD_PLATFORM_SCOPE)) {
        return googleError('PERMISSION_DENIED', 'Request had insufficient authentication scopes.', [
          errorInfo('ACCESS_TOKEN_SCOPE_INSUFFICIENT', 'googleapis.com', { service }),
        ]);
      }
      return token.caller;
    },
    issued: () => [...tokens.keys()],
  };
}

/** The refusal of credentials that are not, or no longer, accepted. */
export function invalidCredentials(service: string, reason: string): Response {
  return googleError('UNAUTHENTICATED', `Request had invalid authentication credentials. ${EXPECTED}`, [
    errorInfo(reason, 'googleapis.com', { service }),
  ]);
}
