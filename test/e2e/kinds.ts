import type { Json } from '../../shared/json.ts';
import { DATABRICKS, GOOGLE, providerName } from '../simulators/tenant.ts';
import { failingLife } from '../simulators/vertex-job-life.ts';
import type { World } from '../simulators/world.ts';
import type { FileTree } from './folders.ts';
import { DEPLOYMENT_UPDATE, FLOW_RUN } from './kinds-prefect.ts';
import { DEPLOY, PROMOTE, ROLLBACK } from './kinds-vercel.ts';
import type { Ci } from './step.ts';

/** One way to submit, as a step of the simulated company uses it. */
export interface KindInUse {
  readonly id: string;
  settings(ci: Ci): Readonly<Record<string, Json>>;
  readonly checkout: FileTree;
  /** Makes what the step works on. */
  setUp?(world: World): void;
  /** The next job fails through its own code; absent where it never does. */
  fail?(world: World): void;
  /** The next job runs from the beginning and for ever. */
  hang?(world: World): void;
  /** How many jobs there are. */
  submitted(world: World): number;
  /** Paths of requests that cancel; absent where nothing can be cancelled. */
  readonly cancels?: RegExp;
  /** The one job that was submitted, as its service has it, with its page where it has one. */
  jobIn(world: World): { readonly id: string; readonly url?: string };
  /** What its step prints. */
  readonly story: {
    readonly identity: string;
    /** How the credential was got. */
    readonly exchange: string;
    /** Keys that a broker kept for it. */
    readonly held?: readonly string[];
    /** States on the way that are always seen. */
    readonly states: readonly string[];
    readonly succeeds: Outcome;
    readonly fails?: Outcome;
  };
}

interface Outcome {
  /** The service's word for it. */
  readonly state: string;
  readonly words: readonly string[];
  /** Whether the outputs tell how long it took. */
  readonly timed?: boolean;
}

/** A way to submit what has a life of its own, and can be cancelled. */
export type CancellableKind = KindInUse & Required<Pick<KindInUse, 'fail' | 'hang' | 'cancels'>>;

export const JOB_YAML = `displayName: resnet-@{short-commit}
jobSpec:
  workerPoolSpecs:
    - machineSpec: { machineType: n1-standard-8, acceleratorType: NVIDIA_TESLA_T4, acceleratorCount: 1 }
      replicaCount: 1
      containerSpec:
        imageUri: us-docker.pkg.dev/acme-ml/train/resnet:@{commit}
        args: ["--epochs=20", "--branch=@{branch}"]
  serviceAccount: ${GOOGLE.runtime}
  baseOutputDirectory: { outputUriPrefix: "gs://acme-models/@{build-number}" }
`;

export const RUN_YAML = `run_name: nightly
tasks:
  - task_key: train
    spark_python_task: { python_file: /Workspace/Shared/train.py }
    environment_key: default
environments:
  - environment_key: default
    spec: { environment_version: "2" }
`;

const onDatabricks = { host: DATABRICKS.host, 'client-id': DATABRICKS.clientId };
const lifeOfRuns = {
  fail: (world: World) =>
    world.databricks.nextLife({
      end: { kind: 'user-code-failure', error: 'ValueError: no data', trace: 'Traceback\n  in train' },
      logs: 'epoch 1\nepoch 2\n',
    }),
  hang: (world: World) =>
    world.databricks.nextLife({ phases: [{ state: 'RUNNING', span: { gets: 1 } }], end: { kind: 'hang' } }),
  submitted: (world: World) => world.databricks.runs().length,
  cancels: /\/jobs\/runs\/cancel$/,
  jobIn: (world: World) => {
    const [run] = world.databricks.runs();
    return {
      id: run?.runId ?? '',
      url: `https://${DATABRICKS.host}/jobs/${run?.jobId}/runs/${run?.runId}?o=${DATABRICKS.workspaceId}`,
    };
  },
  story: {
    identity: `for service principal ${DATABRICKS.clientId}`,
    exchange: 'exchanged at ',
    states: ['queued    PENDING', 'running   RUNNING'],
    succeeds: { state: 'SUCCESS', words: [], timed: true },
    fails: { state: 'RUN_EXECUTION_ERROR', words: ['ValueError: no data', 'Traceback'], timed: true },
  },
};

export const VERTEX: CancellableKind = {
  id: 'vertex-custom-job',
  settings: (ci) => ({
    job: 'vertex-custom-job',
    project: GOOGLE.project,
    region: GOOGLE.region,
    'workload-identity-provider': providerName(ci),
    'service-account': GOOGLE.trainer,
    spec: 'training/job.yaml',
  }),
  checkout: { 'training/job.yaml': JOB_YAML },
  fail: (world) =>
    world.google.nextLife(
      failingLife({ code: 3, message: 'The replica workerpool0-0 exited with a non-zero status of 1.' }),
    ),
  hang: (world) => world.google.nextLife([{ state: 'JOB_STATE_RUNNING' }]),
  submitted: (world) => world.google.jobs().length,
  cancels: /\/customJobs\/\d+:cancel$/,
  jobIn: (world) => {
    const id = world.google.jobs()[0]?.name ?? '';
    const page = `https://console.cloud.google.com/agent-platform/locations/${GOOGLE.region}/training`;
    return { id, url: `${page}/${id.split('/').at(-1)}?project=${GOOGLE.project}` };
  },
  story: {
    identity: `acting as ${GOOGLE.trainer}`,
    exchange: 'exchanged at ',
    states: ['queued    JOB_STATE_QUEUED', 'queued    JOB_STATE_PENDING', 'running   JOB_STATE_RUNNING'],
    succeeds: { state: 'JOB_STATE_SUCCEEDED', words: [], timed: true },
    fails: { state: 'JOB_STATE_FAILED', words: ['exited with a non-zero status of 1'], timed: true },
  },
};

export const SUBMIT_RUN: CancellableKind = {
  id: 'databricks-submit-run',
  settings: () => ({ job: 'databricks-submit-run', ...onDatabricks, spec: 'training/run.yaml' }),
  checkout: { 'training/run.yaml': RUN_YAML },
  ...lifeOfRuns,
};

export const RUN_NOW: CancellableKind = {
  id: 'databricks-run-now',
  settings: () => ({
    job: 'databricks-run-now',
    ...onDatabricks,
    'job-id': String(DATABRICKS.jobId),
    'job-parameters': { git_commit: '@{commit}' },
  }),
  checkout: {},
  ...lifeOfRuns,
};

export const CANCELLABLE_KINDS: readonly CancellableKind[] = [VERTEX, SUBMIT_RUN, RUN_NOW, FLOW_RUN, DEPLOY];

export const KINDS_IN_USE: readonly KindInUse[] = [...CANCELLABLE_KINDS, DEPLOYMENT_UPDATE, PROMOTE, ROLLBACK];
