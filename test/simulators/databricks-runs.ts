import type { GitSource, TaskSpec } from './databricks-jobs-requests.ts';
import { downstreamOf } from './databricks-jobs-rules.ts';
import {
  type Phase,
  phasesOf,
  type RunEnd,
  type RunLife,
  type RunVerdicts,
  verdictsOf,
} from './databricks-run-life.ts';

/** What a run is made from. */
export interface NewRun {
  readonly runType: 'SUBMIT_RUN' | 'JOB_RUN';
  readonly jobId: bigint;
  readonly runName: string;
  readonly createdBy: string;
  readonly tasks: readonly TaskSpec[];
  readonly gitSource?: GitSource;
  readonly jobParameters?: readonly { readonly name: string; readonly default?: string; readonly value: string }[];
  readonly accessControlList: readonly Readonly<Record<string, string>>[];
  /** The request that made it, as it came. */
  readonly body: string;
  readonly headers: Headers;
}

export interface TaskRun {
  readonly spec: TaskSpec;
  /** One run id for each attempt. */
  readonly attemptIds: readonly bigint[];
}

export interface Run extends NewRun {
  readonly runId: bigint;
  readonly life: RunLife;
  readonly taskRuns: readonly TaskRun[];
  readonly startTime: number;
  phases: readonly Phase[];
  end: RunEnd;
  phaseIndex: number;
  phaseStart: number;
  getsInPhase: number;
  cancelledBy?: string;
  deleted: boolean;
}

/** A run's state at one moment: the phase it is in, or how it ended. */
export type Moment = { readonly phase: Phase } | { readonly verdicts: RunVerdicts; readonly endTime: number };

/** Ids far beyond 2^53, none of which a double can hold. */
export function idSource(): () => bigint {
  let last = 613_245_987_654_320_001n;
  return () => {
    last += 2n;
    return last;
  };
}

export function createRun(newRun: NewRun, life: RunLife, nextId: () => bigint, now: number): Run {
  const runId = nextId();
  const taskRuns = newRun.tasks.map((spec, index) => ({
    spec,
    attemptIds: Array.from({ length: index === 0 ? (life.attempts ?? 1) : 1 }, nextId),
  }));
  return {
    ...newRun,
    runId,
    life,
    taskRuns,
    startTime: now,
    phases: phasesOf(life),
    end: life.end,
    phaseIndex: 0,
    phaseStart: now,
    getsInPhase: 0,
    deleted: false,
  };
}

/** Moves a run on to where it stands now. */
export function advance(run: Run, now: number): Moment {
  let phase = run.phases[run.phaseIndex];
  while (phase !== undefined && isOver(run, phase, now)) {
    run.phaseStart = 'ms' in phase.span ? run.phaseStart + phase.span.ms : now;
    run.phaseIndex += 1;
    run.getsInPhase = 0;
    phase = run.phases[run.phaseIndex];
  }
  return phase === undefined ? { verdicts: endOf(run), endTime: run.phaseStart } : { phase };
}

/** Asks a run to stop: it winds down first, and one that has ended keeps its outcome. */
export function cancel(run: Run, by: string, now: number): void {
  if ('verdicts' in advance(run, now) || run.cancelledBy !== undefined) return;
  run.cancelledBy = by;
  run.phases = [{ state: 'TERMINATING', span: run.life.cancelling ?? { gets: 1 } }];
  run.end = { kind: 'cancelled' };
  run.phaseIndex = 0;
  run.phaseStart = now;
  run.getsInPhase = 0;
}

function isOver(run: Run, phase: Phase, now: number): boolean {
  return 'ms' in phase.span ? now - run.phaseStart >= phase.span.ms : run.getsInPhase >= phase.span.gets;
}

function endOf(run: Run): RunVerdicts {
  const first = run.tasks[0]?.task_key ?? '';
  return verdictsOf(run.end, first, downstreamOf(run.tasks, first).size > 0);
}
