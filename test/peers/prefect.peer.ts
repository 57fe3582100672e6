import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { missingInOrder, readable } from '../e2e/log-text.ts';
import { CIS, type Ci, type StartedStep } from '../e2e/step.ts';
import { BITBUCKET, BUILDKITE_JOB, COMMIT } from '../simulators/tenant.ts';
import { createWorld, type World } from '../simulators/world.ts';
import { createRepository, deployVersioned, readDeployment } from './prefect-deployments.ts';
import { type DeploymentName, type PrefectServer, startPrefect } from './prefect-server.ts';
import {
  linesOf,
  missedOrForeign,
  newStepEnv,
  type PrefectSteps,
  prefectSteps,
  printedEntries,
  type RunReader,
  runIdIn,
  runsOf,
} from './prefect-step.ts';

const REPORT = 'daily report/every day';
/** Runs take some seconds, on a busy machine many: most of it is Python's start. */
const PATIENCE = { timeout: 90_000, interval: 100 };
const REPOSITORIES: Readonly<Record<Ci, string>> = {
  bitbucket: `https://bitbucket.org/${BITBUCKET.workspace}/${BITBUCKET.repository}.git`,
  buildkite: `git@bitbucket.org:${BUILDKITE_JOB.organizationSlug}/${BUILDKITE_JOB.pipelineSlug}.git`,
};
const UPDATE = {
  job: 'prefect-deployment-update',
  'pull-commit': true,
  'job-variables': { env: { GIT_SHA: '@{commit}' } },
  tags: ['ci'],
};
let prefect: PrefectServer;
let world: World;
let deployments: Readonly<Record<DeploymentName, string>>;
let steps: PrefectSteps;
let runs: RunReader;
let commits: ReturnType<typeof createRepository>;
let versioned: Readonly<Record<Ci | 'idle', string>>;

beforeAll(async () => {
  await promisify(execFile)('sh', [join(import.meta.dirname, 'install-prefect.sh')]);
  [prefect, world] = await Promise.all([startPrefect(), createWorld()]);
  await prefect.createWorkPool('processes');
  deployments = await prefect.deployFlows('processes');
  commits = createRepository(prefect, Object.values(REPOSITORIES));
  versioned = {
    bitbucket: await deployVersioned(prefect, 'bitbucket', 'processes', REPOSITORIES.bitbucket),
    buildkite: await deployVersioned(prefect, 'buildkite', 'processes', REPOSITORIES.buildkite),
    idle: await deployVersioned(prefect, 'idle', 'idle', REPOSITORIES.bitbucket),
  };
  await prefect.startWorker('processes');
  steps = prefectSteps(prefect, world);
  runs = runsOf(prefect);
}, 300_000);

afterAll(() => Promise.all([prefect?.[Symbol.asyncDispose](), world?.close()]), 60_000);

/** Waits until a step has said something. */
async function printed({ running }: StartedStep, text: string | RegExp): Promise<void> {
  await expect.poll(running.output, PATIENCE).toMatch(text);
}

describe.each(CIS)('a flow run on a real Prefect, from %s', (ci) => {
  it('is made once by a step that is run again, and waited for by a later one', async () => {
    const settings = {
      deployment: REPORT,
      parameters: { rows: 3, region: 'us', day: '2026-11-20' },
      tags: ['ci'],
      labels: { team: 'vision' },
      'job-variables': { env: { GIT_SHA: '@{commit}' } },
    };
    const before = (await runs.ofDeployment(deployments[REPORT])).length;
    const env = newStepEnv();
    const first = await steps.run(ci, { ...settings, wait: false }, env);
    expect(first.exitCode, first.log).toBe(0);
    expect(first.log).toContain(`deployment every day, version 1, work pool processes, queue default`);
    const id = runIdIn(first.log);

    const again = await steps.run(ci, settings, env);
    expect(again.exitCode, again.log).toBe(0);
    expect(runIdIn(again.log)).toBe(id);
    expect(await runs.ofDeployment(deployments[REPORT])).toHaveLength(before + 1);
    expect(await runs.read(id)).toMatchObject({
      state: { type: 'COMPLETED' },
      parameters: settings.parameters,
      labels: { ci_platform: ci, ci_commit: COMMIT, team: 'vision' },
      tags: expect.arrayContaining(['ci', 'peer']),
    });

    const told = [
      `GIT_SHA=${COMMIT}`,
      'succeeded Completed',
      'Artifact report (markdown):',
      '3 rows',
      'Artifact regions (table):',
      'us | 3',
      'Artifact dashboard (markdown):',
      'Artifact progress (progress):',
      '100 %',
      'The job succeeded after',
    ];
    for (const text of told) expect(again.log).toMatch(text);
    expect(again.outputs).toMatchObject({
      id,
      result: 'succeeded',
      state: 'Completed',
      'deployment-id': deployments[REPORT],
      'work-pool': 'processes',
      'run-count': '1',
    });
    const regions = { key: 'regions', type: 'table', data: [{ region: 'us', rows: 3 }] };
    expect(JSON.parse(again.outputs.artifacts ?? '')).toContainEqual(regions);

    const later = await steps.run(ci, { attach: id });
    expect(later.exitCode, later.log).toBe(0);
    const entries = linesOf(await runs.logs(id));
    expect(printedEntries(later.log)).toEqual(entries);
    expect(missedOrForeign(printedEntries(again.log), entries)).toEqual([]);
  });

  it('fails by its code', async () => {
    const { exitCode, log, outputs } = await steps.run(ci, { deployment: deployments['failing/failing'] });
    expect(exitCode, log).toBe(1);
    const told = [
      'ERROR   about to fail',
      'ERROR   Encountered exception during execution',
      "the job's own code or configuration failed",
      'Flow run encountered an exception: ValueError: no rows for today',
    ];
    expect(missingInOrder(log, told), log).toEqual([]);
    expect(outputs).toMatchObject({ result: 'failed', state: 'Failed', failure: 'code' });
    expect(missedOrForeign(printedEntries(log), linesOf(await runs.logs(runIdIn(log))))).toEqual([]);
  });

  it('is cancelled with its step', async () => {
    using step = await steps.start(ci, { deployment: 'long/long' });
    await printed(step, /second 1/);
    step.running.signal('SIGTERM');
    const { exitCode, output } = await step.finish();
    const id = runIdIn(output);
    expect(exitCode, output).toBe(143);
    expect(output).toContain(`the cancellation of ${id} was accepted`);
    await expect.poll(async () => (await runs.read(id)).state.type, PATIENCE).toBe('CANCELLED');
  });

  it('is not made when its parameters do not fit', async () => {
    const before = await runs.ofDeployment(deployments[REPORT]);
    const { exitCode, log } = await steps.run(ci, {
      deployment: REPORT,
      parameters: { region: 'asia', note: 3, rowz: 1 },
    });
    expect(exitCode, log).toBe(2);
    for (const fault of [
      /parameters.rowz: is not a parameter of the flow; did you mean rows\?/i,
      /parameters.rows: is required/i,
      /parameters.region: expected one of "eu", "us"; got "asia"/i,
      /parameters.note: expected string or null; got 3/i,
    ])
      expect(log).toMatch(fault);
    expect(await runs.ofDeployment(deployments[REPORT])).toHaveLength(before.length);
  });

  it('runs the code of the commit that an update points its deployment at', async () => {
    const { first, second } = commits;
    const deployment = `versioned/${ci}`;
    const id = versioned[ci];
    const previous = { [second]: 'branch main', [first]: second };
    for (const commit of [second, first]) {
      const env = { BITBUCKET_COMMIT: commit, BUILDKITE_COMMIT: commit };
      const update = await steps.run(ci, { ...UPDATE, deployment }, { ...newStepEnv(), ...env });
      expect(update.exitCode, update.log).toBe(0);
      expect(update.outputs).toMatchObject({
        'deployment-commit': commit,
        'previous-commit': previous[commit],
        'deployment-version': commit.slice(0, 8),
      });
      expect(await readDeployment(prefect, id)).toMatchObject({
        version: commit.slice(0, 8),
        tags: ['peer', 'ci'],
        job_variables: { env: { STAGE: 'prod', GIT_SHA: commit } },
        pull_steps: [{ 'prefect.deployments.steps.git_clone': { repository: REPOSITORIES[ci], commit_sha: commit } }],
      });
    }
    const { exitCode, log, outputs } = await steps.run(ci, { deployment });
    expect(exitCode, log).toBe(0);
    expect(log).toContain(`code of the first commit, GIT_SHA=${first}`);
    expect(outputs['deployment-version']).toBe(first.slice(0, 8));
  });
});

describe('a flow run on a real Prefect', () => {
  it('crashes', async () => {
    const { exitCode, log, outputs } = await steps.run('bitbucket', { deployment: 'crashing/crashing' });
    expect(exitCode, log).toBe(1);
    expect(missingInOrder(log, ['Crashed', "the service's infrastructure failed", 'SIGKILL']), log).toEqual([]);
    expect(outputs).toMatchObject({ result: 'failed', failure: 'infrastructure' });
  });

  it('is tried again', async () => {
    const { exitCode, log, outputs } = await steps.run('buildkite', {
      deployment: 'flaky/flaky',
      parameters: { marker: join(prefect.folder, 'tried') },
    });
    expect(exitCode, log).toBe(0);
    const told = [
      /AwaitingRetry · failed 1 time\(s\) and is tried again at \S+; .*the first try fails/,
      'the second try works',
    ];
    for (const text of told) expect(log).toMatch(text);
    expect(outputs['run-count']).toBe('2');
  });

  it.each([
    ['bitbucket', 'pause', 'Paused'],
    ['buildkite', 'suspend', 'Suspended'],
  ] as const)('waits for somebody, from %s: %s', async (ci, by, state) => {
    using step = await steps.start(ci, { deployment: 'pausing/pausing', parameters: { by } });
    await printed(step, `${state} · waits for somebody to resume it on its page`);
    await prefect.call('POST', `/flow_runs/${runIdIn(step.running.output())}/resume`, {});
    const { exitCode, output } = await step.finish();
    expect(exitCode, output).toBe(0);
    expect(readable(output)).toMatch(/INFO {4}resumed/);
  });

  const WAITS = 'no worker has picked it up: work pool idle, queue default; the pool has no worker';

  it('is late without a worker, and cancelled with its step', async () => {
    using step = await steps.start('bitbucket', { deployment: 'versioned/idle' });
    await printed(step, WAITS);
    step.running.signal('SIGTERM');
    const { exitCode, output } = await step.finish();
    expect(exitCode, output).toBe(143);
    expect(output).toContain('was accepted');
    expect((await runs.read(runIdIn(output))).state.type).toBe('CANCELLED');
  });

  it('is late without a worker, and goes on when there is one', async () => {
    using step = await steps.start('buildkite', { deployment: 'versioned/idle' });
    await printed(step, WAITS);
    await prefect.startWorker('idle');
    const { exitCode, output } = await step.finish();
    expect(exitCode, output).toBe(0);
    expect(readable(output)).toContain('code of the second commit');
  });
});
