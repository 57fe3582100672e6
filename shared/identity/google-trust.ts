import type { HttpCall } from '../http.ts';
import type { SubjectTokenDemand } from './subject-token.ts';

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
  const account = encodeURIComponent(trust.serviceAccount ?? '');
  const delegates = trust.delegates.map((delegate) => `projects/-/serviceAccounts/${delegate}`);
  return {
    method: 'POST',
    url: `https://iamcredentials.${trust.universeDomain}/v1/projects/-/serviceAccounts/${account}:generateAccessToken`,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      scope: [SCOPE],
      lifetime: `${trust.lifetimeSeconds}s`,
      ...(delegates.length === 0 ? {} : { delegates }),
    }),
  };
}

/** The form of the exchange that the library sends, for `dry-run`. */
export function stsForm(trust: GoogleTrust, subjectToken: string): Record<string, string> {
  return {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    audience: providerAudience(trust),
    scope: SCOPE,
    requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    subject_token: subjectToken,
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
  };
}

/** What a token must say to be accepted: the audience that is set, else the provider's own name in either form. */
export function googleDemand(provider: string, audience: string | undefined, direct: boolean): SubjectTokenDemand {
  const name = `//iam.googleapis.com/${provider}`;
  return {
    audiences: audience === undefined ? [`https:${name}`, name] : [audience],
    acceptsDefault: audience === undefined,
    // A federated token ends with the token handed in; a service account's token does not.
    ...(direct ? { lifetimeSeconds: 3600 } : {}),
  };
}
