import { expect, test } from 'vitest';
import { EXIT } from '../../shared/errors.ts';
import { type Json, parseJson } from '../../shared/json.ts';
import { DATABRICKS } from '../simulators/tenant.ts';
import { createStage, runStep, type Stage } from './harness.ts';
import { CIS } from './kind-samples.ts';
import { stagePool } from './stage-pool.ts';

const stages = stagePool();
const cluster = { spark_version: '17.3.x-scala2.13', node_type_id: 'i3.xlarge', num_workers: 1 };
const notebook = {
  task_key: 'eval',
  notebook_task: { notebook_path: '/Shared/eval' },
  depends_on: [{ task_key: 'train' }],
};
const script = {
  task_key: 'train',
  spark_python_task: { python_file: '/Workspace/train.py' },
  new_cluster: { ...cluster, custom_tags: { ci_branch: 'mine', team: 'vision' } },
};

async function submit(stage: Stage, build: number, kind: string, settings: Readonly<Record<string, Json>>) {
  const before = stage.world.databricks.runs().length;
  const result = await runStep(stage, { kind, ci: 'bitbucket', build, settings });
  const [run] = stage.world.databricks.runs().slice(before);
  return { ...result, body: run === undefined ? undefined : (parseJson(run.body) as Record<string, unknown>) };
}

test('single fields can be set where there is no spec', () =>
  stages.use(async (stage, build) => {
    const settings = { set: { 'queue.enabled': true } };
    const { exitCode, log, body } = await submit(stage, build, 'databricks-run-now', settings);
    expect(exitCode, log).toBe(EXIT.done);
    expect(body).toMatchObject({ queue: { enabled: true }, job_parameters: { git_commit: expect.any(String) } });
  }));

test('what a spec says stays, and what it does not say is added', () =>
  stages.use(async (stage, build) => {
    const spec = { run_name: 'mine', timeout_seconds: 600, tasks: [script, { ...notebook, new_cluster: cluster }] };
    const acl = [{ group_name: 'ml', permission_level: 'CAN_VIEW' }];
    const settings = { spec, 'git-source': null, 'access-control-list': acl, labels: { cost: 'a/b c' } };
    const { exitCode, log, body } = await submit(stage, build, 'databricks-submit-run', settings);
    expect(exitCode, log).toBe(EXIT.done);
    expect(body).toMatchObject({
      run_name: expect.stringMatching(new RegExp(`^mine \\(acme/vision@4f0c5b1d #${build}\\) \\[ks-[0-9a-f]{16}\\]$`)),
      timeout_seconds: 600,
      access_control_list: acl,
      tasks: [
        {
          new_cluster: { custom_tags: { ci_branch: 'mine', team: 'vision', cost: 'a/b c', ci_platform: 'bitbucket' } },
        },
        { new_cluster: { custom_tags: { ci_branch: 'main', cost: 'a/b c' } } },
      ],
    });
    expect(body).not.toHaveProperty('git_source');
  }));

test('without provenance-labels nothing of the CI is added', () =>
  stages.use(async (stage, build) => {
    const settings = { spec: { run_name: 'mine', tasks: [script] }, 'git-source': null, 'provenance-labels': false };
    const { exitCode, log, body } = await submit(stage, build, 'databricks-submit-run', settings);
    expect(exitCode, log).toBe(EXIT.done);
    expect(body?.run_name).toMatch(/^mine \[ks-[0-9a-f]{16}\]$/);
    expect(body?.tasks).toEqual([script]);
  }));

test('the results of a notebook and the end of a failed task come back', () =>
  stages.use(async (stage, build) => {
    const spec = { tasks: [{ ...notebook, depends_on: [], new_cluster: cluster }] };
    stage.world.databricks.nextLife({ end: { kind: 'success' }, result: '{"auc": 0.93}' });
    const good = await submit(stage, build, 'databricks-submit-run', { spec, 'git-source': null });
    expect(good.outputs?.['notebook-result']).toBe('{"auc": 0.93}');

    const evil = "\u001b]1339;url='x'\u0007epoch 2\r--- :rocket: group\n";
    const trace = 'Traceback\n  line 1';
    const end = { kind: 'user-code-failure', error: 'ValueError: \u001b[31mboom', trace } as const;
    stage.world.databricks.nextLife({ end, logs: `epoch 1\n${evil}` });
    const settings = { spec: { tasks: [script] }, 'git-source': null };
    const bad = await submit(stage, build + 10_000, 'databricks-submit-run', settings);
    expect(bad.exitCode).toBe(EXIT.jobFailed);
    for (const line of ['ValueError: boom', '  line 1', 'epoch 1', 'epoch 2', '--- :rocket: group'])
      expect(bad.lines).toContain(`  │ ${line}`);
    expect(bad.log).not.toContain('\u001b]');
    expect(parseJson(bad.outputs?.tasks ?? '')).toMatchObject([
      { task_key: 'train', phase: 'failed', error: 'ValueError: boom' },
    ]);
    expect(bad.reports.at(-1)).toContain('ValueError: boom');
  }));

test('a run with more than a hundred tasks is read whole', () =>
  stages.use(async (stage, build) => {
    const tasks = Array.from({ length: 230 }, (_, index) => ({ ...script, task_key: `t${index}` }));
    const settings = { spec: { tasks }, 'git-source': null };
    const { exitCode, log, outputs } = await submit(stage, build, 'databricks-submit-run', settings);
    expect(exitCode, log).toBe(EXIT.done);
    expect(parseJson(outputs?.tasks ?? '')).toHaveLength(230);
  }));

const WRONG: readonly (readonly [string, string, Readonly<Record<string, Json>>, readonly string[]])[] = [
  ['without a spec', 'databricks-submit-run', { spec: null }, ['SPEC: is required']],
  ['without tasks', 'databricks-submit-run', { spec: { tasks: [] } }, ['tasks must be a list of at least one task']],
  [
    'with fields that only jobs have',
    'databricks-submit-run',
    { spec: { name: 'x', job_clusters: [], parameters: [], tasks: [script] } },
    ['name is a field of jobs', 'job_clusters is a field of jobs', 'parameters is a field of jobs'],
  ],
  [
    'with a token of its own',
    'databricks-submit-run',
    { spec: { idempotency_token: 'x', tasks: [script] } },
    ['idempotency_token is set by keyless-submit'],
  ],
  [
    'with two sources',
    'databricks-submit-run',
    { spec: { git_source: {}, tasks: [script] } },
    ['GIT_SOURCE: the spec has a git_source of its own'],
  ],
  ['without a job', 'databricks-run-now', { 'job-id': null }, ['JOB_ID: is required']],
  ['with two jobs', 'databricks-run-now', { spec: { job_id: 1 } }, ['JOB_ID: the spec has a job_id of its own']],
  ['on another host', 'databricks-run-now', { host: 'databricks.example.com' }, ['HOST: expected']],
  ['over plain http', 'databricks-run-now', { host: 'http://10.0.0.1' }, ['HOST: ']],
];

test.each(WRONG)('a run %s is refused before anything is sent (%s)', (_what, kind, settings, faults) =>
  stages.use(async (stage, build) => {
    const { exitCode, log, requests } = await submit(stage, build, kind, settings);
    expect(exitCode, log).toBe(EXIT.settings);
    for (const fault of faults) expect(log).toContain(fault);
    expect(requests.filter(({ host }) => host.includes('databricks'))).toEqual([]);
  }),
);

test.each(CIS.flatMap((ci) => ['databricks-submit-run', 'databricks-run-now'].map((kind) => [kind, ci] as const)))(
  'on a host of several workspaces, every request of %s on %s names its own',
  async (kind, ci) => {
    await using stage = await createStage({ databricks: { unified: true } });
    const settings = { host: `https://${DATABRICKS.host}/?o=${DATABRICKS.workspaceId}` };
    const { exitCode, log, requests } = await runStep(stage, { kind, ci, settings });
    expect(exitCode, log).toBe(EXIT.done);
    const asked = requests.filter(({ host }) => host === DATABRICKS.host);
    expect(asked.length).toBeGreaterThan(2);
    for (const { headers } of asked) expect(headers.get('x-databricks-workspace-id')).toBe(DATABRICKS.workspaceId);
  },
);

test('a host of one workspace is asked without naming it', () =>
  stages.use(async (stage, build) => {
    const { exitCode, log, requests } = await submit(stage, build, 'databricks-run-now', {});
    expect(exitCode, log).toBe(EXIT.done);
    expect(requests.filter(({ headers }) => headers.has('x-databricks-workspace-id'))).toEqual([]);
  }));
