import { decodeJwt, type JWTPayload } from 'jose';
import type { AwsSessions } from './aws-sessions.ts';
import { assumedAnswer, stsError } from './aws-sts-answers.ts';
import { readAssumeRequest } from './aws-sts-request.ts';
import { type AwsRole, trusts } from './aws-trust.ts';
import { type OidcTokenFailure, oidcTokenFailure, verifyOidcToken } from './oidc-issuer.ts';
import type { Handler } from './serve.ts';

/** An OpenID Connect provider of the account. */
export interface AwsIdentityProvider {
  readonly issuer: string;
  /** The audiences that its tokens may have. */
  readonly clientIds: readonly string[];
}

export interface AwsStsOptions {
  readonly accountId: string;
  readonly identityProviders: readonly AwsIdentityProvider[];
  readonly roles: readonly AwsRole[];
  /** Whether `accept: application/json` is heeded: XML is all that is documented. */
  readonly jsonAnswers?: boolean;
  readonly sessions: AwsSessions;
  readonly outbound: (url: string) => Promise<Response>;
  readonly now: () => number;
}

/** An error that the service gives for reasons of its own. */
export interface StsRefusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

export interface AwsSts {
  readonly handle: Handler;
  /** The next request is refused, however good it is. */
  refuseNext(refusal: StsRefusal): void;
}

/** The Security Token Service, as far as CI tokens need it (https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html). */
export function awsSts(options: AwsStsOptions): AwsSts {
  const refusals: StsRefusal[] = [];

  const handle: Handler = async (request) => {
    const accept = request.headers.get('accept') ?? '';
    const json = options.jsonAnswers === true && accept.includes('application/json');
    const refuse = ({ status, code, message }: StsRefusal) => stsError(status, code, message, json);
    const asked = await readAssumeRequest(request);
    if ('code' in asked) return refuse({ status: 400, ...asked });
    const scripted = refusals.shift();
    if (scripted !== undefined) return refuse(scripted);

    const verified = await verify(asked.token, options);
    if ('code' in verified) return refuse(verified);
    const { claims, audience } = verified;
    const arn = (role: AwsRole) => `arn:aws:iam::${options.accountId}:role/${role.name}`;
    const role = options.roles.find((each) => arn(each) === asked.roleArn);
    if (role === undefined || !trusts(role, claims)) return refuse(ACCESS_DENIED);
    if (asked.durationSeconds > role.maxSessionSeconds) {
      const message = 'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.';
      return refuse({ status: 400, code: 'ValidationError', message });
    }
    const session = options.sessions.open(
      role,
      `arn:aws:sts::${options.accountId}:assumed-role/${role.name}/${asked.sessionName}`,
      options.now() + asked.durationSeconds * 1000,
    );
    const provider = `arn:aws:iam::${options.accountId}:oidc-provider/${String(claims.iss).replace('https://', '')}`;
    return assumedAnswer({ session, subject: String(claims.sub), audience, provider }, json);
  };

  return { handle, refuseNext: (refusal) => refusals.push(refusal) };
}

const ACCESS_DENIED: StsRefusal = {
  status: 403,
  code: 'AccessDenied',
  message: 'Not authorized to perform sts:AssumeRoleWithWebIdentity',
};

async function verify(
  token: string,
  { identityProviders, outbound, now }: AwsStsOptions,
): Promise<{ claims: JWTPayload; audience: string } | StsRefusal> {
  const issuer = issuerOf(token);
  if (issuer === undefined) return failed('malformed', {}, now());
  const provider = identityProviders.find((each) => each.issuer === issuer);
  if (provider === undefined) {
    return invalidToken(`No OpenIDConnect provider found in your account for ${issuer}`);
  }
  try {
    const claims = await verifyOidcToken(token, { issuer, outbound, now });
    const audience = [claims.aud ?? []].flat().find((each) => provider.clientIds.includes(each));
    return audience === undefined ? invalidToken('Incorrect token audience') : { claims, audience };
  } catch (error) {
    const failure = oidcTokenFailure(error);
    if (failure === undefined) throw error;
    return failed(failure, failure === 'malformed' ? {} : decodeJwt(token), now());
  }
}

function issuerOf(token: string): string | undefined {
  try {
    const { iss } = decodeJwt(token);
    return typeof iss === 'string' ? iss : undefined;
  } catch {
    return undefined;
  }
}

function failed(failure: OidcTokenFailure, claims: JWTPayload, now: number): StsRefusal {
  const seconds = Math.floor(now / 1000);
  switch (failure) {
    case 'expired':
      return {
        status: 400,
        code: 'ExpiredTokenException',
        message: `Token expired: current date/time ${seconds} must be before the expiration date/time${claims.exp}`,
      };
    case 'issuer-unreachable':
      return {
        status: 400,
        code: 'IDPCommunicationError',
        message: 'The identity provider that was asked to verify the incoming identity token could not be reached.',
      };
    case 'not-yet-valid':
      return invalidToken('Token is not yet valid');
    case 'missing-claim':
      return invalidToken('Missing a required claim');
    case 'malformed':
      return invalidToken(
        'The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)',
      );
    default:
      return invalidToken(
        "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements",
      );
  }
}

function invalidToken(message: string): StsRefusal {
  return { status: 400, code: 'InvalidIdentityToken', message };
}
