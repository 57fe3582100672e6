import { describe, expect, test } from 'vitest';
import { failingLife, hangingLife, type LifeStep, preemptedLife } from '../simulators/vertex-job-life.ts';
import { errorMessage, type GoogleWorld, googleWorld, RUNNER, SUBMITTER } from './google-world.ts';
import { BATCH_PREDICTION_JOB, CUSTOM_JOB, HOST, PARENT, POOL, SENT_JOBS } from './vertex-jobs.ts';

/** The states that GETs see, until `count` of them are there. */
async function states(world: GoogleWorld, name: string | undefined, token: string, count: number): Promise<unknown[]> {
  const seen: unknown[] = [];
  while (seen.length < count) seen.push((await world.get(`${HOST}/${name}`, token)).body.state);
  return seen;
}

test.each([
  [
    CUSTOM_JOB,
    {
      display_name: 'train',
      labels: { commit: 'abc' },
      job_spec: { worker_pool_specs: [{ ...POOL, replica_count: '1', replicaCount: null }], service_account: RUNNER },
    },
    {
      displayName: 'train',
      labels: { commit: 'abc' },
      jobSpec: { workerPoolSpecs: [{ ...POOL, replicaCount: '1' }], serviceAccount: RUNNER },
    },
  ],
  [
    BATCH_PREDICTION_JOB,
    {
      display_name: 'score',
      unmanaged_container_model: { artifact_uri: 'gs://b/model', container_spec: { image_uri: 'x.io/y:1' } },
      input_config: { instances_format: 'bigquery', bigquery_source: { input_uri: 'bq://p.d.in' } },
      output_config: { predictions_format: 'csv', gcs_destination: { output_uri_prefix: 'gs://b/out/' } },
      dedicated_resources: { machine_spec: { machine_type: 'n1-standard-4' }, max_replica_count: '2' },
      model_parameters: { top_k: 3 },
    },
    {
      displayName: 'score',
      unmanagedContainerModel: { artifactUri: 'gs://b/model' },
      inputConfig: { instancesFormat: 'bigquery', bigquerySource: { inputUri: 'bq://p.d.in' } },
      outputConfig: { predictionsFormat: 'csv', gcsDestination: { outputUriPrefix: 'gs://b/out/' } },
      dedicatedResources: { machineSpec: { machineType: 'n1-standard-4' }, maxReplicaCount: 2 },
      modelParameters: { top_k: 3 },
    },
  ],
])('a $message is created and answered in canonical form, under the project number', async (sent, snake, canonical) => {
  await using world = await googleWorld();
  const created = await world.post(`${HOST}/${PARENT}/${sent.collection}`, snake, await world.submitterToken());
  expect(created).toEqual({
    status: 200,
    body: {
      name: expect.stringMatching(new RegExp(`^projects/987654/locations/us-central1/${sent.collection}/\\d+$`)),
      ...canonical,
      createTime: '2026-11-21T08:00:00.000Z',
      updateTime: '2026-11-21T08:00:00.000Z',
    },
  });
  expect(world.jobs()).toMatchObject([
    { name: created.body.name, caller: SUBMITTER, rawBody: JSON.stringify(snake), cancelRequested: false },
  ]);
  expect(world.jobs()[0]?.headers['content-type']).toBe('application/json');
});

describe.each(SENT_JOBS)('of a $message', ({ collection, body: job }) => {
  const JOBS = `${HOST}/${PARENT}/${collection}`;

  test('lives go on by reads', async () => {
    await using world = await googleWorld();
    const token = await world.submitterToken();
    const create = async () => (await world.post(JOBS, job, token)).body.name;
    const [QUEUED, PENDING, RUNNING] = ['JOB_STATE_QUEUED', 'JOB_STATE_PENDING', 'JOB_STATE_RUNNING'];
    const start = [undefined, QUEUED, PENDING, RUNNING];
    expect(await states(world, await create(), token, 6)).toEqual([
      ...start,
      'JOB_STATE_SUCCEEDED',
      'JOB_STATE_SUCCEEDED',
    ]);
    world.nextLife(preemptedLife());
    world.nextLife([{ state: 'JOB_STATE_THINKING' }]);
    expect(await states(world, await create(), token, 7)).toEqual([...start, PENDING, RUNNING, 'JOB_STATE_SUCCEEDED']);
    expect(await states(world, await create(), token, 1)).toEqual(['JOB_STATE_THINKING']);
    world.nextLife(failingLife({ code: 5, message: 'Replicas low on memory: workerpool0' }));
    const failed = await create();
    await states(world, failed, token, 4);
    expect((await world.get(`${HOST}/${failed}`, token)).body).toMatchObject({
      state: 'JOB_STATE_FAILED',
      error: { code: 5, message: 'Replicas low on memory: workerpool0' },
      endTime: expect.any(String),
    });
  });

  test('lives go on by the clock', async () => {
    await using world = await googleWorld({ script: () => hangingLife({ forMs: 60_000 }) });
    const token = await world.submitterToken();
    const { name } = (await world.post(JOBS, job, token)).body;
    expect(await states(world, name, token, 2)).toEqual([undefined, undefined]);
    world.clock.now += 130_000;
    expect(await states(world, name, token, 1)).toEqual(['JOB_STATE_PENDING']);
    world.clock.now += 600_000;
    expect((await world.get(`${HOST}/${name}`, token)).body).toMatchObject({
      state: 'JOB_STATE_RUNNING',
      startTime: '2026-11-21T08:03:00.000Z',
    });
  });

  test('a cancelled job ends after a while, an ended one cannot be cancelled', async () => {
    await using world = await googleWorld();
    const token = await world.submitterToken();
    const { name } = (await world.post(JOBS, job, token)).body;
    const cancel = (body: unknown = {}) => world.post(`${HOST}/${name}:cancel`, body, token);
    expect((await cancel({ force: true })).status).toBe(400);
    expect(await cancel()).toEqual({ status: 200, body: {} });
    expect(await states(world, name, token, 1)).toEqual(['JOB_STATE_CANCELLING']);
    expect((await world.get(`${HOST}/${name}`, token)).body).toMatchObject({
      state: 'JOB_STATE_CANCELLED',
      error: { code: 1 },
    });
    expect(await cancel()).toMatchObject({ status: 400, body: { error: { status: 'FAILED_PRECONDITION' } } });
    expect(world.jobs()).toMatchObject([{ cancelRequested: true, state: 'JOB_STATE_CANCELLED' }]);
  });

  test('lists are filtered and paged, and a new job may be missing at first', async () => {
    await using world = await googleWorld();
    for (let job = 0; job < 3; job += 1) world.nextLife([{ state: 'JOB_STATE_RUNNING' }], 1000);
    const token = await world.submitterToken();
    const list = async (query: Record<string, string>) =>
      (await world.get(`${JOBS}?${new URLSearchParams(query)}`, token)).body;
    for (const run of ['a', 'b', 'b']) await world.post(JOBS, { ...job, labels: { ci_run: run } }, token);
    expect(await list({})).toEqual({});
    world.clock.now += 1000;
    expect((await list({ filter: 'labels.ci_run=b' }))[collection]).toHaveLength(2);
    expect((await list({ filter: `labels.ci_run:* AND display_name="${job.displayName}"` }))[collection]).toHaveLength(
      3,
    );
    expect(await list({ filter: 'labels.ci_run=b AND state="JOB_STATE_PENDING"' })).toEqual({});
    const first = await list({ pageSize: '2' });
    expect(first[collection]).toHaveLength(2);
    const second = await list({ pageSize: '2', pageToken: first.nextPageToken ?? '' });
    expect(second).toEqual({ [collection]: [expect.objectContaining({ labels: { ci_run: 'a' } })] });
    for (const query of [
      { filter: 'labels.ci-run=b' },
      { filter: 'state=RUNNING' },
      { filter: 'name=x' },
      { pageToken: 'x' },
    ]) {
      expect(errorMessage(await list(query))).toMatch(/nvalid/);
    }
    expect(errorMessage(await list({ orderBy: 'name' }))).toMatch(
      /Unknown name "orderBy": Cannot bind query parameter/,
    );
  });
});

const batchTo = (outputConfig: unknown) => ({ ...BATCH_PREDICTION_JOB.body, outputConfig });
const TO_BIGQUERY = { predictionsFormat: 'bigquery' };
const SUCCEEDED = 'JOB_STATE_SUCCEEDED';

test.each([
  [
    'all predictions succeed, where nothing else is said',
    BATCH_PREDICTION_JOB.body,
    { state: SUCCEEDED },
    {
      modelVersionId: '3',
      completionStats: { successfulCount: '100' },
      outputInfo: { gcsOutputDirectory: 'gs://ml-prod/out/prediction-churn-2026-11-21T08:00:00.000Z' },
    },
  ],
  [
    'some fail',
    batchTo({ ...TO_BIGQUERY, bigqueryDestination: { outputUri: 'bq://p' } }),
    {
      state: 'JOB_STATE_PARTIALLY_SUCCEEDED',
      instances: { successful: 2 ** 40, failed: 3 },
      partialFailures: [{ code: 3, message: 'No such file: gs://b/x' }],
    },
    {
      completionStats: { successfulCount: '1099511627776', failedCount: '3' },
      partialFailures: [{ code: 3, message: 'No such file: gs://b/x' }],
      outputInfo: {
        bigqueryOutputDataset: 'bq://p.prediction_churn_2026_11_21T08_00_00_000Z',
        bigqueryOutputTable: 'predictions_2026_11_21T08_00_00_000Z',
      },
    },
  ],
  [
    'it fails before anybody knows how many there are',
    batchTo({ ...TO_BIGQUERY, bigqueryDestination: { outputUri: 'bq://p.d.t' } }),
    { state: 'JOB_STATE_FAILED', error: { code: 13, message: 'INTERNAL' }, instances: { incomplete: -1 } },
    {
      completionStats: { incompleteCount: '-1' },
      error: { code: 13, message: 'INTERNAL' },
      outputInfo: { bigqueryOutputDataset: 'bq://p.d', bigqueryOutputTable: 't' },
    },
  ],
] satisfies [string, unknown, LifeStep, unknown][])(
  'a batch prediction tells what became of its instances: %s',
  async (_, body, end, outputs) => {
    await using world = await googleWorld();
    const token = await world.submitterToken();
    const running = { state: 'JOB_STATE_RUNNING', forMs: 1_800_000 };
    world.nextLife([running, end]);
    const machines = { machineSpec: { machineType: 'n1-standard-4' }, startingReplicaCount: 3 };
    const sent = { ...(body as object), dedicatedResources: machines };
    const created = await world.post(`${HOST}/${PARENT}/batchPredictionJobs`, sent, token);
    expect(created.body).not.toHaveProperty('completionStats');
    expect(created.body).not.toHaveProperty('outputInfo');
    world.clock.now += 1_800_000;
    const { body: ended } = await world.get(`${HOST}/${created.body.name}`, token);
    expect(ended).toEqual({
      ...sent,
      name: created.body.name,
      modelVersionId: '3',
      state: end.state,
      createTime: '2026-11-21T08:00:00.000Z',
      startTime: '2026-11-21T08:00:00.000Z',
      endTime: '2026-11-21T08:30:00.000Z',
      updateTime: '2026-11-21T08:30:00.000Z',
      resourcesConsumed: { replicaHours: 1.5 },
      ...outputs,
    });
  },
);

test.each([
  [`${PARENT}/models/churn`, '1'],
  [`${PARENT}/models/churn@golden`, '1'],
  [`${PARENT}/models/churn@12`, '12'],
  ['publishers/google/models/gemini-2.5-flash', undefined],
  [`${PARENT}/publishers/google/models/gemini-2.5-flash`, undefined],
])('a batch prediction with %s has the model version %s', async (model, version) => {
  await using world = await googleWorld();
  const sent = { ...BATCH_PREDICTION_JOB.body, model };
  const created = await world.post(`${HOST}/${PARENT}/batchPredictionJobs`, sent, await world.submitterToken());
  expect(created).toMatchObject({ status: 200, body: { model } });
  expect({ modelVersionId: undefined, ...created.body }).toMatchObject({ modelVersionId: version });
});

test('a job is found in its own collection only', async () => {
  await using world = await googleWorld();
  const token = await world.submitterToken();
  for (const { collection, body } of SENT_JOBS) await world.post(`${HOST}/${PARENT}/${collection}`, body, token);
  for (const [index, { collection }] of SENT_JOBS.entries()) {
    const name = world.jobs()[index]?.name ?? '';
    expect((await world.get(`${HOST}/${PARENT}/${collection}`, token)).body).toEqual({
      [collection]: [expect.objectContaining({ name })],
    });
    const other = name.replace(collection, SENT_JOBS[1 - index]?.collection ?? '');
    expect((await world.get(`${HOST}/${other}`, token)).status).toBe(404);
    expect((await world.post(`${HOST}/${other}:cancel`, {}, token)).status).toBe(404);
  }
  const noJobs = await fetch(`${world.origin}/${HOST}/${PARENT}/nasJobs`, {
    headers: { authorization: `Bearer ${token}` },
  });
  expect(noJobs.status).toBe(404);
});
