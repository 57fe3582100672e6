import { expect } from 'vitest';
import type { Handler } from '../simulators/serve.ts';
import { VERCEL, vercelTenant } from '../simulators/vercel-tenant.ts';
import type { World, WorldOptions } from '../simulators/world.ts';
import { DEPLOY, PROMOTE } from './kinds.ts';
import { STRAY_TOKEN } from './leaks.ts';
import { always, type SecretPath } from './secret-paths.ts';

const API = 'api.vercel.com';
const { project, expired, otherProject } = VERCEL.tokens;
const VISITOR_HEADER = 'x-vercel-trusted-oidc-idp-token';

function answering(handler: Handler): () => WorldOptions {
  return () => ({ hosts: { [API]: handler } });
}

/** However a step ends, its tokens end with it. */
const allRevoked = ({ vercel }: World) => {
  expect(vercel.issuedTokens()).not.toEqual([]);
  expect(vercel.liveTokens()).toEqual([]);
};

/** Who is shown the CI's token besides the token endpoint: only the deployments themselves, and no token of Vercel's goes there. */
const visited = (world: World) => {
  allRevoked(world);
  const hosts = world.vercel.deployments().map(({ url }) => url);
  const visits = world.requests.filter(({ host, headers }) => host !== API && headers.has(VISITOR_HEADER));
  expect(visits.length).toBeGreaterThan(0);
  for (const { host, headers } of visits) {
    expect(hosts).toContain(host);
    expect(headers.has('authorization')).toBe(false);
  }
  expect(world.requests.filter(({ headers }) => headers.has(VISITOR_HEADER))).toHaveLength(visits.length);
};

const smoking = {
  settings: (ci) => ({
    'smoke-path': '/api/health',
    'smoke-audience': VERCEL.visitorAudience,
    // Trusted Sources compare the subject exactly.
    ...(ci === 'buildkite' ? { 'oidc-subject-claim': 'pipeline_id' } : {}),
  }),
} satisfies Partial<SecretPath>;

async function quoted(request: Request): Promise<string> {
  const body = request.headers.get('content-type')?.includes('octet') ? '' : await request.text();
  return `cannot use ${request.headers.get('authorization')} and ${body} and ${decodeURIComponent(body)}`;
}

/** The token endpoint as it is documented, and an API that repeats what it was sent. */
const repeatingApi: Handler = async (request) => {
  const { pathname } = new URL(request.url);
  if (pathname === '/login/oauth/token')
    return Response.json({ access_token: STRAY_TOKEN, token_type: 'Bearer', expires_in: 3600 });
  const words = await quoted(request);
  return Response.json({ error: { code: 'bad_request', message: words, field: words } }, { status: 400 });
};

export const VERCEL_PATHS: readonly SecretPath[] = [
  { name: 'a deployment', kind: DEPLOY, exit: 0, says: 'The job succeeded', finally: allRevoked },
  { name: 'a promotion', kind: PROMOTE, exit: 0, says: 'The job succeeded', finally: allRevoked },
  {
    name: 'a deployment that fails',
    kind: DEPLOY,
    exit: 1,
    says: 'The job failed',
    arrange: DEPLOY.fail,
    finally: allRevoked,
  },
  {
    name: 'a deployment that is cancelled',
    kind: DEPLOY,
    exit: 143,
    says: 'was accepted',
    arrange: DEPLOY.hang,
    signal: 'SIGTERM',
    finally: allRevoked,
  },
  {
    name: 'a deployment whose step is killed',
    kind: DEPLOY,
    exit: null,
    says: 'BUILDING',
    arrange: DEPLOY.hang,
    signal: 'SIGKILL',
  },
  {
    name: 'a protected deployment that is looked at',
    kind: DEPLOY,
    ...smoking,
    exit: 0,
    says: '/api/health answered 200',
    arrange: (world) => world.vercel.protect(VERCEL.projectId),
    finally: visited,
  },
  {
    name: 'a deployment that lets its visitor not in',
    kind: DEPLOY,
    ...smoking,
    exit: 1,
    says: 'answered 403',
    arrange: (world) => world.vercel.nextLife({ page: { status: 403 } }),
    finally: visited,
  },
  {
    name: 'a deployment that sends its visitor elsewhere',
    kind: DEPLOY,
    ...smoking,
    exit: 1,
    says: 'answered 307',
    arrange: (world) => world.vercel.nextLife({ page: { status: 307 } }),
    finally: visited,
  },
  {
    name: 'no policy',
    kind: DEPLOY,
    exit: 3,
    says: 'exchange-policy',
    world: () => ({ vercel: { policies: [] } }),
  },
  {
    name: 'several policies',
    kind: DEPLOY,
    exit: 3,
    says: 'Several OIDC policies',
    world: () => {
      const { policies } = vercelTenant();
      return {
        vercel: { policies: policies.flatMap((policy) => [policy, { ...policy, policyId: `${policy.policyId}2` }]) },
      };
    },
  },
  {
    name: 'a token that cannot be revoked',
    kind: DEPLOY,
    exit: 0,
    says: 'could not be revoked',
    arrange: (world) => world.fault({ kind: 'status-500', path: /\/login\/oauth\/token\/revoke$/, times: 9 }),
  },
  {
    name: 'an upload that is refused',
    kind: DEPLOY,
    exit: 3,
    says: 'permission-denied',
    world: () => ({ vercel: { limitedTokensMayNotUpload: true } }),
    finally: allRevoked,
  },
  {
    name: 'an alias that is refused',
    kind: DEPLOY,
    settings: () => ({ aliases: [VERCEL.domainWithoutCertificate] }),
    exit: 1,
    says: 'but not under',
    finally: allRevoked,
  },
  {
    name: 'a stored token',
    kind: DEPLOY,
    settings: () => ({ token: project }),
    exit: 0,
    says: 'is a stored key',
    secrets: [project],
  },
  {
    name: 'a stored token that has expired',
    kind: PROMOTE,
    settings: () => ({ token: expired }),
    exit: 3,
    says: 'credential-rejected',
    secrets: [expired],
  },
  {
    name: 'a stored token of another project',
    kind: DEPLOY,
    settings: () => ({ token: otherProject }),
    exit: 3,
    says: 'permission-denied',
    secrets: [otherProject],
  },
  {
    name: 'a build that prints the stored token',
    kind: DEPLOY,
    settings: () => ({ token: project }),
    exit: 1,
    says: 'VERCEL_TOKEN=[redacted]',
    secrets: [project],
    arrange: (world) =>
      world.vercel.nextLife({
        logs: [`VERCEL_TOKEN=${project}`, `"${project}"`],
        end: { kind: 'error', step: 'buildStep', code: 'FAILED', message: `cannot log in with ${project}.` },
      }),
  },
  {
    name: 'a token endpoint that repeats the token',
    kind: DEPLOY,
    exit: 3,
    says: '[redacted]',
    world: answering(async (request) =>
      Response.json({ error: 'invalid_grant', error_description: await quoted(request) }, { status: 400 }),
    ),
  },
  {
    name: 'a token endpoint that answers in another shape',
    kind: DEPLOY,
    exit: 4,
    says: 'unreadable-answer',
    world: answering(async () => Response.json({ token: STRAY_TOKEN })),
  },
  {
    name: 'an API that repeats the token',
    kind: DEPLOY,
    exit: 4,
    says: '[redacted]',
    world: answering(repeatingApi),
  },
  {
    name: 'Vercel out of order',
    kind: PROMOTE,
    exit: 4,
    says: 'rate-limited',
    arrange: always('status-429', /\/v9\/projects\//),
    finally: allRevoked,
  },
];
