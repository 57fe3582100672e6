import type { FailureCause } from '../../shared/kind.ts';
import type { RunEnd, RunLife } from '../simulators/databricks-run-life.ts';
import type { LifeStep } from '../simulators/vertex-job-life.ts';

/** What becomes of a remote job, in no service's words. */
export interface RemoteLife {
  readonly queuedMs?: number;
  readonly runningMs?: number;
  readonly end: 'success' | 'cancelled' | { readonly cause: FailureCause };
  /** How many of the hundred instances of a batch job that succeeds are not predicted. */
  readonly failedInstances?: number;
  /** For how long the service's lists do not show the job, where it has such lists. */
  readonly listedAfterMs?: number;
}

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;

const VERTEX_ERRORS: Readonly<Record<FailureCause, { code: number; message: string }>> = {
  code: { code: 5, message: 'The replica workerpool0-0 exited with a non-zero status of 1.' },
  infrastructure: { code: 13, message: 'Internal error occurred.' },
  quota: { code: 8, message: 'Resources are insufficient in region: us-central1.' },
  permission: { code: 7, message: 'The service account cannot read the image.' },
  timeout: { code: 4, message: 'The job ran longer than its timeout.' },
};

/** The life of a Vertex AI job. */
export function vertexLife(life: RemoteLife): readonly LifeStep[] {
  const { queuedMs = 10_000, runningMs = 30_000, end, failedInstances: failed = 0 } = life;
  const before = [
    { state: 'JOB_STATE_PENDING', forMs: queuedMs },
    { state: 'JOB_STATE_RUNNING', forMs: runningMs },
  ];
  if (end === 'success')
    return [...before, { state: 'JOB_STATE_SUCCEEDED', instances: { successful: 100 - failed, failed } }];
  if (end === 'cancelled')
    return [...before, { state: 'JOB_STATE_CANCELLED', error: { code: 1, message: 'CANCELED' } }];
  return [...before, { state: 'JOB_STATE_FAILED', error: VERTEX_ERRORS[end.cause] }];
}

const DATABRICKS_ENDS: Readonly<Record<FailureCause, RunEnd>> = {
  code: { kind: 'user-code-failure', error: 'ValueError: no such column', trace: 'Traceback (most recent call last)' },
  infrastructure: { kind: 'cluster-failure' },
  quota: terminated('CLIENT_ERROR', 'WORKSPACE_RUN_LIMIT_EXCEEDED'),
  permission: terminated('CLIENT_ERROR', 'UNAUTHORIZED_ERROR'),
  timeout: { kind: 'timed-out' },
};

function terminated(type: string, code: string): RunEnd {
  return { kind: 'terminated', type, code, lifeCycleState: 'INTERNAL_ERROR', resultState: 'FAILED', message: code };
}

/** The life of a Databricks run. */
export function databricksLife({ queuedMs = 10_000, runningMs = 30_000, end, listedAfterMs = 0 }: RemoteLife): RunLife {
  return {
    listedAfterMs,
    phases: [
      { state: 'PENDING', span: { ms: queuedMs } },
      { state: 'RUNNING', span: { ms: runningMs } },
    ],
    end: typeof end === 'string' ? { kind: end } : DATABRICKS_ENDS[end.cause],
  };
}
