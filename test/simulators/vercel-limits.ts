import { refusal } from './vercel-errors.ts';

/** A refusal of requests that are well-formed, for a plan's limits. */
export interface Limit {
  readonly code: 'rate_limited' | 'builds_rate_limited';
  /** Until the limit is lifted, from the first refusal on; default a minute. */
  readonly resetInMs?: number;
  /** How many requests it strikes; default 1. */
  readonly times?: number;
  /** Default `POST` of a deployment. */
  readonly method?: string;
  readonly path?: RegExp;
  /** Also says it in headers, which is not documented. */
  readonly headers?: boolean;
}

export interface Limits {
  readonly limitNext: (limit: Limit) => void;
  readonly refuse: (method: string, path: string) => Response | undefined;
}

const TOTAL = 100;

/** Scripted limits, in the words of https://vercel.com/docs/rest-api/errors. */
export function scriptedLimits(now: () => number): Limits {
  const pending: { readonly limit: Limit; left: number }[] = [];
  return {
    limitNext: (limit) => {
      pending.push({ limit, left: limit.times ?? 1 });
    },
    refuse: (method, path) => {
      const entry = pending.find(
        ({ limit, left }) =>
          left > 0 && (limit.method ?? 'POST') === method && (limit.path ?? /^\/v13\/deployments$/).test(path),
      );
      if (entry === undefined) return undefined;
      entry.left -= 1;
      const { code, resetInMs = 60_000, headers } = entry.limit;
      const resetMs = now() + resetInMs;
      const limit = { total: TOTAL, remaining: 0, reset: Math.ceil(resetMs / 1000), resetMs };
      const what = code === 'rate_limited' ? 'api-deployments-create' : 'builds';
      const message = `The rate limit of ${TOTAL} exceeded for '${what}'. Try again later`;
      const response = refusal(429, code, message, { limit });
      if (headers === true) {
        response.headers.set('retry-after', String(Math.ceil(resetInMs / 1000)));
        response.headers.set('x-ratelimit-limit', String(TOTAL));
        response.headers.set('x-ratelimit-remaining', '0');
        response.headers.set('x-ratelimit-reset', String(limit.reset));
      }
      return response;
    },
  };
}
