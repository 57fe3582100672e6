import { expect, it } from 'vitest';
import { BUILDKITE_JOB } from '../simulators/tenant.ts';
import { VERCEL, vercelTenant } from '../simulators/vercel-tenant.ts';
import { vercelWorld, type World } from './vercel-world.ts';

const token = VERCEL.tokens.full;
const STAGED = { target: 'production', autoAssignCustomDomains: false };

async function live(world: World, changes: Record<string, unknown>) {
  const { id, url } = (await world.deploy(changes)).json;
  world.pass(1000);
  return { id, url };
}

function pointing(world: World) {
  const project = async () => (await world.ask('GET', `/v9/projects/${VERCEL.projectId}`, { token })).json;
  return {
    promote: (id: string, body: unknown = {}) =>
      world.ask('POST', `/v10/projects/${VERCEL.projectId}/promote/${id}`, { token, body }),
    rollback: (id: string, version = 'v1') =>
      world.ask('POST', `/${version}/projects/${VERCEL.projectId}/rollback/${id}`, { token, body: {} }),
    lastAliasRequest: async () => (await project()).lastAliasRequest,
  };
}

it('promotes a staged deployment, and rolls back', async () => {
  const world = await vercelWorld();
  const { promote, rollback, lastAliasRequest } = pointing(world);
  const old = await live(world, { target: 'production' });
  const next = await live(world, STAGED);
  expect(world.productionOf(VERCEL.projectId)).toBe(old.id);
  expect(await lastAliasRequest()).toBeNull();

  const requestedAt = world.now();
  expect((await promote(next.id)).status).toBe(201);
  const request = { fromDeploymentId: old.id, toDeploymentId: next.id, requestedAt, type: 'promote' };
  expect(await lastAliasRequest()).toEqual({ ...request, jobStatus: 'pending' });
  expect((await rollback(old.id)).status).toBe(409);
  world.pass(100);
  expect(await lastAliasRequest()).toEqual({ ...request, jobStatus: 'in-progress' });
  world.pass(200);
  expect(await lastAliasRequest()).toEqual({ ...request, jobStatus: 'succeeded' });
  expect(world.productionOf(VERCEL.projectId)).toBe(next.id);
  expect((await world.visit(VERCEL.domain)).text).toContain(next.id);
  expect((await world.ask('GET', `/v13/deployments/${next.id}`, { token })).json.readySubstate).toBe('PROMOTED');

  expect((await promote(next.id)).status).toBe(409);
  expect((await rollback(old.id, 'v9')).status).toBe(201);
  world.pass(300);
  expect(await lastAliasRequest()).toMatchObject({ type: 'rollback', toDeploymentId: old.id, jobStatus: 'succeeded' });
  expect(world.productionOf(VERCEL.projectId)).toBe(old.id);
});

it('refuses to promote what cannot be', async () => {
  const world = await vercelWorld();
  const { promote, rollback } = pointing(world);
  const staged = await live(world, STAGED);
  const preview = await live(world, {});
  const building = (await world.deploy(STAGED)).json.id;
  expect((await promote(staged.id, '')).status).toBe(400);
  expect((await promote(staged.id, { force: true })).status).toBe(400);
  expect((await promote(preview.id)).status).toBe(400);
  expect((await promote(building)).status).toBe(400);
  expect((await promote('dpl_nobody')).status).toBe(404);
  expect((await rollback(staged.id)).status).toBe(422);
  const foreign = { token: VERCEL.tokens.otherProject, body: {} };
  const path = `/v10/projects/${VERCEL.projectId}/promote/${staged.id}`;
  expect((await world.ask('POST', path, foreign)).status).toBe(403);
});

it('queues a promotion, and fails one', async () => {
  const world = await vercelWorld();
  const { promote, lastAliasRequest } = pointing(world);
  const staged = await live(world, STAGED);
  world.nextPromotion({ queued: true, pendingMs: 5000, end: 'skipped' }, { end: 'failed' }, { end: 'hang' });
  expect((await promote(staged.id)).status).toBe(202);
  world.pass(6000);
  expect(await lastAliasRequest()).toMatchObject({ jobStatus: 'skipped' });
  await promote(staged.id);
  world.pass(1000);
  expect(await lastAliasRequest()).toMatchObject({ jobStatus: 'failed', fromDeploymentId: null });
  const failures = `/v1/projects/${VERCEL.projectId}/promote/aliases?failedOnly=true`;
  expect((await world.ask('GET', failures, { token })).json.aliases).toMatchObject([
    { alias: VERCEL.domain, status: 'failed' },
  ]);
  const forCli = failures.replace('/v1/', '/v9/');
  expect((await world.ask('GET', forCli, { token })).json.aliases).toMatchObject([
    { alias: { alias: VERCEL.domain, deploymentId: staged.id }, status: 'failed' },
  ]);
  expect((await world.ask('GET', forCli.replace('promote', 'rollback'), { token })).json).toEqual({});
  await promote(staged.id);
  world.pass(100_000);
  expect(await lastAliasRequest()).toMatchObject({ jobStatus: 'in-progress' });
  expect((await world.ask('GET', failures, { token })).json.aliases).toEqual([]);
});

it('assigns aliases of domains that the team has', async () => {
  const world = await vercelWorld();
  const { id } = await live(world, {});
  const assign = (alias: string, of = id) =>
    world.ask('POST', `/v2/deployments/${of}/aliases`, { token, body: { alias } });
  expect(await assign('pr-7.acme.example')).toMatchObject({ status: 200, json: { alias: 'pr-7.acme.example' } });
  expect((await world.visit('pr-7.acme.example')).text).toContain(id);
  expect(await assign('pr-7.acme.example')).toMatchObject({
    status: 409,
    json: { error: { alias: 'pr-7.acme.example', uid: expect.any(String) } },
  });
  expect((await assign('pr-7-edge.vercel.app')).status).toBe(200);
  expect((await assign('www.globex.example')).status).toBe(403);
  expect(await assign(VERCEL.domainWithoutCertificate)).toMatchObject({
    status: 400,
    json: { error: { code: 'cert_missing' } },
  });
  expect(await assign('https://acme.example')).toMatchObject({ json: { error: { code: 'invalid_alias' } } });
  const other = await live(world, {});
  expect((await assign('pr-7.acme.example', other.id)).json.oldDeploymentId).toBe(id);
  const building = (await world.deploy()).json.id;
  expect((await assign('pr-8.acme.example', building)).status).toBe(400);
  world.nextLife({ end: { kind: 'canceled' } });
  const gone = await live(world, {});
  expect(await assign('pr-8.acme.example', gone.id)).toMatchObject({ json: { error: { code: 'gone' } } });
});

it('serves what is ready, and lets a page fail', async () => {
  const world = await vercelWorld();
  world.nextLife({}, { page: { status: 500, body: 'broken', times: 1 } });
  const { url } = (await world.deploy()).json;
  expect((await world.visit(url)).status).toBe(404);
  world.pass(1000);
  expect(await world.visit(url)).toMatchObject({ status: 200, text: expect.stringContaining('deployment dpl_') });
  expect((await world.visit('edge-nobody-acme.vercel.app')).status).toBe(404);
  expect(world.hosts('www.acme.example')).toBeUndefined();
  expect((await world.visit(VERCEL.domain)).status).toBe(404);
  const failing = await live(world, {});
  expect(await world.visit(failing.url)).toMatchObject({ status: 500, text: 'broken' });
  expect((await world.visit(failing.url)).status).toBe(200);
});

it('asks visitors of protected deployments to sign in, unless their CI is trusted', async () => {
  const world = await vercelWorld();
  world.protect(VERCEL.projectId);
  const { url } = await live(world, {});
  const visit = async (headers: Record<string, string>) => (await world.visit(url, headers)).status;
  const trusted = async (value: string) => visit({ 'x-vercel-trusted-oidc-idp-token': value });
  const login = await world.visit(url);
  expect(login).toMatchObject({ status: 401, text: expect.stringContaining('Log in to Vercel') });
  expect(login.headers.get('content-type')).toContain('text/html');

  const aud = ['someone', VERCEL.visitorAudience];
  expect(await trusted(await world.bitbucketToken({ aud }))).toBe(200);
  expect(await trusted(await world.bitbucketToken())).toBe(401);
  expect(await trusted(await world.bitbucketToken({ aud, repositoryUuid: '{other}' }))).toBe(401);
  expect(await trusted(await world.bitbucketToken({ aud }, 'unpublished'))).toBe(401);
  const job = { audience: VERCEL.visitorAudience };
  expect(await trusted(await world.buildkiteToken({ ...job, subjectClaim: 'pipeline_id' }))).toBe(200);
  expect(await trusted(await world.buildkiteToken(job))).toBe(401);
  expect(await trusted('nonsense')).toBe(401);
  expect(await visit({ 'x-vercel-protection-bypass': VERCEL.bypassSecret })).toBe(200);
  expect(await visit({ 'x-vercel-protection-bypass': 'guess' })).toBe(401);
  world.protect(VERCEL.projectId, false);
  expect(await visit({})).toBe(200);
});

it('takes no trusted source without an audience and an identity', async () => {
  const [first] = vercelTenant().projects;
  if (first === undefined) throw new Error('no project');
  const source = (claims: Record<string, string[]>) => ({
    projects: [
      {
        ...first,
        trustedSources: { 'https://agent.buildkite.com': [{ label: 'ours', claims, to: { slugs: ['preview'] } }] },
      },
    ],
  });
  await expect(vercelWorld(source({ sub: [BUILDKITE_JOB.ids.pipeline_id] }))).rejects.toThrow('no audience');
  await expect(vercelWorld(source({ aud: ['us'], pipeline_id: ['x'] }))).rejects.toThrow('none of sub');
});
