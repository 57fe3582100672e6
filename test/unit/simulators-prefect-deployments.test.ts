import { describe, expect, it } from 'vitest';
import { PREFECT, prefectWorld } from './prefect-world.ts';

const PROD = `/deployments/${PREFECT.deployments.prod.id}`;
const RUN = `${PROD}/create_flow_run`;

describe('finding a deployment', () => {
  it('goes by name, by id and by filter', async () => {
    const { api } = await prefectWorld();
    const { id, name } = PREFECT.deployments.spaced;
    const byName = await api(`/deployments/name/train/${encodeURIComponent(name)}`);
    expect(byName.json).toMatchObject({
      id,
      name,
      work_pool_name: 'gpu',
      status: 'READY',
      version_id: expect.any(String),
    });
    expect((await api(`/deployments/${id}`)).json).toEqual(byName.json);
    const filter = { flows: { name: { any_: ['train'] } }, deployments: { name: { any_: [name] } } };
    expect((await api('/deployments/filter', filter)).json).toEqual([byName.json]);
    const missing = { status: 404, json: { detail: 'Deployment not found' } };
    expect(await api('/deployments/name/train/nope')).toMatchObject(missing);
    expect(await api(`/deployments/${crypto.randomUUID()}`)).toMatchObject(missing);
    expect(await api('/deployments/name/train/a%2Fb')).toMatchObject({ status: 404, json: { detail: 'Not Found' } });
  });

  it('shows Cloud versions in Cloud only', async () => {
    const { ask } = await prefectWorld();
    const authorization = `Basic ${Buffer.from(PREFECT.authString).toString('base64')}`;
    const { json } = await ask(`${PREFECT.serverApi}${PROD}`, { headers: { authorization } });
    expect(json).toMatchObject({ id: PREFECT.deployments.prod.id });
    expect(json).not.toHaveProperty('version_id');
  });
});

describe('creating a run', () => {
  it('merges what the deployment and the request say', async () => {
    const { api, runs } = await prefectWorld();
    const body = {
      name: 'bb-1',
      parameters: { epochs: 3 },
      tags: ['ci', 'ml'],
      labels: { 'ci.build': 42, 'ci.main': true },
      job_variables: { env: { GIT_SHA: 'abc' } },
      idempotency_key: 'key',
      state: { type: 'SCHEDULED', message: 'Triggered by CI' },
    };
    const { status, json } = await api(RUN, body);
    expect(status).toBe(201);
    expect(json).toMatchObject({
      name: 'bb-1',
      deployment_id: PREFECT.deployments.prod.id,
      deployment_version: 'stable',
      state_type: 'SCHEDULED',
      state: { type: 'SCHEDULED', name: 'Scheduled', message: 'Triggered by CI' },
      parameters: { mode: 'full', epochs: 3 },
      tags: ['ml', 'ci'],
      labels: { team: 'vision', 'prefect.flow.id': PREFECT.flowId, 'ci.build': 42, 'ci.main': true },
      job_variables: { env: { GIT_SHA: 'abc' } },
      idempotency_key: 'key',
      run_count: 0,
      start_time: null,
      work_pool_name: 'gpu',
      work_queue_name: 'default',
    });
    expect(runs()).toMatchObject([
      { id: json.id, host: PREFECT.cloudHost, idempotencyKey: 'key', cancelRequested: false },
    ]);
    expect(JSON.parse(runs()[0]?.body ?? '')).toEqual(body);
  });

  it('gives the earlier run to a key that any deployment of the flow has seen', async () => {
    const { api, runs } = await prefectWorld();
    const body = { parameters: { epochs: 3 }, idempotency_key: 'key' };
    const first = await api(RUN, body);
    const again = await api(RUN, body);
    const staging = await api(`/deployments/${PREFECT.deployments.staging.id}/create_flow_run`, body);
    expect([first.status, again.status, staging.status]).toEqual([201, 200, 200]);
    expect([again.json.id, staging.json.id]).toEqual([first.json.id, first.json.id]);
    expect(staging.json.deployment_id).toBe(PREFECT.deployments.prod.id);
    expect(runs()).toHaveLength(1);
  });

  it.each([
    [{}, "Validation failed. Failure reason: 'epochs' is a required property"],
    [{ epochs: '3' }, "Validation failed for field 'epochs'. Failure reason: '3' is not of type 'integer'"],
    [{ epochs: 0 }, "Validation failed for field 'epochs'. Failure reason: 0 is less than the minimum of 1"],
    [
      { epochs: 3, mode: 'x' },
      "Validation failed for field 'mode'. Failure reason: 'x' is not one of ['full', 'smoke']",
    ],
    [
      { epochs: 3, optimizer: { learning_rate: 1 } },
      "Validation failed for field 'optimizer'. Failure reason: 'name' is a required property",
    ],
  ])('refuses parameters %j', async (parameters, reason) => {
    const { api, runs } = await prefectWorld();
    const { status, json } = await api(RUN, { parameters });
    expect([status, json.detail]).toEqual([409, `Error creating flow run: ${reason}`]);
    expect(runs()).toEqual([]);
  });

  it('does not look at the format of a date, nor at the schema when told not to', async () => {
    const { api } = await prefectWorld();
    expect((await api(RUN, { parameters: { epochs: 3, day: 'tomorrow' } })).status).toBe(201);
    expect((await api(RUN, { parameters: {}, enforce_parameter_schema: false })).status).toBe(201);
  });

  it('hydrates what stands for something else', async () => {
    const { api } = await prefectWorld();
    const kind = (name: string, more: object = {}) => ({ parameters: { epochs: { __prefect_kind: name, ...more } } });
    expect((await api(RUN, kind('json', { value: '7' }))).json.parameters).toMatchObject({ epochs: 7 });
    const region = { epochs: 1, day: { __prefect_kind: 'workspace_variable', variable_name: 'region' } };
    expect((await api(RUN, { parameters: region })).json.parameters).toMatchObject({ day: 'eu-west-1' });
    for (const body of [
      kind('json', { value: '{' }),
      kind('jinja'),
      kind('jinja', { template: '{{ 1' }),
      kind('workspace_variable', { variable_name: 'nope' }),
    ]) {
      const { status, json } = await api(RUN, body);
      expect([status, json.detail]).toEqual([400, expect.stringMatching(/^Error hydrating flow run parameters: /)]);
    }
  });

  it('checks job variables against the work pool', async () => {
    const { api } = await prefectWorld();
    const { status, json } = await api(RUN, { parameters: { epochs: 3 }, job_variables: { gpus: 'two' } });
    expect([status, json.detail]).toEqual([
      422,
      "Error creating flow run: Validation failed for field 'gpus'. Failure reason: 'two' is not valid under any of the given schemas",
    ]);
  });

  it('makes queues for deployments with a pool, and for no others', async () => {
    const { api } = await prefectWorld();
    const made = await api(RUN, { parameters: { epochs: 3 }, work_queue_name: 'urgent' });
    expect(made.json.work_queue_name).toBe('urgent');
    expect((await api('/work_pools/gpu/queues/urgent')).json.id).toBe(made.json.work_queue_id);
    const served = `/deployments/${PREFECT.deployments.served.id}/create_flow_run`;
    const refused = await api(served, { parameters: { epochs: 3 }, work_queue_name: 'urgent' });
    expect([refused.status, refused.json.detail]).toEqual([
      400,
      expect.stringContaining('is not associated with a work pool'),
    ]);
  });

  it.each([
    [{ branch: 'main' }, 'extra_forbidden', ['body', 'branch']],
    [{ tags: 'ci' }, 'list_type', ['body', 'tags']],
    [{ labels: { a: null } }, 'bool_type', ['body', 'labels', 'a', 'bool']],
    [{ state: { type: 'STARTED' } }, 'enum', ['body', 'state', 'type']],
    [{ parameters: { x: 'x'.repeat(524_288) } }, 'value_error', ['body', 'parameters']],
    [{ idempotency_key: 7 }, 'string_type', ['body', 'idempotency_key']],
  ])('refuses a body of the wrong shape (%#)', async (body, type, loc) => {
    const { api } = await prefectWorld();
    const { status, json } = await api(RUN, body);
    expect(status).toBe(422);
    expect(json).toMatchObject({ exception_message: 'Invalid request received.', request_body: body });
    expect(json.exception_detail).toMatchObject([{ type, loc }, ...Array(type === 'bool_type' ? 3 : 0).fill({})]);
  });

  it('runs a paused deployment, but none without a body', async () => {
    const { api } = await prefectWorld();
    const paused = `/deployments/${PREFECT.deployments.paused.id}/create_flow_run`;
    expect((await api(paused, { parameters: { epochs: 3 } })).status).toBe(201);
    expect((await api(RUN, undefined, 'POST')).status).toBe(422);
  });
});

describe('changing a deployment', () => {
  it('replaces what the body names, and nothing else', async () => {
    const { api, deploymentUpdates } = await prefectWorld();
    const before = (await api(PROD)).json;
    const pullSteps = [{ 'prefect.deployments.steps.git_clone': { repository: 'r', commit_sha: 'new' } }];
    const body = {
      pull_steps: pullSteps,
      version: 'new',
      job_variables: { image: 'new' },
      version_info: { type: 'vcs:bitbucket', version: 'new', commit_sha: 'new' },
    };
    const { status, text } = await api(PROD, body, 'PATCH');
    expect([status, text]).toEqual([204, '']);
    const after = (await api(PROD)).json;
    expect(after).toMatchObject({ ...body, parameters: before.parameters, tags: before.tags, labels: before.labels });
    expect(after.version_id).not.toBe(before.version_id);
    expect(deploymentUpdates().map((update) => JSON.parse(update.body))).toEqual([body]);
  });

  it.each([
    [{ name: 'x' }, 422],
    [{ labels: {} }, 422],
    [{ tags: null }, 422],
    [{ version_info: { type: 'vcs:git' } }, 422],
    [{ concurrency_limit: 0 }, 422],
    [{ parameters: { epochs: 'x' } }, 409],
    [{ job_variables: { gpus: 'x' }, work_pool_name: 'gpu' }, 409],
    [{ parameters: { epochs: { __prefect_kind: 'none' } } }, 400],
    [{ work_pool_name: 'nope' }, 500],
  ])('refuses %j', async (body, status) => {
    const { api, deploymentUpdates } = await prefectWorld();
    expect((await api(PROD, body, 'PATCH')).status).toBe(status);
    expect(deploymentUpdates()).toEqual([]);
  });

  it('moves a deployment to the pool of old agents when only a queue is named', async () => {
    const { api } = await prefectWorld();
    await api(PROD, { work_queue_name: 'urgent' }, 'PATCH');
    expect((await api(PROD)).json).toMatchObject({ work_pool_name: 'default-agent-pool', work_queue_name: 'urgent' });
  });

  it('takes the fields of Cloud versions in Cloud alone', async () => {
    const { ask, api } = await prefectWorld();
    expect((await api(PROD, { branch: 'main' }, 'PATCH')).status).toBe(204);
    const authorization = `Basic ${Buffer.from(PREFECT.authString).toString('base64')}`;
    const { json } = await ask(`${PREFECT.serverApi}/csrf-token?client=c`, { headers: { authorization } });
    const headers = { authorization, 'prefect-csrf-token': String(json.token), 'prefect-csrf-client': 'c' };
    const url = `${PREFECT.serverApi}${PROD}`;
    expect((await ask(url, { method: 'PATCH', body: { branch: 'main' }, headers })).status).toBe(422);
    const versionInfo = { type: 'vcs:git', version: 'x' };
    expect((await ask(url, { method: 'PATCH', body: { version_info: versionInfo }, headers })).status).toBe(204);
    expect((await ask(url, { headers: { authorization } })).json).not.toHaveProperty('version_info');
  });
});

describe('upserts', () => {
  it('makes flows and deployments once', async () => {
    const { api } = await prefectWorld();
    const flow = await api('/flows/', { name: 'score' });
    expect([flow.status, (await api('/flows/', { name: 'score' })).status]).toEqual([201, 200]);
    const body = { name: 'prod', flow_id: flow.json.id, work_pool_name: 'gpu', tags: ['a'], labels: { team: 'ml' } };
    const created = await api('/deployments/', body);
    const { labels: _, ...unlabelled } = body;
    const updated = await api('/deployments/', { ...unlabelled, tags: ['b'] });
    expect([created.status, updated.status, updated.json.id]).toEqual([201, 200, created.json.id]);
    expect(updated.json).toMatchObject({ tags: ['b'], labels: { 'prefect.flow.id': flow.json.id } });
    expect((await api('/deployments/', { ...body, work_pool_name: 'nope' })).json.detail).toBe(
      'Work pool "nope" not found.',
    );
    expect((await api('/deployments/', { ...body, job_variables: { gpus: 'x' } })).status).toBe(422);
    expect((await api('/deployments/', { ...body, flow_id: crypto.randomUUID() })).status).toBe(409);
    expect((await api('/flows/', { name: 'a/b' })).status).toBe(422);
  });
});
