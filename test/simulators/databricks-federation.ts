import type { JWTPayload } from 'jose';

/** A federation policy of a service principal: one claim, compared to the letter. */
export interface ServicePrincipalPolicy {
  /** The service principal's application id. */
  readonly clientId: string;
  readonly issuer: string;
  readonly subject: string;
  /** Default `sub`. */
  readonly subjectClaim?: string;
  /** Where empty or left out, the account id is expected. */
  readonly audiences?: readonly string[];
}

/** A policy for everyone in the account: the claim has to hold the name of a user. It names no subject. */
export interface AccountPolicy {
  readonly issuer: string;
  readonly subjectClaim?: string;
  readonly audiences?: readonly string[];
}

export type FederationPolicy = ServicePrincipalPolicy | AccountPolicy;

export interface Account {
  readonly accountId: string;
  readonly policies: readonly FederationPolicy[];
  /** User names, for account-wide policies. */
  readonly users: readonly string[];
}

export type PolicyDecision = { readonly principal: string } | { readonly refused: string };

/** What the account console refuses when a policy is written (https://docs.databricks.com/aws/en/dev-tools/auth/oauth-federation-policy). */
export function checkPolicies(policies: readonly FederationPolicy[]): void {
  const perPrincipal = new Map<string, number>();
  for (const policy of policies) {
    if (!policy.issuer.startsWith('https://'))
      throw new Error(`The issuer of a policy is an https URL: ${policy.issuer}`);
    if (!('clientId' in policy)) continue;
    if (policy.subject === '') throw new Error(`The policy of ${policy.clientId} names no subject`);
    perPrincipal.set(policy.clientId, (perPrincipal.get(policy.clientId) ?? 0) + 1);
  }
  for (const [clientId, count] of perPrincipal) {
    if (count > 20) throw new Error(`${clientId} has ${count} policies, but 20 are the most`);
  }
}

/**
 * Decides who a verified token is for. Policies of service principals are searched by client id only, never by subject
 * (https://docs.databricks.com/aws/en/dev-tools/auth/oauth-federation-policy).
 */
export function decide(account: Account, claims: JWTPayload, clientId: string | undefined): PolicyDecision {
  const matching = account.policies.flatMap((policy) => {
    const principal = principalFor(account, policy, claims, clientId);
    return principal === undefined ? [] : [{ policy, principal }];
  });
  const [first] = matching;
  if (first === undefined) return { refused: noPolicy(claims) };
  const presented = audiencesOf(claims);
  const granted = matching.find(({ policy }) =>
    acceptedAudiences(account, policy).some((audience) => presented.includes(audience)),
  );
  if (granted !== undefined) return { principal: granted.principal };
  return {
    refused:
      `TOKEN_AUDIENCE_INVALID (Token audience '${presented.join(', ')}' invalid). Valid federation policy for provided token: ` +
      `{issuer: '${first.policy.issuer}', audience: '${acceptedAudiences(account, first.policy).join(', ')}'}`,
  };
}

/** The refusal that shows the token's own issuer, subject and audience as the policy that is wanting. */
export function noPolicy(claims: JWTPayload): string {
  return (
    'TOKEN_INVALID (Ensure a valid federation policy has been configured). Valid federation policy for provided token: ' +
    `{issuer: '${claims.iss}', subject: '${claims.sub}', audience: '${audiencesOf(claims).join(', ')}'}`
  );
}

function principalFor(
  account: Account,
  policy: FederationPolicy,
  claims: JWTPayload,
  clientId: string | undefined,
): string | undefined {
  if (policy.issuer !== claims.iss) return undefined;
  const value = claims[policy.subjectClaim ?? 'sub'];
  if ('clientId' in policy) {
    return policy.clientId === clientId && policy.subject === value ? policy.clientId : undefined;
  }
  return clientId === undefined && typeof value === 'string' && account.users.includes(value) ? value : undefined;
}

function acceptedAudiences(account: Account, policy: FederationPolicy): readonly string[] {
  const audiences = policy.audiences ?? [];
  return audiences.length === 0 ? [account.accountId] : audiences;
}

function audiencesOf(claims: JWTPayload): readonly string[] {
  if (claims.aud === undefined) return [];
  return Array.isArray(claims.aud) ? claims.aud : [claims.aud];
}
