import { type ByMark, type FoundRun, isOver, type Run } from '../../kind.ts';
import type { DeliveryEnvironment } from './delivery-environment.ts';
import { type Attempted, joined, keepsEarlier, markOf, statusOnceVisible, statusUnlessGone } from './earlier.ts';
import { LIST_DELAYS_MS, lookRepeatedly } from './look-up.ts';
import { sendUntilKnown } from './send.ts';

/** A mark finds the runs of a submission again: before a re-run submits, and after an answer that was lost. */
export async function deliverByMark(delivery: ByMark, run: Run, environment: DeliveryEnvironment): Promise<Attempted> {
  const { context, published, session } = environment;
  const known = await published();
  if (context.attempt <= 1) {
    return known === undefined ? send(delivery, 1, environment) : joined({ ...known, origin: 'found' }, environment);
  }
  const earlier = await latestRun(delivery, run, known, environment);
  if (earlier === undefined) return send(delivery, 1, environment);
  const status = await statusOnceVisible(run, earlier.id, environment);
  session.signal.throwIfAborted();
  if (await keepsEarlier(run, earlier.id, status, environment)) return { ...earlier, origin: 'found' };
  return send(delivery, earlier.attempt + 1, environment);
}

/**
 * The newest run of a submission, as published or listed. Each earlier run of the step may have made one more than is known, and a
 * list may not show it yet; only while a known one is active there can be no newer one.
 */
async function latestRun(
  { find }: ByMark,
  run: Run,
  known: FoundRun | undefined,
  environment: DeliveryEnvironment,
): Promise<FoundRun | undefined> {
  const { session, context, key } = environment;
  let latest = known;
  let isTold = false;
  const look = async (): Promise<FoundRun | undefined> => {
    const listed = (await find(session, key)).at(-1);
    if (listed !== undefined && listed.attempt >= (latest?.attempt ?? 1)) latest = listed;
    if (latest !== undefined && latest.attempt >= context.attempt - 1) return latest;
    const status = latest === undefined ? undefined : await statusUnlessGone(run, latest.id, environment);
    if (status !== undefined && !isOver(status)) return latest;
    if (!isTold)
      session.log.info(
        'Looking for up to a minute for a job that an earlier run of this step may have submitted, since new jobs can be listed late',
      );
    isTold = true;
    return undefined;
  };
  await lookRepeatedly(look, LIST_DELAYS_MS, session);
  session.signal.throwIfAborted();
  return latest;
}

function send(delivery: ByMark, attempt: number, environment: DeliveryEnvironment): Promise<Attempted> {
  const { grace, key, session } = environment;
  const created = (id: string | undefined): Attempted | undefined =>
    id === undefined ? undefined : { id, attempt, origin: 'created' };
  return sendUntilKnown<Attempted>(
    {
      attempt,
      call: delivery.create(markOf(environment, attempt)),
      accept: (answer) => created(delivery.read(answer)),
      refused: async (refusal) => ((await delivery.supply?.(refusal, session)) === true ? 'again' : undefined),
      recover: async (why) => {
        session.log.warning(
          `The response to the submission was lost (${why}); looking for the job by its key for up to a minute`,
        );
        const look = async () => {
          const found = await delivery.find(session.until(grace.lastTry), key);
          return found.find((candidate) => candidate.attempt === attempt)?.id;
        };
        return created(await lookRepeatedly(look, LIST_DELAYS_MS, session));
      },
    },
    environment,
  );
}
