import {
  defined,
  entryOf,
  isObject,
  type Json,
  type JsonObject,
  listAt,
  numberAt,
  objectAt,
  textAt,
} from '../../json.ts';
import type { FailureCause, Phase, RunStatus } from '../../kind.ts';
import { plainLine, webAddress } from '../../remote-text.ts';

const UNDECIDED: Readonly<Record<string, Phase>> = {
  BLOCKED: 'queued',
  PENDING: 'queued',
  QUEUED: 'queued',
  WAITING: 'queued',
  WAITING_FOR_RETRY: 'queued',
  RUNNING: 'running',
  TERMINATING: 'running',
};

type Standing = Pick<RunStatus, 'phase' | 'word' | 'detail' | 'failure'>;

/**
 * Reads the answer of runs/get. States that are not known count as running, termination codes that are not known as failures.
 * https://docs.databricks.com/api/workspace/jobs/getrun
 */
export function readRun(run: Json): RunStatus {
  const tasks = latestTasks(run);
  const own = standing(run);
  const standings = tasks.map((task) => ({ name: textAt(task, 'task_key') ?? '', ...standing(task) }));
  // A run only says that a task failed; what kind of failure it was stands with the task.
  const failed =
    standings.find(({ phase, failure }) => phase === 'failed' && failure?.message !== '' && failure !== undefined) ??
    standings.find(({ phase }) => phase === 'failed');
  const failure =
    own.failure === undefined || own.failure.cause === 'timeout' ? own.failure : (failed?.failure ?? own.failure);
  return {
    ...own,
    parts: standings.map(({ name, phase, word }) => ({ name, phase, word })),
    source: run,
    ...defined({
      ending: own.word === 'TERMINATING' || undefined,
      failure: failure && { cause: failure.cause, message: own.failure?.message || failure.message },
      url: runUrl(run),
      startedAt: numberAt(run, 'start_time'),
    }),
  };
}

/** The last attempt at each task. */
export function latestTasks(run: Json): readonly JsonObject[] {
  const latest = new Map<string, JsonObject>();
  for (const task of listAt(run, 'tasks')) {
    if (!isObject(task)) continue;
    const key = textAt(task, 'task_key') ?? '';
    const known = latest.get(key);
    if (known === undefined || (numberAt(task, 'attempt_number') ?? 0) >= (numberAt(known, 'attempt_number') ?? 0))
      latest.set(key, task);
  }
  return [...latest.values()];
}

/** How a run or a task stands, from `status` (current) or `state` (older). */
export function standing(run: Json): Standing {
  const status = objectAt(run, 'status');
  return textAt(status, 'state') === undefined
    ? standingFromState(objectAt(run, 'state'))
    : standingFromStatus(status, objectAt(run, 'state'));
}

function standingFromStatus(status: JsonObject, legacy: JsonObject): Standing {
  const state = textAt(status, 'state') ?? '';
  if (state !== 'TERMINATED') {
    const queue = objectAt(status, 'queue_details');
    const detail = textAt(queue, 'message') ?? textAt(queue, 'code') ?? textAt(legacy, 'state_message');
    return undecided(state, detail);
  }
  const termination = objectAt(status, 'termination_details');
  const code = textAt(termination, 'code') ?? 'UNKNOWN';
  const message = textAt(termination, 'message') ?? textAt(legacy, 'state_message') ?? '';
  // The list of termination codes has none for a timeout; the older state tells.
  if (textAt(legacy, 'result_state') === 'TIMEDOUT')
    return { phase: 'failed', word: 'TIMEDOUT', failure: { cause: 'timeout', message } };
  return decided(code, textAt(termination, 'type'), message);
}

function standingFromState(state: JsonObject): Standing {
  const lifeCycle = textAt(state, 'life_cycle_state') ?? 'PENDING';
  const message = textAt(state, 'state_message') ?? '';
  const result = textAt(state, 'result_state');
  if (lifeCycle === 'SKIPPED') return decided('SKIPPED', undefined, message);
  // With a result, INTERNAL_ERROR is how a failed workload shows at the level of the run; without one it is the platform's.
  if (lifeCycle === 'INTERNAL_ERROR') return decided(result ?? 'INTERNAL_ERROR', undefined, message);
  if (lifeCycle === 'TERMINATED') return decided(result ?? 'UNKNOWN', undefined, message);
  return undecided(lifeCycle, message);
}

function undecided(word: string, detail: string | undefined): Standing {
  const phase = entryOf(UNDECIDED, word) ?? 'running';
  return { phase, word: plainLine(word, 80), ...defined({ detail: detail ? plainLine(detail, 200) : undefined }) };
}

const CANCELLED = new Set(['CANCELED', 'USER_CANCELED', 'UPSTREAM_CANCELED']);
const CAUSES: Readonly<Record<string, FailureCause>> = {
  TIMEDOUT: 'timeout',
  UNAUTHORIZED_ERROR: 'permission',
  STORAGE_ACCESS_ERROR: 'permission',
  REPOSITORY_CHECKOUT_FAILED: 'permission',
  WORKSPACE_RUN_LIMIT_EXCEEDED: 'quota',
  CLUSTER_REQUEST_LIMIT_EXCEEDED: 'quota',
  MAX_CONCURRENT_RUNS_EXCEEDED: 'quota',
  MAXIMUM_CONCURRENT_RUNS_REACHED: 'quota',
  MAX_JOB_QUEUE_SIZE_EXCEEDED: 'quota',
  BUDGET_POLICY_LIMIT_EXCEEDED: 'quota',
  CLUSTER_ERROR: 'infrastructure',
  DRIVER_ERROR: 'infrastructure',
  CLOUD_FAILURE: 'infrastructure',
  INTERNAL_ERROR: 'infrastructure',
  RUN_EXECUTION_ERROR: 'code',
  FAILED: 'code',
};
const CAUSES_BY_TYPE: Readonly<Record<string, FailureCause>> = {
  CLIENT_ERROR: 'code',
  INTERNAL_ERROR: 'infrastructure',
  CLOUD_FAILURE: 'infrastructure',
};

function decided(code: string, type: string | undefined, message: string): Standing {
  const word = plainLine(code, 80);
  if (code === 'SUCCESS') return { phase: 'succeeded', word };
  if (CANCELLED.has(code)) return { phase: 'cancelled', word };
  const cause = entryOf(CAUSES, code) ?? CAUSES_BY_TYPE[type ?? ''] ?? 'code';
  return { phase: 'failed', word, failure: { cause, message } };
}

/**
 * The run's page. The service gives the address of its former interface, which sends people without admin rights elsewhere;
 * the current one has the same parts.
 */
export function runUrl(run: Json): string | undefined {
  const given = textAt(run, 'run_page_url');
  const match = /^(https?:\/\/[^/?#\s]+)\/\?o=(\d+)#job\/(\d+)\/run\/(\d+)$/.exec(given ?? '');
  if (match !== null) return `${match[1]}/jobs/${match[3]}/runs/${match[4]}?o=${match[2]}`;
  return webAddress(given);
}
