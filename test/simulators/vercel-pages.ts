import type { Handler } from './serve.ts';
import { type Deployment, type DeploymentStore, environmentOf } from './vercel-deployment-store.ts';
import { isTrusted } from './vercel-trusted-sources.ts';

export interface PagesOptions {
  readonly store: DeploymentStore;
  readonly isProtected: (projectId: string) => boolean;
  readonly outbound: (url: string) => Promise<Response>;
  readonly now: () => number;
}

/** What visitors of a host see: a deployment's pages, or the page where they sign in. */
export function deploymentPages(host: string, options: PagesOptions): Handler {
  const { store } = options;
  return async (request) => {
    const deployment = store.at(host);
    if (deployment === undefined) return unavailable('DEPLOYMENT_NOT_FOUND');
    if (store.momentOf(deployment).state !== 'READY') return unavailable('DEPLOYMENT_NOT_READY');
    if (options.isProtected(deployment.project.id) && !(await mayEnter(request, deployment, options))) return signIn();
    // A connection opened ahead of its use is no visit.
    if (request.method !== 'HEAD') deployment.pagesServed += 1;
    const { page } = deployment.life;
    const scripted = page !== undefined && deployment.pagesServed <= (page.times ?? Number.POSITIVE_INFINITY);
    const status = scripted ? page.status : 200;
    const text = (scripted ? page.body : undefined) ?? `deployment ${deployment.id} of ${deployment.project.name}\n`;
    return new Response(request.method === 'HEAD' || status === 204 ? null : text, {
      status,
      headers: { 'content-type': 'text/plain; charset=utf-8', 'x-vercel-id': `iad1::${deployment.id}` },
    });
  };
}

// https://vercel.com/docs/deployment-protection/methods-to-bypass-deployment-protection
async function mayEnter({ headers }: Request, deployment: Deployment, options: PagesOptions): Promise<boolean> {
  const { bypassSecrets = [], trustedSources = {} } = deployment.project;
  const secret = headers.get('x-vercel-protection-bypass');
  if (secret !== null && bypassSecrets.includes(secret)) return true;
  const token = headers.get('x-vercel-trusted-oidc-idp-token');
  return token !== null && isTrusted(token, environmentOf(deployment), trustedSources, options);
}

function signIn(): Response {
  return new Response(
    '<!doctype html><html><head><title>Authentication Required</title></head><body>Log in to Vercel to see this page.</body></html>',
    {
      status: 401,
      headers: { 'content-type': 'text/html; charset=utf-8', 'set-cookie': '_vercel_sso_nonce=n; Path=/; HttpOnly' },
    },
  );
}

function unavailable(code: string): Response {
  return new Response(`The deployment could not be found on Vercel.\n\n${code}\n`, {
    status: 404,
    headers: { 'content-type': 'text/plain; charset=utf-8', 'x-vercel-error': code },
  });
}
