import { timingSafeEqual } from 'node:crypto';
import { detail, exceptionMessage, invalidRequest } from './prefect-errors.ts';
import { type Route, routed } from './prefect-router.ts';
import { timestamp } from './prefect-runs.ts';
import { violation } from './prefect-shapes.ts';
import type { Handler } from './serve.ts';

/** Whether a token is one of Google's for an audience, and still valid. */
export type VerifyIdToken = (token: string, audience: string) => Promise<boolean>;

export interface SelfHostedAccess {
  readonly host: string;
  /** `user:password`; without it everybody may come in. */
  readonly authString?: string;
  readonly csrf?: boolean;
  /** The OAuth client of the proxy in front, where there is one. */
  readonly iapAudience?: string;
  readonly verifyIdToken: VerifyIdToken;
  readonly now: () => number;
}

const CSRF_LIFETIME_MS = 3_600_000;
const CHANGES = ['POST', 'PUT', 'PATCH', 'DELETE'];

/** A self-hosted server: its doors, then its routes (https://docs.prefect.io/v3/advanced/security-settings). */
export function selfHosted(access: SelfHostedAccess, routes: readonly Route[]): Handler {
  const csrf = csrfTokens(access);
  const all = [...routes, csrf.route];
  const server: Handler = async (request) => {
    const { pathname } = new URL(request.url);
    if (!/^\/api(\/|$)/.test(pathname)) return webApplication(request);
    const forged = csrf.refusal(request);
    if (forged !== undefined) return forged;
    const path = decoded(pathname.slice('/api'.length));
    const open = request.method === 'GET' && (path === '/health' || path === '/ready');
    if (!open && !mayEnter(request, access.authString)) return exceptionMessage(401, 'Unauthorized');
    return routed(all, path, request, `https://${access.host}/api`);
  };
  return access.iapAudience === undefined ? server : behindProxy(server, access.iapAudience, access.verifyIdToken);
}

/** A path as routes see it; one that cannot be decoded fits none of them. */
export function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return '//';
  }
}

/** Identity-Aware Proxy (https://cloud.google.com/iap/docs/authentication-howto). */
function behindProxy(server: Handler, audience: string, verify: VerifyIdToken): Handler {
  return async (request) => {
    const token = (header: string) => /^Bearer (\S+)$/i.exec(request.headers.get(header) ?? '')?.[1];
    const proxyToken = token('proxy-authorization');
    const headers = new Headers(request.headers);
    headers.delete('proxy-authorization');
    const body = request.method === 'GET' || request.method === 'HEAD' ? {} : { body: await request.arrayBuffer() };
    const inner = new Request(request.url, { method: request.method, headers, ...body });
    if (proxyToken !== undefined && (await verify(proxyToken, audience))) return server(inner);
    const ownToken = token('authorization');
    if (ownToken !== undefined && (await verify(ownToken, audience))) return server(inner);
    if (proxyToken === undefined && ownToken === undefined) {
      const login = `https://accounts.google.com/o/oauth2/v2/auth?client_id=${audience}&response_type=code&scope=openid+email`;
      const answered = { location: login, 'x-goog-iap-generated-response': 'true' };
      return new Response(null, { status: 302, headers: answered });
    }
    const parses = (proxyToken ?? ownToken ?? '').split('.').length === 3;
    const reason = parses ? 'JWT signature or audience is invalid' : 'Unable to parse JWT';
    return new Response(`Invalid IAP credentials: ${reason}`, {
      status: 401,
      headers: { 'content-type': 'text/html; charset=UTF-8', 'x-goog-iap-generated-response': 'true' },
    });
  };
}

function mayEnter(request: Request, authString: string | undefined): boolean {
  if (authString === undefined) return true;
  const [scheme, credentials, ...more] = (request.headers.get('authorization') ?? '').split(/\s+/);
  if (scheme !== 'Basic' || credentials === undefined || more.length > 0) return false;
  const given = Buffer.from(credentials, 'base64');
  const wanted = Buffer.from(authString);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

function csrfTokens({ csrf, now }: SelfHostedAccess): {
  refusal(request: Request): Response | undefined;
  route: Route;
} {
  const tokens = new Map<string, { token: string; expires: number }>();
  const route: Route = {
    method: 'GET',
    path: '/csrf-token',
    handle: ({ query }) => {
      const client = query.get('client');
      if (client === null)
        return invalidRequest(violation('missing', ['query', 'client'], 'Field required', null), null);
      if (csrf !== true) return detail(422, 'CSRF protection is disabled.');
      const token = crypto.randomUUID().replaceAll('-', '').repeat(2);
      const expires = now() + CSRF_LIFETIME_MS;
      tokens.set(client, { token, expires });
      const times = { created: timestamp(now()), updated: timestamp(now()), expiration: timestamp(expires) };
      return Response.json({ id: crypto.randomUUID(), ...times, token, client });
    },
  };
  const refusal = (request: Request): Response | undefined => {
    if (csrf !== true || !CHANGES.includes(request.method)) return undefined;
    const token = request.headers.get('prefect-csrf-token');
    const client = request.headers.get('prefect-csrf-client');
    if (token === null) return detail(403, 'Missing CSRF token.');
    if (client === null) return detail(403, 'Missing client identifier.');
    const known = tokens.get(client);
    const valid = known !== undefined && known.token === token && known.expires > now();
    return valid ? undefined : detail(403, 'Invalid CSRF token or client identifier.');
  };
  return { refusal, route };
}

/** Whatever is not below /api is the web application's. */
function webApplication(request: Request): Response {
  if (request.method !== 'GET') return detail(405, 'Method Not Allowed');
  return new Response('<!doctype html><html><head><title>Prefect Server</title></head><body></body></html>', {
    headers: { 'content-type': 'text/html; charset=utf-8' },
  });
}
