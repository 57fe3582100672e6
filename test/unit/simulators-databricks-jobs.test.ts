import { describe, expect, it } from 'vitest';
import { databricksJobsClient, TASK } from './databricks-jobs-client.ts';
import { DEPLOYER, TRAINER } from './databricks-world.ts';

const GIT = { git_url: 'https://bitbucket.org/acme/train', git_provider: 'bitbucketCloud' };
const NOTEBOOK = { task_key: 'main', notebook_task: { notebook_path: '/Shared/train' } };
const { existing_cluster_id: _, ...SERVERLESS } = TASK;

const SUBMIT = '/api/2.2/jobs/runs/submit';
const RUN_NOW = '/api/2.2/jobs/run-now';

const JOB = { jobId: 920_000_000_000_000_001n, name: 'nightly', parameters: [{ name: 'epochs', default: '3' }] };
const JOBS = [
  { ...JOB, tasks: [TASK, { ...TASK, task_key: 'report', depends_on: [{ task_key: 'main' }] }] },
  { jobId: 77n, name: 'private', tasks: [TASK], runnableBy: [TRAINER] },
];

describe('runs/submit', () => {
  it('accepts what is documented and keeps the request as it came', async () => {
    const { submit, runs, answer } = await databricksJobsClient();
    const body = {
      run_name: 'train',
      git_source: { ...GIT, git_provider: 'BITBUCKETCLOUD', git_commit: 'c0ffee' },
      access_control_list: [{ group_name: 'ml', permission_level: 'CAN_VIEW' }],
      environments: [{ environment_key: 'ml', spec: { environment_version: '4', dependencies: ['torch'] } }],
      queue: { enabled: true },
      performance_target: 'STANDARD',
      tasks: [
        { task_key: 'prepare', environment_key: 'ml', spark_python_task: { python_file: 'prepare.py' } },
        {
          task_key: 'train',
          depends_on: [{ task_key: 'prepare' }],
          run_if: 'ALL_SUCCESS',
          new_cluster: { spark_version: '16.4.x-gpu-ml', node_type_id: 'g5.xlarge', num_workers: 0 },
          python_wheel_task: { package_name: 'train', entry_point: 'main', named_parameters: { lr: '0.1' } },
          libraries: [{ whl: '/Volumes/ml/ci/train.whl' }],
        },
      ],
    };
    const runId = await submit(body);
    expect(runs()).toMatchObject([{ runId, runType: 'SUBMIT_RUN', createdBy: DEPLOYER, body: JSON.stringify(body) }]);
    expect(await answer(`/api/2.2/jobs/runs/get?run_id=${runId}`)).toMatchObject({ run_name: 'train' });
  });

  const refusals: readonly [string, unknown, string, string][] = [
    ['no JSON', '{', 'MALFORMED_REQUEST', 'Invalid JSON'],
    ['an unknown field', { tasks: [TASK], tags: {} }, 'INVALID_PARAMETER_VALUE', 'Unknown field: tags'],
    [
      'an unknown field of a task',
      { tasks: [{ ...TASK, job_cluster_key: 'x' }] },
      'INVALID_PARAMETER_VALUE',
      'Unknown field: tasks[0].job_cluster_key',
    ],
    [
      'a wrong enum',
      { tasks: [{ ...TASK, run_if: 'ALWAYS' }] },
      'INVALID_PARAMETER_VALUE',
      'tasks[0].run_if must be one of: ALL_DONE',
    ],
    [
      'a wrong type',
      { tasks: [{ ...TASK, timeout_seconds: '60' }] },
      'MALFORMED_REQUEST',
      'Expected integer for field tasks[0].timeout_seconds',
    ],
    ['no tasks', { run_name: 'x' }, 'INVALID_PARAMETER_VALUE', 'Missing required field: tasks'],
    [
      'a task without a key',
      { tasks: [{ notebook_task: { notebook_path: '/n' } }] },
      'INVALID_PARAMETER_VALUE',
      'Missing required field: tasks[0].task_key',
    ],
    [
      'a task without a type',
      { tasks: [{ task_key: 'a' }] },
      'INVALID_PARAMETER_VALUE',
      'exactly one task type, found none',
    ],
    [
      'a task of two types',
      { tasks: [{ ...TASK, notebook_task: { notebook_path: '/n' } }] },
      'INVALID_PARAMETER_VALUE',
      'exactly one task type',
    ],
    [
      'two kinds of compute',
      { tasks: [{ ...TASK, new_cluster: {} }] },
      'INVALID_PARAMETER_VALUE',
      'only one of existing_cluster_id, new_cluster',
    ],
    ['a script without compute', { tasks: [SERVERLESS] }, 'INVALID_PARAMETER_VALUE', 'must be specified'],
    [
      'an undefined environment',
      { tasks: [{ ...SERVERLESS, environment_key: 'ml' }] },
      'INVALID_PARAMETER_VALUE',
      'environment_key ml is not defined',
    ],
    ['two tasks of one key', { tasks: [TASK, TASK] }, 'INVALID_PARAMETER_VALUE', 'Duplicate task key: main'],
    [
      'an unknown dependency',
      { tasks: [{ ...TASK, depends_on: [{ task_key: 'x' }] }] },
      'INVALID_PARAMETER_VALUE',
      'unknown task x',
    ],
    [
      'a circular dependency',
      { tasks: [{ ...TASK, depends_on: [{ task_key: 'main' }] }] },
      'INVALID_PARAMETER_VALUE',
      'depends on itself',
    ],
    [
      'a long idempotency token',
      { tasks: [TASK], idempotency_token: 'x'.repeat(65) },
      'INVALID_PARAMETER_VALUE',
      'idempotency_token',
    ],
    [
      'a missing git provider',
      { tasks: [NOTEBOOK], git_source: { git_url: GIT.git_url } },
      'INVALID_PARAMETER_VALUE',
      'git_source.git_provider must be one of: github,gitlab,bitbucketcloud,gitlabenterpriseedition,bitbucketserver,azuredevopsservices,githubenterprise,awscodecommit',
    ],
    [
      'an unknown git provider',
      { tasks: [NOTEBOOK], git_source: { ...GIT, git_provider: 'bitbucket' } },
      'INVALID_PARAMETER_VALUE',
      'git_provider must be one of',
    ],
    [
      'a branch beside a commit',
      { tasks: [NOTEBOOK], git_source: { ...GIT, git_branch: 'main', git_commit: 'c' } },
      'INVALID_PARAMETER_VALUE',
      'in conjunction with',
    ],
    [
      'an absolute path in a repository',
      { tasks: [NOTEBOOK], git_source: { ...GIT, git_commit: 'c' } },
      'INVALID_PARAMETER_VALUE',
      'relative',
    ],
    [
      'a relative path in the workspace',
      { tasks: [{ task_key: 'a', notebook_task: { notebook_path: 'n' } }] },
      'INVALID_PARAMETER_VALUE',
      'Only absolute paths',
    ],
    [
      'a git task without a git source',
      { tasks: [{ task_key: 'a', notebook_task: { notebook_path: 'n', source: 'GIT' } }] },
      'INVALID_PARAMETER_VALUE',
      'needs git_source',
    ],
    [
      'a nameless access control entry',
      { tasks: [TASK], access_control_list: [{ permission_level: 'CAN_VIEW' }] },
      'INVALID_PARAMETER_VALUE',
      'exactly one of user_name',
    ],
  ];
  it.each(refusals)('refuses %s', async (_name, body, code, words) => {
    const { refused, runs } = await databricksJobsClient();
    const { status, error_code, message } = await refused(SUBMIT, body);
    expect([status, error_code]).toEqual([400, code]);
    expect(message).toContain(words);
    expect(runs()).toEqual([]);
  });
});

describe('idempotency', () => {
  it('returns the run of a token, also after its end and for another payload', async () => {
    const { nextLife, submit, run, runs } = await databricksJobsClient();
    nextLife({ phases: [], end: { kind: 'user-code-failure', error: 'boom' } });
    const first = await submit({ tasks: [TASK], idempotency_token: 'k' });
    expect((await run(first)).status.state).toBe('TERMINATED');
    expect(await submit({ tasks: [NOTEBOOK], idempotency_token: 'k' })).toBe(first);
    expect(await submit({ tasks: [TASK], idempotency_token: 'other' })).not.toBe(first);
    expect(runs()).toHaveLength(2);
  });

  it('refuses the token of a deleted run', async () => {
    const { submit, refused, deleteRun } = await databricksJobsClient();
    const id = await submit({ tasks: [TASK], idempotency_token: 'k' });
    deleteRun(id);
    expect((await refused(SUBMIT, { tasks: [TASK], idempotency_token: 'k' })).status).toBe(400);
    expect((await refused(`/api/2.2/jobs/runs/get?run_id=${id}`)).message).toBe(`Run ${id} does not exist.`);
  });
});

describe('run-now', () => {
  it('runs the picked tasks of a job with the given parameters', async () => {
    const { answer, run, runs } = await databricksJobsClient({ jobs: JOBS });
    const body = `{"job_id":${JOB.jobId},"job_parameters":{"epochs":"9"},"only":["+report"]}`;
    const { run_id, number_in_job } = await answer(RUN_NOW, body);
    expect(number_in_job).toBe(run_id);
    const view = await run(String(run_id));
    expect(view).toMatchObject({ run_type: 'JOB_RUN', job_parameters: [{ name: 'epochs', default: '3', value: '9' }] });
    expect(view.tasks.map(({ task_key }) => task_key)).toEqual(['main', 'report']);
    expect(runs()).toMatchObject([{ jobId: String(JOB.jobId), body }]);
    const again = await answer(RUN_NOW, { job_id: String(JOB.jobId), idempotency_token: 'k', only: ['report'] });
    expect((await run(String(again.run_id))).tasks.map(({ task_key }) => task_key)).toEqual(['report']);
    expect(await answer(RUN_NOW, { job_id: String(JOB.jobId), idempotency_token: 'k' })).toEqual(again);
    expect(await answer(`/api/2.2/jobs/get?job_id=${JOB.jobId}`)).toMatchObject({ settings: { name: 'nightly' } });
  });

  const job_id = String(JOB.jobId);
  const refusals: readonly [string, unknown, number, string][] = [
    ['an unknown job', { job_id: 1 }, 400, 'Job 1 does not exist.'],
    [
      'a job of others',
      { job_id: 77 },
      403,
      `User ${DEPLOYER} does not have View or Admin or Manage Run or Owner permissions on job 77`,
    ],
    [
      'parameters of both kinds',
      { job_id, job_parameters: {}, notebook_params: {} },
      400,
      'in conjunction with notebook_params',
    ],
    [
      'legacy parameters that are too long',
      { job_id, python_params: ['x'.repeat(10_000)] },
      400,
      'cannot exceed 10000 bytes',
    ],
    ['python parameters beyond ASCII', { job_id, python_params: ['é'] }, 400, 'only ASCII'],
    ['an unknown task', { job_id, only: ['x'] }, 400, 'task x does not exist'],
    ['a git source', { job_id, git_source: GIT }, 400, 'Unknown field: git_source'],
  ];
  it.each(refusals)('refuses %s', async (_name, body, status, words) => {
    const { refused } = await databricksJobsClient({ jobs: JOBS });
    const refusal = await refused(RUN_NOW, body);
    expect(refusal.status).toBe(status);
    expect(refusal.message).toContain(words);
  });
});
