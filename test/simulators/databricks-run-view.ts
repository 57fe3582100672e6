import { downstreamOf, usesGit } from './databricks-jobs-rules.ts';
import { TASK_TYPES } from './databricks-jobs-schema.ts';
import { FAILED_ATTEMPT, SUCCESS, UPSTREAM_FAILED, type Verdict } from './databricks-run-life.ts';
import { endedWords, phaseWords } from './databricks-run-state.ts';
import type { Moment, Run, TaskRun } from './databricks-runs.ts';

export interface Workspace {
  readonly workspaceHost: string;
  readonly workspaceId: string;
}

/** One attempt of one task of a run. */
export interface Attempt {
  readonly taskRun: TaskRun;
  readonly runId: bigint;
  readonly number: number;
}

type View = Readonly<Record<string, unknown>>;

export const TASKS_PER_PAGE = 100;

/** A run as `runs/get` shows it, with one page of its tasks (https://docs.databricks.com/api/workspace/jobs/getrun). */
export function runView(run: Run, moment: Moment, workspace: Workspace, firstTask: number): View {
  const tasks = shownAttempts(run, moment).map((attempt) => attemptView(run, moment, workspace, attempt));
  const rest = tasks.length > firstTask + TASKS_PER_PAGE;
  return {
    ...baseView(run, moment, workspace),
    tasks: tasks.slice(firstTask, firstTask + TASKS_PER_PAGE),
    ...(rest ? { has_more: true, next_page_token: pageToken(firstTask + TASKS_PER_PAGE) } : {}),
  };
}

/** A run without its tasks, as `runs/list` shows it. */
export function baseView(run: Run, moment: Moment, workspace: Workspace): View {
  return {
    job_id: run.jobId,
    run_id: run.runId,
    job_run_id: run.runId,
    number_in_job: run.runId,
    original_attempt_run_id: run.runId,
    creator_user_name: run.createdBy,
    run_name: run.runName,
    run_type: run.runType,
    run_page_url: pageUrl(run, run.runId, workspace),
    trigger: 'ONE_TIME',
    ...times(run, moment),
    ...('verdicts' in moment ? endedWords(moment.verdicts.run) : phaseWords(moment.phase)),
    ...(run.gitSource === undefined ? {} : { git_source: gitSourceView(run, moment) }),
    ...(run.jobParameters === undefined ? {} : { job_parameters: run.jobParameters }),
  };
}

/** A single task's run, with the fields of a run. */
export function taskRunView(run: Run, moment: Moment, workspace: Workspace, attempt: Attempt): View {
  const task = attemptView(run, moment, workspace, attempt);
  return {
    ...baseView(run, moment, workspace),
    run_id: attempt.runId,
    number_in_job: attempt.runId,
    original_attempt_run_id: attempt.taskRun.attemptIds[0],
    attempt_number: attempt.number,
    run_name: attempt.taskRun.spec.task_key,
    run_page_url: task.run_page_url,
    state: task.state,
    status: task.status,
    tasks: [task],
  };
}

export function attemptOf(run: Run, runId: bigint): Attempt | undefined {
  return allAttempts(run).find((attempt) => attempt.runId === runId);
}

/** The end of an attempt, if it has one. */
export function verdictOfAttempt(run: Run, moment: Moment, { taskRun, number }: Attempt): Verdict | undefined {
  if (number < taskRun.attemptIds.length - 1) return isStarting(moment) ? undefined : FAILED_ATTEMPT;
  if (!('verdicts' in moment)) return undefined;
  const first = run.tasks[0]?.task_key ?? '';
  const key = taskRun.spec.task_key;
  if (moment.verdicts.shared || key === first) return moment.verdicts.culprit;
  return downstreamOf(run.tasks, first).has(key) ? UPSTREAM_FAILED : SUCCESS;
}

export function taskTypeOf(taskRun: TaskRun): string {
  return TASK_TYPES.find((type) => taskRun.spec[type] !== undefined) ?? '';
}

function attemptView(run: Run, moment: Moment, workspace: Workspace, attempt: Attempt): View {
  const { taskRun, runId, number } = attempt;
  const verdict = verdictOfAttempt(run, moment, attempt);
  const type = taskTypeOf(taskRun);
  const fromGit = usesGit(type, taskRun.spec[type] as View, run.gitSource !== undefined);
  return {
    ...taskRun.spec,
    run_id: runId,
    attempt_number: number,
    run_page_url: pageUrl(run, runId, workspace),
    ...times(run, moment),
    ...(verdict === undefined ? phaseWords(phaseOfAttempt(moment, taskRun)) : endedWords(verdict)),
    ...(isStarting(moment) ? {} : { cluster_instance: { cluster_id: `0801-000000-${runId % 1_000_000n}` } }),
    ...(fromGit ? { git_source: gitSourceView(run, moment) } : {}),
  };
}

function allAttempts(run: Run): readonly Attempt[] {
  return run.taskRuns.flatMap((taskRun) => taskRun.attemptIds.map((runId, number) => ({ taskRun, runId, number })));
}

// A later attempt is there only once the first has failed, which takes a cluster.
function shownAttempts(run: Run, moment: Moment): readonly Attempt[] {
  return allAttempts(run).filter(({ number }) => number === 0 || !isStarting(moment));
}

function isStarting(moment: Moment): boolean {
  return 'phase' in moment && ['QUEUED', 'PENDING', 'BLOCKED', 'WAITING'].includes(moment.phase.state);
}

function phaseOfAttempt(moment: Moment, { spec }: TaskRun): { readonly state: string; readonly queueCode?: string } {
  if (!('phase' in moment)) return { state: 'TERMINATED' };
  const waits = (spec.depends_on ?? []).length > 0 && moment.phase.state !== 'TERMINATING';
  return waits ? { state: 'BLOCKED' } : moment.phase;
}

function gitSourceView({ gitSource = {}, life }: Run, moment: Moment): View {
  const { git_branch, git_tag, git_commit } = gitSource;
  if (isStarting(moment)) return gitSource;
  const resolved = git_commit ?? life.usedCommit ?? fakeCommit(git_branch ?? git_tag ?? 'HEAD');
  return { ...gitSource, git_snapshot: { used_commit: resolved } };
}

function fakeCommit(reference: string): string {
  return Buffer.from(reference).toString('hex').padEnd(40, '0').slice(0, 40);
}

// The form that the API still gives, although the web application has newer addresses.
function pageUrl(run: Run, runId: bigint, { workspaceHost, workspaceId }: Workspace): string {
  return `https://${workspaceHost}/?o=${workspaceId}#job/${run.jobId}/run/${runId}`;
}

function times(run: Run, moment: Moment): View {
  const ended = 'verdicts' in moment;
  const duration = ended ? moment.endTime - run.startTime : 0;
  return {
    start_time: BigInt(run.startTime),
    end_time: BigInt(ended ? moment.endTime : 0),
    setup_duration: 0n,
    execution_duration: BigInt(duration),
    cleanup_duration: 0n,
    run_duration: BigInt(duration),
  };
}

export function pageToken(first: number): string {
  return Buffer.from(`from:${first}`).toString('base64url');
}

/** Where a page begins; undefined for a token that was never given out. */
export function pageStart(token: string | null): number | undefined {
  if (token === null) return 0;
  const match = /^from:(\d+)$/.exec(Buffer.from(token, 'base64url').toString());
  return match === null ? undefined : Number(match[1]);
}
