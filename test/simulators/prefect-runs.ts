import type { JsonObject } from './json-object.ts';
import { type Entered, isTerminal, type RunLife, type StateType, statesOf } from './prefect-run-life.ts';

/** What a run is made from, after all checks. */
export interface NewRun {
  readonly id: string;
  readonly flowId: string;
  readonly deploymentId: string;
  readonly deploymentVersion: string | null;
  readonly workPoolName: string | null;
  readonly workQueueName: string | null;
  readonly name: string;
  readonly parameters: JsonObject;
  readonly tags: readonly string[];
  readonly labels: JsonObject;
  readonly context: JsonObject;
  readonly jobVariables: JsonObject;
  readonly empiricalPolicy: JsonObject;
  readonly idempotencyKey: string | null;
  readonly parentTaskRunId: string | null;
  readonly state: { readonly type: StateType; readonly name: string; readonly message: string | null };
  readonly scheduledFor: number;
  readonly body: string;
  readonly headers: Headers;
}

export interface Run extends NewRun {
  readonly createdAt: number;
  readonly life: RunLife;
  /** When a worker takes it: never, while none is there. */
  takenAt: number;
  /** States that were set through the API, which end the scripted life; some lie in the future. */
  set: readonly Entered[];
  cancelRequested: boolean;
  waitsLeft: number;
}

export function createRun(newRun: NewRun, life: RunLife, now: number, workerIsThere: boolean): Run {
  const due = Math.max(now, newRun.scheduledFor) + (life.scheduledMs ?? 1000);
  return {
    ...newRun,
    createdAt: now,
    life,
    takenAt: workerIsThere && newRun.state.type === 'SCHEDULED' ? due : Number.POSITIVE_INFINITY,
    set: [],
    cancelRequested: false,
    waitsLeft: life.cancelWaits ?? 0,
  };
}

/** A worker has come to the run's pool. */
export function meetWorker(run: Run, now: number): void {
  if (run.takenAt === Number.POSITIVE_INFINITY && run.state.type === 'SCHEDULED') {
    run.takenAt = Math.max(now, run.scheduledFor) + (run.life.scheduledMs ?? 1000);
  }
}

/** Every state that the run has been in, the present one last. */
export function historyOf(run: Run, now: number): readonly [Entered, ...Entered[]] {
  const details = run.state.type === 'SCHEDULED' ? { scheduled_time: timestamp(run.scheduledFor) } : {};
  const created: Entered = { at: run.createdAt, ...run.state, details };
  const setAt = run.set[0]?.at ?? Number.POSITIVE_INFINITY;
  const lived =
    run.state.type === 'SCHEDULED'
      ? statesOf(run.life, { scheduledFor: Math.max(run.scheduledFor, run.createdAt), takenAt: run.takenAt })
      : [];
  return [created, ...lived.filter(({ at }) => at <= now && at <= setAt), ...run.set.filter(({ at }) => at <= now)];
}

export function presentState(history: readonly [Entered, ...Entered[]]): Entered {
  return history.at(-1) ?? history[0];
}

/** Whether a process or container stands behind the run's present state. */
export function hasInfrastructure(history: readonly Entered[]): boolean {
  const gone = history.findLastIndex(({ type, name }) => name === 'Suspended' || isTerminal(type));
  return history.slice(gone + 1).some(({ type }) => type === 'PENDING' || type === 'RUNNING');
}

/** When the run stopped for the first time, if it has. */
export function firstEnd(history: readonly Entered[]): number | undefined {
  return history.find(({ type }) => isTerminal(type))?.at;
}

/** A moment as the API writes it: microseconds, or none at a whole second. */
export function timestamp(ms: number): string {
  const text = new Date(ms).toISOString();
  return text.endsWith('.000Z') ? text.replace('.000Z', 'Z') : text.replace('Z', '000Z');
}

/** An id that belongs to another one, always the same. */
export function derivedId(
  id: string,
  kind: 'state' | 'log' | 'artifact' | 'task' | 'collection',
  index: number,
): string {
  const prefix = { state: '1', log: '2', artifact: '3', task: '4', collection: '5' }[kind];
  return `${id.slice(0, 24)}${prefix}${index.toString(16).padStart(11, '0')}`;
}
