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

/** What the kinds of Vercel have in common. */
const vercel = {
  service: 'vercel',
  audience: () => VERCEL.audience,
  submitter: 'policy vision on main',
  story: {
    identity: `OIDC policy of team ${VERCEL.teamId}`,
    exchange: `exchanged at api.vercel.com for team ${VERCEL.teamId}`,
    states: [],
  },
} as const;

/** The OIDC policy behind a request. */
function submitterOf(world: World, headers: Headers): string | undefined {
  const token = headers.get('authorization')?.replace('Bearer ', '');
  const issued = world.vercel.tokens().find(({ accessToken }) => accessToken === token);
  return issued === undefined ? undefined : `policy ${issued.policy.name}`;
}

function pageOf(deployment: string): string {
  return `https://vercel.com/${VERCEL.team}/${VERCEL.project}/${deployment.replace('dpl_', '')}`;
}

export const vercelDeployment: KindSample = {
  ...vercel,
  id: 'vercel-deployment',
  about:
    "On Vercel, what the build made, domain and all. The token of the team's policy is revoked when the step ends.",
  settings: () => ({
    team: VERCEL.teamId,
    project: VERCEL.project,
    target: 'production',
    aliases: ['www.acme.example'],
    set: { 'gitMetadata.commitMessage': 'Faster start' },
  }),
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
    world.vercel
      .deployments()
      // Those that were there before were made by no request.
      .filter(({ headers }) => headers.has('authorization'))
      .map(({ id, json, headers, state }) => ({
        id,
        body: json,
        headers,
        cancelled: state === 'CANCELED',
        submitter: submitterOf(world, headers),
        url: pageOf(id),
      })),
  script: (world, life) => world.vercel.nextLife(vercelLife(life)),
  fail: (world) =>
    world.vercel.nextLife({
      queuedMs: 0,
      buildingMs: 1_500,
      logs: ['Running "build"', 'Error: no handler'],
      end: { kind: 'error', step: 'buildStep', code: 'BUILD_FAILED', message: 'The function index has no handler.' },
    }),
  otherName: (id) => id,
  nobodysName: 'dpl_nobody',
  serverTimeout: () => undefined,
  findsByKey: true,
  ends: ['code', 'permission', 'cancelled'],
  story: {
    ...vercel.story,
    succeeds: { state: 'READY', words: [], timed: true },
    fails: { state: 'ERROR', words: ['The function index has no handler.', 'Error: no handler'] },
  },
};

/** A deployment that was built for production, waits to be promoted, and is not what production serves. */
export const STAGED = 'dpl_staged0000000000000000001';
/** A deployment that production served before the one that it serves. */
export const EARLIER = 'dpl_earlier000000000000000001';

function productionSample(type: 'promote' | 'rollback', deployment: string, about: string): KindSample {
  return {
    ...vercel,
    id: `vercel-${type}`,
    about,
    settings: () => ({ team: VERCEL.teamId, project: VERCEL.projectId, deployment }),
    targets: {
      exchange: vercelDeployment.targets.exchange,
      preparation: { method: 'GET', path: apiPath(`/v13/deployments/${deployment}`) },
      submission: { method: 'POST', path: apiPath(`/v[0-9]+/projects/[^/]+/${type}/dpl_[^/]+`) },
      status: { method: 'GET', path: apiPath('/v9/projects/[^/]+') },
    },
    jobs: (world) =>
      world.vercel.received().flatMap(({ method, path, headers, body }) => {
        const id = new RegExp(`/${type}/(dpl_[^/?]+)`).exec(path)?.[1];
        return method !== 'POST' || id === undefined
          ? []
          : [{ id, body, headers, cancelled: false, submitter: submitterOf(world, headers), url: pageOf(id) }];
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
    fail: (world) => world.vercel.nextPromotion({ pendingMs: 1_000, runningMs: 1_000, end: 'failed' }),
    otherName: (id) => id,
    serverTimeout: () => undefined,
    findsByKey: false,
    repeatable: true,
    ends: ['code'],
    story: {
      ...vercel.story,
      succeeds: { state: 'succeeded', words: [] },
      fails: { state: 'failed', words: [VERCEL.domain] },
    },
  };
}

export const vercelPromote = productionSample(
  'promote',
  STAGED,
  'A deployment that waited for it gets the domains: nothing is built a second time.',
);
export const vercelRollback = productionSample(
  'rollback',
  EARLIER,
  'Production goes back to a deployment that it served before.',
);
