/** How a run's life is scripted, and the states that it passes through (https://docs.prefect.io/v3/concepts/states). */

export type StateType =
  | 'SCHEDULED'
  | 'PENDING'
  | 'RUNNING'
  | 'COMPLETED'
  | 'FAILED'
  | 'CANCELLED'
  | 'CRASHED'
  | 'PAUSED'
  | 'CANCELLING';

/** How a run ends; `state` is for any other combination, `hang` for none. */
export type RunEnd =
  | { readonly kind: 'completed' | 'failed' | 'crashed' | 'cancelled'; readonly message?: string }
  | { readonly kind: 'timed-out'; readonly seconds?: number }
  /** No worker ever takes it. */
  | { readonly kind: 'late' }
  /** It never leaves the state. */
  | { readonly kind: 'hang'; readonly in?: 'PENDING' | 'RUNNING' }
  | { readonly kind: 'state'; readonly type: StateType; readonly name: string; readonly message?: string };

/** A line that the run logs, so long after it began to run. */
export interface LogLine {
  readonly atMs: number;
  readonly message: string;
  /** Python's numbers: 10 DEBUG, 20 INFO (the default), 30 WARNING, 40 ERROR, 50 CRITICAL. */
  readonly level?: number;
  readonly name?: string;
  /** When the line reaches the server, where that is later than it was written. */
  readonly arrivesMs?: number;
  /** A task of the run wrote it. */
  readonly ofTask?: boolean;
}

export interface ScriptedArtifact {
  readonly atMs: number;
  readonly type: 'markdown' | 'table' | 'link' | 'progress' | 'image' | 'result' | (string & {});
  readonly data: unknown;
  readonly key?: string;
  readonly description?: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** The script of one run. Spans may be Infinity. */
export interface RunLife {
  readonly end: RunEnd;
  /** From the time it is scheduled for until a worker takes it; default 1 s. After 15 s the run is called Late. */
  readonly scheduledMs?: number;
  readonly pendingMs?: number;
  readonly runningMs?: number;
  /** It waits so long for a slot of its deployment's concurrency limit before it is pending. */
  readonly concurrencyWaitMs?: number;
  /** What happens in the middle of running. */
  readonly interruption?: { readonly kind: 'paused' | 'suspended' | 'awaiting-retry'; readonly ms: number };
  /** Someone starts the ended run again in the web application, so long after its end; then it completes. */
  readonly restartedAfterMs?: number;
  /** How long a worker takes to stop a run that is being cancelled; default 1 s. */
  readonly cancellingMs?: number;
  /** How often a request to cancel is answered WAIT before it is heard. */
  readonly cancelWaits?: number;
  readonly logs?: readonly LogLine[];
  readonly artifacts?: readonly ScriptedArtifact[];
}

/** One state of a run, entered at a moment of the simulator's clock. */
export interface Entered {
  readonly at: number;
  readonly type: StateType;
  readonly name: string;
  readonly message: string | null;
  readonly details?: Readonly<Record<string, unknown>>;
}

const LATE_AFTER_MS = 15_000;
const TERMINAL: readonly StateType[] = ['COMPLETED', 'FAILED', 'CANCELLED', 'CRASHED'];

export function isTerminal(type: StateType): boolean {
  return TERMINAL.includes(type);
}

/** When a run is due and when, if ever, a worker takes it. */
export interface Departure {
  readonly scheduledFor: number;
  readonly takenAt: number;
}

/** The states from the moment a run is due, in order, without the one it was created in. */
export function statesOf(life: RunLife, { scheduledFor, takenAt }: Departure): readonly Entered[] {
  const states: Entered[] = [];
  const enter = (at: number, type: StateType, name: string, message?: string, details?: Entered['details']) => {
    if (Number.isFinite(at)) {
      states.push({ at, type, name, message: message ?? null, ...(details === undefined ? {} : { details }) });
    }
  };
  const { end } = life;
  const taken = end.kind === 'late' ? Number.POSITIVE_INFINITY : takenAt;
  if (taken - scheduledFor > LATE_AFTER_MS) enter(scheduledFor + LATE_AFTER_MS, 'SCHEDULED', 'Late');
  const wait = life.concurrencyWaitMs ?? 0;
  if (wait > 0) enter(taken, 'SCHEDULED', 'AwaitingConcurrencySlot', 'Deployment concurrency limit reached.');

  let at = taken + wait;
  at = pend(enter, at, life.pendingMs ?? 1000, end);
  enter(at, 'RUNNING', 'Running');
  const running = end.kind === 'hang' ? Number.POSITIVE_INFINITY : (life.runningMs ?? 2000);
  const { interruption } = life;
  if (interruption === undefined) {
    at += running;
  } else {
    const half = (life.runningMs ?? 2000) / 2;
    at = interrupted(enter, at + half, interruption);
    at += running - half;
  }
  const last = ending(end);
  if (last !== undefined) enter(at, last.type, last.name, last.message);
  if (life.restartedAfterMs !== undefined) {
    at += life.restartedAfterMs;
    enter(at, 'SCHEDULED', 'AwaitingRetry');
    enter(at + 1000, 'PENDING', 'Pending');
    enter(at + 2000, 'RUNNING', 'Running');
    enter(at + 3000, 'COMPLETED', 'Completed');
  }
  return states;
}

type Enter = (at: number, type: StateType, name: string, message?: string, details?: Entered['details']) => void;

function pend(enter: Enter, at: number, ms: number, end: RunEnd): number {
  enter(at, 'PENDING', 'Pending');
  enter(at + Math.min(ms, 1000) / 2, 'PENDING', 'InfrastructurePending');
  return at + (end.kind === 'hang' && end.in === 'PENDING' ? Number.POSITIVE_INFINITY : ms);
}

/** Leaves running for a while; the moment at which the run goes on. */
function interrupted(enter: Enter, at: number, { kind, ms }: NonNullable<RunLife['interruption']>): number {
  switch (kind) {
    case 'paused':
      enter(at, 'PAUSED', 'Paused', undefined, { pause_key: 'simulated' });
      enter(at + ms, 'RUNNING', 'Running');
      return at + ms;
    case 'suspended':
      enter(at, 'PAUSED', 'Suspended', undefined, { pause_reschedule: true, pause_key: 'simulated' });
      enter(at + ms, 'SCHEDULED', 'Resuming');
      enter(at + ms + 500, 'PENDING', 'Pending');
      enter(at + ms + 1000, 'RUNNING', 'Running');
      return at + ms + 1000;
    case 'awaiting-retry':
      enter(at, 'SCHEDULED', 'AwaitingRetry', 'Flow run encountered an exception: ConnectionError: reset by peer');
      enter(at + ms, 'RUNNING', 'Retrying');
      return at + ms;
  }
}

function ending(end: RunEnd): { type: StateType; name: string; message?: string } | undefined {
  switch (end.kind) {
    case 'completed':
      return { type: 'COMPLETED', name: 'Completed', ...message(end.message) };
    case 'failed':
      return {
        type: 'FAILED',
        name: 'Failed',
        message: end.message ?? 'Flow run encountered an exception: ValueError: loss is not finite',
      };
    case 'crashed':
      return {
        type: 'CRASHED',
        name: 'Crashed',
        message: end.message ?? 'Flow run infrastructure exited with non-zero status code 137.',
      };
    case 'cancelled':
      return { type: 'CANCELLED', name: 'Cancelled', ...message(end.message) };
    case 'timed-out':
      return {
        type: 'FAILED',
        name: 'TimedOut',
        message: `Flow run exceeded timeout of ${(end.seconds ?? 60).toFixed(1)} second(s)`,
      };
    case 'state':
      return { type: end.type, name: end.name, ...message(end.message) };
    case 'late':
    case 'hang':
      return undefined;
  }
}

function message(text: string | undefined): { message?: string } {
  return text === undefined ? {} : { message: text };
}
