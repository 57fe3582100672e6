import { SubmitError } from '../../errors.ts';
import type { ByToken, Run } from '../../kind.ts';
import type { DeliveryEnvironment } from './delivery-environment.ts';
import { type Attempted, joined, keepsEarlier, markOf, statusOnceVisible } from './earlier.ts';
import { sendUntilKnown } from './send.ts';

/** An answer to an attempt, and what it tells of who made the run. */
interface Answered extends Attempted {
  readonly made: 'now' | 'before' | 'unknown';
  /** When it was first sent, by the service's clock in ms, where its answer tells. */
  readonly sentAt: number | undefined;
}

/**
 * With tokens that the service remembers, submitting again is the look-up. A re-run begins with the last attempt that is known of,
 * which may be that of an identical job; there were at most as many as runs of the step.
 */
export async function deliverByToken(
  delivery: ByToken,
  run: Run,
  environment: DeliveryEnvironment,
): Promise<Attempted> {
  const { context, published, session } = environment;
  const known = await published();
  if (context.attempt <= 1) {
    const first = known === undefined ? await send(delivery, 1, environment) : { ...known, origin: 'found' as const };
    return joined<Attempted>(first, environment);
  }
  const first = known?.attempt ?? 1;
  const next = Math.max(first + 1, context.attempt);
  for (let attempt = first; attempt < next; attempt += 1) {
    const answered = await send(delivery, attempt, environment).catch((error: unknown) => {
      // The service may refuse the token of a run that was deleted since; a refusal with another reason comes again below.
      if (error instanceof SubmitError && (error.code === 'request-rejected' || error.code === 'not-found'))
        return undefined;
      throw error;
    });
    if (answered === undefined) continue;
    const { id, made, sentAt } = answered;
    // Nobody had used this token: the run is this step's own, however soon it ended.
    if (made === 'now') return answered;
    const status = await statusOnceVisible(run, id, environment).catch((error: unknown) => {
      if (session.signal.aborted) return undefined;
      throw error;
    });
    // There is a job, which is to be cancelled with the step.
    if (session.signal.aborted) return { ...answered, origin: 'found' };
    const startedAt = status?.startedAt;
    if (made === 'unknown' && sentAt !== undefined && startedAt !== undefined && startedAt >= sentAt) return answered;
    if (await keepsEarlier(run, id, status, environment)) return { ...answered, origin: 'found' };
  }
  return send(delivery, next, environment);
}

function send(delivery: ByToken, attempt: number, environment: DeliveryEnvironment): Promise<Answered> {
  return sendUntilKnown<Answered>(
    {
      attempt,
      call: delivery.create(markOf(environment, attempt)),
      accept: (answer, { sinceMs, isRepeated }) => {
        const accepted = delivery.read(answer);
        if (accepted === undefined) return undefined;
        const { id } = accepted;
        // A repeated submission that finds a run may have found its own.
        const made = accepted.made === 'before' && isRepeated ? 'unknown' : accepted.made;
        const sentAt = answer.dateMs === undefined ? undefined : answer.dateMs - sinceMs;
        return { id, attempt, origin: made === 'before' ? 'found' : 'created', made, sentAt };
      },
    },
    environment,
  );
}
