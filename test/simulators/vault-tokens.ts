import { randomBytes } from 'node:crypto';
import type { VaultJwtRole } from './vault-jwt-claims.ts';

/** A token that a login gave. */
export interface VaultToken {
  readonly token: string;
  readonly accessor: string;
  /** The namespace of the login, '' for the root one. */
  readonly namespace: string;
  readonly role: string;
  readonly policies: readonly string[];
  readonly expiresAt: number;
  /** Undefined: as many as one likes. */
  readonly usesLeft: number | undefined;
  /** How it ended before its time. */
  readonly ended?: 'revoked' | 'used up';
}

export interface VaultTokens {
  issue(namespace: string, roleName: string, role: VaultJwtRole): VaultToken;
  /** Counts one use of a live token; undefined for any other. The last use is still allowed. */
  use(token: string): VaultToken | undefined;
  revoke(token: string): void;
  /** Every token ever issued, and those in force. */
  all(): readonly VaultToken[];
  live(): readonly VaultToken[];
}

/** Creates an empty store of service tokens (https://developer.hashicorp.com/vault/docs/concepts/tokens). */
export function vaultTokens(now: () => number): VaultTokens {
  const tokens = new Map<string, VaultToken>();
  const isLive = ({ ended, expiresAt }: VaultToken) => ended === undefined && expiresAt > now();
  const live = (token: string) => {
    const found = tokens.get(token);
    return found !== undefined && isLive(found) ? found : undefined;
  };

  return {
    issue: (namespace, roleName, role) => {
      const issued: VaultToken = {
        token: `hvs.${randomBytes(72).toString('base64url')}`,
        accessor: randomBytes(18).toString('base64url'),
        namespace,
        role: roleName,
        policies: [...(role.tokenNoDefaultPolicy === true ? [] : ['default']), ...role.policies].sort(),
        expiresAt: now() + role.tokenTtlSeconds * 1000,
        usesLeft: role.tokenNumUses === 0 ? undefined : role.tokenNumUses,
      };
      tokens.set(issued.token, issued);
      return issued;
    },
    use: (token) => {
      const found = live(token);
      if (found?.usesLeft === undefined) return found;
      const usesLeft = found.usesLeft - 1;
      tokens.set(token, { ...found, usesLeft, ...(usesLeft === 0 ? { ended: 'used up' } : {}) });
      return found;
    },
    revoke: (token) => {
      const found = tokens.get(token);
      if (found !== undefined) tokens.set(token, { ...found, ended: 'revoked' });
    },
    all: () => [...tokens.values()],
    live: () => [...tokens.values()].filter(isLive),
  };
}
