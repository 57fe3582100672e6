import { describe, expect, it } from 'vitest';
import { agentWorld, NOW } from './agent-world.ts';

async function refusal(response: Response): Promise<string> {
  const { message } = (await response.json()) as { message: string };
  return `${response.status} ${message}`;
}

describe('the agent API: tokens', () => {
  it('signs what was asked for', async () => {
    const world = await agentWorld();
    const response = await world.send('POST', '/jobs/job-1/oidc/tokens', {
      audience: 'databricks',
      lifetime: 600,
      claims: ['pipeline_id'],
      subject_claim: 'build_id',
    });
    expect(response.status).toBe(201);
    const { token } = (await response.json()) as { token: string };
    expect(await world.claimsOf(token)).toMatchObject({
      aud: 'databricks',
      sub: 'build-1',
      pipeline_id: 'pipeline-1',
      iat: NOW / 1000,
      exp: NOW / 1000 + 600,
    });
    expect(world.oidcRequests()).toEqual([
      {
        jobId: 'job-1',
        audience: 'databricks',
        lifetime: 600,
        claims: ['pipeline_id'],
        subjectClaim: 'build_id',
        token,
      },
    ]);
  });

  it.each([
    [{ lifetime: 14400 }, '422 Requested lifetime too high (requested: 14400 max: 7200)'],
    [{ claims: ['nonsense'] }, '422 The requested claim is not supported: nonsense'],
    [{ subject_claim: 'build_branch' }, '422 The requested subject claim is not supported: build_branch'],
    [{ claims: 'pipeline_id' }, '422 Claims must be a list of strings'],
    [{ audiences: ['a'] }, '422 Unknown parameter: audiences'],
  ])('refuses %j', async (body, words) => {
    const world = await agentWorld();
    expect(await refusal(await world.send('POST', '/jobs/job-1/oidc/tokens', body))).toBe(words);
    expect(world.oidcRequests()).toEqual([]);
  });
});

describe('the agent API: who may ask for what', () => {
  it('wants the token of the agent', async () => {
    const world = await agentWorld();
    expect((await world.send('POST', '/jobs/job-1/data/keys', undefined, 'wrong')).status).toBe(401);
  });

  it.each([
    ['POST', '/jobs/job-2/oidc/tokens'],
    ['GET', '/jobs/job-1/oidc/tokens'],
    ['POST', '/jobs/job-1/nonsense'],
    ['POST', '/builds/build-1/data/set'],
    ['POST', '/builds/build-2/data/keys'],
  ])('knows no %s %s', async (method, path) => {
    const world = await agentWorld();
    expect((await world.send(method, path, method === 'GET' ? undefined : {})).status).toBe(404);
  });

  it('refuses the job that was retried', async () => {
    const world = await agentWorld();
    world.retryAs('job-1b');
    expect((await world.send('POST', '/jobs/job-1/oidc/tokens', {})).status).toBe(404);
    expect((await world.send('POST', '/jobs/job-1b/oidc/tokens', {})).status).toBe(201);
    expect(world.oidcRequests()).toMatchObject([{ jobId: 'job-1b' }]);
  });
});

describe('the agent API: annotations', () => {
  const path = '/jobs/job-1/annotations';

  it('replaces, appends and restyles by context', async () => {
    const world = await agentWorld();
    await world.send('POST', path, { body: 'one', context: 'run', style: 'info', priority: 3, scope: 'build' });
    await world.send('POST', path, { body: 'two', context: 'run', priority: 3, scope: 'build' });
    await world.send('POST', path, { body: ' and three', context: 'run', append: true });
    await world.send('POST', path, { context: 'run', style: 'success' });
    await world.send('POST', path, { body: 'of the job', context: 'run', scope: 'job' });
    expect(world.annotations()).toMatchObject([
      {
        context: 'run',
        scope: 'build',
        style: 'success',
        body: 'two and three',
        bodies: ['one', 'two', 'two and three'],
      },
      { context: 'run', scope: 'job', jobId: 'job-1', body: 'of the job' },
    ]);
  });

  it('removes one of a scope', async () => {
    const world = await agentWorld();
    await world.send('POST', path, { body: 'one', context: 'a run/1.0' });
    expect((await world.send('DELETE', `${path}/a%20run%2F1%2E0?scope=job`)).status).toBe(404);
    expect((await world.send('DELETE', `${path}/a%20run%2F1%2E0?scope=build`)).status).toBe(204);
    expect(world.annotations()).toEqual([]);
  });

  it.each([
    [{ body: 'x'.repeat(1024 * 1024 + 1) }, '400 The annotation body must be less than 1 MB'],
    [{ body: 'x', context: 'c'.repeat(101) }, '422 Context is too long (maximum is 100 characters)'],
    [{ body: 'x', style: 'danger' }, '422 Style is not included in the list'],
    [{ body: 'x', priority: 11 }, '422 Priority must be between 1 and 10'],
    [{ body: 'x', scope: 'step' }, '422 Scope is not included in the list'],
    [{ style: 'info' }, '422 The annotation body must not be blank'],
    [{ body: 'x', title: 'y' }, '422 Unknown parameter: title'],
  ])('refuses a wrong one', async (body, words) => {
    const world = await agentWorld();
    expect(await refusal(await world.send('POST', path, body))).toBe(words);
    expect(world.annotations()).toEqual([]);
  });
});

describe('the agent API: meta-data and the job itself', () => {
  it('keeps what is set for the whole build', async () => {
    const world = await agentWorld();
    expect((await world.send('POST', '/jobs/job-1/data/set', { key: 'run', value: '1' })).status).toBe(201);
    const items = [
      { key: 'a', value: '2' },
      { key: 'b', value: '3' },
    ];
    expect((await world.send('POST', '/jobs/job-1/data/set-batch', { items })).status).toBe(201);
    expect(await (await world.send('POST', '/builds/build-1/data/get', { key: 'run' })).json()).toEqual({
      key: 'run',
      value: '1',
    });
    expect(await (await world.send('POST', '/jobs/job-1/data/exists', { key: 'c' })).json()).toEqual({ exists: false });
    expect(await (await world.send('POST', '/jobs/job-1/data/keys')).json()).toEqual(['run', 'a', 'b']);
    expect(await refusal(await world.send('POST', '/jobs/job-1/data/get', { key: 'c' }))).toBe('404 No key "c" found');
  });

  it('takes a batch whole or not at all', async () => {
    const world = await agentWorld();
    const items = [
      { key: 'a', value: '2' },
      { key: 'b', value: ' ' },
    ];
    expect(await refusal(await world.send('POST', '/jobs/job-1/data/set-batch', { items }))).toBe(
      '422 Value is missing',
    );
    expect(world.metaData().size).toBe(0);
  });

  it('changes the timeout of the job and nothing else of it', async () => {
    const world = await agentWorld();
    expect(await (await world.send('PUT', '/jobs/job-1', { timeout: '90' })).json()).toEqual({ id: 'job-1' });
    expect((await world.send('PUT', '/jobs/job-1', { state: 'passed' })).status).toBe(422);
    expect([...world.jobUpdates()]).toEqual([['timeout', '90']]);
  });
});
