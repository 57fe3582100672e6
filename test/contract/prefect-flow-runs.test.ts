import { expect, test } from 'vitest';
import { EXIT } from '../../shared/errors.ts';
import type { RunLife } from '../simulators/prefect-run-life.ts';
import { PREFECT } from '../simulators/prefect-tenant.ts';
import { breakRequests } from './breakable.ts';
import { runFlow } from './prefect-step.ts';
import { HOUR, MINUTE } from './remote-life.ts';
import { stagePool } from './stage-pool.ts';

const stages = stagePool();

const COMPLETED = { kind: 'completed' } as const;

const WAITS: readonly (readonly [string, RunLife, readonly RegExp[]])[] = [
  [
    'is retried',
    { interruption: { kind: 'awaiting-retry', ms: MINUTE }, end: COMPLETED },
    [/AwaitingRetry · .*tried again/],
  ],
  [
    'waits for a slot',
    { concurrencyWaitMs: MINUTE, end: COMPLETED },
    [/queued +AwaitingConcurrencySlot · waits for a free slot/],
  ],
  [
    'is paused',
    { interruption: { kind: 'paused', ms: MINUTE }, end: COMPLETED },
    [/running +Paused · waits for somebody to resume it/],
  ],
  ['is suspended', { interruption: { kind: 'suspended', ms: MINUTE }, end: COMPLETED }, [/Suspended · waits/]],
  [
    'is slow to start',
    { pendingMs: MINUTE, end: COMPLETED },
    [/InfrastructurePending · its infrastructure is being started/],
  ],
  [
    'is late',
    { scheduledMs: MINUTE, end: COMPLETED },
    [/Late · no worker has picked it up: work pool gpu, queue default; 1 of its workers/],
  ],
];

test.each(WAITS)('a run that %s says so', (_what, life, words) =>
  stages.use(async (stage, build) => {
    const { exitCode, log } = await runFlow(stage, build, { life });
    expect(exitCode, log).toBe(EXIT.done);
    for (const word of words) expect(log).toMatch(word);
  }),
);

test('a late run tells that no worker is online, to its end, and seldom asks for that', () =>
  stages.use(async (stage, build) => {
    stage.world.prefect.setWorkers('OFFLINE', PREFECT.pool);
    const settings = { timeout: '10m' };
    const { exitCode, log, requests } = await runFlow(stage, build, { settings, life: { end: { kind: 'late' } } });
    stage.world.prefect.setWorkers('ONLINE', PREFECT.pool);
    expect(exitCode, log).toBe(EXIT.deadline);
    expect(log).toContain('work pool gpu, queue default; none of its workers is online');
    const asked = requests.filter(({ path }) => path.endsWith('/workers/filter')).length;
    const looks = requests.filter(({ method, path }) => method === 'GET' && /\/flow_runs\/[^/]+$/.test(path)).length;
    expect(asked).toBeLessThan(looks / 10);
    const [, end = ''] = log.split('wait-deadline');
    expect(end).toContain('none of its workers is online');
    expect(end).toContain('It had not begun: see to what it waits for');
    expect(log).toMatch(/the cancellation of \S+ was accepted/);
  }));

test('a run whose end is a limit of the deployment is no cancellation', () =>
  stages.use(async (stage, build) => {
    const end = { kind: 'cancelled', message: 'Deployment concurrency limit reached.' } as const;
    const { exitCode, outputs } = await runFlow(stage, build, { life: { end } });
    expect(exitCode).toBe(EXIT.jobFailed);
    expect(outputs).toMatchObject({ result: 'failed', failure: 'quota' });
  }));

test('what is wrong with the parameters is told all at once, and no run is made', () =>
  stages.use(async (stage, build) => {
    const parameters = { epochs: 'many', optimizer: { learning_rate: 0 }, mod: 'full', mode: 'fast' };
    const { exitCode, log, run } = await runFlow(stage, build, { settings: { parameters } });
    expect(exitCode, log).toBe(EXIT.settings);
    expect(run).toBeUndefined();
    for (const fault of [
      'parameters.mod: is not a parameter of the flow; did you mean mode?',
      'parameters.epochs: expected integer; got "many"',
      'parameters.optimizer.name: is required',
      'parameters.optimizer.learning_rate: expected more than 0; got 0',
      'parameters.mode: expected one of "full", "smoke"; got "fast"',
    ])
      expect(log).toContain(fault);
  }));

test('the schema is left alone where it is not enforced', () =>
  stages.use(async (stage, build) => {
    const settings = { parameters: { epochs: 'many' }, spec: { enforce_parameter_schema: false } };
    const { exitCode, log, body } = await runFlow(stage, build, { settings });
    expect(exitCode, log).toBe(EXIT.done);
    expect(body).toMatchObject({ enforce_parameter_schema: false, parameters: { epochs: 'many' } });
  }));

test('what the server resolves may stand in the spec, and nowhere else', () =>
  stages.use(async (stage, build) => {
    const day = { __prefect_kind: 'workspace_variable', variable_name: 'region' };
    const refused = await runFlow(stage, build, { settings: { parameters: { epochs: 1, day: [day] } } });
    expect(refused.exitCode).toBe(EXIT.settings);
    expect(refused.log).toContain('parameters: day holds a __prefect_kind');
    const settings = { parameters: { epochs: 1 }, spec: { parameters: { day } } };
    const { exitCode, log } = await runFlow(stage, build + 10_000, { settings });
    expect(exitCode, log).toBe(EXIT.done);
  }));

test('settings and spec become one request', () =>
  stages.use(async (stage, build) => {
    const spec = {
      name: 'mine',
      tags: ['a', 'ci'],
      labels: { gpus: 4, trial: true, ci_branch: 'other' },
      parameters: { epochs: 1, mode: 'smoke' },
      job_variables: { env: { A: '1' }, gpus: 2 },
      empirical_policy: { retries: 2 },
    };
    const settings = {
      spec,
      parameters: { epochs: 2 },
      tags: ['ci', 'b'],
      labels: { team: 'vision' },
      'job-variables': { env: { B: '2' } },
      'work-queue': 'big',
    };
    const { exitCode, log, body } = await runFlow(stage, build, { settings });
    expect(exitCode, log).toBe(EXIT.done);
    expect(body).toMatchObject({
      name: 'mine',
      tags: ['a', 'ci', 'b'],
      labels: { gpus: 4, trial: true, ci_branch: 'other', team: 'vision', ci_platform: 'buildkite' },
      parameters: { epochs: 2, mode: 'smoke' },
      job_variables: { env: { A: '1', B: '2' }, gpus: 2 },
      work_queue_name: 'big',
      empirical_policy: { retries: 2 },
      idempotency_key: expect.stringMatching(
        new RegExp(`^keyless-submit:${PREFECT.deployments.prod.id}:[0-9a-f]{64}$`),
      ),
    });
  }));

test('a time is passed on, and one that is reckoned makes no re-run another submission', () =>
  stages.use(async (stage, build) => {
    const settings = { 'scheduled-time': '2h' };
    const before = stage.clock.now();
    const first = await runFlow(stage, build, { settings: { ...settings, wait: false } });
    const time = /"scheduled_time":"([^"]+)"/.exec(first.run?.body ?? '')?.[1];
    expect(Date.parse(time ?? '') - before).toBeCloseTo(7_200_000, -4);
    stage.clock.advance(MINUTE);
    const second = await runFlow(stage, build, { settings, step: { retry: 'manual' } });
    expect(second.exitCode, second.log).toBe(EXIT.done);
    expect(second.run).toBeUndefined();
    expect(second.outputs?.id).toBe(first.outputs?.id);
    expect(second.log).toMatch(/queued +Scheduled · starts at /);

    const at = { 'scheduled-time': '2020-01-01T00:00:00+01:00' };
    const { body } = await runFlow(stage, build + 10_000, { settings: at });
    expect(body?.state).toEqual({ type: 'SCHEDULED', state_details: { scheduled_time: '2019-12-31T23:00:00.000Z' } });
  }));

test('deployments are found by names of all kinds, by id, and without a pool', () =>
  stages.use(async (stage, build) => {
    const { spaced, served, paused } = PREFECT.deployments;
    const cases: readonly (readonly [string, RegExp])[] = [
      [`${PREFECT.flow}/${spaced.name}`, /deployment nightly eu 100%/],
      [spaced.id, /deployment nightly eu 100%/],
      [`${PREFECT.flow}/${paused.name}`, /its schedules are paused/],
    ];
    for (const [index, [deployment, words]] of cases.entries()) {
      const { exitCode, log } = await runFlow(stage, build + index * 10_000, { settings: { deployment } });
      expect(exitCode, log).toBe(EXIT.done);
      expect(log).toMatch(words);
    }
    const deployment = `${PREFECT.flow}/${served.name}`;
    const settings = { deployment, 'job-variables': null, 'work-queue': 'gpu' };
    const { exitCode, log } = await runFlow(stage, build + 40_000, { settings });
    expect(exitCode).toBe(EXIT.settings);
    expect(log).toContain('work-queue: the deployment has no work pool');
  }));

test('a step that is cancelled before its run has begun cancels it', () =>
  stages.use(async (stage, build) => {
    const controller = new AbortController();
    stage.clock.after(3_000, () => controller.abort('SIGTERM'));
    const life: RunLife = { scheduledMs: 10_000, end: COMPLETED };
    const { exitCode, log, run } = await runFlow(stage, build, { life, step: { signal: controller.signal } });
    expect(exitCode, log).toBe(EXIT.terminated);
    expect(log).toMatch(/the cancellation of \S+ was accepted/);
    expect(run?.cancelRequested).toBe(true);
  }));

test.each([
  [
    'an answer that is none',
    { status: 200, type: 'text/html', text: '<html>Sign in</html>' },
    'does not say whether it was',
  ],
  [
    'a server that wants to be asked again',
    { status: 200, type: 'application/json', text: '{"status":"WAIT","details":{"reason":"busy"},"state":null}' },
    'Prefect wants to be asked again later: busy',
  ],
])('%s cancels nothing: it is asked a second time, and then told how to do it by hand', (_what, answer, words) =>
  stages.use(async (stage, build) => {
    const target = { method: 'POST', path: /\/set_state$/ } as const;
    const settings = { timeout: '10m' };
    const life = { runningMs: HOUR, end: { kind: 'completed' } } as const;
    breakRequests(stage.world, target, { kind: 'answer', times: 1, answer });
    const second = await runFlow(stage, build, { settings, life });
    expect(second.log).toMatch(/the cancellation of \S+ was accepted/);

    const recover = breakRequests(stage.world, target, { kind: 'answer', times: 9, answer });
    const never = await runFlow(stage, build + 1_000, { settings, life });
    recover();
    expect(never.exitCode, never.log).toBe(EXIT.deadline);
    expect(never.log).toContain('could not be cancelled in time (');
    expect(never.log).toContain(words);
    expect(never.log).toMatch(/cancel it by hand: prefect flow-run cancel \S+/);
  }),
);

test('a passing 401 after the end of the OIDC token does not end a wait', () =>
  stages.use(async (stage, build) => {
    const startedAt = stage.clock.now();
    const answer = { status: 401, type: 'application/json', text: '{"detail":"Invalid authentication credentials"}' };
    stage.clock.after(2 * HOUR, () => {
      stage.world.fault({ kind: 'answer', method: 'GET', path: /\/flow_runs\/[^/]+$/, times: 1, answer });
    });
    const { exitCode, log } = await runFlow(stage, build, {
      life: { runningMs: 3 * HOUR, end: { kind: 'completed' } },
      step: { ci: 'bitbucket' },
    });
    expect(exitCode, log).toBe(EXIT.done);
    expect(stage.clock.now() - startedAt).toBeGreaterThan(3 * HOUR);
    expect(log).toContain('A credential was refused, and no other can be had (token-expired');
  }));

test('a key that is refused for good is told of, not the OIDC token that is over', () =>
  stages.use(async (stage, build) => {
    const answer = { status: 401, type: 'application/json', text: '{"detail":"Invalid authentication credentials"}' };
    const target = { method: 'GET', path: /\/flow_runs\/[^/]+$/ } as const;
    let recover = () => {};
    stage.clock.after(2 * HOUR, () => {
      recover = breakRequests(stage.world, target, { kind: 'answer', times: 99, answer });
    });
    const { exitCode, log } = await runFlow(stage, build, {
      life: { runningMs: 3 * HOUR, end: { kind: 'completed' } },
      step: { ci: 'bitbucket' },
    });
    recover();
    expect(exitCode, log).toBe(EXIT.identity);
    expect(log).toContain('credential-rejected: ');
  }));
