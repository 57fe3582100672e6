import { describe, expect, it } from 'vitest';
import { databricksJobsClient, TASK } from './databricks-jobs-client.ts';
import { DEPLOYER, exchangeForm, TRAINER, WORKSPACE } from './databricks-world.ts';

describe('what a run shows', () => {
  it('resolves a branch to a commit once it runs, and keeps a commit', async () => {
    const { nextLife, submit, run } = await databricksJobsClient();
    const git = { git_url: 'https://bitbucket.org/acme/train', git_provider: 'BitbucketCloud' };
    const notebook = { task_key: 'main', notebook_task: { notebook_path: 'train' } };
    nextLife({ end: { kind: 'success' }, usedCommit: 'c0ffee' });
    const branch = await submit({ tasks: [notebook], git_source: { ...git, git_branch: 'main' } });
    expect((await run(branch)).git_source).not.toHaveProperty('git_snapshot');
    const { git_source, tasks } = await run(branch);
    expect(git_source).toMatchObject({ git_branch: 'main', git_snapshot: { used_commit: 'c0ffee' } });
    expect(tasks[0]?.git_source).toEqual(git_source);
    nextLife({ phases: [], end: { kind: 'success' } });
    const pinned = await submit({ tasks: [notebook], git_source: { ...git, git_commit: 'deadbeef' } });
    expect((await run(pinned)).git_source).toMatchObject({ git_snapshot: { used_commit: 'deadbeef' } });
  });

  it('has the legacy page address and ids that a double cannot hold, as numbers or as strings', async () => {
    for (const int64As of ['number', 'string'] as const) {
      const { submit, text } = await databricksJobsClient({ int64As });
      const id = await submit({ tasks: [TASK] });
      expect(BigInt(id)).not.toBe(BigInt(Number(id)));
      const view = await text(`/api/2.2/jobs/runs/get?run_id=${id}`);
      expect(view).toContain(int64As === 'number' ? `"run_id":${id},` : `"run_id":"${id}",`);
      expect(view).toMatch(new RegExp(`"run_page_url":"https://${WORKSPACE}/\\?o=7474650000001#job/\\d+/run/${id}"`));
    }
  });

  it('pages more than a hundred tasks', async () => {
    const { nextLife, submit, run } = await databricksJobsClient();
    nextLife({ phases: [{ state: 'RUNNING', span: { gets: 1 } }], end: { kind: 'success' } });
    const id = await submit({ tasks: Array.from({ length: 120 }, (_, index) => ({ ...TASK, task_key: `t${index}` })) });
    const first = await run(id);
    expect([first.tasks.length, first.has_more]).toEqual([100, true]);
    const second = await run(id, first.next_page_token);
    expect(second.tasks.map(({ task_key }) => task_key)).toEqual(
      Array.from({ length: 20 }, (_, index) => `t${index + 100}`),
    );
    expect(second.next_page_token).toBeUndefined();
  });

  it('gives the output of tasks only, cut to five megabytes', async () => {
    const { nextLife, submit, run, output, refused } = await databricksJobsClient();
    nextLife({
      phases: [],
      end: { kind: 'success' },
      logs: `first${'x'.repeat(5 * 1024 * 1024)}`,
      result: '{"auc":0.9}',
    });
    const id = await submit({ tasks: [TASK, { task_key: 'note', notebook_task: { notebook_path: '/Shared/n' } }] });
    const [script, notebook] = (await run(id)).tasks;
    const { logs, logs_truncated } = await output(script?.run_id);
    expect([String(logs).length, logs_truncated]).toEqual([5 * 1024 * 1024, true]);
    const result = await output(notebook?.run_id);
    expect(result).toMatchObject({ notebook_output: { result: '{"auc":0.9}', truncated: false } });
    expect(result).not.toHaveProperty('logs');
    expect((await refused(`/api/2.2/jobs/runs/get-output?run_id=${id}`)).message).toContain(
      'multiple tasks is not supported',
    );
  });

  it('is hidden from principals that its access control list does not name', async () => {
    const { exchange, buildkiteToken, ask, submit, refused, runs } = await databricksJobsClient();
    const shared = { service_principal_name: TRAINER, permission_level: 'CAN_VIEW' };
    const ids = [await submit({ tasks: [TASK] }), await submit({ tasks: [TASK], access_control_list: [shared] })];
    const response = await exchange(exchangeForm(await buildkiteToken('databricks'), TRAINER));
    const { access_token } = (await response.json()) as { access_token: string };
    const headers = { authorization: `Bearer ${access_token}` };
    const statuses = ids.map(
      async (id) => (await ask(WORKSPACE, `/api/2.2/jobs/runs/get?run_id=${id}`, { headers })).status,
    );
    expect(await Promise.all(statuses)).toEqual([403, 200]);
    const body = JSON.stringify({ run_id: ids[1] });
    expect((await ask(WORKSPACE, '/api/2.2/jobs/runs/cancel', { method: 'POST', headers, body })).status).toBe(403);
    expect(await refused('/api/2.2/jobs/runs/get?run_id=1')).toMatchObject({
      status: 400,
      error_code: 'INVALID_PARAMETER_VALUE',
      message: 'Run 1 does not exist.',
    });
    expect(runs().map(({ createdBy }) => createdBy)).toEqual([DEPLOYER, DEPLOYER]);
  });
});

describe('runs/list', () => {
  it('pages newest first and tells active from completed runs', async () => {
    const { nextLife, submit, answer, refused, pass } = await databricksJobsClient();
    const ids: string[] = [];
    for (let index = 0; index < 25; index += 1) {
      nextLife({ phases: [], end: { kind: index === 0 ? 'hang' : 'success' } });
      ids.push(await submit({ tasks: [TASK] }));
      pass(1);
    }
    const idsOf = ({ runs }: Record<string, unknown>) => (runs as { run_id: string }[]).map(({ run_id }) => run_id);
    const first = await answer('/api/2.2/jobs/runs/list');
    expect(idsOf(first)).toEqual(ids.toReversed().slice(0, 20));
    const rest = await answer(`/api/2.2/jobs/runs/list?page_token=${first.next_page_token}`);
    expect([idsOf(rest), rest.has_more]).toEqual([ids.slice(0, 5).toReversed(), false]);
    expect(idsOf(await answer('/api/2.2/jobs/runs/list?active_only=true'))).toEqual([ids[0]]);
    expect(idsOf(await answer('/api/2.2/jobs/runs/list?completed_only=true&limit=0'))).toHaveLength(24);
    expect((await refused('/api/2.2/jobs/runs/list?limit=25')).status).toBe(400);
    expect(await refused('/api/2.2/jobs/runs/repair', {})).toMatchObject({
      status: 404,
      error_code: 'ENDPOINT_NOT_FOUND',
    });
  });
});
