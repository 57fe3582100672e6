import type { DeploymentEnd, DeploymentLife } from '../simulators/vercel-deployment-life.ts';
import { VERCEL } from '../simulators/vercel-tenant.ts';
import type { World } from '../simulators/world.ts';
import type { KindSample } from './kind-samples.ts';
import type { RemoteLife } from './remote-life.ts';

const apiPath = (path: string) => new RegExp(`^/api\\.vercel\\.com${path}$`);

const FAILURES: Readonly<Record<string, DeploymentEnd>> = {
  code: { kind: 'error', step: 'buildStep', code: 'BUILD_FAILED', message: 'The function index has no handler.' },
  permission: { kind: 'blocked', blockCode: 'TEAM_ACCESS_REQUIRED' },
};

/** The life of a deployment. */
export function vercelLife({
  queuedMs = 10_000,
  runningMs = 30_000,
  end,
  listedAfterMs = 0,
}: RemoteLife): DeploymentLife {
  const before = { queuedMs, buildingMs: runningMs, listedAfterMs };
  if (end === 'success') return before;
  if (end === 'cancelled') return { ...before, end: { kind: 'canceled' } };
  const failure = FAILURES[end.cause];
  if (failure === undefined) throw new Error(`a deployment does not end for ${end.cause}`);
  return { ...before, end: failure };
}

/** A small build, as `vercel build` leaves it. */
export const BUILD = {
  '.vercel/output/config.json': '{"version":3,"routes":[{"handle":"filesystem"}]}',
  '.vercel/output/builds.json': '{"target":"production","builds":[]}',
  '.vercel/output/static/index.html': '<h1>Edge</h1>\n',
  '.vercel/output/functions/api/hello.func/.vc-config.json': '{"runtime":"edge","entrypoint":"index.js"}',
  '.vercel/output/functions/api/hello.func/index.js': "export default () => new Response('hello');\n",
};

export const vercelDeployment: KindSample = {
  id: 'vercel-deployment',
  settings: () => ({
    team: VERCEL.teamId,
    project: VERCEL.project,
    target: 'production',
    aliases: ['www.acme.example'],
    set: { 'gitMetadata.commitMessage': 'Faster start' },
  }),
  audience: () => VERCEL.audience,
  // Other builds made another page, which Vercel does not have yet.
  files: (build) =>
    build === 42 ? BUILD : { ...BUILD, '.vercel/output/static/index.html': `<h1>Edge ${build}</h1>\n` },
  targets: {
    exchange: { method: 'POST', path: apiPath('/login/oauth/token') },
    preparation: { method: 'GET', path: apiPath('/v9/projects/[^/]+') },
    // The first is refused for want of files.
    submission: { method: 'POST', path: apiPath('/v13/deployments'), skip: 1 },
    supply: { method: 'POST', path: apiPath('/v2/files') },
    lookUp: { method: 'GET', path: apiPath('/v7/deployments') },
    status: { method: 'GET', path: apiPath('/v13/deployments/dpl_[^/]+') },
    cancel: { method: 'PATCH', path: apiPath('/v12/deployments/dpl_[^/]+/cancel') },
    completion: { method: 'POST', path: apiPath('/v2/deployments/dpl_[^/]+/aliases') },
  },
  jobs: (world: World) =>
    world.vercel.deployments().map(({ id, json, headers, state }) => ({
      id,
      body: json,
      headers,
      cancelled: state === 'CANCELED',
    })),
  script: (world, life) => world.vercel.nextLife(vercelLife(life)),
  otherName: (id) => id,
  nobodysName: 'dpl_nobody',
  serverTimeout: () => undefined,
  findsByKey: true,
  ends: ['code', 'permission', 'cancelled'],
};

/** A deployment that was built for production, waits to be promoted, and is not what production serves. */
export const STAGED = 'dpl_staged0000000000000000001';
/** A deployment that production served before the one that it serves. */
export const EARLIER = 'dpl_earlier000000000000000001';

function productionSample(type: 'promote' | 'rollback', deployment: string): KindSample {
  return {
    id: `vercel-${type}`,
    settings: () => ({ team: VERCEL.teamId, project: VERCEL.projectId, deployment }),
    audience: () => VERCEL.audience,
    targets: {
      exchange: vercelDeployment.targets.exchange,
      preparation: { method: 'GET', path: apiPath(`/v13/deployments/${deployment}`) },
      submission: { method: 'POST', path: apiPath(`/v[0-9]+/projects/[^/]+/${type}/dpl_[^/]+`) },
      status: { method: 'GET', path: apiPath('/v9/projects/[^/]+') },
    },
    jobs: (world) =>
      world.vercel.received().flatMap(({ method, path, headers, body }) => {
        const id = new RegExp(`/${type}/(dpl_[^/?]+)`).exec(path)?.[1];
        return method !== 'POST' || id === undefined ? [] : [{ id, body, headers, cancelled: false }];
      }),
    setUp: ({ vercel }) => {
      if (vercel.deployments().some(({ id }) => id === deployment)) return;
      vercel.deployed(VERCEL.projectId, { id: deployment, skipDomain: type === 'promote' });
      vercel.deployed(VERCEL.projectId);
    },
    script: ({ vercel }, { queuedMs = 10_000, runningMs = 30_000, end }) => {
      // Whatever the step before did, production serves another deployment now.
      vercel.deployed(VERCEL.projectId);
      vercel.nextPromotion({ pendingMs: queuedMs, runningMs, end: end === 'success' ? 'succeeded' : 'failed' });
    },
    otherName: (id) => id,
    serverTimeout: () => undefined,
    findsByKey: false,
    repeatable: true,
    ends: ['code'],
  };
}

export const vercelPromote = productionSample('promote', STAGED);
export const vercelRollback = productionSample('rollback', EARLIER);
