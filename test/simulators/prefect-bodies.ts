import { isJsonObject } from './json-object.ts';
import {
  anything,
  boolean,
  dateTime,
  dictionary,
  type Fields,
  integer,
  labels,
  list,
  model,
  nullable,
  number,
  optional,
  type Shape,
  string,
  uuid,
  violation,
  word,
} from './prefect-shapes.ts';

/** The bodies of the requests that change something (https://docs.prefect.io/v3/api-ref/rest-api/server). */

export const STATE_TYPES = [
  'SCHEDULED',
  'PENDING',
  'RUNNING',
  'COMPLETED',
  'FAILED',
  'CANCELLED',
  'CRASHED',
  'PAUSED',
  'CANCELLING',
] as const;

const MAX_PARAMETER_BYTES = 524_288;
const NAME = '^[^/%&><]+$';

const parameters: Shape = (value, loc) => {
  const wrong = dictionary(value, loc);
  const size = asciiJsonLength(value);
  if (wrong.length > 0 || size <= MAX_PARAMETER_BYTES) return wrong;
  const limit = MAX_PARAMETER_BYTES.toLocaleString('en-US');
  const message = `Value error, Flow run parameters must be less than ${limit} bytes when serialized (got ${size.toLocaleString('en-US')} bytes).`;
  return violation('value_error', loc, message, value);
};

const flowName: Shape = (value, loc) => {
  const wrong = string(value, loc);
  if (wrong.length > 0 || new RegExp(NAME).test(String(value))) return wrong;
  return violation('string_pattern_mismatch', loc, `String should match pattern '${NAME}'`, value, { pattern: NAME });
};

const stateDetails = model(
  {
    scheduled_time: optional(nullable(dateTime)),
    pause_timeout: optional(nullable(dateTime)),
    pause_reschedule: optional(boolean),
    pause_key: optional(nullable(string)),
    flow_run_id: optional(nullable(uuid)),
    task_run_id: optional(nullable(uuid)),
    transition_id: optional(nullable(uuid)),
  },
  'allowed',
);

const stateCreate = model({
  type: word(STATE_TYPES),
  name: optional(nullable(string)),
  message: optional(nullable(string)),
  data: optional(anything),
  state_details: optional(stateDetails),
});

const versionInfo = model({ type: string, version: string }, 'allowed');
const concurrencyOptions = model(
  {
    collision_strategy: word(['ENQUEUE', 'CANCEL_NEW']),
    grace_period_seconds: optional(nullable(integer({ ge: 60 }))),
  },
  'allowed',
);

/** What an action's body may hold in each edition. */
export interface DeploymentBodies {
  readonly create: Shape;
  readonly update: Shape;
}

const SHARED_FIELDS: Fields = {
  version: optional(nullable(string)),
  description: optional(nullable(string)),
  paused: optional(boolean),
  schedules: optional(list(model({ schedule: optional(dictionary), active: optional(nullable(boolean)) }, 'allowed'))),
  concurrency_limit: optional(nullable(integer({ gt: 0 }))),
  concurrency_options: optional(nullable(concurrencyOptions)),
  global_concurrency_limit_id: optional(nullable(uuid)),
  parameter_openapi_schema: optional(nullable(dictionary)),
  tags: optional(list(string)),
  work_queue_name: optional(nullable(string)),
  work_pool_name: optional(nullable(string)),
  path: optional(nullable(string)),
  pull_steps: optional(nullable(list(dictionary))),
  entrypoint: optional(nullable(string)),
  storage_document_id: optional(nullable(uuid)),
  infrastructure_document_id: optional(nullable(uuid)),
  version_info: optional(nullable(versionInfo)),
};

// Dropped in silence, for clients of long ago.
const OLD_FIELDS: Fields = {
  worker_pool_queue_id: optional(anything),
  worker_pool_name: optional(anything),
  worker_pool_queue_name: optional(anything),
  work_pool_queue_name: optional(anything),
};

const CLOUD_FIELDS: Fields = {
  branch: optional(nullable(string)),
  base: optional(nullable(string)),
  root: optional(nullable(string)),
};

/** The bodies of `POST /deployments/` and `PATCH /deployments/{id}`; Cloud also takes the fields of its versions. */
export function deploymentBodies(edition: 'cloud' | 'server'): DeploymentBodies {
  const more = { ...OLD_FIELDS, ...(edition === 'cloud' ? CLOUD_FIELDS : {}) };
  return {
    create: model({
      name: string,
      flow_id: uuid,
      ...SHARED_FIELDS,
      enforce_parameter_schema: optional(boolean),
      parameters: optional(parameters),
      labels: optional(nullable(labels)),
      job_variables: optional(dictionary),
      ...more,
    }),
    update: model({
      ...SHARED_FIELDS,
      parameters: optional(nullable(parameters)),
      job_variables: optional(nullable(dictionary)),
      enforce_parameter_schema: optional(nullable(boolean)),
      ...more,
    }),
  };
}

/** The body of `POST /deployments/{id}/create_flow_run`. */
export const deploymentFlowRunCreate = model({
  state: optional(nullable(stateCreate)),
  name: optional(nullable(string)),
  parameters: optional(parameters),
  enforce_parameter_schema: optional(nullable(boolean)),
  context: optional(dictionary),
  infrastructure_document_id: optional(nullable(uuid)),
  empirical_policy: optional(
    model(
      {
        retries: optional(nullable(integer())),
        retry_delay: optional(nullable(integer())),
        max_retries: optional(integer()),
        retry_delay_seconds: optional(number),
      },
      'allowed',
    ),
  ),
  tags: optional(list(string)),
  idempotency_key: optional(nullable(string)),
  labels: optional(nullable(labels)),
  parent_task_run_id: optional(nullable(uuid)),
  work_queue_name: optional(nullable(string)),
  job_variables: optional(nullable(dictionary)),
});

/** The body of `POST /flows/`. */
export const flowCreate = model({
  name: flowName,
  tags: optional(list(string)),
  labels: optional(nullable(labels)),
});

/** The body of `POST /flow_runs/{id}/set_state`. */
export const setStateBody = model({ state: stateCreate, force: optional(boolean) }, 'allowed');

function asciiJsonLength(value: unknown): number {
  if (!isJsonObject(value)) return 0;
  // Each UTF-16 unit beyond ASCII is written as \uXXXX.
  return JSON.stringify(value).replace(/[^ -~]/g, '\\uXXXX').length;
}
