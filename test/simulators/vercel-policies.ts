import { decodeJwt, type JWTPayload } from 'jose';

/** What a claim has to hold: any of the values. */
export interface PolicyClaim {
  readonly name: string;
  readonly values: readonly { readonly value: string; readonly wildcards: boolean }[];
}

/** Lets tokens of an issuer act for a client in a team (https://registry.terraform.io/providers/vercel/vercel/latest/docs/resources/oidc_federation_policy). */
export interface FederationPolicy {
  /** `pol_` and a UUID. */
  readonly policyId: string;
  readonly teamId: string;
  readonly clientId: string;
  readonly issuerUrl: string;
  readonly name: string;
  /** All of them have to match. */
  readonly claims: readonly PolicyClaim[];
  /** `*` stands for all that the client may have, as does no list. */
  readonly permissions?: readonly string[];
  /** `*` or no list: every project of the team. */
  readonly projectIds?: readonly string[];
}

/** What the API refuses when a policy is written. */
export function checkPolicies(policies: readonly FederationPolicy[]): void {
  for (const { policyId, issuerUrl, claims, permissions, projectIds } of policies) {
    const refuse = (reason: string): never => {
      throw new Error(`Policy ${policyId}: ${reason}`);
    };
    const issuer = new URL(issuerUrl);
    if (issuer.protocol !== 'https:') refuse('the issuer is an https URL');
    if (issuer.search !== '' || issuer.hash !== '') refuse('the issuer has no query and no fragment');
    if (issuerUrl.endsWith('/')) refuse('the issuer ends in a slash');
    if (issuerUrl.length > 2048) refuse('the issuer is longer than 2048 characters');
    if (claims.length < 1 || claims.length > 20) refuse('a policy has 1 to 20 claims');
    for (const { name, values } of claims) {
      if (values.length < 1 || values.length > 50) refuse(`the claim ${name} has 1 to 50 values`);
      if (values.some(({ value, wildcards }) => value.includes('*') && !wildcards)) {
        refuse(`the claim ${name} has an asterisk that is not marked as a wildcard`);
      }
    }
    if (permissions !== undefined && (permissions.length < 1 || permissions.length > 64)) {
      refuse('a policy has 1 to 64 permissions');
    }
    if (projectIds?.includes('*') && projectIds.length > 1) refuse('* stands alone');
  }
}

/** Whether a verified token fulfils every claim of a policy; the issuer is compared to the letter. */
export function policyMatches(
  { issuerUrl, claims }: FederationPolicy,
  token: JWTPayload,
  arraysMatch: boolean,
): boolean {
  return (
    token.iss === issuerUrl &&
    claims.every(({ name, values }) =>
      heldValues(token[name], arraysMatch).some((held) =>
        values.some(({ value, wildcards }) => (wildcards ? wildcard(value).test(held) : value === held)),
      ),
    )
  );
}

/** Who is said to have issued a token; undefined where it is no JWT. */
export function unverifiedIssuer(token: string): string | undefined {
  try {
    return decodeJwt(token).iss;
  } catch {
    return undefined;
  }
}

/** The strings that a claim holds: of a list each. */
export function heldValues(claim: unknown, arraysMatch = true): readonly string[] {
  if (typeof claim === 'string') return [claim];
  return Array.isArray(claim) && arraysMatch ? claim.filter((each) => typeof each === 'string') : [];
}

function wildcard(pattern: string): RegExp {
  const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's');
}
