import { canonicalMessage } from './protobuf-canonical.ts';
import {
  type BatchPredictionJob,
  batchPredictionFaults,
  batchPredictionMachines,
  batchPredictionOutputs,
} from './vertex-batch-prediction.ts';
import { type CustomJob, customJobFaults, customJobMachines } from './vertex-custom-job-rules.ts';
import type { LifeView } from './vertex-job-life.ts';
import type { FieldFault, Job, Machines } from './vertex-job-rules.ts';

/** What is special to the jobs of one collection; its paths and permissions have its name, its messages that of the job's. */
export interface JobCollection {
  /** The job's message in google.cloud.aiplatform.v1. */
  readonly message: string;
  /** The quota metrics for accelerators that begin so. */
  readonly quota: string;
  serviceAccount(job: Job): string | undefined;
  machines(job: Job): readonly Machines[];
  /** What the types of the fields do not say. */
  faults(job: Job, location: string): Iterable<FieldFault>;
  /** The output-only fields that other jobs have not. */
  outputs?(job: Job, view: LifeView, createdAt: number): Record<string, unknown>;
}

export const JOB_COLLECTIONS = {
  customJobs: {
    message: 'CustomJob',
    quota: 'custom_model_training',
    serviceAccount: ({ jobSpec }: CustomJob) => jobSpec.serviceAccount,
    machines: customJobMachines,
    faults: customJobFaults,
  },
  batchPredictionJobs: {
    message: 'BatchPredictionJob',
    quota: 'custom_model_serving',
    serviceAccount: ({ serviceAccount }: BatchPredictionJob) => serviceAccount,
    machines: batchPredictionMachines,
    faults: batchPredictionFaults,
    outputs: batchPredictionOutputs,
  },
} satisfies Record<string, JobCollection>;

export type JobCollectionName = keyof typeof JOB_COLLECTIONS;

/** A job as the service answers it: what was asked for, with the output-only fields as far as they have a value. */
export function jobResource(
  collection: JobCollection,
  { name, createdAt, job }: { readonly name: string; readonly createdAt: number; readonly job: Job },
  view: LifeView,
): Record<string, unknown> {
  const { state, error, startTime, endTime, updateTime } = view;
  const outputs = {
    state,
    error,
    createTime: timestamp(createdAt),
    startTime: timestamp(startTime),
    endTime: timestamp(endTime),
    updateTime: timestamp(updateTime),
    ...collection.outputs?.(job, view, createdAt),
  };
  return { name, ...job, ...canonicalMessage(`google.cloud.aiplatform.v1.${collection.message}`, outputs) };
}

function timestamp(milliseconds: number | undefined): string | undefined {
  return milliseconds === undefined ? undefined : new Date(milliseconds).toISOString();
}
