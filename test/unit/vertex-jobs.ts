import { RUNNER } from './google-world.ts';

export const HOST = 'us-central1-aiplatform.googleapis.com/v1';
export const PARENT = 'projects/ml-prod/locations/us-central1';

/** A job as it is sent to one collection, and what is said of it there. */
export interface SentJob {
  readonly collection: 'customJobs' | 'batchPredictionJobs';
  readonly message: string;
  /** The job's field in the request message. */
  readonly at: string;
  readonly body: Readonly<Record<string, unknown>>;
  /** The same with one machine that is this. */
  readonly withMachine: (machineSpec: Readonly<Record<string, unknown>>) => unknown;
  /** The field that holds the machine. */
  readonly machineAt: string;
  /** The same with this service account. */
  readonly withServiceAccount: (email: string) => unknown;
  /** The quota for its T4 accelerators. */
  readonly quota: string;
}

export const POOL = {
  machineSpec: { machineType: 'n1-standard-4' },
  replicaCount: 1,
  containerSpec: { imageUri: 'us-docker.pkg.dev/ml-prod/images/train:1' },
};
const custom = {
  displayName: 'train',
  labels: { commit: 'abc' },
  jobSpec: { workerPoolSpecs: [POOL], serviceAccount: RUNNER, scheduling: { timeout: '3600s', strategy: 'SPOT' } },
};

export const CUSTOM_JOB: SentJob = {
  collection: 'customJobs',
  message: 'CustomJob',
  at: 'custom_job',
  body: custom,
  withMachine: (machineSpec) => ({ ...custom, jobSpec: { workerPoolSpecs: [{ ...POOL, machineSpec }] } }),
  machineAt: 'job_spec.worker_pool_specs[0]',
  withServiceAccount: (serviceAccount) => ({ ...custom, jobSpec: { ...custom.jobSpec, serviceAccount } }),
  quota: 'aiplatform.googleapis.com/custom_model_training_nvidia_t4_gpus',
};

const batch = {
  displayName: 'score',
  labels: { commit: 'abc' },
  model: `${PARENT}/models/churn@3`,
  inputConfig: { instancesFormat: 'jsonl', gcsSource: { uris: ['gs://ml-prod/in/*.jsonl'] } },
  outputConfig: { predictionsFormat: 'jsonl', gcsDestination: { outputUriPrefix: 'gs://ml-prod/out' } },
};

export const BATCH_PREDICTION_JOB: SentJob = {
  collection: 'batchPredictionJobs',
  message: 'BatchPredictionJob',
  at: 'batch_prediction_job',
  body: batch,
  withMachine: (machineSpec) => ({ ...batch, dedicatedResources: { machineSpec } }),
  machineAt: 'dedicated_resources',
  withServiceAccount: (serviceAccount) => ({ ...batch, serviceAccount }),
  quota: 'aiplatform.googleapis.com/custom_model_serving_nvidia_t4_gpus',
};

export const SENT_JOBS: readonly SentJob[] = [CUSTOM_JOB, BATCH_PREDICTION_JOB];
