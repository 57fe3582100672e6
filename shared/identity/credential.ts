import type { Clock } from '../clock.ts';
import type { Secret } from '../secret.ts';

/** A bearer token for a service. */
export interface Credential {
  readonly token: Secret;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** Asked before every request, so that a wait outlives any one token. */
export interface CredentialSource {
  /** A credential that is not about to expire. Concurrent callers share one exchange. */
  get(signal: AbortSignal): Promise<Credential>;
  /** Forgets the credential: the next `get` exchanges anew. For a service that refused it before its time. */
  renew(): void;
  /** The time in ms up to which credentials can be had; undefined when the CI gives new tokens at any time. */
  lastsUntil(): number | undefined;
}

/** How long before its end a credential is replaced: enough for the slowest request made with it. */
const MARGIN_MS = 60_000;
/** How long before the end of a step's only token the credential is exchanged a last time, to get the longest life. */
const LAST_EXCHANGE_MS = 120_000;

export interface CredentialCacheOptions {
  readonly exchange: (signal: AbortSignal) => Promise<Credential>;
  readonly clock: Clock;
  /** The end of the step's only subject token in ms, once it is known; undefined where the CI gives new ones. */
  readonly subjectEndsAt: () => number | undefined;
}

/** Keeps a credential until shortly before it expires. */
export function cachedCredential({ exchange, clock, subjectEndsAt }: CredentialCacheOptions): CredentialSource {
  let cached: (Credential & { readonly obtainedAt: number }) | undefined;
  let pending: Promise<Credential> | undefined;

  const exchangeOnce = (signal: AbortSignal): Promise<Credential> => {
    pending ??= exchange(signal)
      .then((credential) => {
        cached = { ...credential, obtainedAt: clock.now() };
        return credential;
      })
      .finally(() => {
        pending = undefined;
      });
    return pending;
  };

  /** How much of the life is kept as margin: short credentials would otherwise never count as fresh. */
  const isFresh = (credential: Credential & { obtainedAt: number }): boolean => {
    const life = credential.expiresAt - credential.obtainedAt;
    return clock.now() < credential.expiresAt - Math.min(MARGIN_MS, life / 4);
  };

  return {
    get: async (signal) => {
      if (cached === undefined) return exchangeOnce(signal);
      const endsAt = subjectEndsAt();
      const lastChance = endsAt === undefined ? undefined : endsAt - LAST_EXCHANGE_MS;
      if (lastChance !== undefined && clock.now() >= lastChance) {
        // The only subject token is about to end, or has ended: one more exchange while it is possible, then what is left.
        if (cached.obtainedAt < lastChance && clock.now() < (endsAt ?? 0)) {
          return exchangeOnce(signal).catch((error: unknown) => {
            if (cached !== undefined && isFresh(cached)) return cached;
            throw error;
          });
        }
        if (isFresh(cached)) return cached;
      }
      return isFresh(cached) ? cached : exchangeOnce(signal);
    },
    renew: () => {
      cached = undefined;
    },
    lastsUntil: () => (subjectEndsAt() === undefined ? undefined : cached?.expiresAt),
  };
}
