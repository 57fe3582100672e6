import { formCall, jsonCall } from '../http/calls.ts';
import { bearer, type HttpCall } from '../http/http.ts';
import { urlPart } from '../http/url-part.ts';
import type { SubjectTokenDemand } from '../identity/subject-token.ts';
import { defined, type JsonObject } from '../json.ts';
import { PLACEHOLDER } from '../secret.ts';

/** The only scope that Vertex AI takes. */
export const SCOPE = 'https://www.googleapis.com/auth/cloud-platform';

/** What the user configured of Google's trust in the CI. */
export interface GoogleTrust {
  /** `projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER`. */
  readonly provider: string;
  /** Undefined for direct access: roles are granted to the federated identity itself. */
  readonly serviceAccount: string | undefined;
  /** Accounts between the federated identity and `serviceAccount`, in order. */
  readonly delegates: readonly string[];
  readonly lifetimeSeconds: number;
  readonly universeDomain: string;
  readonly demand: SubjectTokenDemand;
}

/** The provider's full resource name, as STS wants it. */
export function providerAudience({ provider }: Pick<GoogleTrust, 'provider'>): string {
  return `//iam.googleapis.com/${provider}`;
}

/** Google's security token service in the universe. */
export function tokenUrl({ universeDomain }: GoogleTrust): string {
  return `https://sts.${universeDomain}/v1/token`;
}

/** https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken */
export function impersonationCall(trust: GoogleTrust): HttpCall {
  return accountCall(trust, 'generateAccessToken', { scope: [SCOPE], lifetime: `${trust.lifetimeSeconds}s` });
}

/** A request for a token of the service account, made through its delegates where it has some. */
export function accountCall(trust: GoogleTrust, method: string, body: JsonObject): HttpCall {
  const account = urlPart(trust.serviceAccount ?? '');
  const delegates = trust.delegates.map((delegate) => `projects/-/serviceAccounts/${delegate}`);
  return jsonCall(
    'POST',
    `https://iamcredentials.${trust.universeDomain}/v1/projects/-/serviceAccounts/${account}:${method}`,
    { ...body, ...(delegates.length === 0 ? {} : { delegates }) },
  );
}

/**
 * The token exchange at Google's security token service, field by field what the library sends.
 * https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token
 */
export function exchangeCall(trust: GoogleTrust, subjectToken: string): HttpCall {
  return formCall(tokenUrl(trust), {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    audience: providerAudience(trust),
    scope: SCOPE,
    requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    subject_token: subjectToken,
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
  });
}

/** The requests of a login, with placeholders for tokens. */
export function loginCalls(trust: GoogleTrust): readonly HttpCall[] {
  const exchange = exchangeCall(trust, PLACEHOLDER.reveal());
  if (trust.serviceAccount === undefined) return [exchange];
  return [exchange, { ...impersonationCall(trust), secretHeaders: bearer(PLACEHOLDER) }];
}

/** What a token must say to be accepted: the audience that is set, else the provider's own name in either form. */
export function googleDemand(provider: string, audience: string | undefined, direct: boolean): SubjectTokenDemand {
  const name = `//iam.googleapis.com/${provider}`;
  return {
    audiences: audience === undefined ? [`https:${name}`, name] : [audience],
    acceptsDefault: audience === undefined,
    // A federated token ends with the token handed in; a service account's token does not.
    ...defined({ lifetimeSeconds: direct ? 3600 : undefined }),
  };
}
