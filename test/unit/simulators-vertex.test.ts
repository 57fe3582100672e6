import { expect, test } from 'vitest';
import { failingLife, hangingLife, preemptedLife } from '../simulators/vertex-job-life.ts';
import { errorMessage, type GoogleWorld, googleWorld, RUNNER, SUBMITTER } from './google-world.ts';

const HOST = 'us-central1-aiplatform.googleapis.com/v1';
const JOBS = `${HOST}/projects/ml-prod/locations/us-central1/customJobs`;
const T4 = 'aiplatform.googleapis.com/custom_model_training_nvidia_t4_gpus';

const pool = {
  machineSpec: { machineType: 'n1-standard-4' },
  replicaCount: 1,
  containerSpec: { imageUri: 'us-docker.pkg.dev/ml-prod/images/train:1' },
};
const job = {
  displayName: 'train',
  labels: { commit: 'abc' },
  jobSpec: { workerPoolSpecs: [pool], serviceAccount: RUNNER, scheduling: { timeout: '3600s', strategy: 'SPOT' } },
};

function withPool(changes: Record<string, unknown>): unknown {
  return { ...job, jobSpec: { workerPoolSpecs: [{ ...pool, ...changes }] } };
}

/** The states that GETs see, until `count` of them are there. */
async function states(world: GoogleWorld, name: string | undefined, token: string, count: number): Promise<unknown[]> {
  const seen: unknown[] = [];
  while (seen.length < count) seen.push((await world.get(`${HOST}/${name}`, token)).body.state);
  return seen;
}

test('a job is created and answered in canonical form, under the project number', async () => {
  await using world = await googleWorld();
  const token = await world.submitterToken();
  const snake = {
    display_name: 'train',
    labels: { commit: 'abc' },
    job_spec: { worker_pool_specs: [{ ...pool, replica_count: '1', replicaCount: null }], service_account: RUNNER },
  };
  const created = await world.post(JOBS, snake, token);
  expect(created).toEqual({
    status: 200,
    body: {
      name: expect.stringMatching(/^projects\/987654\/locations\/us-central1\/customJobs\/\d+$/),
      displayName: 'train',
      labels: { commit: 'abc' },
      jobSpec: { workerPoolSpecs: [{ ...pool, replicaCount: '1' }], serviceAccount: RUNNER },
      createTime: '2026-11-21T08:00:00.000Z',
      updateTime: '2026-11-21T08:00:00.000Z',
    },
  });
  expect(world.jobs()).toMatchObject([
    { name: created.body.name, caller: SUBMITTER, rawBody: JSON.stringify(snake), cancelRequested: false },
  ]);
  expect(world.jobs()[0]?.headers['content-type']).toBe('application/json');
});

const refusals: [string, unknown, string][] = [
  [
    'an unknown field',
    { ...job, jobSpec: { workerPoolSpecs: [pool], imageUri: 'x' } },
    `Invalid JSON payload received. Unknown name "imageUri" at 'custom_job.job_spec': Cannot find field.`,
  ],
  [
    'an enum value that is none',
    { ...job, jobSpec: { workerPoolSpecs: [pool], scheduling: { strategy: 'FAST' } } },
    `Invalid value at 'custom_job.job_spec.scheduling.strategy' (type.googleapis.com/google.cloud.aiplatform.v1.Scheduling.Strategy), "FAST"`,
  ],
  [
    'a missing image',
    withPool({ containerSpec: {} }),
    'List of found errors:\t1.Field: job_spec.worker_pool_specs[0].container_spec.image_uri; Message: Required field is not set.\t ',
  ],
  [
    'an empty variable',
    withPool({ containerSpec: { ...pool.containerSpec, env: [{ name: 'A', value: '' }] } }),
    'List of found errors:\t1.Field: job_spec.worker_pool_specs[0].container_spec.env[0].value; Message: Required field is not set.\t ',
  ],
  [
    'an unknown machine',
    withPool({ machineSpec: { machineType: 'n9-huge-2' } }),
    'List of found errors:\t1.Field: job_spec.worker_pool_specs[0].machine_spec.machine_type; Message: Machine type "n9-huge-2" is not supported.\t ',
  ],
  [
    'a label in capitals',
    { ...job, labels: { branch: 'Main' } },
    'List of found errors:\t1.Field: labels; Message: The value "Main" of the label "branch" is invalid.\t ',
  ],
  [
    'a name that is too long',
    { ...job, displayName: 'x'.repeat(129) },
    'List of found errors:\t1.Field: display_name; Message: The length must not exceed 128 characters.\t ',
  ],
  [
    'an output field',
    { ...job, state: 'JOB_STATE_RUNNING' },
    'List of found errors:\t1.Field: state; Message: Output only field must not be set.\t ',
  ],
  [
    'a service account of others',
    { ...job, jobSpec: { ...job.jobSpec, serviceAccount: 'x@y.iam.gserviceaccount.com' } },
    'You do not have permission to act as service_account: x@y.iam.gserviceaccount.com. (or it may not exist).',
  ],
];

test.each(refusals)('a job is refused for %s', async (_, body, message) => {
  await using world = await googleWorld();
  const answer = await world.post(JOBS, body, await world.submitterToken());
  expect(answer).toMatchObject({ status: 400, body: { error: { message, status: 'INVALID_ARGUMENT' } } });
  expect(world.jobs()).toEqual([]);
});

test('an unknown field is named in a BadRequest detail', async () => {
  await using world = await googleWorld();
  const { body } = await world.post(JOBS, { ...job, jobSpecs: {} }, await world.submitterToken());
  const description = `Invalid JSON payload received. Unknown name "jobSpecs" at 'custom_job': Cannot find field.`;
  expect(body.error).toMatchObject({
    details: [
      { '@type': 'type.googleapis.com/google.rpc.BadRequest', fieldViolations: [{ field: 'custom_job', description }] },
    ],
  });
});

test('accelerators are limited by quota', async () => {
  const gpu = withPool({
    machineSpec: { machineType: 'n1-standard-4', acceleratorType: 'NVIDIA_TESLA_T4', acceleratorCount: 1 },
  });
  await using world = await googleWorld({ acceleratorQuota: { [T4]: 1 } });
  const token = await world.submitterToken();
  expect((await world.post(JOBS, gpu, token)).status).toBe(200);
  expect(await world.post(JOBS, gpu, token)).toMatchObject({
    status: 429,
    body: {
      error: { message: `The following quota metrics exceed quota limits: ${T4}`, status: 'RESOURCE_EXHAUSTED' },
    },
  });
});

test('callers without a token, permission or the right host are refused', async () => {
  await using world = await googleWorld();
  expect(await world.post(JOBS, job)).toMatchObject({
    status: 401,
    body: { error: { message: expect.stringMatching(/^Request is missing required authentication credential/) } },
  });
  expect(await world.post(JOBS, job, 'ya29.c.other')).toMatchObject({
    status: 401,
    body: {
      error: { message: expect.stringMatching(/^Request had invalid authentication credentials\. Expected OAuth 2/) },
    },
  });
  const direct = await world.post(JOBS, job, await world.federatedToken());
  expect(direct).toMatchObject({
    status: 403,
    body: {
      error: {
        message:
          "Permission 'aiplatform.customJobs.create' denied on resource '//aiplatform.googleapis.com/projects/ml-prod/locations/us-central1' (or it may not exist).",
        details: [{ reason: 'IAM_PERMISSION_DENIED', metadata: { permission: 'aiplatform.customJobs.create' } }],
      },
    },
  });
  const token = await world.submitterToken();
  expect((await world.post(JOBS.replace('/us-central1/', '/europe-west4/'), job, token)).status).toBe(400);
  expect((await world.post(JOBS.replace('ml-prod', 'other'), job, token)).status).toBe(403);
  expect((await world.get(`${JOBS}/1`, token)).status).toBe(404);
  world.clock.now += 3_600_000;
  expect((await world.get(JOBS, token)).status).toBe(401);
});

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
  expect((await list({ filter: 'labels.ci_run=b' })).customJobs).toHaveLength(2);
  expect((await list({ filter: 'labels.ci_run:* AND display_name="train"' })).customJobs).toHaveLength(3);
  expect(await list({ filter: 'labels.ci_run=b AND state="JOB_STATE_PENDING"' })).toEqual({});
  const first = await list({ pageSize: '2' });
  expect(first.customJobs).toHaveLength(2);
  const second = await list({ pageSize: '2', pageToken: first.nextPageToken ?? '' });
  expect(second).toEqual({ customJobs: [expect.objectContaining({ labels: { ci_run: 'a' } })] });
  for (const query of [
    { filter: 'labels.ci-run=b' },
    { filter: 'state=RUNNING' },
    { filter: 'name=x' },
    { pageToken: 'x' },
  ]) {
    expect(errorMessage(await list(query))).toMatch(/nvalid/);
  }
  expect(errorMessage(await list({ orderBy: 'name' }))).toMatch(/Unknown name "orderBy": Cannot bind query parameter/);
});
