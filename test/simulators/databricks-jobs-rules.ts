import { invalidParameter, type Refusal } from './databricks-errors.ts';
import type { GitSource, RunNowBody, SubmitBody, TaskSpec } from './databricks-jobs-requests.ts';
import { GIT_PROVIDERS, LEGACY_PARAMS, TASK_TYPES } from './databricks-jobs-schema.ts';

const COMPUTE_FIELDS = ['existing_cluster_id', 'new_cluster', 'environment_key'];
const ENVIRONMENT_OR_CLUSTER = ['spark_python_task', 'python_wheel_task', 'spark_jar_task', 'dbt_task'];
const LEGACY_PARAMS_MAX_BYTES = 10_000;

/** What no field's own type can say of a submitted run (https://docs.databricks.com/api/workspace/jobs/submit). */
export function refuseSubmit(body: SubmitBody): Refusal | undefined {
  return (
    refuseGitSource(body.git_source) ??
    refuseAccessControl(body.access_control_list ?? []) ??
    refuseDependencies(body.tasks) ??
    firstRefusal(body.tasks, (task) => refuseTask(task, body))
  );
}

/** The same for a run of an existing job (https://docs.databricks.com/api/workspace/jobs/runnow). */
export function refuseRunNow(body: RunNowBody): Refusal | undefined {
  const legacy = LEGACY_PARAMS.filter((name) => body[name] !== undefined);
  if (body.job_parameters !== undefined && legacy.length > 0) {
    return invalidParameter(`job_parameters cannot be specified in conjunction with ${legacy.join(', ')}`);
  }
  if (legacy.includes('notebook_params') && legacy.includes('jar_params')) {
    return invalidParameter('jar_params cannot be specified in conjunction with notebook_params');
  }
  const tooLong = legacy.find((name) => Buffer.byteLength(JSON.stringify(body[name])) > LEGACY_PARAMS_MAX_BYTES);
  if (tooLong !== undefined) return invalidParameter(`${tooLong} cannot exceed ${LEGACY_PARAMS_MAX_BYTES} bytes`);
  if (!/^[\x00-\x7f]*$/.test(JSON.stringify(body.python_params ?? []))) {
    return invalidParameter('python_params accept only ASCII characters');
  }
  return undefined;
}

function refuseGitSource(source: GitSource | undefined): Refusal | undefined {
  if (source === undefined) return undefined;
  const provider = source.git_provider?.toLowerCase();
  const providers = GIT_PROVIDERS.map((name) => name.toLowerCase());
  if (provider === undefined || !providers.includes(provider)) {
    return invalidParameter(`git_source.git_provider must be one of: ${providers.join(',')}`);
  }
  const references = (['git_branch', 'git_tag', 'git_commit'] as const).filter((name) => source[name] !== undefined);
  if (references.length > 1) {
    return invalidParameter(`git_source: ${references[0]} cannot be specified in conjunction with ${references[1]}`);
  }
  return undefined;
}

function refuseAccessControl(entries: readonly Readonly<Record<string, string>>[]): Refusal | undefined {
  return firstRefusal(entries, (entry) => {
    const names = ['user_name', 'group_name', 'service_principal_name'].filter((name) => entry[name] !== undefined);
    if (names.length !== 1) {
      return invalidParameter('access_control_list: exactly one of user_name, group_name, service_principal_name');
    }
    if (entry.permission_level === undefined) {
      return invalidParameter('Missing required field: access_control_list.permission_level');
    }
    return undefined;
  });
}

function refuseDependencies(tasks: readonly TaskSpec[]): Refusal | undefined {
  const keys = tasks.map((task) => task.task_key);
  const repeated = keys.find((key, index) => keys.indexOf(key) !== index);
  if (repeated !== undefined) return invalidParameter(`Duplicate task key: ${repeated}`);
  for (const task of tasks) {
    const unknown = task.depends_on?.find((dependency) => !keys.includes(dependency.task_key));
    if (unknown !== undefined) {
      return invalidParameter(`Task ${task.task_key} depends on unknown task ${unknown.task_key}`);
    }
  }
  const cyclic = tasks.find((task) => downstreamOf(tasks, task.task_key).has(task.task_key));
  return cyclic === undefined ? undefined : invalidParameter(`Task ${cyclic.task_key} depends on itself`);
}

/** The tasks that wait for the given one, directly or not. */
export function downstreamOf(tasks: readonly TaskSpec[], key: string): ReadonlySet<string> {
  const found = new Set<string>();
  const follow = (upstream: string): void => {
    for (const task of tasks) {
      if (found.has(task.task_key) || !task.depends_on?.some((dependency) => dependency.task_key === upstream))
        continue;
      found.add(task.task_key);
      follow(task.task_key);
    }
  };
  follow(key);
  return found;
}

function refuseTask(task: TaskSpec, body: SubmitBody): Refusal | undefined {
  const name = `Task ${task.task_key}`;
  const types = TASK_TYPES.filter((type) => task[type] !== undefined);
  const [type] = types;
  if (type === undefined || types.length > 1) {
    return invalidParameter(`${name} must have exactly one task type, found ${types.join(', ') || 'none'}`);
  }
  const compute = COMPUTE_FIELDS.filter((field) => task[field] !== undefined);
  if (compute.length > 1) return invalidParameter(`${name}: only one of ${compute.join(', ')} may be specified`);
  if (compute.length === 0 && ENVIRONMENT_OR_CLUSTER.includes(type)) {
    return invalidParameter(`${name}: one of ${COMPUTE_FIELDS.join(', ')} must be specified`);
  }
  const key = task.environment_key;
  if (key !== undefined && !body.environments?.some((environment) => environment.environment_key === key)) {
    return invalidParameter(`${name}: environment_key ${key} is not defined in environments`);
  }
  return refuseSource(name, type, task, body.git_source !== undefined);
}

function refuseSource(name: string, type: string, task: TaskSpec, hasGitSource: boolean): Refusal | undefined {
  const settings = task[type] as Readonly<Record<string, unknown>>;
  if (settings.source === 'GIT' && !hasGitSource) {
    return invalidParameter(`${name}: source GIT needs git_source`);
  }
  const fromGit = usesGit(type, settings, hasGitSource);
  const path = settings.notebook_path ?? settings.python_file;
  if (typeof path !== 'string') return undefined;
  if (fromGit && path.startsWith('/')) {
    return invalidParameter(`${name}: the path ${path} must be relative to the root of the repository`);
  }
  if (!fromGit && type === 'notebook_task' && !path.startsWith('/')) {
    return invalidParameter("Only absolute paths are currently supported. Paths must begin with '/'.");
  }
  return undefined;
}

/** Once a run has a git source, the tasks that can read from one do, unless they say otherwise. */
export function usesGit(type: string, settings: Readonly<Record<string, unknown>>, hasGitSource: boolean): boolean {
  const canUseGit = ['notebook_task', 'spark_python_task', 'dbt_task', 'sql_task', 'gen_ai_compute_task'].includes(
    type,
  );
  return canUseGit && hasGitSource && settings.source !== 'WORKSPACE';
}

function firstRefusal<Item>(items: readonly Item[], refuse: (item: Item) => Refusal | undefined): Refusal | undefined {
  for (const item of items) {
    const refusal = refuse(item);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}
