import type { CiContext } from '../../host/ci-context.ts';
import type { Session } from '../../identity/session.ts';
import type { Access, FoundRun, Run } from '../../kind.ts';
import type { Grace } from '../grace.ts';

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
