import type { Clock } from '../clock.ts';
import { SubmitError } from '../errors.ts';
import type { Log } from '../host/host.ts';
import type { Answer, SecretHeaders } from '../http/http.ts';

/** What has an end. */
export interface Expiring {
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** What a service knows its caller by. */
export interface Credential extends Expiring {
  readonly headers: SecretHeaders;
}

/** Asked before every request, so that a wait outlives any one token. */
export interface CredentialSource<Held extends Expiring = Credential> {
  /** A credential that is not about to expire. Concurrent callers share one exchange. */
  get(signal: AbortSignal): Promise<Held>;
  /**
   * For a service that refused the credential before its time: the next `get` exchanges anew. Where that fails, it is used
   * further, since a single refusal may be a passing one.
   */
  renew(refusal: Answer): void;
  /** The time in ms up to which credentials can be had; undefined when the CI gives new tokens at any time. */
  lastsUntil(): number | undefined;
  /** Whether a refusal other than 401 is one of the credential, which a new one may overcome. */
  readonly isRefusal?: (answer: Answer) => boolean;
  /** Ends the credential before its time, where the service can do that. Never rejects. */
  readonly release?: (signal: AbortSignal) => Promise<void>;
}

/** How long before its end a credential is replaced: enough for the slowest request made with it. */
const MARGIN_MS = 60_000;
/** How long before the end of a step's only token the credential is exchanged a last time, to get the longest life. */
const LAST_EXCHANGE_MS = 120_000;

interface CredentialCacheOptions<Held extends Expiring> {
  readonly exchange: (signal: AbortSignal) => Promise<Held>;
  readonly clock: Clock;
  readonly log: Pick<Log, 'warning'>;
  /** The end of the step's only subject token in ms, once it is known; undefined where the CI gives new ones. */
  readonly subjectEndsAt?: () => number | undefined;
  /** How long a credential lives whatever is left of the subject token, in ms; left out where it ends with it. */
  readonly ownLifeMs?: number | undefined;
}

/** Keeps a credential until shortly before it expires. */
export function cachedCredential<Held extends Expiring>({
  exchange,
  clock,
  log,
  subjectEndsAt = () => undefined,
  ownLifeMs = 0,
}: CredentialCacheOptions<Held>): CredentialSource<Held> {
  let cached: { readonly held: Held; readonly obtainedAt: number } | undefined;
  let isRefused = false;
  let pending: Promise<Held> | undefined;

  const exchangeOnce = (signal: AbortSignal): Promise<Held> => {
    pending ??= exchange(signal)
      .then((held) => {
        cached = { held, obtainedAt: clock.now() };
        isRefused = false;
        return held;
      })
      .finally(() => {
        pending = undefined;
      });
    return pending;
  };

  return {
    get: async (signal) => {
      if (cached === undefined) return exchangeOnce(signal);
      const { held, obtainedAt } = cached;
      const now = clock.now();
      const usable = now < held.expiresAt;
      const endsAt = subjectEndsAt() ?? Number.POSITIVE_INFINITY;
      // With the only subject token gone, what is left is all there is.
      if (now >= endsAt && usable) return held;
      const lastExchange = endsAt - LAST_EXCHANGE_MS;
      const lastChance = now >= lastExchange && obtainedAt < lastExchange;
      if (isFresh(held.expiresAt, obtainedAt, now) && !lastChance && !isRefused) return held;
      return exchangeOnce(signal).catch((error: unknown) => {
        if (!usable) throw error;
        if (isRefused && error instanceof SubmitError)
          log.warning(`A credential was refused, and no other can be had (${error.code}: ${error.message})`);
        isRefused = false;
        return held;
      });
    },
    renew: () => {
      // Without a subject token nothing could take its place.
      isRefused = clock.now() < (subjectEndsAt() ?? Number.POSITIVE_INFINITY);
    },
    lastsUntil: () => {
      const endsAt = subjectEndsAt();
      if (endsAt === undefined || cached === undefined) return undefined;
      return clock.now() < endsAt
        ? Math.max(cached.held.expiresAt, endsAt - LAST_EXCHANGE_MS + ownLifeMs)
        : cached.held.expiresAt;
    },
  };
}

/** Several credentials that a request carries together, such as a proxy's and the service's own. */
export function joinedCredential(sources: readonly CredentialSource[]): CredentialSource {
  return {
    get: async (signal) => {
      const parts: Credential[] = [];
      // One after the other: where the first is refused, nothing more is asked.
      for (const source of sources) parts.push(await source.get(signal));
      return {
        headers: Object.assign({}, ...parts.map(({ headers }) => headers)),
        expiresAt: Math.min(...parts.map(({ expiresAt }) => expiresAt)),
      };
    },
    renew: (refusal) => {
      // A 401 may be about any of them.
      for (const source of sources)
        if (refusal.status === 401 || source.isRefusal?.(refusal) === true) source.renew(refusal);
    },
    lastsUntil: () => {
      const ends = sources.flatMap((source) => source.lastsUntil() ?? []);
      return ends.length === 0 ? undefined : Math.min(...ends);
    },
    isRefusal: (answer) => sources.some((source) => source.isRefusal?.(answer) === true),
    release: async (signal) => {
      for (const source of sources) await source.release?.(signal);
    },
  };
}

/** How much of the life is kept as margin depends on the life: short credentials would else never count as fresh. */
function isFresh(expiresAt: number, obtainedAt: number, now: number): boolean {
  return now < expiresAt - Math.min(MARGIN_MS, (expiresAt - obtainedAt) / 4);
}
