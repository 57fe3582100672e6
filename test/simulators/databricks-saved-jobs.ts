import { invalidParameter, type Refusal } from './databricks-errors.ts';
import type { GitSource, RunNowBody, TaskSpec } from './databricks-jobs-requests.ts';
import { downstreamOf } from './databricks-jobs-rules.ts';

/** A job that exists in the workspace before the first request. */
export interface SavedJob {
  readonly jobId: bigint;
  readonly name: string;
  readonly tasks: readonly TaskSpec[];
  readonly gitSource?: GitSource;
  readonly parameters?: readonly { readonly name: string; readonly default: string }[];
  /** Who may run and see it; default: every member of the workspace. */
  readonly runnableBy?: readonly string[];
}

/** A job as `jobs/get` shows it (https://docs.databricks.com/api/workspace/jobs/get). */
export function savedJobView({
  jobId,
  name,
  tasks,
  gitSource,
  parameters,
}: SavedJob): Readonly<Record<string, unknown>> {
  return {
    job_id: jobId,
    creator_user_name: 'someone@example.com',
    settings: {
      name,
      format: 'MULTI_TASK',
      max_concurrent_runs: 1,
      queue: { enabled: true },
      tasks,
      ...(gitSource === undefined ? {} : { git_source: gitSource }),
      ...(parameters === undefined ? {} : { parameters }),
    },
  };
}

/** The tasks that `only` picks: `+key` adds what the task waits for, `key+` what waits for it. */
export function pickTasks(job: SavedJob, only: RunNowBody['only']): readonly TaskSpec[] | Refusal {
  if (only === undefined || only.length === 0) return job.tasks;
  const picked = new Set<string>();
  for (const entry of only) {
    const key = entry.replace(/^\+|\+$/g, '');
    if (!job.tasks.some((task) => task.task_key === key)) {
      return invalidParameter(`only: task ${key} does not exist in job ${job.jobId}`);
    }
    picked.add(key);
    if (entry.endsWith('+')) for (const downstream of downstreamOf(job.tasks, key)) picked.add(downstream);
    if (!entry.startsWith('+')) continue;
    for (const task of job.tasks) if (downstreamOf(job.tasks, task.task_key).has(key)) picked.add(task.task_key);
  }
  return job.tasks.filter((task) => picked.has(task.task_key));
}

/** A job's parameters with the values of one run. */
export function jobParameters(
  { parameters = [] }: SavedJob,
  given: RunNowBody['job_parameters'] = {},
): readonly { readonly name: string; readonly default?: string; readonly value: string }[] {
  const defined = parameters.map((parameter) => ({ ...parameter, value: given[parameter.name] ?? parameter.default }));
  const added = Object.entries(given).filter(([name]) => !parameters.some((parameter) => parameter.name === name));
  return [...defined, ...added.map(([name, value]) => ({ name, value }))];
}
