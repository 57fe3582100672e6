import type { JsonObject } from './json-object.ts';
import { timestamp } from './prefect-runs.ts';

/** What exists in a workspace, and how the API shows it (https://docs.prefect.io/v3/api-ref/rest-api/server). */

export interface Flow {
  readonly id: string;
  readonly name: string;
  readonly tags: readonly string[];
  readonly labels: JsonObject;
  readonly created: number;
}

export interface WorkQueue {
  readonly id: string;
  readonly name: string;
  readonly created: number;
}

export interface Worker {
  readonly id: string;
  readonly name: string;
  readonly created: number;
  status: 'ONLINE' | 'OFFLINE';
  /** Its last heartbeat, for a worker that is gone. */
  lastHeartbeat: number;
}

export interface WorkPool {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly baseJobTemplate: JsonObject;
  readonly created: number;
  readonly queues: WorkQueue[];
  readonly workers: Worker[];
  isPaused: boolean;
}

/** The fields that a deployment's create and update bodies set. */
export interface DeploymentSettings {
  readonly version: string | null;
  readonly description: string | null;
  readonly paused: boolean;
  readonly schedules: readonly unknown[];
  readonly concurrencyLimit: number | null;
  readonly concurrencyOptions: JsonObject | null;
  readonly enforceParameterSchema: boolean;
  readonly parameterSchema: JsonObject | null;
  readonly parameters: JsonObject;
  readonly tags: readonly string[];
  readonly pullSteps: readonly unknown[] | null;
  readonly path: string | null;
  readonly entrypoint: string | null;
  readonly jobVariables: JsonObject;
  readonly workPoolName: string | null;
  readonly workQueueName: string | null;
  readonly labels: JsonObject;
  /** Kept by Cloud alone. */
  readonly versionInfo: JsonObject | null;
  readonly branch: string | null;
}

export interface Deployment {
  readonly id: string;
  readonly flowId: string;
  readonly name: string;
  readonly created: number;
  updated: number;
  /** Another one after each update, in Cloud. */
  versionId: string;
  settings: DeploymentSettings;
}

export const NEW_DEPLOYMENT: DeploymentSettings = {
  version: null,
  description: null,
  paused: false,
  schedules: [],
  concurrencyLimit: null,
  concurrencyOptions: null,
  enforceParameterSchema: true,
  parameterSchema: {},
  parameters: {},
  tags: [],
  pullSteps: [],
  path: null,
  entrypoint: null,
  jobVariables: {},
  workPoolName: null,
  workQueueName: null,
  labels: {},
  versionInfo: null,
  branch: null,
};

const HEARTBEAT_SECONDS = 30;

export function newPool(
  name: string,
  type: string,
  baseJobTemplate: JsonObject,
  created: number,
  id?: string,
): WorkPool {
  const queues = [{ id: crypto.randomUUID(), name: 'default', created }];
  const pool = { name, type, baseJobTemplate, created, queues, workers: [], isPaused: false };
  return { id: id ?? crypto.randomUUID(), ...pool };
}

/** A pool's queue, made where it is missing. */
export function ensureQueue(pool: WorkPool, name: string, now: number): WorkQueue {
  const found = pool.queues.find((queue) => queue.name === name);
  if (found !== undefined) return found;
  const queue = { id: crypto.randomUUID(), name, created: now };
  pool.queues.push(queue);
  return queue;
}

export function isServed(pool: WorkPool): boolean {
  return !pool.isPaused && pool.workers.some(({ status }) => status === 'ONLINE');
}

export function flowView({ id, name, tags, labels, created }: Flow): JsonObject {
  return { id, created: timestamp(created), updated: timestamp(created), name, tags, labels };
}

export function deploymentView(
  { id, flowId, name, created, updated, versionId, settings }: Deployment,
  pool: WorkPool | undefined,
  edition: 'cloud' | 'server',
): JsonObject {
  const queue = pool?.queues.find((candidate) => candidate.name === settings.workQueueName);
  const ready = pool === undefined ? settings.workPoolName !== null : isServed(pool);
  const versions = {
    version_id: versionId,
    version_info: settings.versionInfo,
    branch: settings.branch,
  };
  return {
    id,
    created: timestamp(created),
    updated: timestamp(updated),
    name,
    version: settings.version,
    description: settings.description,
    flow_id: flowId,
    paused: settings.paused,
    schedules: settings.schedules,
    concurrency_limit: null,
    global_concurrency_limit:
      settings.concurrencyLimit === null ? null : { limit: settings.concurrencyLimit, active: true, active_slots: 0 },
    concurrency_options: settings.concurrencyOptions,
    job_variables: settings.jobVariables,
    parameters: settings.parameters,
    tags: settings.tags,
    labels: settings.labels,
    work_queue_name: settings.workQueueName,
    work_queue_id: queue?.id ?? null,
    last_polled: null,
    parameter_openapi_schema: settings.parameterSchema,
    path: settings.path,
    pull_steps: settings.pullSteps,
    entrypoint: settings.entrypoint,
    storage_document_id: null,
    infrastructure_document_id: null,
    created_by: null,
    updated_by: null,
    work_pool_name: settings.workPoolName,
    status: ready ? 'READY' : 'NOT_READY',
    enforce_parameter_schema: settings.enforceParameterSchema,
    ...(edition === 'cloud' ? versions : {}),
  };
}

export function poolView(pool: WorkPool): JsonObject {
  return {
    id: pool.id,
    created: timestamp(pool.created),
    updated: timestamp(pool.created),
    name: pool.name,
    description: null,
    type: pool.type,
    base_job_template: pool.baseJobTemplate,
    is_paused: pool.isPaused,
    concurrency_limit: null,
    status: pool.isPaused ? 'PAUSED' : isServed(pool) ? 'READY' : 'NOT_READY',
    default_queue_id: pool.queues[0]?.id ?? null,
    storage_configuration: {
      bundle_upload_step: null,
      bundle_execution_step: null,
      default_result_storage_block_id: null,
    },
    active_slots: null,
  };
}

export function queueView(pool: WorkPool, queue: WorkQueue): JsonObject {
  const isDefault = queue === pool.queues[0];
  return {
    id: queue.id,
    created: timestamp(queue.created),
    updated: timestamp(queue.created),
    name: queue.name,
    description: isDefault ? "The work pool's default queue." : '',
    is_paused: false,
    concurrency_limit: null,
    priority: pool.queues.indexOf(queue) + 1,
    work_pool_id: pool.id,
    filter: null,
    last_polled: null,
    work_pool_name: pool.name,
    status: isServed(pool) ? 'READY' : 'NOT_READY',
    active_slots: null,
  };
}

export function workerView(pool: WorkPool, worker: Worker, now: number): JsonObject {
  const heartbeat = worker.status === 'ONLINE' ? now - (now % (HEARTBEAT_SECONDS * 1000)) : worker.lastHeartbeat;
  return {
    id: worker.id,
    created: timestamp(worker.created),
    updated: timestamp(worker.created),
    name: worker.name,
    work_pool_id: pool.id,
    last_heartbeat_time: timestamp(heartbeat),
    heartbeat_interval_seconds: HEARTBEAT_SECONDS,
    status: worker.status,
  };
}
