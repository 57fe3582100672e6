import type { JsonObject } from './json-object.ts';
import { type Entered, isTerminal, type StateType } from './prefect-run-life.ts';
import { stateView } from './prefect-run-view.ts';
import { hasInfrastructure, historyOf, presentState, type Run } from './prefect-runs.ts';

export interface ProposedState {
  readonly type: StateType;
  readonly name?: string | null;
  readonly message?: string | null;
  readonly state_details?: JsonObject;
}

export interface Conditions {
  readonly now: number;
  readonly force: boolean;
  readonly workerIsThere: boolean;
  /** After so long without a worker the server itself ends a run that is being cancelled. */
  readonly cancellingTimeoutMs: number;
}

const ALREADY_CANCELLING = 'Cannot transition flows that are cancelling to a state other than Cancelled.';

/** The orchestration of one proposed state (https://docs.prefect.io/v3/api-ref/rest-api/server/flow-runs/set-flow-run-state). */
export function setState(run: Run, proposed: ProposedState, conditions: Conditions): Response {
  const { now } = conditions;
  const history = historyOf(run, now);
  const present = presentState(history);
  if (proposed.type === 'CANCELLING' || proposed.type === 'CANCELLED') run.cancelRequested = true;
  if (conditions.force) return accepted(run, [entered(proposed, now)], now);

  if (proposed.type === 'CANCELLING') {
    if (run.waitsLeft > 0) {
      run.waitsLeft -= 1;
      const details = { type: 'wait_details', delay_seconds: 5, reason: 'The run is being moved.' };
      return Response.json({ state: null, status: 'WAIT', details });
    }
    if (isTerminal(present.type)) return aborted(run, history.length - 1, present);
    if (present.type === 'CANCELLING') return rejected(run, history.length - 1, present, ALREADY_CANCELLING, 200);
    if (present.type === 'SCHEDULED' && (present.name === 'Resuming' || !hasInfrastructure(history))) {
      return cancelledAtOnce(run, 'Scheduled flow run has no infrastructure to terminate.', now);
    }
    if (present.name === 'Suspended') {
      return cancelledAtOnce(run, 'Suspended flow run has no infrastructure to terminate.', now);
    }
    const workerMs = conditions.workerIsThere ? (run.life.cancellingMs ?? 1000) : Number.POSITIVE_INFINITY;
    const stopsAt = now + Math.min(workerMs, conditions.cancellingTimeoutMs);
    const stop: Entered = { at: stopsAt, type: 'CANCELLED', name: 'Cancelled', message: null };
    return accepted(run, [entered(proposed, now), ...(Number.isFinite(stopsAt) ? [stop] : [])], now);
  }
  if (present.type === 'CANCELLING' && proposed.type !== 'CANCELLED' && !isTerminal(proposed.type)) {
    return rejected(run, history.length - 1, present, ALREADY_CANCELLING, 200);
  }
  return accepted(run, [entered(proposed, now)], now);
}

function accepted(run: Run, states: readonly Entered[], now: number): Response {
  const index = historyOf(run, now).length;
  run.set = [...run.set.filter(({ at }) => at <= now), ...states];
  const [first] = states;
  const state = first === undefined ? null : stateView(run, first, index);
  return Response.json({ state, status: 'ACCEPT', details: { type: 'accept_details' } }, { status: 201 });
}

function cancelledAtOnce(run: Run, reason: string, now: number): Response {
  const index = historyOf(run, now).length;
  const state: Entered = { at: now, type: 'CANCELLED', name: 'Cancelled', message: null };
  run.set = [...run.set.filter(({ at }) => at <= now), state];
  return rejected(run, index, state, reason, 201);
}

function rejected(run: Run, index: number, state: Entered, reason: string, status: 200 | 201): Response {
  const details = { type: 'reject_details', reason };
  return Response.json({ state: stateView(run, state, index), status: 'REJECT', details }, { status });
}

function aborted(run: Run, index: number, state: Entered): Response {
  const details = { type: 'abort_details', reason: `Run is already in terminal state ${state.type}.` };
  return Response.json({ state: stateView(run, state, index), status: 'ABORT', details });
}

function entered({ type, name, message, state_details }: ProposedState, now: number): Entered {
  return {
    at: now,
    type,
    name: name ?? `${type.charAt(0)}${type.slice(1).toLowerCase()}`,
    message: message ?? null,
    ...(state_details === undefined ? {} : { details: state_details }),
  };
}
