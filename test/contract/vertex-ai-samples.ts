import { isArray, isObject, type Json } from '../../shared/json.ts';
import { GOOGLE, providerName } from '../simulators/tenant.ts';
import { failingLife } from '../simulators/vertex-job-life.ts';
import type { Ci, KindSample } from './kind-samples.ts';
import { vertexLife } from './remote-life.ts';

/** What is a job's own among those of Vertex AI: `page` is the part of the console that shows it. */
type OwnParts = Pick<KindSample, 'id' | 'about' | 'serverTimeout'> & {
  readonly collection: string;
  readonly page: string;
  readonly spec: Json;
  /** Why it fails, in the service's words. */
  readonly failure: string;
};

/** A kind of Vertex AI, whose spec may be in snake_case too. */
function vertexSample({ collection, page, spec, failure, ...sample }: OwnParts): KindSample {
  const settings = (ci: Ci) => ({
    project: GOOGLE.project,
    region: GOOGLE.region,
    'workload-identity-provider': providerName(ci),
    'service-account': GOOGLE.trainer,
  });
  const path = (rest: string) => new RegExp(`-aiplatform\\.googleapis\\.com/v1/.*/${collection}${rest}$`);
  return {
    ...sample,
    service: 'vertex-ai',
    audience: (ci) => `https://iam.googleapis.com/${providerName(ci)}`,
    submitter: GOOGLE.trainer,
    settings: (ci) => ({ ...settings(ci), spec }),
    variants: { 'snake-case': (ci) => ({ ...settings(ci), spec: inSnakeCase(spec) }) },
    targets: {
      exchange: { method: 'POST', path: /^\/sts\.googleapis\.com\/v1\/token$/ },
      impersonation: { method: 'POST', path: /^\/iamcredentials\.googleapis\.com\/.*:generateAccessToken$/ },
      submission: { method: 'POST', path: path('') },
      lookUp: { method: 'GET', path: path('') },
      status: { method: 'GET', path: path('/\\d+') },
      cancel: { method: 'POST', path: path('/\\d+:cancel') },
    },
    jobs: (world) =>
      world.google
        .jobs()
        .filter(({ name }) => name.includes(`/${collection}/`))
        .map(({ name, rawBody, headers, caller, cancelRequested }) => ({
          id: name,
          body: rawBody,
          headers: new Headers(headers),
          cancelled: cancelRequested,
          submitter: caller,
          url: `https://console.cloud.google.com/agent-platform/locations/${GOOGLE.region}/${page}/${name.split('/').at(-1)}?project=${GOOGLE.project}`,
        })),
    script: (world, life) => world.google.nextLife(vertexLife(life), life.listedAfterMs),
    fail: (world) => world.google.nextLife(failingLife({ code: 3, message: failure })),
    otherName: (id) => id.split('/').at(-1) ?? '',
    findsByKey: true,
    story: {
      identity: `acting as ${GOOGLE.trainer}`,
      exchange: 'exchanged at ',
      states: ['queued    JOB_STATE_QUEUED', 'queued    JOB_STATE_PENDING', 'running   JOB_STATE_RUNNING'],
      succeeds: { state: 'JOB_STATE_SUCCEEDED', words: [], timed: true },
      fails: { state: 'JOB_STATE_FAILED', words: [failure], timed: true },
    },
  };
}

function inSnakeCase(value: Json): Json {
  if (isArray(value)) return value.map(inSnakeCase);
  if (!isObject(value)) return value;
  const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [snake(name), inSnakeCase(member)]));
}

const container = {
  machineSpec: { machineType: 'n1-standard-4' },
  replicaCount: 1,
  containerSpec: { imageUri: 'us-docker.pkg.dev/acme-ml/images/train:1', args: ['--commit=@{commit}'] },
};

export const vertexCustomJob = vertexSample({
  id: 'vertex-custom-job',
  about: 'A push to main trains on Vertex AI, as a service account that trusts this repository.',
  collection: 'customJobs',
  page: 'training',
  spec: { displayName: 'resnet', jobSpec: { workerPoolSpecs: [container], serviceAccount: GOOGLE.runtime } },
  failure: 'The replica workerpool0-0 exited with a non-zero status of 1.',
  serverTimeout: (body) => Number(/"timeout":"(\d+)s"/.exec(body)?.[1]),
});

export const vertexBatchPredictionJob = vertexSample({
  id: 'vertex-batch-prediction-job',
  about: 'A nightly build scores the new rows with the model of this commit.',
  collection: 'batchPredictionJobs',
  page: 'batch-predictions',
  spec: {
    displayName: 'score',
    model: `projects/${GOOGLE.project}/locations/${GOOGLE.region}/models/churn`,
    inputConfig: { instancesFormat: 'jsonl', gcsSource: { uris: ['gs://acme-ml-data/rows/@{short-commit}.jsonl'] } },
    outputConfig: {
      predictionsFormat: 'jsonl',
      gcsDestination: { outputUriPrefix: 'gs://acme-ml-data/predictions' },
    },
    serviceAccount: GOOGLE.runtime,
  },
  failure: 'The model could not be loaded.',
  serverTimeout: () => undefined,
});
