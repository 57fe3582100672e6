import type { Answer } from '../../http/http.ts';
import type { Json } from '../../json.ts';
import type { ByState } from '../../kind.ts';
import { plainLine } from '../../remote-text.ts';
import type { Delivered, DeliveryEnvironment } from './delivery-environment.ts';
import { lookRepeatedly, STATE_DELAYS_MS } from './look-up.ts';
import { sendUntilKnown } from './send.ts';

/**
 * Prints what a change makes of what is there and asks for it, unless there is nothing to do or the same is under way already.
 * After an answer that was lost, or a conflict, what is there is read again.
 */
export async function deliverByState(delivery: ByState, environment: DeliveryEnvironment): Promise<Delivered> {
  const { grace, session } = environment;
  const { log } = session;
  const { apply, differences, id, isUnderWay } = delivery;
  const known = (origin: Delivered['origin'], accepted: Answer | undefined, readBack: Json | undefined): Delivered => ({
    id,
    attempt: 1,
    origin,
    run: delivery.run(accepted, readBack),
  });
  for (const { name, before, after } of differences)
    log.info(`${name}: ${plainLine(before ?? 'none', 300)} → ${plainLine(after, 300)}`);
  if (isUnderWay) {
    log.info('The same change is already in progress: nothing to do but wait for it');
    return known('found', undefined, undefined);
  }
  if (differences.length === 0) {
    log.info(`Nothing to do: ${environment.title} is already as asked`);
    return known('found', undefined, undefined);
  }
  return sendUntilKnown<Delivered>(
    {
      attempt: 1,
      call: apply,
      accept: (answer) => known('created', answer, undefined),
      refused: async ({ status }, { isRepeated }) => {
        // The precondition failed, which another request for the same may have caused, or this one when it was first sent.
        const now =
          status === 409 || status === 412 ? await delivery.readBack(session.until(grace.lastTry)) : undefined;
        if (now === undefined) return undefined;
        if (!isRepeated) log.info('The same change was asked for in the meantime');
        return known(isRepeated ? 'created' : 'found', undefined, now);
      },
      recover: async (why) => {
        log.warning(`The response to the change was lost (${why}); reading back whether it came through`);
        const look = () => delivery.readBack(session.until(grace.lastTry));
        const now = await lookRepeatedly(look, STATE_DELAYS_MS, session);
        return now === undefined ? undefined : known('created', undefined, now);
      },
    },
    environment,
  );
}
