import { type AccessOptions, authenticate, mayUse, noPermission, type Permission } from './databricks-access.ts';
import { invalidParameter, loginPage, type Refusal, refusalResponse } from './databricks-errors.ts';
import { namesWorkspace } from './databricks-hosts.ts';
import { type Int64Form, printInt64Json } from './databricks-int64.ts';
import { readCancel, readRunNow, readSubmit } from './databricks-jobs-requests.ts';
import type { RunLife } from './databricks-run-life.ts';
import { outputView } from './databricks-run-output.ts';
import { attemptOf, pageStart, runView, taskRunView, type Workspace } from './databricks-run-view.ts';
import { advance, cancel, createRun, idSource, type NewRun, type Run } from './databricks-runs.ts';
import { listRuns } from './databricks-runs-list.ts';
import { jobParameters, pickTasks, type SavedJob, savedJobView } from './databricks-saved-jobs.ts';
import type { Handler } from './serve.ts';

export interface DatabricksJobsOptions extends Workspace, AccessOptions {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly jobs?: readonly SavedJob[];
  readonly unified?: boolean;
  readonly int64As?: Int64Form;
  /** The life of each run for which `nextLife` said nothing. */
  readonly script?: (run: NewRun) => RunLife;
}

/** A run as tests look at it. */
export interface RecordedRun {
  readonly runId: string;
  readonly jobId: string;
  readonly runType: 'SUBMIT_RUN' | 'JOB_RUN';
  /** The service principal or user whose token made it. */
  readonly createdBy: string;
  readonly body: string;
  readonly headers: Headers;
  /** Who cancelled it through the API. */
  readonly cancelledBy?: string;
}

export interface DatabricksJobs {
  readonly handle: Handler;
  /** Scripts the next run that is created; runs without a script succeed. */
  readonly nextLife: (life: RunLife) => void;
  readonly runs: () => readonly RecordedRun[];
  /** Deletes a run, as its owner can in the web application. */
  readonly deleteRun: (runId: string) => void;
}

interface Call {
  readonly principal: string;
  readonly query: URLSearchParams;
  readonly body: string;
  readonly headers: Headers;
}

type Answer = Readonly<Record<string, unknown>> | Refusal;

/** The Jobs API of one workspace (https://docs.databricks.com/api/workspace/jobs). */
export function databricksJobs(options: DatabricksJobsOptions): DatabricksJobs {
  const runs: Run[] = [];
  // Tokens stay taken after their runs have ended. One set serves both endpoints: the stricter reading of the documentation.
  const byIdempotencyToken = new Map<string, Run>();
  const lives: RunLife[] = [];
  const nextId = idSource();
  const savedJobs = options.jobs ?? [];

  const start = (newRun: NewRun, token: string | undefined): Run | Refusal => {
    const earlier = token === undefined || token === '' ? undefined : byIdempotencyToken.get(token);
    if (earlier?.deleted) return invalidParameter('The run with the provided idempotency token has been deleted.');
    if (earlier !== undefined) return earlier;
    const life = lives.shift() ?? options.script?.(newRun) ?? { end: { kind: 'success' } };
    const run = createRun(newRun, life, nextId, options.now());
    runs.push(run);
    if (token !== undefined && token !== '') byIdempotencyToken.set(token, run);
    return run;
  };

  const submit = ({ principal, body, headers }: Call): Answer => {
    const read = readSubmit(body);
    if ('refusal' in read) return read.refusal;
    const { tasks, git_source, run_name, idempotency_token, access_control_list } = read.body;
    const newRun: NewRun = {
      runType: 'SUBMIT_RUN',
      jobId: nextId(),
      runName: run_name ?? 'Untitled',
      createdBy: principal,
      tasks,
      ...(git_source === undefined ? {} : { gitSource: git_source }),
      accessControlList: access_control_list ?? [],
      body,
      headers,
    };
    const run = start(newRun, idempotency_token);
    return 'errorCode' in run ? run : { run_id: run.runId };
  };

  const runNow = ({ principal, body, headers }: Call): Answer => {
    const read = readRunNow(body);
    if ('refusal' in read) return read.refusal;
    const job = findJob(String(read.body.job_id), principal);
    if ('errorCode' in job) return job;
    const tasks = pickTasks(job, read.body.only);
    if ('errorCode' in tasks) return tasks;
    const newRun: NewRun = {
      runType: 'JOB_RUN',
      jobId: job.jobId,
      runName: job.name,
      createdBy: principal,
      tasks,
      ...(job.gitSource === undefined ? {} : { gitSource: job.gitSource }),
      jobParameters: jobParameters(job, read.body.job_parameters),
      accessControlList: [],
      body,
      headers,
    };
    const run = start(newRun, read.body.idempotency_token);
    return 'errorCode' in run ? run : { run_id: run.runId, number_in_job: run.runId };
  };

  const get = ({ principal, query }: Call): Answer => {
    const run = findRun(query.get('run_id'), principal);
    if ('errorCode' in run) return run;
    const firstTask = pageStart(query.get('page_token'));
    if (firstTask === undefined) return invalidParameter('Invalid page token');
    const moment = advance(run, options.now());
    const attempt = attemptOf(run, BigInt(query.get('run_id') ?? 0));
    if (attempt !== undefined) return taskRunView(run, moment, options, attempt);
    if (firstTask === 0) run.getsInPhase += 1;
    return runView(run, moment, options, firstTask);
  };

  const getOutput = ({ principal, query }: Call): Answer => {
    const run = findRun(query.get('run_id'), principal);
    if ('errorCode' in run) return run;
    const attempt = attemptOf(run, BigInt(query.get('run_id') ?? 0));
    if (attempt !== undefined) return outputView(run, advance(run, options.now()), options, attempt);
    return invalidParameter(
      'Retrieving the output of runs with multiple tasks is not supported. ' +
        'Please retrieve the output of each individual task run instead.',
    );
  };

  const list = ({ principal, query }: Call): Answer => {
    const visible = runs.filter((run) => !run.deleted && mayUse(run, principal, 'CAN_VIEW'));
    return listRuns(visible, query, options, options.now());
  };

  const cancelRun = ({ principal, body }: Call): Answer => {
    const read = readCancel(body);
    if ('refusal' in read) return read.refusal;
    const run = findRun(String(read.body.run_id), principal, 'CAN_MANAGE_RUN');
    if ('errorCode' in run) return run;
    cancel(run, principal, options.now());
    return {};
  };

  const getJob = ({ principal, query }: Call): Answer => {
    const job = findJob(query.get('job_id') ?? '', principal);
    return 'errorCode' in job ? job : savedJobView(job);
  };

  const findRun = (id: string | null, principal: string, need: Permission = 'CAN_VIEW'): Run | Refusal => {
    if (id === null || !/^\d+$/.test(id)) return invalidParameter(`Invalid run_id: ${id}`);
    const runId = BigInt(id);
    const run = runs.find((each) => !each.deleted && (each.runId === runId || attemptOf(each, runId) !== undefined));
    if (run === undefined) return invalidParameter(`Run ${id} does not exist.`);
    return mayUse(run, principal, need) ? run : noPermission(principal, run.jobId);
  };

  const findJob = (id: string, principal: string): SavedJob | Refusal => {
    const job = savedJobs.find(({ jobId }) => String(jobId) === id);
    if (job === undefined) return invalidParameter(`Job ${id} does not exist.`);
    return job.runnableBy?.includes(principal) === false ? noPermission(principal, job.jobId) : job;
  };

  const routes: Readonly<Record<string, (call: Call) => Answer>> = {
    'POST /api/2.2/jobs/runs/submit': submit,
    'POST /api/2.2/jobs/run-now': runNow,
    'GET /api/2.2/jobs/runs/get': get,
    'GET /api/2.2/jobs/runs/get-output': getOutput,
    'GET /api/2.2/jobs/runs/list': list,
    'POST /api/2.2/jobs/runs/cancel': cancelRun,
    'GET /api/2.2/jobs/get': getJob,
  };

  const handle: Handler = async (request) => {
    if (!namesWorkspace(request, options)) return loginPage();
    const { pathname, searchParams: query } = new URL(request.url);
    const principal = authenticate(request, options);
    if (typeof principal !== 'string') return refusalResponse(principal);
    const route = routes[`${request.method} ${pathname}`];
    if (route === undefined) {
      const message = `No API found for '${request.method} ${pathname.replace(/^\/api\/[\d.]+/, '')}'`;
      return refusalResponse({ status: 404, errorCode: 'ENDPOINT_NOT_FOUND', message });
    }
    const answer = route({ principal, query, body: await request.text(), headers: request.headers });
    if (isRefusal(answer)) return refusalResponse(answer);
    return new Response(printInt64Json(answer, options.int64As ?? 'number'), {
      headers: { 'content-type': 'application/json' },
    });
  };

  return {
    handle,
    nextLife: (life) => {
      lives.push(life);
    },
    runs: () => runs.map(recorded),
    deleteRun: (runId) => {
      for (const run of runs) if (String(run.runId) === runId) run.deleted = true;
    },
  };
}

function isRefusal(answer: Answer): answer is Refusal {
  return 'errorCode' in answer;
}

function recorded(run: Run): RecordedRun {
  const { runType, createdBy, body, headers, cancelledBy } = run;
  return {
    runId: String(run.runId),
    jobId: String(run.jobId),
    runType,
    createdBy,
    body,
    headers,
    ...(cancelledBy === undefined ? {} : { cancelledBy }),
  };
}
