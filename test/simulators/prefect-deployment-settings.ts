import type { JsonObject } from './json-object.ts';
import { type DeploymentSettings, ensureQueue, newPool, type WorkPool } from './prefect-inventory.ts';
import { type SchemaFailure, schemaFailure } from './prefect-json-schema.ts';
import { object, poolNamed, strings, text, type Workspace } from './prefect-workspace.ts';

const DEFAULT_POOL = 'default-agent-pool';

/** Settings with those changed that a body names; each is replaced as a whole. */
export function changedSettings(before: DeploymentSettings, body: JsonObject): DeploymentSettings {
  const list = (key: string, present: readonly unknown[] | null) =>
    Array.isArray(body[key]) ? body[key] : body[key] === null ? null : present;
  const objectOr = (key: string, present: JsonObject | null) =>
    body[key] === undefined ? present : body[key] === null ? null : object(body[key]);
  const stringOr = (key: string, present: string | null) => {
    const value = text(body, key);
    return value === undefined ? present : value;
  };
  return {
    ...before,
    version: stringOr('version', before.version),
    description: stringOr('description', before.description),
    path: stringOr('path', before.path),
    entrypoint: stringOr('entrypoint', before.entrypoint),
    branch: stringOr('branch', before.branch),
    paused: typeof body.paused === 'boolean' ? body.paused : before.paused,
    schedules: list('schedules', before.schedules) ?? [],
    concurrencyLimit:
      body.concurrency_limit === undefined ? before.concurrencyLimit : numberOrNull(body.concurrency_limit),
    concurrencyOptions: objectOr('concurrency_options', before.concurrencyOptions),
    enforceParameterSchema:
      typeof body.enforce_parameter_schema === 'boolean'
        ? body.enforce_parameter_schema
        : before.enforceParameterSchema,
    parameterSchema: objectOr('parameter_openapi_schema', before.parameterSchema),
    parameters: objectOr('parameters', before.parameters) ?? before.parameters,
    jobVariables: objectOr('job_variables', before.jobVariables) ?? before.jobVariables,
    versionInfo: objectOr('version_info', before.versionInfo),
    tags: body.tags === undefined ? before.tags : strings(body.tags),
    pullSteps: list('pull_steps', before.pullSteps),
  };
}

/** Where a body puts a deployment's runs: a queue without its pool belongs to the pool of old agents. */
export function placement(
  workspace: Workspace,
  body: JsonObject,
): Partial<Pick<DeploymentSettings, 'workPoolName' | 'workQueueName'>> {
  const poolName = text(body, 'work_pool_name') ?? null;
  const queueName = text(body, 'work_queue_name') ?? null;
  if (poolName === null && queueName === null) return {};
  const pool = poolNamed(workspace, poolName) ?? defaultPool(workspace);
  ensureQueue(pool, queueName ?? 'default', workspace.now());
  return { workPoolName: pool.name, workQueueName: queueName ?? 'default' };
}

/** What the pool's template has against job variables; a run's must be complete, a deployment's need not be. */
export function poolJobVariablesFailure(
  workspace: Workspace,
  poolName: string | null,
  jobVariables: JsonObject,
  extent: 'alone' | 'with-defaults' | 'complete' = 'with-defaults',
): SchemaFailure | undefined {
  const schema = object(poolNamed(workspace, poolName)?.baseJobTemplate.variables);
  if (Object.keys(schema).length === 0) return undefined;
  const defaults = Object.entries(object(schema.properties)).flatMap(([name, field]) =>
    'default' in object(field) ? [[name, object(field).default] as const] : [],
  );
  const value = extent === 'alone' ? jobVariables : { ...Object.fromEntries(defaults), ...jobVariables };
  const failure = schemaFailure(value, schema, {
    ignoreRequired: extent !== 'complete',
    nullDespiteDefault: extent !== 'alone',
  });
  return failure === 'circular' ? undefined : failure;
}

function defaultPool(workspace: Workspace): WorkPool {
  const found = poolNamed(workspace, DEFAULT_POOL);
  if (found !== undefined) return found;
  const pool = newPool(DEFAULT_POOL, 'prefect-agent', {}, workspace.now());
  workspace.pools.push(pool);
  return pool;
}

function numberOrNull(value: unknown): number | null {
  return value === null ? null : Number(value);
}
