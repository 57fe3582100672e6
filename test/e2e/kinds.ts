import { isSentTo, KIND_SAMPLES, type KindSample, sampleOf, stepOf } from '../contract/kind-samples.ts';
import { HOUR } from '../contract/remote-life.ts';
import { GOOGLE } from '../simulators/tenant.ts';
import type { World } from '../simulators/world.ts';
import type { FileTree } from './folders.ts';

/** One way to submit, as a step of the simulated company uses it. */
export interface KindInUse extends KindSample {
  readonly checkout: FileTree;
  /** The next job runs from the beginning and for ever. */
  hang(world: World): void;
  /** How many jobs there are. */
  submitted(world: World): number;
  /** How many requests were made to cancel one. */
  cancellations(world: World): number;
  /** The one job that was submitted, as its service has it, with its page where it has one. */
  jobIn(world: World): { readonly id: string; readonly url?: string };
}

function inUse(sample: KindSample, specFile?: { readonly path: string; readonly text: string }): KindInUse {
  const settings: KindSample['settings'] = (ci) => ({
    ...stepOf(sample, ci).settings,
    ...(specFile === undefined ? {} : { spec: specFile.path }),
  });
  return {
    ...sample,
    settings,
    checkout: specFile === undefined ? stepOf(sample, 'bitbucket').files : { [specFile.path]: specFile.text },
    hang: (world) => sample.script(world, { queuedMs: 0, runningMs: HOUR, end: 'success' }),
    submitted: (world) => sample.jobs(world).length,
    cancellations: ({ requests }) => requests.filter((request) => isSentTo(request, sample.targets.cancel)).length,
    jobIn: (world) => {
      const [{ id, url } = { id: '', url: undefined }] = sample.jobs(world);
      return url === undefined ? { id } : { id, url };
    },
  };
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

export const KINDS_IN_USE: readonly KindInUse[] = KIND_SAMPLES.map((sample) => inUse(sample));

/** Those whose jobs can be cancelled. */
export const CANCELLABLE_KINDS: readonly KindInUse[] = KINDS_IN_USE.filter(
  ({ targets }) => targets.cancel !== undefined,
);

// Those that single tests are about.
export const VERTEX = inUse(sampleOf('vertex-custom-job'), { path: 'training/job.yaml', text: JOB_YAML });
export const SUBMIT_RUN = inUse(sampleOf('databricks-submit-run'), { path: 'training/run.yaml', text: RUN_YAML });
export const RUN_NOW = inUse(sampleOf('databricks-run-now'));
export const FLOW_RUN = inUse(sampleOf('prefect-flow-run'));
export const DEPLOYMENT_UPDATE = inUse(sampleOf('prefect-deployment-update'));
export const DEPLOY = inUse(sampleOf('vercel-deployment'));
export const PROMOTE = inUse(sampleOf('vercel-promote'));
export const ROLLBACK = inUse(sampleOf('vercel-rollback'));

/** Where the company's secrets lie at Google. */
export function googleSecret(name: string): string {
  return `google:projects/${GOOGLE.project}/secrets/${name}`;
}
