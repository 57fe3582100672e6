import { formatDuration } from '../../clock.ts';
import { SubmitError } from '../../errors.ts';
import { isOver, type Run, type RunStatus, type SubmissionMark } from '../../kind.ts';
import { attemptToken } from '../../submission-key.ts';
import type { Delivered, DeliveryEnvironment } from './delivery-environment.ts';
import { LIST_DELAYS_MS, lookRepeatedly } from './look-up.ts';

/** A run of the submission, before it is known what can be done with it. */
export type Attempted = Omit<Delivered, 'run'>;

/** While an earlier run is ending, how often and how long it is looked at. */
const ENDING_POLL_MS = 2_000;
const ENDING_LIMIT_MS = 600_000;

/** What marks an attempt at this submission. */
export function markOf({ key }: DeliveryEnvironment, attempt: number): SubmissionMark {
  return { key, attempt, token: attemptToken(key, attempt) };
}

/** On the first run of a step, whoever submitted the same before must be another job of the build. */
export function joined<T extends Attempted>(found: T, { session: { log }, spell }: DeliveryEnvironment): T {
  if (found.origin === 'created') return found;
  log.info(`Another job of this build submitted the identical request: joining its run ${found.id}`);
  log.info(`To submit a separate run, give each job a different ${spell('instance')}.`);
  return found;
}

/** The status of a run; undefined where the service does not know it. */
export function statusUnlessGone(
  run: Run,
  id: string,
  { session }: DeliveryEnvironment,
): Promise<RunStatus | undefined> {
  return run.status(session, id).catch((error: unknown) => {
    if (error instanceof SubmitError && error.code === 'not-found') return undefined;
    throw error;
  });
}

/** The same of a run that may be new, and unknown to reads for a moment. */
export function statusOnceVisible(
  run: Run,
  id: string,
  environment: DeliveryEnvironment,
): Promise<RunStatus | undefined> {
  return lookRepeatedly(() => statusUnlessGone(run, id, environment), LIST_DELAYS_MS, environment.session);
}

/** Whether an earlier run of the step is this one's result: while it is active, and on an automatic retry after a success. */
export async function keepsEarlier(
  run: Run,
  id: string,
  seen: RunStatus | undefined,
  environment: DeliveryEnvironment,
): Promise<boolean> {
  const { context, session } = environment;
  const { log } = session;
  const status = seen && (await settled(run, id, seen, environment));
  if (status === undefined) {
    log.info(`An earlier run of this step submitted ${id}, which no longer exists: submitting again`);
    return false;
  }
  if (!isOver(status)) {
    log.info(`This step's submission is ${id}, which is ${status.phase}: attaching to it`);
    return true;
  }
  const kept = context.retry === 'automatic' && status.phase === 'succeeded';
  log.info(
    kept
      ? `An earlier run of this step submitted ${id}, which succeeded: its result is kept`
      : `An earlier run of this step submitted ${id}, which ${status.phase === 'cancelled' ? 'was cancelled' : status.phase}: submitting again`,
  );
  return kept;
}

/** Waits until a run that is on its way to an end has one, or is gone: it should neither be attached to nor be run in parallel. */
async function settled(
  run: Run,
  id: string,
  seen: RunStatus,
  environment: DeliveryEnvironment,
): Promise<RunStatus | undefined> {
  const { clock, log, signal } = environment.session;
  const startedAt = clock.now();
  let status: RunStatus | undefined = seen;
  if (status.ending === true && !isOver(status))
    log.info(`The earlier run ${id} is ending (${status.word}); waiting to see how`);
  while (status?.ending === true && !isOver(status)) {
    if (clock.now() - startedAt > ENDING_LIMIT_MS) {
      throw new SubmitError('wait-deadline', {
        happened: `The earlier run ${id} of this step is still terminating after ${formatDuration(ENDING_LIMIT_MS)}; nothing new was submitted`,
        presented: [`state ${status.word}`],
        remedy: [
          'Retry the step when that run is over.',
          ...(run.cancellation === undefined ? [] : [`To cancel it: ${run.cancellation.command(id)}`]),
        ],
      });
    }
    await clock.sleep(ENDING_POLL_MS, signal);
    signal.throwIfAborted();
    status = await statusUnlessGone(run, id, environment);
  }
  return status;
}
