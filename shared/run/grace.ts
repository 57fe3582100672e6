/**
 * What may still be done after the step was cancelled. An agent gives 9 to 10 seconds in all, which later hooks share; each
 * limit counts from the cancellation itself.
 */
export interface Grace {
  /** The answer to a submission that is on its way. */
  readonly answer: AbortSignal;
  /** One last request that names the run which an unanswered submission may have made. */
  readonly lastTry: AbortSignal;
  /** The cancellation of the remote job. */
  readonly cancel: AbortSignal;
  /** The last report and outputs. */
  readonly settle: AbortSignal;
}

const ANSWER_MS = 3_000;
const LAST_TRY_MS = 4_500;
const CANCEL_MS = 7_000;
const SETTLE_MS = 8_000;

/** The limits for a step that `signal` cancels. Made once, before that can happen. */
export function createGrace(signal: AbortSignal): Grace {
  return {
    answer: abortAfter(signal, ANSWER_MS),
    lastTry: abortAfter(signal, LAST_TRY_MS),
    cancel: abortAfter(signal, CANCEL_MS),
    settle: abortAfter(signal, SETTLE_MS),
  };
}

function abortAfter(signal: AbortSignal, ms: number): AbortSignal {
  const controller = new AbortController();
  const arm = () => {
    const timer = AbortSignal.timeout(ms);
    timer.addEventListener('abort', () => controller.abort(timer.reason), { once: true });
  };
  if (signal.aborted) arm();
  else signal.addEventListener('abort', arm, { once: true });
  return controller.signal;
}
