import { SubmitError } from '../../errors.ts';
import {
  type Answer,
  type Attempt,
  describeAttempt,
  exhausted,
  type HttpCall,
  isSuccess,
  isTransient,
  patience,
  retryDelay,
  tellPause,
} from '../../http/http.ts';
import type { DeliveryEnvironment } from './delivery-environment.ts';

/** How long one attempt may be sent again; look-ups in between take their own time. */
const BUDGET_MS = 120_000;

/** What a strategy makes of the answers to one request. */
interface Sending<T> {
  readonly attempt: number;
  readonly call: HttpCall;
  /** The result of a success; undefined when the answer is not whole. `sent` tells when and whether for the first time. */
  accept(answer: Answer, sent: Sent): T | undefined;
  /** What a refusal comes to: a result, a request that fits now (`again`), or nothing but a refusal. */
  readonly refused?: (refusal: Answer, sent: Sent) => Promise<T | 'again' | undefined>;
  /** Looks for what a request whose answer was lost may have made. Without it, sending again tells. */
  readonly recover?: (why: string) => Promise<T | undefined>;
}

export interface Sent {
  /** Milliseconds since the request was first sent. */
  readonly sinceMs: number;
  /** An earlier request of this sending may have come through without an answer. */
  readonly isRepeated: boolean;
}

/**
 * Sends one attempt until it is known to have come through, or known not to.
 * @throws SubmitError what the refusal means, or `submission-unknown`: once a request may have come through, no later failure hides that.
 */
export async function sendUntilKnown<T>(sending: Sending<T>, environment: DeliveryEnvironment): Promise<T> {
  const { session, access, beforeSending, grace } = environment;
  const { clock, log, signal } = session;
  const { call } = sending;
  let startedAt = clock.now();
  /** Why it is not known whether an earlier request came through. */
  let unknown: string | undefined;

  const once = (lastTry: boolean): Promise<Attempt> =>
    session
      .until(lastTry ? grace.lastTry : grace.answer)
      .attempt(call)
      .catch((error: unknown) => {
        if (!signal.aborted) throw error;
        return { kind: 'lost', reason: 'the step was cancelled before an answer came', sent: true };
      });

  const judge = async (answer: Answer): Promise<T | 'again' | undefined> => {
    const sent: Sent = { sinceMs: clock.now() - startedAt, isRepeated: unknown !== undefined };
    if (isSuccess(answer)) return sending.accept(answer, sent);
    const outcome = await sending.refused?.(answer, sent);
    if (outcome === undefined && (!isTransient(answer.status) || access.isCapacity(answer)))
      throw access.explain(call, answer);
    return outcome;
  };

  signal.throwIfAborted();
  await beforeSending(sending.attempt);
  signal.throwIfAborted();
  try {
    for (let round = 1; ; round += 1) {
      const lastTry = signal.aborted;
      const result = await once(lastTry);
      const outcome = result.kind === 'answer' ? await judge(result) : undefined;
      if (outcome !== undefined && outcome !== 'again') return outcome;
      if (outcome === 'again') {
        if (unknown === undefined) signal.throwIfAborted();
        // What was asked for is there now, and the time that it took is not the submission's.
        startedAt = clock.now();
        continue;
      }
      if (mayHaveComeThrough(result)) {
        unknown = describeAttempt(result);
        const recovered = await sending.recover?.(unknown);
        if (recovered !== undefined) return recovered;
      }
      const wait = retryDelay(round, result);
      const passed = clock.now() - startedAt;
      if (lastTry || (!signal.aborted && passed + wait > patience(result, BUDGET_MS)))
        throw exhausted(call.url, result, round);
      if (!signal.aborted) {
        log.debug(`submission attempt ${round}: ${describeAttempt(result)}; again in ${wait} ms`);
        tellPause(log, call.url, result, wait, passed);
        await clock.sleep(wait, signal);
      }
      // What may exist must be cancelled with the step, and only an answer names it: one more round, where it cannot make a second run.
      if (signal.aborted && (unknown === undefined || sending.recover !== undefined)) throw signal.reason;
    }
  } catch (error) {
    if (unknown === undefined) throw error;
    const after = error instanceof SubmitError ? `. After that: ${error.message}` : '';
    throw submissionUnknown(`${unknown}${after}`, environment);
  }
}

/** A refusal to serve (429) and a connection never made are safe; anything else may have come through. */
function mayHaveComeThrough(result: Attempt): boolean {
  return result.kind === 'lost' ? result.sent : result.status !== 429;
}

function submissionUnknown(why: string, { title, key, serverTimeoutSeconds }: DeliveryEnvironment): SubmitError {
  return new SubmitError('submission-unknown', {
    happened: `It is unknown whether the job was submitted: ${why}`,
    presented: [title, `submission key ${key}`],
    remedy: [
      'Retry the step: if the job exists, it is found by this key and attached to; if not, it is submitted.',
      ...(serverTimeoutSeconds === undefined
        ? []
        : [`If it exists and no step attaches, the service ends it after ${serverTimeoutSeconds} s.`]),
    ],
  });
}
