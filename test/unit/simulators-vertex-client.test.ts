import { createRequire } from 'node:module';
import { OAuth2Client } from 'google-auth-library';
import { expect, test } from 'vitest';
import { accessTokens, CLOUD_PLATFORM_SCOPE } from '../simulators/google-access-tokens.ts';
import { serviceAccountCaller } from '../simulators/google-iam-policy.ts';
import { serve } from '../simulators/serve.ts';
import { vertexAi } from '../simulators/vertex-ai.ts';
import { RUNNER, SUBMITTER } from './google-world.ts';

/** The few methods that are used here: the package's own declarations take the compiler longer than the whole project. */
type Method<Answer> = (request: Readonly<Record<string, unknown>>) => Promise<[Answer]>;
type JobServiceClient = Readonly<
  Record<`${'create' | 'get' | 'cancel'}${'CustomJob' | 'BatchPredictionJob'}`, Method<Job>> &
    Record<'listCustomJobs' | 'listBatchPredictionJobs', Method<Job[]>>
>;
interface Job {
  readonly name: string;
  readonly state: string;
  readonly error: unknown;
}
interface Aiplatform {
  readonly v1: { readonly JobServiceClient: new (options: Record<string, unknown>) => JobServiceClient };
}
const { v1 } = createRequire(import.meta.url)('@google-cloud/aiplatform') as Aiplatform;

const parent = 'projects/ml-prod/locations/us-central1';
const customJob = {
  displayName: 'train',
  labels: { ci_run: 'a' },
  jobSpec: {
    serviceAccount: RUNNER,
    scheduling: { timeout: { seconds: 3600 }, strategy: 'SPOT' },
    workerPoolSpecs: [
      {
        machineSpec: { machineType: 'n1-standard-4' },
        replicaCount: 1,
        containerSpec: { imageUri: 'us-docker.pkg.dev/ml-prod/images/train:1', args: ['--epochs=3'] },
        diskSpec: { bootDiskType: 'pd-ssd', bootDiskSizeGb: 100 },
      },
    ],
  },
};

const batchPredictionJob = {
  displayName: 'score',
  labels: { ci_run: 'a' },
  serviceAccount: RUNNER,
  model: `${parent}/models/churn`,
  inputConfig: { instancesFormat: 'jsonl', gcsSource: { uris: ['gs://b/in.jsonl'] } },
  outputConfig: { predictionsFormat: 'jsonl', gcsDestination: { outputUriPrefix: 'gs://b/out' } },
  dedicatedResources: { machineSpec: { machineType: 'n1-standard-4' }, startingReplicaCount: 1 },
};

test.each([
  ['CustomJob', customJob, 'customJobs', { jobSpec: { scheduling: { timeout: '3600s' } } }, {}],
  [
    'BatchPredictionJob',
    batchPredictionJob,
    'batchPredictionJobs',
    { dedicatedResources: { startingReplicaCount: 1 } },
    {
      completionStats: { successfulCount: '100', failedCount: '0' },
      outputInfo: { gcsOutputDirectory: expect.stringMatching(/^gs:\/\/b\/out\/prediction-churn-/) },
    },
  ],
] as const)("Google's own client agrees with the simulated Vertex AI on a %s", async (...row) => {
  const [message, job, collection, arrived, outputs] = row;
  const tokens = accessTokens(Date.now);
  const member = `serviceAccount:${SUBMITTER}`;
  const vertex = vertexAi({
    projects: [{ id: 'ml-prod', number: '987654', bindings: [{ role: 'roles/aiplatform.user', member }] }],
    serviceAccounts: [{ email: RUNNER, bindings: [{ role: 'roles/iam.serviceAccountUser', member }] }],
    tokens,
    now: Date.now,
  });
  const served = await serve((request) => {
    request.headers.set('x-simulated-host', 'us-central1-aiplatform.googleapis.com');
    return vertex.handle(request);
  });
  const authClient = new OAuth2Client();
  authClient.setCredentials({
    access_token: tokens.issue({
      kind: 'service-account',
      caller: serviceAccountCaller(SUBMITTER),
      scopes: [CLOUD_PLATFORM_SCOPE],
      expiresAt: Date.now() + 60_000,
    }),
  });
  const client = new v1.JobServiceClient({
    fallback: true,
    protocol: 'http',
    apiEndpoint: '127.0.0.1',
    port: Number(new URL(served.url).port),
    authClient,
    projectId: 'ml-prod',
  });

  const body = `${message.slice(0, 1).toLowerCase()}${message.slice(1)}`;
  const create = (content: unknown) => client[`create${message}`]({ parent, [body]: content });
  const [{ name }] = await create(job);
  expect(name).toMatch(new RegExp(`^projects/987654/locations/us-central1/${collection}/\\d+$`));
  expect(vertex.jobs()).toMatchObject([{ caller: SUBMITTER, job: arrived }]);
  const seen = [];
  for (let read = 0; read < 5; read += 1) seen.push((await client[`get${message}`]({ name }))[0]);
  expect(seen.map(({ state }) => state)).toEqual(
    ['UNSPECIFIED', 'QUEUED', 'PENDING', 'RUNNING', 'SUCCEEDED'].map((word) => `JOB_STATE_${word}`),
  );
  expect(seen.at(-1)).toMatchObject(outputs);
  expect((await client[`list${message}s`]({ parent, filter: 'labels.ci_run=a' }))[0]).toMatchObject([{ name }]);
  await expect(client[`cancel${message}`]({ name })).rejects.toMatchObject({ code: 9 });

  const [second] = await create(job);
  await client[`cancel${message}`]({ name: second.name });
  await client[`get${message}`]({ name: second.name });
  const [cancelled] = await client[`get${message}`]({ name: second.name });
  expect(cancelled).toMatchObject({ state: 'JOB_STATE_CANCELLED', error: { code: 1 } });

  await expect(create({ ...job, labels: { branch: 'Main' } })).rejects.toMatchObject({ code: 3 });
  await served.close();
});
