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

function inUse(sample: KindSample): KindInUse {
  return {
    ...sample,
    settings: (ci) => stepOf(sample, ci).settings,
    checkout: stepOf(sample, 'bitbucket').files,
    hang: (world) => sample.script(world, { queuedMs: 0, runningMs: HOUR, end: 'success' }),
    submitted: (world) => sample.jobs(world).length,
    cancellations: ({ requests }) => requests.filter((request) => isSentTo(request, sample.targets.cancel)).length,
    jobIn: (world) => {
      const [{ id, url } = { id: '', url: undefined }] = sample.jobs(world);
      return url === undefined ? { id } : { id, url };
    },
  };
}

export const KINDS_IN_USE: readonly KindInUse[] = KIND_SAMPLES.map(inUse);

/** Those whose jobs can be cancelled. */
export const CANCELLABLE_KINDS: readonly KindInUse[] = KINDS_IN_USE.filter(
  ({ targets }) => targets.cancel !== undefined,
);

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

/** A kind by itself, with as little set as will do, and with its spec at a path. */
function plainly(
  id: string,
  unset: readonly string[],
  spec?: { readonly path: string; readonly text: string },
): KindInUse {
  const kind = inUse(sampleOf(id));
  const settings: KindInUse['settings'] = (ci) => ({
    ...Object.fromEntries(Object.entries(kind.settings(ci)).filter(([name]) => !unset.includes(name))),
    ...(spec === undefined ? {} : { spec: spec.path }),
  });
  return { ...kind, settings, ...(spec === undefined ? {} : { checkout: { [spec.path]: spec.text } }) };
}

export const VERTEX = plainly('vertex-custom-job', [], { path: 'training/job.yaml', text: JOB_YAML });
export const SUBMIT_RUN = plainly('databricks-submit-run', ['git-source'], {
  path: 'training/run.yaml',
  text: RUN_YAML,
});
export const RUN_NOW = plainly('databricks-run-now', []);
export const FLOW_RUN = plainly('prefect-flow-run', ['service-account', 'tags', 'job-variables']);
export const DEPLOYMENT_UPDATE = plainly('prefect-deployment-update', ['service-account', 'tags', 'job-variables']);
const deploy = plainly('vercel-deployment', ['target', 'aliases', 'set']);
export const DEPLOY: KindInUse = {
  ...deploy,
  checkout: { ...deploy.checkout, '.vercel/output/builds.json': '{"target":"preview","builds":[]}' },
};
export const PROMOTE = plainly('vercel-promote', []);
export const ROLLBACK = plainly('vercel-rollback', []);

/** Where the company's secrets lie at Google. */
export function googleSecret(name: string): string {
  return `google:projects/${GOOGLE.project}/secrets/${name}`;
}
