import type { Json } from '../../shared/json.ts';
import { DATABRICKS, GOOGLE, providerName } from '../simulators/tenant.ts';
import { failingLife } from '../simulators/vertex-job-life.ts';
import type { World } from '../simulators/world.ts';
import type { FileTree } from './folders.ts';
import type { Ci } from './step.ts';

/** One way to submit, as a step of the simulated company uses it. */
export interface KindInUse {
  readonly id: string;
  settings(ci: Ci): Readonly<Record<string, Json>>;
  readonly checkout: FileTree;
  /** The next job fails through its own code. */
  fail(world: World): void;
  /** The next job runs from the beginning and for ever. */
  hang(world: World): void;
  /** How many jobs there are. */
  submitted(world: World): number;
  /** Paths of requests that cancel. */
  readonly cancels: RegExp;
}

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
};

export const VERTEX: KindInUse = {
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
};

export const SUBMIT_RUN: KindInUse = {
  id: 'databricks-submit-run',
  settings: () => ({ job: 'databricks-submit-run', ...onDatabricks, spec: 'training/run.yaml' }),
  checkout: { 'training/run.yaml': RUN_YAML },
  ...lifeOfRuns,
};

export const RUN_NOW: KindInUse = {
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

export const KINDS_IN_USE = [VERTEX, SUBMIT_RUN, RUN_NOW] as const;

/** The one job that was submitted, as its service has it, with its page. */
export function jobIn(world: World): { id: string; url: string } {
  const [job] = world.google.jobs();
  if (job !== undefined) {
    const number = job.name.split('/').at(-1);
    return {
      id: job.name,
      url: `https://console.cloud.google.com/agent-platform/locations/${GOOGLE.region}/training/${number}?project=${GOOGLE.project}`,
    };
  }
  const [run] = world.databricks.runs();
  return {
    id: run?.runId ?? '',
    url: `https://${DATABRICKS.host}/jobs/${run?.jobId}/runs/${run?.runId}?o=${DATABRICKS.workspaceId}`,
  };
}
