import { expect, it } from 'vitest';
import { VERCEL } from '../simulators/vercel-tenant.ts';
import { CONFIG, FILES, PAGE, sha1, vercelWorld } from './vercel-world.ts';

const PROJECT = `/v9/projects/${VERCEL.projectId}`;

it('answers nobody without a token that is good', async () => {
  const { ask } = await vercelWorld();
  const forbidden = (flag: string) => ({ status: 403, json: { error: { code: 'forbidden', [flag]: true } } });
  expect(await ask('GET', PROJECT)).toMatchObject(forbidden('missingToken'));
  for (const token of ['unknown', VERCEL.tokens.expired]) {
    expect(await ask('GET', PROJECT, { token })).toMatchObject(forbidden('invalidToken'));
  }
  expect((await ask('GET', PROJECT, { token: VERCEL.tokens.full })).status).toBe(200);
  expect((await ask('GET', `/v9/projects/${VERCEL.project}`, { token: VERCEL.tokens.project })).status).toBe(200);
});

it('keeps every token to its teams and projects', async () => {
  const { ask, appToken } = await vercelWorld();
  const app = await appToken();
  const { full, project } = VERCEL.tokens;
  expect((await ask('GET', PROJECT, { token: app })).status).toBe(200);
  for (const token of [app, project]) {
    expect((await ask('GET', `/v9/projects/${VERCEL.otherProjectId}`, { token })).status).toBe(403);
    expect((await ask('GET', PROJECT, { token, team: '' })).status).toBe(403);
    expect(await ask('GET', PROJECT, { token, team: VERCEL.guardedTeamId })).toMatchObject({
      status: 403,
      json: { error: { code: 'forbidden', scope: VERCEL.guardedTeamId, saml: false } },
    });
  }
  expect(await ask('GET', PROJECT, { token: full, team: VERCEL.guardedTeamId })).toMatchObject({
    status: 403,
    json: { error: { scope: VERCEL.guardedTeam, saml: true, teamId: VERCEL.guardedTeamId, enforced: true } },
  });
  expect((await ask('GET', PROJECT, { token: full, team: 'team_globex' })).status).toBe(403);
  expect((await ask('GET', PROJECT, { token: full, team: '' })).status).toBe(404);
  expect((await ask('GET', `${PROJECT}?slug=${VERCEL.team}`, { token: full, team: '' })).status).toBe(200);
  expect((await ask('GET', `${PROJECT}?slug=globex`, { token: full })).status).toBe(400);
  expect((await ask('GET', '/v9/projects/prj_nobody', { token: full })).status).toBe(404);
});

it('shows users and teams to the tokens that have them', async () => {
  const { ask, appToken } = await vercelWorld();
  const app = await appToken();
  const { full, project } = VERCEL.tokens;
  const statuses = async (path: string) =>
    Promise.all([full, app, project].map(async (token) => (await ask('GET', path, { token })).status));
  expect(await statuses('/v2/user')).toEqual([200, 403, 404]);
  expect(await statuses(`/teams/${VERCEL.teamId}`)).toEqual([200, 200, 403]);
  expect(await statuses(`/v2/teams/${VERCEL.team}`)).toEqual([200, 200, 403]);
  expect(await statuses('/v2/teams')).toEqual([200, 200, 403]);
  expect(await statuses('/teams/team_globex')).toEqual([403, 403, 403]);
});

it('lends an app token no more than its policy does', async () => {
  const { exchange, bitbucketToken, ask } = await vercelWorld();
  const { json } = await exchange(await bitbucketToken(), { client_id: VERCEL.turborepoClientId });
  const request = { token: json.access_token, body: { name: VERCEL.project, files: FILES } };
  expect((await ask('POST', '/v13/deployments', request)).status).toBe(403);
});

it('knows its paths and their methods', async () => {
  const { ask } = await vercelWorld();
  const token = VERCEL.tokens.full;
  expect(await ask('GET', '/v99/nothing', { token })).toMatchObject({
    status: 404,
    json: { error: { code: 'not_found' } },
  });
  expect(await ask('DELETE', PROJECT, { token })).toMatchObject({
    status: 405,
    json: { error: { code: 'method_unknown', message: 'This endpoint only responds to GET' } },
  });
  expect((await ask('POST', '/v2/user', { token })).status).toBe(405);
});

it('takes files whose hash and size are right, and keeps no bytes', async () => {
  const { ask, upload, uploads, received } = await vercelWorld();
  const token = VERCEL.tokens.full;
  const post = async (headers: Record<string, string>, body = PAGE) =>
    (
      await ask('POST', '/v2/files', {
        token,
        body,
        headers: { 'content-type': 'application/octet-stream', ...headers },
      })
    ).status;
  const size = String(PAGE.length);
  expect(await upload(PAGE)).toMatchObject({ status: 200, json: { urls: [] } });
  expect(await post({ 'content-length': size, 'x-now-digest': sha1(PAGE), 'x-now-size': size })).toBe(200);
  expect(await post({ 'content-length': size })).toBe(400);
  expect(await post({ 'content-length': size, 'x-vercel-digest': 'A'.repeat(40) })).toBe(400);
  expect(await post({ 'content-length': size, 'x-vercel-digest': sha1(CONFIG) })).toBe(400);
  expect(await post({ 'content-length': size, 'x-vercel-digest': sha1(PAGE), 'x-now-digest': sha1(CONFIG) })).toBe(400);
  expect(await post({ 'x-vercel-digest': sha1(PAGE) })).toBe(400);
  expect(await post({ 'content-length': '1', 'x-vercel-digest': sha1(PAGE) })).toBe(400);
  expect(await post({ 'content-length': size, 'x-vercel-digest': sha1(PAGE), 'x-now-size': '1' })).toBe(400);
  expect(uploads()).toMatchObject({ bytes: 2 * PAGE.length, uploads: [{ sha: sha1(PAGE) }, { sha: sha1(PAGE) }] });
  expect(received().map(({ body }) => body)).toEqual(Array(9).fill(''));
});

it('counts the uploads that run at once', async () => {
  const { upload, uploads, holdUploads } = await vercelWorld();
  const gate = Promise.withResolvers<void>();
  holdUploads(() => gate.promise);
  const running = ['a', 'b', 'c'].map((text) => upload(text));
  gate.resolve();
  await Promise.all(running);
  await upload('d');
  expect(uploads()).toMatchObject({ mostParallel: 3, bytes: 4 });
});

it('can refuse uploads by tokens that are limited to projects', async () => {
  const { upload, appToken } = await vercelWorld({ limitedTokensMayNotUpload: true });
  expect((await upload(PAGE, await appToken())).status).toBe(403);
  expect((await upload(PAGE, VERCEL.tokens.full)).status).toBe(200);
});
