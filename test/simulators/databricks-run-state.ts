import type { Verdict } from './databricks-run-life.ts';

type Words = Readonly<Record<string, unknown>>;

const QUEUE_REASON = 'Queued due to reaching maximum concurrent runs of 1.';

/** `state` and `status` of a run or task that goes on: the deprecated words beside the current ones. */
export function phaseWords({ state, queueCode }: { readonly state: string; readonly queueCode?: string }): Words {
  const queued = state === 'QUEUED';
  return {
    state: {
      life_cycle_state: state === 'WAITING' ? 'WAITING_FOR_RETRY' : state,
      state_message: '',
      user_cancelled_or_timedout: false,
      ...(queued ? { queue_reason: QUEUE_REASON } : {}),
    },
    status: {
      state,
      ...(queued ? { queue_details: { code: queueCode ?? 'ACTIVE_RUNS_LIMIT_REACHED', message: QUEUE_REASON } } : {}),
    },
  };
}

/** `state` and `status` of a run or task that ended. */
export function endedWords(verdict: Verdict): Words {
  const { type, code, message, lifeCycleState, resultState } = verdict;
  return {
    state: {
      life_cycle_state: lifeCycleState,
      ...(resultState === undefined ? {} : { result_state: resultState }),
      state_message: message,
      user_cancelled_or_timedout: verdict.cancelledOrTimedOut ?? false,
    },
    status: { state: 'TERMINATED', termination_details: { type, code, message } },
  };
}
