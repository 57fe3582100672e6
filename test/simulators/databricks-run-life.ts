/** How long a phase lasts: for a time on the simulator's clock, or until runs/get has shown it so often. */
export type Span = { readonly ms: number } | { readonly gets: number };

export interface Phase {
  /** QUEUED, PENDING, RUNNING, …: also words that the API does not document. */
  readonly state: string;
  readonly span: Span;
  /** Why a QUEUED run waits; default ACTIVE_RUNS_LIMIT_REACHED. */
  readonly queueCode?: string;
}

/** How a run ends, with `terminated` for any documented or future combination. */
export type RunEnd =
  | { readonly kind: 'success' }
  | { readonly kind: 'user-code-failure'; readonly error: string; readonly trace?: string }
  | { readonly kind: 'cluster-failure' }
  | { readonly kind: 'cloud-failure' }
  | { readonly kind: 'timed-out' }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'skipped' }
  | { readonly kind: 'hang' }
  | {
      readonly kind: 'terminated';
      readonly type: string;
      readonly code: string;
      readonly lifeCycleState: string;
      readonly resultState?: string;
      readonly message?: string;
    };

/** The script of one run. */
export interface RunLife {
  /** Default: pending, then running, each until seen once. */
  readonly phases?: readonly Phase[];
  readonly end: RunEnd;
  /** How the run winds down when it is cancelled; default: TERMINATING is seen once. */
  readonly cancelling?: Span;
  /** Tries of the first task, of which all but the last fail; default 1. */
  readonly attempts?: number;
  /** What the tasks print, and what a notebook hands to `dbutils.notebook.exit`. */
  readonly logs?: string;
  readonly result?: string;
  /** The commit that a branch or tag is resolved to. */
  readonly usedCommit?: string;
  /** For how many milliseconds lists do not show the run. */
  readonly listedAfterMs?: number;
}

/** The end of a run or of one of its tasks, in the API's old and new words. */
export interface Verdict {
  readonly type: string;
  readonly code: string;
  readonly lifeCycleState: string;
  readonly resultState?: string;
  readonly message: string;
  readonly cancelledOrTimedOut?: boolean;
}

/** What becomes of the run, of the task that decided it, and of the rest: a failure spares tasks that do not depend on it. */
export interface RunVerdicts {
  readonly run: Verdict;
  readonly culprit: Verdict;
  readonly shared: boolean;
}

export const SUCCESS: Verdict = {
  type: 'SUCCESS',
  code: 'SUCCESS',
  lifeCycleState: 'TERMINATED',
  resultState: 'SUCCESS',
  message: '',
};

export const UPSTREAM_FAILED: Verdict = {
  type: 'CLIENT_ERROR',
  code: 'SKIPPED',
  lifeCycleState: 'TERMINATED',
  resultState: 'UPSTREAM_FAILED',
  message: 'Upstream task failed.',
};

export const FAILED_ATTEMPT = taskFailure(
  'CLIENT_ERROR',
  'RUN_EXECUTION_ERROR',
  'Workload failed, see run output for details',
);

const DEFAULT_PHASES: readonly Phase[] = [
  { state: 'PENDING', span: { gets: 1 } },
  { state: 'RUNNING', span: { gets: 1 } },
];

/** The phases of a life: a run that hangs never leaves the last one. */
export function phasesOf({ phases = DEFAULT_PHASES, end }: RunLife): readonly Phase[] {
  const last = phases.at(-1);
  if (end.kind !== 'hang') return phases;
  return [...phases.slice(0, -1), { state: 'RUNNING', ...last, span: { ms: Number.POSITIVE_INFINITY } }];
}

/** The words for an end. */
export function verdictsOf(end: RunEnd, taskKey: string, hasDownstream: boolean): RunVerdicts {
  switch (end.kind) {
    case 'success':
      return everyone(SUCCESS);
    case 'user-code-failure':
      return culpritOnly(FAILED_ATTEMPT, taskKey, hasDownstream);
    case 'cluster-failure':
      return culpritOnly(
        taskFailure('CLIENT_ERROR', 'CLUSTER_ERROR', 'Cluster was terminated during the run'),
        taskKey,
        hasDownstream,
      );
    case 'cloud-failure':
      return culpritOnly(
        taskFailure('CLOUD_FAILURE', 'CLOUD_FAILURE', 'The cloud provider could not launch the instances'),
        taskKey,
        hasDownstream,
      );
    case 'timed-out':
      return everyone({ ...stopped('CANCELED', 'TIMEDOUT', 'Run timed out.'), cancelledOrTimedOut: true });
    case 'cancelled':
      return everyone({ ...stopped('USER_CANCELED', 'CANCELED', 'Run cancelled.'), cancelledOrTimedOut: true });
    case 'skipped':
      return everyone({
        type: 'CLIENT_ERROR',
        code: 'SKIPPED',
        lifeCycleState: 'SKIPPED',
        message: 'Run was skipped.',
      });
    case 'terminated':
      return everyone({ message: '', ...end });
    case 'hang':
      throw new Error('A run that hangs has no end');
  }
}

function everyone(verdict: Verdict): RunVerdicts {
  return { run: verdict, culprit: verdict, shared: true };
}

// A failed task ends as TERMINATED, but makes the old state of its run INTERNAL_ERROR: measured on the real service.
function culpritOnly(culprit: Verdict, taskKey: string, hasDownstream: boolean): RunVerdicts {
  const consequence = hasDownstream ? ' This caused all downstream tasks to get skipped.' : '';
  const message = `Task ${taskKey} failed with message: ${culprit.message}.${consequence}`;
  return { run: { ...culprit, lifeCycleState: 'INTERNAL_ERROR', message }, culprit, shared: false };
}

function taskFailure(type: string, code: string, message: string): Verdict {
  return { type, code, lifeCycleState: 'TERMINATED', resultState: 'FAILED', message };
}

function stopped(code: string, resultState: string, message: string): Verdict {
  return { type: 'CLIENT_ERROR', code, lifeCycleState: 'TERMINATED', resultState, message };
}
