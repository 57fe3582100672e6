import { SubmitError } from '../../errors.ts';
import type { ByName, Run, RunStatus } from '../../kind.ts';
import type { DeliveryEnvironment } from './delivery-environment.ts';
import { type Attempted, joined, keepsEarlier, markOf, statusUnlessGone } from './earlier.ts';
import { lookRepeatedly, STATE_DELAYS_MS } from './look-up.ts';
import { sendUntilKnown } from './send.ts';

/**
 * The id of each attempt follows from its key, so that a second create is refused as a conflict: what is there under the id is then
 * read, and taken if it is what this submission would make. A re-run asks for the attempts by their ids.
 */
export async function deliverByName(delivery: ByName, run: Run, environment: DeliveryEnvironment): Promise<Attempted> {
  const { context } = environment;
  if (context.attempt <= 1) return joined(await send(delivery, 1, environment), environment);
  let latest: { readonly id: string; readonly attempt: number; readonly status: RunStatus } | undefined;
  for (let attempt = 1; attempt < context.attempt; attempt += 1) {
    const id = delivery.id(markOf(environment, attempt));
    const status = await statusUnlessGone(run, id, environment);
    if (status !== undefined) latest = { id, attempt, status };
  }
  if (latest === undefined) return send(delivery, 1, environment);
  const { id, attempt, status } = latest;
  if (await keepsEarlier(run, id, status, environment)) return { id, attempt, origin: 'found' };
  return send(delivery, attempt + 1, environment);
}

function send(delivery: ByName, attempt: number, environment: DeliveryEnvironment): Promise<Attempted> {
  const { grace, session } = environment;
  const mark = markOf(environment, attempt);
  const id = delivery.id(mark);
  return sendUntilKnown<Attempted>(
    {
      attempt,
      call: delivery.create(mark),
      accept: () => ({ id, attempt, origin: 'created' }),
      refused: async (refusal, { isRepeated }) => {
        if (!delivery.isTaken(refusal)) return undefined;
        const look = () => delivery.isOurs(session.until(grace.lastTry), mark);
        const isOurs = await lookRepeatedly(look, STATE_DELAYS_MS, session);
        if (isOurs === undefined) return undefined;
        if (!isOurs) throw taken(id, environment);
        return { id, attempt, origin: isRepeated ? 'created' : 'found' };
      },
    },
    environment,
  );
}

function taken(id: string, { title, key }: DeliveryEnvironment): SubmitError {
  return new SubmitError('request-rejected', {
    happened: `${id} exists and is not what this step would submit`,
    presented: [title, `submission key ${key}`],
    remedy: ['Remove it or choose another name, then retry the step.'],
  });
}
