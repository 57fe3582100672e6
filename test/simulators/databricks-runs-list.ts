import { invalidParameter, type Refusal } from './databricks-errors.ts';
import { baseView, pageStart, pageToken, runView, TASKS_PER_PAGE, type Workspace } from './databricks-run-view.ts';
import { advance, type Moment, type Run } from './databricks-runs.ts';

const LONGEST_PAGE = 24;
const DEFAULT_PAGE = 20;

/** One page of `runs/list`, newest first (https://docs.databricks.com/api/workspace/jobs/listruns). */
export function listRuns(
  runs: readonly Run[],
  query: URLSearchParams,
  workspace: Workspace,
  now: number,
): Readonly<Record<string, unknown>> | Refusal {
  const limit = Number(query.get('limit') ?? DEFAULT_PAGE);
  if (!Number.isInteger(limit) || limit < 0 || limit > LONGEST_PAGE) {
    return invalidParameter('limit must be greater than 0 and less than 25');
  }
  const start = pageStart(query.get('page_token'));
  if (start === undefined) return invalidParameter('Invalid page token');
  const active = query.get('active_only') === 'true';
  const completed = query.get('completed_only') === 'true';
  if (active && completed) return invalidParameter('active_only and completed_only cannot both be true');

  const jobId = query.get('job_id');
  const runType = query.get('run_type');
  const from = Number(query.get('start_time_from') ?? 0);
  const to = Number(query.get('start_time_to') ?? Number.POSITIVE_INFINITY);
  const found = runs
    .map((run) => ({ run, moment: advance(run, now) }))
    .filter(({ run, moment }) => {
      const ended = 'verdicts' in moment;
      return (
        (!active || !ended) &&
        (!completed || ended) &&
        (jobId === null || String(run.jobId) === jobId) &&
        (runType === null || run.runType === runType) &&
        now >= run.startTime + (run.life.listedAfterMs ?? 0) &&
        run.startTime >= from &&
        run.startTime <= to
      );
    })
    .reverse();

  const end = start + (limit === 0 ? LONGEST_PAGE : limit);
  const expand = query.get('expand_tasks') === 'true';
  return {
    runs: found.slice(start, end).map(({ run, moment }) => listed(run, moment, workspace, expand)),
    has_more: found.length > end,
    ...(found.length > end ? { next_page_token: pageToken(end) } : {}),
  };
}

function listed(run: Run, moment: Moment, workspace: Workspace, expand: boolean): Readonly<Record<string, unknown>> {
  if (!expand) return baseView(run, moment, workspace);
  const { next_page_token: _ownPages, ...view } = runView(run, moment, workspace, 0);
  return { ...view, has_more: run.tasks.length > TASKS_PER_PAGE };
}
