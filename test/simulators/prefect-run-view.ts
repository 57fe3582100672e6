import type { JsonObject } from './json-object.ts';
import { type Entered, isTerminal } from './prefect-run-life.ts';
import { derivedId, hasInfrastructure, historyOf, presentState, type Run, timestamp } from './prefect-runs.ts';

/** The ids of what a run belongs to, which its answer shows beside the names. */
export interface RunPlace {
  readonly workPoolId: string | null;
  readonly workQueueId: string | null;
  readonly createdBy: JsonObject | null;
}

const NO_DETAILS = {
  task_run_id: null,
  child_flow_run_id: null,
  scheduled_time: null,
  cache_key: null,
  cache_expiration: null,
  deferred: false,
  untrackable_result: false,
  pause_timeout: null,
  pause_reschedule: false,
  pause_key: null,
  run_input_keyset: null,
  refresh_cache: null,
  retriable: null,
  transition_id: null,
  task_parameters_id: null,
  traceparent: null,
  deployment_concurrency_lease_id: null,
};

/** FlowRunResponse (https://docs.prefect.io/v3/api-ref/rest-api/server/flow-runs/read-flow-run). */
export function runView(run: Run, now: number, place: RunPlace): JsonObject {
  const history = historyOf(run, now);
  const state = presentState(history);
  const ended = isTerminal(state.type);
  const startedAt = history.find(({ type }) => type === 'RUNNING')?.at ?? (ended ? state.at : undefined);
  const ran = runningMs(history, now);
  return {
    id: run.id,
    created: timestamp(run.createdAt),
    updated: timestamp(state.at),
    name: run.name,
    flow_id: run.flowId,
    state_id: derivedId(run.id, 'state', history.length - 1),
    deployment_id: run.deploymentId,
    deployment_version: run.deploymentVersion,
    work_queue_id: place.workQueueId,
    work_queue_name: run.workQueueName,
    flow_version: null,
    parameters: run.parameters,
    idempotency_key: run.idempotencyKey,
    context: run.context,
    empirical_policy: run.empiricalPolicy,
    tags: run.tags,
    labels: run.labels,
    parent_task_run_id: run.parentTaskRunId,
    state_type: state.type,
    state_name: state.name,
    run_count: history.filter(({ type }) => type === 'RUNNING').length,
    expected_start_time: timestamp(run.scheduledFor),
    next_scheduled_start_time: state.type === 'SCHEDULED' ? timestamp(run.scheduledFor) : null,
    start_time: startedAt === undefined ? null : timestamp(startedAt),
    end_time: ended ? timestamp(state.at) : null,
    total_run_time: ran.finished / 1000,
    estimated_run_time: ran.all / 1000,
    estimated_start_time_delta: Math.max(0, (startedAt ?? now) - run.scheduledFor) / 1000,
    auto_scheduled: false,
    infrastructure_document_id: null,
    infrastructure_pid: hasInfrastructure(history) ? `gpu-node-1:${Number.parseInt(run.id.slice(0, 3), 16)}` : null,
    created_by: place.createdBy,
    work_pool_id: place.workPoolId,
    work_pool_name: run.workPoolName,
    state: stateView(run, state, history.length - 1),
    job_variables: run.jobVariables,
  };
}

export function stateView(run: Run, state: Entered, index: number): JsonObject {
  return {
    id: derivedId(run.id, 'state', index),
    type: state.type,
    name: state.name,
    timestamp: timestamp(state.at),
    message: state.message,
    data: null,
    state_details: { flow_run_id: run.id, ...NO_DETAILS, ...state.details },
  };
}

/** How long the run was RUNNING: in all, and without the stretch that is not over. */
function runningMs(history: readonly Entered[], now: number): { all: number; finished: number } {
  const stretches = history.map(({ at, type }, index) => {
    const until = history[index + 1]?.at;
    return type === 'RUNNING' ? { ms: (until ?? now) - at, over: until !== undefined } : undefined;
  });
  const sum = (wanted: (over: boolean) => boolean) =>
    stretches.reduce((total, stretch) => total + (stretch !== undefined && wanted(stretch.over) ? stretch.ms : 0), 0);
  return { all: sum(() => true), finished: sum((over) => over) };
}
