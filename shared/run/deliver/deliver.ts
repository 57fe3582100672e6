import type { CiContext } from '../../host/ci-context.ts';
import type { Session } from '../../identity/session.ts';
import type { Access, FoundRun, Run, Submission } from '../../kind.ts';
import type { Grace } from '../grace.ts';
import { deliverByMark } from './by-mark.ts';
import { deliverByName } from './by-name.ts';
import { deliverByState } from './by-state.ts';
import { deliverByToken } from './by-token.ts';

/** A run that a submission led to. */
export interface Delivered {
  readonly id: string;
  readonly attempt: number;
  /** Whether this step made the run, or found the one that an earlier run of the step had made. */
  readonly origin: 'created' | 'found';
  readonly run: Run;
}

/** What every strategy works with. */
export interface DeliveryEnvironment {
  readonly session: Session;
  readonly access: Access;
  readonly context: CiContext;
  readonly grace: Grace;
  /** What is submitted and where, on one line. */
  readonly title: string;
  readonly key: string;
  readonly serverTimeoutSeconds: number | undefined;
  /** A setting's name as users of this CI write it. */
  readonly spell: (setting: string) => string;
  /** The run that was published in this build for the key, where the CI keeps that. */
  readonly published: () => Promise<FoundRun | undefined>;
  /** Called before an attempt is sent for the first time. */
  readonly beforeSending: (attempt: number) => Promise<void>;
}

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
