/** google.rpc.Status */
interface RpcStatus {
  readonly code: number;
  readonly message: string;
}

/** One stretch of a job's life. A step that names no length lasts for ever. */
export interface LifeStep {
  /** A JobState with its prefix, or a word that no client knows; absent: unspecified, which JSON leaves out. */
  readonly state?: string;
  /** The job's error in this step. */
  readonly error?: RpcStatus;
  /** How many instances a batch job is done with in this step; `incomplete` is -1 where nobody knows. */
  readonly instances?: { readonly successful?: number; readonly failed?: number; readonly incomplete?: number };
  /** What a batch job met in this step without failing. */
  readonly partialFailures?: readonly RpcStatus[];
  /** The step lasts so many milliseconds. */
  readonly forMs?: number;
  /** The step is answered to so many GETs. */
  readonly forReads?: number;
}

/** How long each step of a ready-made life lasts. */
export type StepLength = { readonly forMs: number } | { readonly forReads: number };

const ONE_READ: StepLength = { forReads: 1 };
const UNTIL_RUNNING = [undefined, 'JOB_STATE_QUEUED', 'JOB_STATE_PENDING', 'JOB_STATE_RUNNING'];

/** Queued, pending, running, succeeded. */
export function succeedingLife(each: StepLength = ONE_READ): LifeStep[] {
  return [...steps(UNTIL_RUNNING, each), { state: 'JOB_STATE_SUCCEEDED' }];
}

/** Queued, pending, running, failed. */
export function failingLife(error: LifeStep['error'], each: StepLength = ONE_READ): LifeStep[] {
  return [...steps(UNTIL_RUNNING, each), { state: 'JOB_STATE_FAILED', ...(error === undefined ? {} : { error }) }];
}

/** Pre-empted once: back to pending, then running again, succeeded. */
export function preemptedLife(each: StepLength = ONE_READ): LifeStep[] {
  return [
    ...steps(UNTIL_RUNNING, each),
    ...steps(['JOB_STATE_PENDING', 'JOB_STATE_RUNNING'], each),
    { state: 'JOB_STATE_SUCCEEDED' },
  ];
}

/** Running for ever. */
export function hangingLife(each: StepLength = ONE_READ): LifeStep[] {
  return [...steps(UNTIL_RUNNING.slice(0, -1), each), { state: 'JOB_STATE_RUNNING' }];
}

/** Best effort: the service takes a while, and the job ends as cancelled. */
export function cancelledLife(each: StepLength = ONE_READ): LifeStep[] {
  return [
    { state: 'JOB_STATE_CANCELLING', ...each },
    { state: 'JOB_STATE_CANCELLED', error: { code: 1, message: 'CANCELED' } },
  ];
}

function steps(states: readonly (string | undefined)[], each: StepLength): LifeStep[] {
  return states.map((state) => ({ ...(state === undefined ? {} : { state }), ...each }));
}

const ENDS = ['SUCCEEDED', 'FAILED', 'CANCELLED', 'EXPIRED', 'PARTIALLY_SUCCEEDED'].map((word) => `JOB_STATE_${word}`);

/** What a job looks like at one moment; times in milliseconds since the epoch. */
export interface LifeView extends Omit<LifeStep, 'forMs' | 'forReads'> {
  readonly startTime: number | undefined;
  readonly endTime: number | undefined;
  readonly updateTime: number;
  readonly ended: boolean;
}

/** A job's life as it goes on. */
export interface Life {
  view(): LifeView;
  /** Looks as a GET does: it counts for `forReads`. */
  read(): LifeView;
  /** From now on another life. */
  become(next: readonly LifeStep[]): void;
}

/** Starts a life with the first of its steps. */
export function startLife(script: readonly LifeStep[], now: () => number): Life {
  let steps = script;
  let index = 0;
  let enteredAt = now();
  let reads = 0;
  let startTime: number | undefined;
  let endTime: number | undefined;

  const enter = (next: number, at: number) => {
    index = next;
    enteredAt = at;
    reads = 0;
    const state = steps[index]?.state;
    if (state === 'JOB_STATE_RUNNING') startTime ??= at;
    if (state !== undefined && ENDS.includes(state)) endTime ??= at;
  };
  const settle = () => {
    for (;;) {
      const { forMs, forReads } = steps[index] ?? {};
      if (index >= steps.length - 1) return;
      if (forMs !== undefined && now() >= enteredAt + forMs) enter(index + 1, enteredAt + forMs);
      else if (forReads !== undefined && reads >= forReads) enter(index + 1, now());
      else return;
    }
  };
  const view = (): LifeView => {
    settle();
    return { ...steps[index], startTime, endTime, updateTime: enteredAt, ended: endTime !== undefined };
  };

  enter(0, enteredAt);
  return {
    view,
    read: () => {
      const seen = view();
      reads += 1;
      return seen;
    },
    become: (next) => {
      steps = next;
      enter(0, now());
    },
  };
}
