import type { RunLife } from '../test/simulators/databricks-run-life.ts';
import type { NewRun } from '../test/simulators/databricks-runs.ts';
import type { RunLife as FlowRunLife } from '../test/simulators/prefect-run-life.ts';
import type { LifeStep } from '../test/simulators/vertex-job-life.ts';
import type { Job } from '../test/simulators/vertex-job-rules.ts';
import type { WorldOptions } from '../test/simulators/world.ts';

/** What the name of a simulated job does: for people who try things by hand, and can change nothing but the job. */
export const NAMES_THAT_MATTER = {
  fail: 'it fails in its own code',
  endless: 'it runs until it is cancelled',
  partly: 'where it is a batch prediction, it fails for some instances',
} as const;

/** Simulated jobs whose lives go by their names. */
export const livesByName: Pick<WorldOptions, 'google' | 'databricks'> = {
  google: { script: lifeOfJob },
  databricks: { script: lifeOfRun },
};

const LOGGED = [
  { atMs: 100, message: 'epoch 10  loss 0.412' },
  { atMs: 300, message: 'epoch 20  loss 0.387' },
];
const METRICS = { type: 'markdown', key: 'metrics', data: '| epoch | loss |\n| --- | --- |\n| 20 | 0.387 |' };

/** The lives of the first flow runs. */
export const FLOW_RUN_LIVES: readonly FlowRunLife[] = [1, 2].map(() => ({
  scheduledMs: 500,
  pendingMs: 500,
  runningMs: 1_500,
  end: { kind: 'completed' },
  logs: LOGGED,
  artifacts: [{ atMs: 400, ...METRICS }],
}));

function lifeOfJob({ displayName }: Job): readonly LifeStep[] {
  const pending = { state: 'JOB_STATE_PENDING', forReads: 1 };
  const running = { state: 'JOB_STATE_RUNNING', forReads: 2 };
  if (says(displayName, 'endless')) return [pending, { state: 'JOB_STATE_RUNNING' }];
  if (says(displayName, 'fail')) return [pending, running, { state: 'JOB_STATE_FAILED', error: REPLICA_FAILED }];
  const instances = says(displayName, 'partly') ? { successful: 97, failed: 3 } : { successful: 100 };
  return [pending, running, { state: 'JOB_STATE_SUCCEEDED', instances }];
}

function lifeOfRun({ runName, runType, jobParameters = [] }: NewRun): RunLife {
  const name = [runName, ...jobParameters.map(({ value }) => value)].join(' ');
  if (says(name, 'fail')) {
    return {
      end: { kind: 'user-code-failure', error: 'ValueError: loss is not a number', trace: TRACE },
      logs: 'epoch 1  loss 0.412\nepoch 2  loss 0.387\nepoch 3  loss nan\n',
    };
  }
  if (says(name, 'endless')) return { end: { kind: 'hang' } };
  return runType === 'JOB_RUN'
    ? { end: { kind: 'success' }, result: 'scored 120394 rows' }
    : { end: { kind: 'success' } };
}

function says(name: string, word: keyof typeof NAMES_THAT_MATTER): boolean {
  return name.toLowerCase().includes(word);
}

const REPLICA_FAILED = { code: 3, message: 'The replica workerpool0-0 exited with a non-zero status of 1.' };

const TRACE = `Traceback (most recent call last):
  File "train.py", line 57, in <module>
    train(epochs=20)
  File "train.py", line 41, in train
    raise ValueError("loss is not a number")`;
