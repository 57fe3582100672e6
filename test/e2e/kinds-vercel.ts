import { VERCEL } from '../simulators/vercel-tenant.ts';
import type { CancellableKind, KindInUse } from './kinds.ts';

const inProject = { team: VERCEL.teamId, project: VERCEL.project };
const identity = `OIDC policy of team ${VERCEL.teamId}`;
const exchange = `exchanged at api.vercel.com for team ${VERCEL.teamId}`;

function pageOf(deployment: string): string {
  return `https://vercel.com/${VERCEL.team}/${VERCEL.project}/${deployment.replace('dpl_', '')}`;
}

/** A small build, as `vercel build` leaves it. */
export const BUILD_OUTPUT = {
  '.vercel/output/config.json': '{"version":3,"routes":[{"handle":"filesystem"}]}',
  '.vercel/output/builds.json': '{"target":"preview","builds":[]}',
  '.vercel/output/static/index.html': '<h1>Edge</h1>\n',
  '.vercel/output/functions/api/hello.func/.vc-config.json': '{"runtime":"edge","entrypoint":"index.js"}',
  '.vercel/output/functions/api/hello.func/index.js': "export default () => new Response('hello');\n",
};

export const DEPLOY: CancellableKind = {
  id: 'vercel-deployment',
  settings: () => ({ job: 'vercel-deployment', ...inProject }),
  checkout: BUILD_OUTPUT,
  fail: (world) =>
    world.vercel.nextLife({
      queuedMs: 0,
      buildingMs: 1_500,
      logs: ['Running "build"', 'Error: no handler'],
      end: { kind: 'error', step: 'buildStep', code: 'BUILD_FAILED', message: 'The function index has no handler.' },
    }),
  hang: (world) => world.vercel.nextLife({ queuedMs: 0, end: { kind: 'hang' } }),
  submitted: (world) => world.vercel.deployments().length,
  cancels: /\/v12\/deployments\/dpl_[^/]+\/cancel\?/,
  jobIn: (world) => {
    const id = world.vercel.deployments()[0]?.id ?? '';
    return { id, url: pageOf(id) };
  },
  story: {
    identity,
    exchange,
    states: [],
    succeeds: { state: 'READY', words: [], timed: true },
    fails: { state: 'ERROR', words: ['The function index has no handler.', 'Error: no handler'] },
  },
};

/** A deployment that was built for production and waits to be promoted. */
export const STAGED = 'dpl_staged0000000000000000001';
/** A deployment that production served before the one that it serves. */
export const EARLIER = 'dpl_earlier000000000000000001';

function productionKind(type: 'promote' | 'rollback', deployment: string): KindInUse {
  return {
    id: `vercel-${type}`,
    settings: () => ({ job: `vercel-${type}`, ...inProject, deployment }),
    checkout: {},
    setUp: ({ vercel }) => {
      vercel.deployed(VERCEL.projectId, { id: deployment, skipDomain: type === 'promote' });
      vercel.deployed(VERCEL.projectId);
    },
    fail: (world) => world.vercel.nextPromotion({ pendingMs: 1_000, runningMs: 1_000, end: 'failed' }),
    submitted: (world) =>
      world.vercel.received().filter(({ method, path }) => method === 'POST' && path.includes(`/${type}/dpl_`)).length,
    jobIn: () => ({ id: deployment, url: pageOf(deployment) }),
    story: {
      identity,
      exchange,
      states: [],
      succeeds: { state: 'succeeded', words: [] },
      fails: { state: 'failed', words: [VERCEL.domain] },
    },
  };
}

export const PROMOTE = productionKind('promote', STAGED);
export const ROLLBACK = productionKind('rollback', EARLIER);
