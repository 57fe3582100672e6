import { expect, it } from 'vitest';
import { COMMIT } from '../simulators/tenant.ts';
import type { DeploymentEnd } from '../simulators/vercel-deployment-life.ts';
import { VERCEL } from '../simulators/vercel-tenant.ts';
import { vercelWorld } from './vercel-world.ts';

const token = VERCEL.tokens.full;

async function deployed(end: DeploymentEnd, changes: Record<string, unknown> = {}) {
  const world = await vercelWorld();
  world.nextLife({ queuedMs: 1000, buildingMs: 5000, aliasMs: 500, end, logs: ['one', 'two'] });
  const { id, url } = (await world.deploy(changes)).json;
  const view = async () => (await world.ask('GET', `/v13/deployments/${id}`, { token })).json;
  return { ...world, id, url, view };
}

it('goes by the clock from the queue to where its domains are assigned', async () => {
  const { view, pass, now, url, ask, id } = await deployed({ kind: 'ready' }, { target: 'production' });
  const seen = [];
  for (const ms of [999, 1, 4999, 1, 499, 1]) {
    pass(ms);
    const { readyState, aliasAssigned, readySubstate } = await view();
    seen.push([readyState, aliasAssigned, readySubstate]);
  }
  expect(seen).toEqual([
    ['QUEUED', false, undefined],
    ['BUILDING', false, undefined],
    ['BUILDING', false, undefined],
    ['READY', false, 'STAGED'],
    ['READY', false, 'STAGED'],
    ['READY', true, 'PROMOTED'],
  ]);
  expect(await view()).toMatchObject({ alias: expect.arrayContaining([VERCEL.domain]), aliasAssignedAt: now() });
  expect((await ask('GET', `/v13/deployments/${url}`, { token })).json.id).toBe(id);
  expect((await ask('GET', '/v13/deployments/dpl_nobody', { token })).status).toBe(404);
  const otherProject = { token: VERCEL.tokens.otherProject };
  expect((await ask('GET', `/v13/deployments/${id}`, otherProject)).status).toBe(403);
});

it('stages what is not to take the domains', async () => {
  const staged = { target: 'production', autoAssignCustomDomains: false };
  const { view, pass, productionOf } = await deployed({ kind: 'ready' }, staged);
  pass(6500);
  expect(await view()).toMatchObject({ readySubstate: 'STAGED', aliasAssigned: true, alias: [] });
  expect(productionOf(VERCEL.projectId)).toBeUndefined();
});

it('gives a custom environment its domains, and no target', async () => {
  const { view, pass } = await deployed({ kind: 'ready' }, { customEnvironmentSlugOrId: VERCEL.environment });
  pass(6500);
  expect(await view()).toMatchObject({
    target: null,
    customEnvironment: { id: VERCEL.environmentId, slug: VERCEL.environment },
    alias: [VERCEL.environmentDomain],
  });
});

it('fails in all the ways there are', async () => {
  const ends: [DeploymentEnd, Record<string, unknown>][] = [
    [
      { kind: 'error', step: 'build-step', code: 'BUILD_FAILED', message: 'Command exited with 1' },
      {
        readyState: 'ERROR',
        errorCode: 'BUILD_FAILED',
        errorMessage: 'Command exited with 1',
        errorStep: 'build-step',
      },
    ],
    [{ kind: 'canceled' }, { readyState: 'CANCELED', canceledAt: expect.any(Number) }],
    [
      { kind: 'blocked', blockCode: 'COMMIT_AUTHOR_REQUIRED' },
      { readyState: 'BLOCKED', seatBlock: { blockCode: 'COMMIT_AUTHOR_REQUIRED' } },
    ],
    [
      { kind: 'aliasError', code: 'cert_missing', message: 'No certificate' },
      { readyState: 'READY', aliasAssigned: false, aliasError: { code: 'cert_missing', message: 'No certificate' } },
    ],
    [
      { kind: 'checksFailed' },
      {
        readyState: 'READY',
        aliasAssigned: false,
        checksState: 'completed',
        checksConclusion: 'failed',
        checks: { 'deployment-alias': { state: 'failed' } },
      },
    ],
    [{ kind: 'hang' }, { readyState: 'BUILDING' }],
    [{ kind: 'state', state: 'VAPORIZED' }, { readyState: 'VAPORIZED' }],
  ];
  for (const [end, expected] of ends) {
    const { view, pass, productionOf } = await deployed(end, { target: 'production' });
    pass(10_000);
    expect(await view()).toMatchObject(expected);
    expect(productionOf(VERCEL.projectId)).toBeUndefined();
  }
});

it('shows states that nobody knows, and the runs of a check', async () => {
  const { nextLife, deploy, ask, pass } = await vercelWorld();
  nextLife({
    queuedMs: 10,
    between: [{ state: 'WARMING', ms: 10 }],
    buildingMs: 10,
    aliasMs: 10,
    end: { kind: 'checksFailed' },
  });
  const { id } = (await deploy()).json;
  pass(15);
  expect((await ask('GET', `/v13/deployments/${id}`, { token })).json.readyState).toBe('WARMING');
  const runs = async () => (await ask('GET', `/v2/deployments/${id}/check-runs`, { token })).json.runs;
  expect(await runs()).toEqual([]);
  pass(20);
  expect(await runs()).toMatchObject([{ status: 'running', blocks: 'deployment-alias' }]);
  pass(10);
  expect(await runs()).toMatchObject([{ status: 'completed', conclusion: 'failed' }]);
});

it('cancels what is under way, and nothing else', async () => {
  const { ask, id, pass, view } = await deployed({ kind: 'hang' });
  pass(2000);
  const cancel = () => ask('PATCH', `/v12/deployments/${id}/cancel`, { token });
  expect(await cancel()).toMatchObject({ status: 200, json: { readyState: 'CANCELED' } });
  expect((await cancel()).status).toBe(400);
  pass(100_000);
  expect((await view()).readyState).toBe('CANCELED');
});

it('lists deployments newest first, by what is asked for', async () => {
  const { deploy, ask, nextLife, pass } = await vercelWorld();
  nextLife({}, {}, { listedAfterMs: 2000 });
  const gitMetadata = { commitSha: COMMIT, commitRef: 'main' };
  const a = (await deploy({ gitMetadata, meta: { key: 'a' } })).json.id;
  pass(1000);
  const b = (await deploy({ target: 'production', gitMetadata: { ...gitMetadata, commitRef: 'other' } })).json.id;
  pass(1000);
  const late = (await deploy()).json.id;
  const list = async (query: string, as = token) =>
    (await ask('GET', `/v7/deployments?projectId=${VERCEL.projectId}&${query}`, { token: as })).json;
  const ids = async (query: string) => (await list(query)).deployments.map(({ uid }) => uid);
  expect(await ids('')).toEqual([b, a]);
  pass(2000);
  expect(await ids('limit=2')).toEqual([late, b]);
  expect(await ids(`until=${(await list('limit=2')).pagination.next}`)).toEqual([a]);
  expect(await ids(`sha=${COMMIT}`)).toEqual([b, a]);
  expect(await ids(`sha=${COMMIT}&branch=main&limit=100`)).toEqual([a]);
  expect(await ids('target=production&state=READY')).toEqual([b]);
  expect((await list('branch=main')).deployments).toMatchObject([
    { uid: a, state: 'READY', meta: { key: 'a' }, aliasAssigned: expect.any(Number) },
  ]);
  const statuses = ['meta-key=a', 'limit=101', 'limit=x', 'target=1&since=x'].map(
    async (query) => (await ask('GET', `/v7/deployments?${query}`, { token })).status,
  );
  expect(await Promise.all(statuses)).toEqual([400, 400, 400, 400]);
  expect((await ask('GET', '/v7/deployments', { token: VERCEL.tokens.otherProject })).json.deployments).toEqual([]);
  const foreign = { token: VERCEL.tokens.otherProject };
  expect((await ask('GET', `/v7/deployments?projectId=${VERCEL.projectId}`, foreign)).status).toBe(403);
});

it('tells what the build has printed so far', async () => {
  const end: DeploymentEnd = { kind: 'error', step: 'build', code: 'BUILD_FAILED', message: 'it broke' };
  const { ask, id, pass, nextLife, deploy } = await deployed(end);
  const events = async (query: string, of = id) => await ask('GET', `/v3/deployments/${of}/events?${query}`, { token });
  const texts = ({ text }: { text: string }) =>
    (JSON.parse(text) as { text?: string }[]).flatMap((event) => event.text ?? []);
  expect(texts(await events('builds=1'))).toEqual([]);
  pass(2000);
  expect(texts(await events('builds=1'))).toEqual(['one', 'two']);
  pass(5000);
  expect(texts(await events('direction=backward&limit=-1'))).toEqual(['Error: it broke', 'two', 'one']);
  expect(texts(await events('limit=2'))).toEqual(['one']);
  expect((await events('direction=sideways')).status).toBe(400);
  const lines = await ask('GET', `/v3/now/deployments/${id}/events?follow=1&format=lines`, { token });
  expect(lines.text.trim().split('\n')).toHaveLength(5);
  nextLife({ logs: ['three'], logTextIn: 'payload' });
  const other = (await deploy()).json.id;
  pass(1000);
  expect((await events('limit=-1', other)).json).toMatchObject([
    { type: 'deployment-state', payload: { info: { readyState: 'BUILDING' } } },
    { type: 'stdout', payload: { text: 'three', deploymentId: other } },
    { type: 'deployment-state' },
  ]);
  const followed = (await events('follow=1', other)).text.trim().split('\n');
  expect(JSON.parse(followed.at(-1) ?? '')).toMatchObject({ type: 'alias-assigned', deploymentId: other, alias: [] });
});
