import type { Json } from '../../shared/json.ts';
import type { FailureCause } from '../../shared/kind.ts';
import { DATABRICKS, GOOGLE, providerName } from '../simulators/tenant.ts';
import type { World } from '../simulators/world.ts';
import { prefectDeploymentUpdate, prefectFlowRun } from './prefect-samples.ts';
import { databricksLife, type RemoteLife, vertexLife } from './remote-life.ts';
import { vercelDeployment, vercelPromote, vercelRollback } from './vercel-samples.ts';

export type Ci = 'bitbucket' | 'buildkite';
export const CIS: readonly Ci[] = ['bitbucket', 'buildkite'];

/** A request of a run, as the simulators see it. */
export interface Target {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'PUT';
  readonly path: RegExp;
  /** How many requests of a run are of no interest, before the one that is meant. */
  readonly skip?: number;
}

/** The requests of a run by what they are for; those that a kind does not make are left out. */
export interface Targets {
  readonly exchange: Target;
  readonly impersonation?: Target;
  /** How a key is got that the service takes in the place of an identity. */
  readonly secret?: Target;
  /** What is asked of the service before the submission. */
  readonly preparation?: Target;
  readonly submission: Target;
  /** What the service is given before it accepts the submission. */
  readonly supply?: Target;
  /** How a submission without an answer is looked for. */
  readonly lookUp?: Target;
  readonly status: Target;
  /** Left out where an accepted submission cannot be taken back. */
  readonly cancel?: Target;
  /** What is done when the run has succeeded. */
  readonly completion?: Target;
}

/** A job as its service has it. */
export interface RemoteJob {
  readonly id: string;
  /** The submission's body as it came. */
  readonly body: string;
  readonly headers: Headers;
  readonly cancelled: boolean;
}

/** The number of the build, where a test does not say. */
export const DEFAULT_BUILD = 42;

/** How one kind is used, and what a test can see and do at its service. */
export interface KindSample {
  readonly id: string;
  settings(ci: Ci): Readonly<Record<string, Json>>;
  /** What the trust wants in the CI's token. */
  audience(ci: Ci): string;
  readonly targets: Targets;
  jobs(world: World): readonly RemoteJob[];
  /** The life of the next job. */
  script(world: World, life: RemoteLife): void;
  /** Another way to name the job, as a user may have it from the service's own pages. */
  otherName(id: string): string;
  /** A name in the service's form that no job has; `404` where it is digits. */
  readonly nobodysName?: string;
  /** The seconds after which the submission tells the service to end the job; undefined where a request cannot. */
  serverTimeout(body: string): number | undefined;
  /** Whether the service can be asked for a submission by its key. */
  readonly findsByKey: boolean;
  /** Puts what its settings name at the service, if it is not there. Called before each step. */
  readonly setUp?: (world: World) => void;
  /** What the checkout has, by path. */
  readonly files?: (build: number) => Readonly<Record<string, string>>;
  /** It changes something once and for all, and asking again does no harm: there is no run to find, to attach to or to cancel. */
  readonly repeatable?: true;
  /** The ends that its jobs can have besides success, where they are not all. */
  readonly ends?: readonly (FailureCause | 'cancelled')[];
  /** Its credential is a key that outlasts every wait. */
  readonly hasKey?: true;
}

const container = {
  machineSpec: { machineType: 'n1-standard-4' },
  replicaCount: 1,
  containerSpec: { imageUri: 'us-docker.pkg.dev/acme-ml/images/train:1', args: ['--commit=@{commit}'] },
};

const vertexCustomJob: KindSample = {
  id: 'vertex-custom-job',
  settings: (ci) => ({
    project: GOOGLE.project,
    region: GOOGLE.region,
    'workload-identity-provider': providerName(ci),
    'service-account': GOOGLE.trainer,
    spec: { displayName: 'resnet', jobSpec: { workerPoolSpecs: [container], serviceAccount: GOOGLE.runtime } },
  }),
  audience: (ci) => `https://iam.googleapis.com/${providerName(ci)}`,
  targets: {
    exchange: { method: 'POST', path: /^\/sts\.googleapis\.com\/v1\/token$/ },
    impersonation: { method: 'POST', path: /^\/iamcredentials\.googleapis\.com\/.*:generateAccessToken$/ },
    submission: { method: 'POST', path: /-aiplatform\.googleapis\.com\/v1\/.*\/customJobs$/ },
    lookUp: { method: 'GET', path: /-aiplatform\.googleapis\.com\/v1\/.*\/customJobs$/ },
    status: { method: 'GET', path: /-aiplatform\.googleapis\.com\/v1\/.*\/customJobs\/\d+$/ },
    cancel: { method: 'POST', path: /-aiplatform\.googleapis\.com\/v1\/.*\/customJobs\/\d+:cancel$/ },
  },
  jobs: (world) =>
    world.google.jobs().map(({ name, rawBody, headers, cancelRequested }) => ({
      id: name,
      body: rawBody,
      headers: new Headers(headers),
      cancelled: cancelRequested,
    })),
  script: (world, life) => world.google.nextLife(vertexLife(life), life.listedAfterMs),
  otherName: (id) => id.split('/').at(-1) ?? '',
  serverTimeout: (body) => Number(/"timeout":"(\d+)s"/.exec(body)?.[1]),
  findsByKey: true,
};

const HOST_PATH = `^/${DATABRICKS.host.replaceAll('.', '\\.')}`;
const databricksPath = (path: string) => new RegExp(`${HOST_PATH}${path}$`);

const databricks = {
  audience: () => `https://${DATABRICKS.host}/oidc/v1/token`,
  targets: {
    exchange: { method: 'POST', path: databricksPath('/oidc/v1/token') },
    status: { method: 'GET', path: databricksPath('/api/2.2/jobs/runs/get') },
    cancel: { method: 'POST', path: databricksPath('/api/2.2/jobs/runs/cancel') },
  },
  jobs: (world: World) =>
    world.databricks.runs().map(({ runId, body, headers, cancelledBy }) => ({
      id: runId,
      body,
      headers,
      cancelled: cancelledBy !== undefined,
    })),
  script: (world: World, life: RemoteLife) => world.databricks.nextLife(databricksLife(life)),
  otherName: (id: string) => id,
} as const;

const databricksSubmitRun: KindSample = {
  ...databricks,
  id: 'databricks-submit-run',
  settings: () => ({
    host: DATABRICKS.host,
    'client-id': DATABRICKS.clientId,
    'git-source': 'ci',
    spec: {
      run_name: 'resnet',
      tasks: [
        {
          task_key: 'train',
          spark_python_task: { python_file: 'train.py', parameters: ['--branch', '@{branch}'] },
          new_cluster: { spark_version: '17.3.x-scala2.13', node_type_id: 'i3.xlarge', num_workers: 1 },
        },
      ],
    },
  }),
  targets: { ...databricks.targets, submission: { method: 'POST', path: databricksPath('/api/2.2/jobs/runs/submit') } },
  serverTimeout: (body) => Number(/"timeout_seconds":(\d+)/.exec(body)?.[1]),
  findsByKey: true,
};

const databricksRunNow: KindSample = {
  ...databricks,
  id: 'databricks-run-now',
  settings: (ci) => ({
    host: DATABRICKS.host,
    'client-id': DATABRICKS.clientId,
    // As YAML reads it, a number that a double cannot hold.
    'job-id': ci === 'buildkite' ? DATABRICKS.jobId : String(DATABRICKS.jobId),
    'job-parameters': { git_commit: '@{commit}' },
  }),
  targets: { ...databricks.targets, submission: { method: 'POST', path: databricksPath('/api/2.2/jobs/run-now') } },
  serverTimeout: () => undefined,
  findsByKey: false,
};

/** One sample of each kind, by its id. */
export const KIND_SAMPLES: readonly KindSample[] = [
  vertexCustomJob,
  databricksSubmitRun,
  databricksRunNow,
  prefectFlowRun,
  prefectDeploymentUpdate,
  vercelDeployment,
  vercelPromote,
  vercelRollback,
];

/** Those whose submission makes a run. */
export const RUN_SAMPLES: readonly KindSample[] = KIND_SAMPLES.filter(({ repeatable }) => repeatable === undefined);

export function sampleOf(id: string): KindSample {
  const sample = KIND_SAMPLES.find((each) => each.id === id);
  if (sample === undefined) throw new Error(`${id} has no sample in test/contract/kind-samples.ts`);
  return sample;
}
