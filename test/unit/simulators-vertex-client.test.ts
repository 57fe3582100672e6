import { createRequire } from 'node:module';
import { OAuth2Client } from 'google-auth-library';
import { expect, test } from 'vitest';
import { accessTokens, CLOUD_PLATFORM_SCOPE } from '../simulators/google-access-tokens.ts';
import { serviceAccountCaller } from '../simulators/google-iam-policy.ts';
import { serve } from '../simulators/serve.ts';
import { vertexAi } from '../simulators/vertex-ai.ts';
import { RUNNER, SUBMITTER } from './google-world.ts';

/** The few methods that are used here: the package's own declarations take the compiler longer than the whole project. */
interface JobServiceClient {
  createCustomJob(request: { parent: string; customJob: unknown }): Promise<[Job]>;
  getCustomJob(request: { name: string }): Promise<[Job]>;
  listCustomJobs(request: { parent: string; filter: string }): Promise<[Job[]]>;
  cancelCustomJob(request: { name: string }): Promise<unknown>;
}
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

test("Google's own client agrees with the simulated Vertex AI", async () => {
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

  const [{ name }] = await client.createCustomJob({ parent, customJob });
  expect(name).toMatch(/^projects\/987654\/locations\/us-central1\/customJobs\/\d+$/);
  expect(vertex.jobs()).toMatchObject([{ caller: SUBMITTER, job: { jobSpec: { scheduling: { timeout: '3600s' } } } }]);
  const states = [];
  for (let read = 0; read < 5; read += 1) states.push((await client.getCustomJob({ name }))[0].state);
  expect(states).toEqual(
    ['UNSPECIFIED', 'QUEUED', 'PENDING', 'RUNNING', 'SUCCEEDED'].map((word) => `JOB_STATE_${word}`),
  );
  expect((await client.listCustomJobs({ parent, filter: 'labels.ci_run=a' }))[0]).toMatchObject([{ name }]);
  await expect(client.cancelCustomJob({ name })).rejects.toMatchObject({ code: 9 });

  const [second] = await client.createCustomJob({ parent, customJob });
  await client.cancelCustomJob({ name: second.name });
  await client.getCustomJob({ name: second.name });
  const [cancelled] = await client.getCustomJob({ name: second.name });
  expect(cancelled).toMatchObject({ state: 'JOB_STATE_CANCELLED', error: { code: 1 } });

  const invalid = { ...customJob, labels: { branch: 'Main' } };
  await expect(client.createCustomJob({ parent, customJob: invalid })).rejects.toMatchObject({ code: 3 });
  await served.close();
});
