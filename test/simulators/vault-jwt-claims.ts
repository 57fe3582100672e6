import type { JWTPayload } from 'jose';
import { wildcardPattern } from './wildcards.ts';

type Bound = string | number | boolean;

/** A role of a JWT auth mount. Read at each login, so a test may change it. */
export interface VaultJwtRole {
  readonly boundAudiences?: readonly string[];
  readonly boundClaims?: Readonly<Record<string, Bound | readonly Bound[]>>;
  /** `string`, compared as they are, by default. */
  readonly boundClaimsType?: 'string' | 'glob';
  readonly userClaim: string;
  readonly policies: readonly string[];
  readonly tokenTtlSeconds: number;
  /** 0 or absent: as many as one likes. */
  readonly tokenNumUses?: number;
  /** Without the policy by which a token may look at itself and end itself. */
  readonly tokenNoDefaultPolicy?: boolean;
}

const GLOB = { '*': '.*' };

/** Why a verified token may not log in with a role (https://developer.hashicorp.com/vault/docs/auth/jwt#bound-claims); undefined if it may. */
export function claimFault(role: VaultJwtRole, claims: JWTPayload): string | undefined {
  return audienceFault(role, claims) ?? userClaimFault(role, claims) ?? boundClaimFault(role, claims);
}

function audienceFault({ boundAudiences = [] }: VaultJwtRole, claims: JWTPayload): string | undefined {
  const audiences = [claims.aud ?? []].flat();
  if (boundAudiences.length === 0) {
    return audiences.length > 0 ? 'audience claim found in JWT but no audiences bound to the role' : undefined;
  }
  if (boundAudiences.some((audience) => audiences.includes(audience))) return undefined;
  return 'error validating token: invalid audience (aud) claim: audience claim does not match any expected audience';
}

function userClaimFault({ userClaim }: VaultJwtRole, claims: JWTPayload): string | undefined {
  const user = claims[userClaim];
  if (user === undefined || user === null) return `claim "${userClaim}" not found in token`;
  return typeof user === 'string' ? undefined : `claim "${userClaim}" could not be converted to string`;
}

function boundClaimFault({ boundClaims = {}, boundClaimsType }: VaultJwtRole, claims: JWTPayload): string | undefined {
  for (const [name, bound] of Object.entries(boundClaims)) {
    const claim = claims[name];
    if (claim === undefined || claim === null) return `error validating claims: claim "${name}" is missing`;
    const actual = [claim].flat();
    const allowed = [bound].flat();
    if (boundClaimsType === 'glob' && allowed.some((value) => typeof value !== 'string')) {
      return `error validating claims: received claim is not a glob string: ${allowed.join(', ')}`;
    }
    const matches = (value: Bound) =>
      boundClaimsType === 'glob'
        ? actual.some((each) => typeof each === 'string' && wildcardPattern(String(value), GLOB).test(each))
        : actual.includes(value);
    if (!allowed.some(matches)) {
      return `error validating claims: claim "${name}" does not match any associated bound claim values`;
    }
  }
  return undefined;
}
