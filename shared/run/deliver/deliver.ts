import type { Submission } from '../../kind.ts';
import { deliverByMark } from './by-mark.ts';
import { deliverByName } from './by-name.ts';
import { deliverByState } from './by-state.ts';
import { deliverByToken } from './by-token.ts';
import type { Delivered, DeliveryEnvironment } from './delivery-environment.ts';

/**
 * Submits exactly once, by the strategy that the service allows. The first run of a step creates attempt 1, or joins an identical
 * submission of the same build. A re-run attaches to the run of the same key while that is active; when it is over, a manual re-run
 * makes the next attempt, and an automatic retry does so only after a failure. A change is asked for unless it is there.
 * @throws SubmitError when the service refuses, cannot be used, or leaves unknown whether it made the run.
 */
export async function deliver(submission: Submission, environment: DeliveryEnvironment): Promise<Delivered> {
  if (!('run' in submission)) return deliverByState(submission.delivery, environment);
  const { delivery, run } = submission;
  switch (delivery.by) {
    case 'token':
      return { ...(await deliverByToken(delivery, run, environment)), run };
    case 'name':
      return { ...(await deliverByName(delivery, run, environment)), run };
    case 'mark':
      return { ...(await deliverByMark(delivery, run, environment)), run };
  }
}
