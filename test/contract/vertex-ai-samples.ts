import { isArray, isObject, type Json } from '../../shared/json.ts';
import { GOOGLE, providerName } from '../simulators/tenant.ts';
import { failingLife } from '../simulators/vertex-job-life.ts';
import type { Ci, KindSample } from './kind-samples.ts';
import { vertexLife } from './remote-life.ts';

const PAGES = `https://console.cloud.google.com/agent-platform/locations/${GOOGLE.region}/training`;

/** What the kinds of Vertex AI have in common. */
const vertex = {
  settings: (ci: Ci) => ({
    project: GOOGLE.project,
    region: GOOGLE.region,
    'workload-identity-provider': providerName(ci),
    'service-account': GOOGLE.trainer,
  }),
  targets: {
    exchange: { method: 'POST', path: /^\/sts\.googleapis\.com\/v1\/token$/ },
    impersonation: { method: 'POST', path: /^\/iamcredentials\.googleapis\.com\/.*:generateAccessToken$/ },
  },
  story: { identity: `acting as ${GOOGLE.trainer}`, exchange: 'exchanged at ' },
} as const;

/** A kind of Vertex AI, whose spec may be in snake_case too. */
function vertexSample(sample: Omit<KindSample, 'service' | 'audience' | 'submitter'>): KindSample {
  return {
    ...sample,
    service: 'vertex-ai',
    audience: (ci) => `https://iam.googleapis.com/${providerName(ci)}`,
    submitter: GOOGLE.trainer,
    variants: {
      ...sample.variants,
      'snake-case': (ci) => {
        const { spec = {}, ...settings } = sample.settings(ci);
        return { ...settings, spec: inSnakeCase(spec) };
      },
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
  settings: (ci) => ({
    ...vertex.settings(ci),
    spec: { displayName: 'resnet', jobSpec: { workerPoolSpecs: [container], serviceAccount: GOOGLE.runtime } },
  }),
  targets: {
    ...vertex.targets,
    submission: { method: 'POST', path: /-aiplatform\.googleapis\.com\/v1\/.*\/customJobs$/ },
    lookUp: { method: 'GET', path: /-aiplatform\.googleapis\.com\/v1\/.*\/customJobs$/ },
    status: { method: 'GET', path: /-aiplatform\.googleapis\.com\/v1\/.*\/customJobs\/\d+$/ },
    cancel: { method: 'POST', path: /-aiplatform\.googleapis\.com\/v1\/.*\/customJobs\/\d+:cancel$/ },
  },
  jobs: (world) =>
    world.google.jobs().map(({ name, rawBody, headers, caller, cancelRequested }) => ({
      id: name,
      body: rawBody,
      headers: new Headers(headers),
      cancelled: cancelRequested,
      submitter: caller,
      url: `${PAGES}/${name.split('/').at(-1)}?project=${GOOGLE.project}`,
    })),
  script: (world, life) => world.google.nextLife(vertexLife(life), life.listedAfterMs),
  fail: (world) =>
    world.google.nextLife(
      failingLife({ code: 3, message: 'The replica workerpool0-0 exited with a non-zero status of 1.' }),
    ),
  otherName: (id) => id.split('/').at(-1) ?? '',
  serverTimeout: (body) => Number(/"timeout":"(\d+)s"/.exec(body)?.[1]),
  findsByKey: true,
  story: {
    ...vertex.story,
    states: ['queued    JOB_STATE_QUEUED', 'queued    JOB_STATE_PENDING', 'running   JOB_STATE_RUNNING'],
    succeeds: { state: 'JOB_STATE_SUCCEEDED', words: [], timed: true },
    fails: { state: 'JOB_STATE_FAILED', words: ['exited with a non-zero status of 1'], timed: true },
  },
});
