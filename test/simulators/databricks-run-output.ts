import { type Attempt, taskRunView, taskTypeOf, verdictOfAttempt, type Workspace } from './databricks-run-view.ts';
import type { Moment, Run } from './databricks-runs.ts';

const OUTPUT_LIMIT_BYTES = 5 * 1024 * 1024;

const TASKS_WITH_LOGS = ['spark_python_task', 'python_wheel_task', 'spark_jar_task'];

/** What one attempt of a task left behind, cut as the service cuts it (https://docs.databricks.com/api/workspace/jobs/getrunoutput). */
export function outputView(
  run: Run,
  moment: Moment,
  workspace: Workspace,
  attempt: Attempt,
): Readonly<Record<string, unknown>> {
  const type = taskTypeOf(attempt.taskRun);
  const code = verdictOfAttempt(run, moment, attempt)?.code;
  const { logs = '', result } = run.life;
  const failure = code === 'RUN_EXECUTION_ERROR' && run.end.kind === 'user-code-failure' ? run.end : undefined;
  const started = code !== undefined && code !== 'SKIPPED';
  return {
    metadata: taskRunView(run, moment, workspace, attempt),
    ...(started && TASKS_WITH_LOGS.includes(type) ? logsView(logs) : {}),
    ...(type === 'notebook_task' ? { notebook_output: code === 'SUCCESS' ? resultView(result) : {} } : {}),
    ...(failure === undefined ? {} : { error: failure.error, error_trace: failure.trace ?? failure.error }),
  };
}

function logsView(logs: string): Readonly<Record<string, unknown>> {
  const bytes = Buffer.from(logs);
  return { logs: bytes.subarray(-OUTPUT_LIMIT_BYTES).toString(), logs_truncated: bytes.length > OUTPUT_LIMIT_BYTES };
}

function resultView(result: string | undefined): Readonly<Record<string, unknown>> {
  if (result === undefined) return {};
  const bytes = Buffer.from(result);
  return { result: bytes.subarray(0, OUTPUT_LIMIT_BYTES).toString(), truncated: bytes.length > OUTPUT_LIMIT_BYTES };
}
