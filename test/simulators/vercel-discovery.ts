import type { Handler } from './serve.ts';

/** Where clients find the OAuth endpoints (https://vercel.com/.well-known/openid-configuration). */
export const openidConfiguration: Handler = async (request) => {
  if (new URL(request.url).pathname !== '/.well-known/openid-configuration') {
    return new Response('Not Found', { status: 404 });
  }
  const base = 'https://api.vercel.com/login/oauth';
  return Response.json({
    issuer: 'https://vercel.com',
    token_endpoint: `${base}/token`,
    revocation_endpoint: `${base}/token/revoke`,
    introspection_endpoint: `${base}/token/introspect`,
    grant_types_supported: ['urn:ietf:params:oauth:grant-type:token-exchange'],
  });
};
