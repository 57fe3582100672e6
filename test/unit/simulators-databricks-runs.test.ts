import { describe, expect, it } from 'vitest';
import type { RunLife } from '../simulators/databricks-run-life.ts';
import { databricksJobsClient, TASK } from './databricks-jobs-client.ts';
import { DEPLOYER } from './databricks-world.ts';

describe('the life of a run', () => {
  it('goes from queue to success as it is asked, with both kinds of state', async () => {
    const { nextLife, submit, run } = await databricksJobsClient();
    nextLife({
      phases: [
        { state: 'QUEUED', span: { gets: 1 } },
        { state: 'PENDING', span: { gets: 2 } },
        { state: 'RUNNING', span: { gets: 1 } },
      ],
      end: { kind: 'success' },
    });
    const id = await submit({ tasks: [TASK] });
    const seen = [];
    for (let turn = 0; turn < 5; turn += 1) seen.push((await run(id)).state.life_cycle_state);
    expect(seen).toEqual(['QUEUED', 'PENDING', 'PENDING', 'RUNNING', 'TERMINATED']);
    expect(await run(id)).toMatchObject({
      run_type: 'SUBMIT_RUN',
      run_name: 'Untitled',
      creator_user_name: DEPLOYER,
      state: { result_state: 'SUCCESS' },
      status: { state: 'TERMINATED', termination_details: { type: 'SUCCESS', code: 'SUCCESS' } },
      tasks: [{ task_key: 'main', attempt_number: 0, state: { life_cycle_state: 'TERMINATED' } }],
    });
  });

  it('goes on with the clock, and tells why it is queued', async () => {
    const { nextLife, submit, run, pass } = await databricksJobsClient();
    nextLife({
      phases: [
        { state: 'QUEUED', span: { ms: 1000 }, queueCode: 'MAX_CONCURRENT_RUNS_REACHED' },
        { state: 'RUNNING', span: { ms: 5000 } },
      ],
      end: { kind: 'success' },
    });
    const id = await submit({ tasks: [TASK] });
    expect(await run(id)).toMatchObject({
      state: { queue_reason: expect.any(String) },
      status: { state: 'QUEUED', queue_details: { code: 'MAX_CONCURRENT_RUNS_REACHED' } },
    });
    pass(5999);
    expect((await run(id)).status.state).toBe('RUNNING');
    pass(1);
    expect(await run(id)).toMatchObject({ status: { state: 'TERMINATED' }, run_duration: 6000 });
  });

  it('shows a failure of user code as INTERNAL_ERROR of the run and FAILED of the task', async () => {
    const { nextLife, submit, run, output } = await databricksJobsClient();
    nextLife({
      phases: [],
      end: { kind: 'user-code-failure', error: 'ValueError: no data', trace: 'Traceback…\nValueError: no data' },
      logs: 'epoch 1\n',
    });
    const id = await submit({
      tasks: [TASK, { ...TASK, task_key: 'report', depends_on: [{ task_key: 'main' }] }, { ...TASK, task_key: 'lint' }],
    });
    const view = await run(id);
    expect(view.state).toMatchObject({
      life_cycle_state: 'INTERNAL_ERROR',
      result_state: 'FAILED',
      state_message:
        'Task main failed with message: Workload failed, see run output for details. ' +
        'This caused all downstream tasks to get skipped.',
    });
    expect(view.status.termination_details).toMatchObject({ type: 'CLIENT_ERROR', code: 'RUN_EXECUTION_ERROR' });
    expect(view.tasks.map(({ state }) => [state.life_cycle_state, state.result_state])).toEqual([
      ['TERMINATED', 'FAILED'],
      ['TERMINATED', 'UPSTREAM_FAILED'],
      ['TERMINATED', 'SUCCESS'],
    ]);
    expect(await output(view.tasks[0]?.run_id)).toMatchObject({
      error: 'ValueError: no data',
      error_trace: 'Traceback…\nValueError: no data',
      logs: 'epoch 1\n',
      logs_truncated: false,
      metadata: { run_name: 'main', attempt_number: 0 },
    });
  });

  const ends: readonly [RunLife['end'], Record<string, unknown>, string, string][] = [
    [
      { kind: 'cluster-failure' },
      { life_cycle_state: 'INTERNAL_ERROR', result_state: 'FAILED' },
      'CLIENT_ERROR',
      'CLUSTER_ERROR',
    ],
    [
      { kind: 'cloud-failure' },
      { life_cycle_state: 'INTERNAL_ERROR', result_state: 'FAILED' },
      'CLOUD_FAILURE',
      'CLOUD_FAILURE',
    ],
    [{ kind: 'timed-out' }, { result_state: 'TIMEDOUT', user_cancelled_or_timedout: true }, 'CLIENT_ERROR', 'CANCELED'],
    [
      { kind: 'cancelled' },
      { result_state: 'CANCELED', user_cancelled_or_timedout: true },
      'CLIENT_ERROR',
      'USER_CANCELED',
    ],
    [{ kind: 'skipped' }, { life_cycle_state: 'SKIPPED' }, 'CLIENT_ERROR', 'SKIPPED'],
    [
      { kind: 'terminated', type: 'FUTURE', code: 'NEW_CODE', lifeCycleState: 'TERMINATED', resultState: 'ODD' },
      { life_cycle_state: 'TERMINATED', result_state: 'ODD' },
      'FUTURE',
      'NEW_CODE',
    ],
  ];
  it.each(ends)('ends as scripted: %j', async (end, state, type, code) => {
    const { nextLife, submit, run } = await databricksJobsClient();
    nextLife({ phases: [], end });
    const view = await run(await submit({ tasks: [TASK] }));
    expect(view).toMatchObject({ state, status: { state: 'TERMINATED', termination_details: { type, code } } });
  });

  it('hangs, also in a state that nobody documented', async () => {
    const { nextLife, submit, run, pass } = await databricksJobsClient();
    nextLife({ phases: [{ state: 'HIBERNATING', span: { gets: 1 } }], end: { kind: 'hang' } });
    const id = await submit({ tasks: [TASK] });
    await run(id);
    pass(3_000_000);
    expect(await run(id)).toMatchObject({
      state: { life_cycle_state: 'HIBERNATING' },
      status: { state: 'HIBERNATING' },
    });
  });

  it('shows each attempt with its own run id', async () => {
    const { nextLife, submit, run } = await databricksJobsClient();
    nextLife({ phases: [], attempts: 2, end: { kind: 'success' } });
    const { tasks } = await run(await submit({ tasks: [TASK] }));
    expect(tasks.map(({ attempt_number, state }) => [attempt_number, state.result_state])).toEqual([
      [0, 'FAILED'],
      [1, 'SUCCESS'],
    ]);
    expect(new Set(tasks.map(({ run_id }) => run_id)).size).toBe(2);
  });
});

describe('cancel', () => {
  it('winds a run down, by its own id or by that of a task', async () => {
    const { nextLife, submit, run, cancel, runs } = await databricksJobsClient();
    for (const which of ['run', 'task'] as const) {
      nextLife({ end: { kind: 'hang' } });
      const id = await submit({ tasks: [TASK] });
      const task = (await run(id)).tasks[0]?.run_id ?? '';
      expect(await cancel(which === 'run' ? id : task)).toEqual({});
      expect((await run(id)).status.state).toBe('TERMINATING');
      expect((await run(id)).status.termination_details).toMatchObject({ code: 'USER_CANCELED' });
    }
    expect(runs().map(({ cancelledBy }) => cancelledBy)).toEqual([DEPLOYER, DEPLOYER]);
  });

  it('takes its time where it is told to', async () => {
    const { nextLife, submit, run, cancel, pass } = await databricksJobsClient();
    nextLife({ end: { kind: 'hang' }, cancelling: { ms: 5000 } });
    const id = await submit({ tasks: [TASK] });
    await cancel(id);
    pass(4999);
    expect((await run(id)).status.state).toBe('TERMINATING');
    pass(1);
    expect((await run(id)).status.state).toBe('TERMINATED');
  });

  it('leaves a run alone that has ended', async () => {
    const { nextLife, submit, run, cancel } = await databricksJobsClient();
    nextLife({ phases: [], end: { kind: 'success' } });
    const id = await submit({ tasks: [TASK] });
    expect(await cancel(id)).toEqual({});
    expect((await run(id)).state.result_state).toBe('SUCCESS');
  });
});
