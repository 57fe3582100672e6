import type { JWTPayload } from 'jose';
import { wildcardPattern } from './wildcards.ts';

/** The claims that a trust policy may look at, under the key `ISSUER-HOST/PATH:CLAIM`. */
type Conditions = Readonly<Partial<Record<'aud' | 'sub', readonly string[]>>>;

/** One statement of a role's trust policy: whose tokens, and under which conditions. */
export interface AwsTrustStatement {
  readonly issuer: string;
  readonly stringEquals?: Conditions;
  readonly stringLike?: Conditions;
}

/** A role. Read at each request, so a test may change it. */
export interface AwsRole {
  readonly name: string;
  readonly maxSessionSeconds: number;
  readonly trust: readonly AwsTrustStatement[];
  /** Patterns of the secrets' ARNs that it may read. */
  readonly readableSecrets: readonly string[];
}

const WILDCARDS = { '*': '.*', '?': '.' };

/** Whether a text matches a pattern of a policy (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_String). */
export function matchesLike(pattern: string, text: string): boolean {
  return wildcardPattern(pattern, WILDCARDS).test(text);
}

/** Whether a trust policy lets the bearer of these claims assume the role. */
export function trusts({ trust }: AwsRole, claims: JWTPayload): boolean {
  return trust.some(({ issuer, stringEquals = {}, stringLike = {} }) => {
    const equal = (allowed: string, value: string) => allowed === value;
    return issuer === claims.iss && holds(stringEquals, claims, equal) && holds(stringLike, claims, matchesLike);
  });
}

function holds(
  conditions: Conditions,
  claims: JWTPayload,
  compare: (allowed: string, value: string) => boolean,
): boolean {
  return Object.entries(conditions).every(([name, allowed]) => {
    const values = [claims[name] ?? []].flat().map(String);
    return allowed.some((each) => values.some((value) => compare(each, value)));
  });
}
