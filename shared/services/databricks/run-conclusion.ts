import { isoTime } from '../../clock.ts';
import type { HttpCall } from '../../http/http.ts';
import type { Session } from '../../identity/session.ts';
import { defined, type Json, numberAt, objectAt, stringifyJson, textAt } from '../../json.ts';
import type { Conclusion, RunStatus } from '../../kind.ts';
import { plainLine, plainTail } from '../../remote-text.ts';
import { runIdAt } from './run-id.ts';
import { latestTasks, runUrl, standing } from './run-status.ts';

/** Outputs of a finished Databricks run, however it was started. */
export const runOutputs = {
  'job-id': "the id of the run's job",
  'run-name': "the run's name",
  'start-time': 'when it began (RFC 3339)',
  'end-time': 'when it ended',
  'duration-seconds': 'how long it took, in seconds',
  'git-commit': 'the commit that Databricks checked out, where the run has a `git_source`',
  'notebook-result': 'what the notebook gave to `dbutils.notebook.exit`, where exactly one task did',
  tasks:
    'JSON: for each task `task_key`, `run_id`, `state`, `phase`, `url`, `duration_seconds`, and where it has them `error` and `result`',
};

/** Outputs of this many tasks are read: each is a request. */
const READ_TASKS = 10;
/** A notebook's result is handed on whole up to this many characters, and all of a run's together up to that many. */
const RESULT_LIMIT = 10_000;
const RESULTS_LIMIT = 30_000;

/**
 * What a finished run leaves: times, every task's end, the results of notebooks, and of failed tasks the error and the end of the output.
 * https://docs.databricks.com/api/workspace/jobs/getrunoutput
 */
export async function concludeRun(
  session: Session,
  status: RunStatus,
  outputCall: (taskRunId: string) => HttpCall,
): Promise<Conclusion> {
  const run = status.source;
  const tasks = latestTasks(run);
  // Failed tasks first: they are the ones that somebody needs to read.
  const ordered = tasks.toSorted(
    (left, right) => Number(standing(right).phase === 'failed') - Number(standing(left).phase === 'failed'),
  );
  const answers = new Map<string, Json>();
  await Promise.all(
    ordered.slice(0, READ_TASKS).map(async (task) => {
      const id = runIdAt(task);
      // Some tasks have no output to read; that is no reason to lose the others'.
      const answer = id === undefined ? undefined : await session.read(outputCall(id)).catch(() => undefined);
      if (id !== undefined && answer !== undefined) answers.set(id, answer);
    }),
  );

  const summaries = tasks.map((task) => describeTask(task, answers.get(runIdAt(task) ?? '')));
  const notes = tasks.flatMap((task) => failureNote(task, answers.get(runIdAt(task) ?? '')));
  const results = summaries.flatMap((summary) => (typeof summary.result === 'string' ? [summary.result] : []));
  const outputs = {
    'job-id': textAt(run, 'job_id'),
    'run-name': textAt(run, 'run_name'),
    'start-time': timeAt(run, 'start_time'),
    'end-time': timeAt(run, 'end_time'),
    'duration-seconds': durationSeconds(run),
    'git-commit': textAt(objectAt(objectAt(run, 'git_source'), 'git_snapshot'), 'used_commit'),
    'notebook-result': results.length === 1 ? results[0] : undefined,
    tasks: stringifyJson(withinBudget(summaries)),
  };
  return { outputs: defined(outputs), notes };
}

/** Leaves out results from where they would be too much for a variable or a meta-data value. */
function withinBudget(summaries: readonly Record<string, string>[]): readonly Record<string, string>[] {
  let left = RESULTS_LIMIT;
  return summaries.map(({ result, ...summary }) => {
    left -= result?.length ?? 0;
    return result === undefined || left < 0 ? summary : { ...summary, result };
  });
}

function describeTask(task: Json, answer: Json | undefined): Record<string, string> {
  const { word, phase } = standing(task);
  const error = textAt(answer, 'error');
  const result = textAt(objectAt(answer, 'notebook_output'), 'result');
  return {
    task_key: textAt(task, 'task_key') ?? '',
    run_id: runIdAt(task) ?? '',
    state: word,
    phase,
    ...defined({
      url: runUrl(task),
      duration_seconds: durationSeconds(task),
      error: error === undefined ? undefined : plainLine(error, 1_000),
      result: result === undefined || result.length > RESULT_LIMIT ? undefined : result,
    }),
  };
}

function failureNote(task: Json, answer: Json | undefined): Conclusion['notes'] {
  if (standing(task).phase !== 'failed' || answer === undefined) return [];
  const name = plainLine(textAt(task, 'task_key') ?? '', 100);
  const note = (member: string, title: string, lines: number, limit?: number): Conclusion['notes'] => {
    const text = textAt(answer, member);
    return text === undefined ? [] : [{ title, lines: plainTail(text, lines, limit) }];
  };
  return [
    ...note('error', `Task ${name} failed`, 20, 4_000),
    ...note('error_trace', `Trace of task ${name}`, 30),
    ...note('logs', `End of the output of task ${name}`, 40),
  ];
}

function timeAt(run: Json, name: string): string | undefined {
  const ms = numberAt(run, name);
  return ms === undefined || ms <= 0 ? undefined : isoTime(ms);
}

function durationSeconds(run: Json): string | undefined {
  const duration = numberAt(run, 'run_duration');
  const start = numberAt(run, 'start_time') ?? 0;
  const end = numberAt(run, 'end_time') ?? 0;
  if (duration !== undefined && duration > 0) return String(Math.round(duration / 1000));
  return start > 0 && end >= start ? String(Math.round((end - start) / 1000)) : undefined;
}
