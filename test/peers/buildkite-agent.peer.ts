import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import * as tenant from '../simulators/tenant.ts';
import { createWorld, type World } from '../simulators/world.ts';
import { clonedPlugin, type RunningBootstrap, startBootstrap } from './bootstrap.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const INSTALLED = ['buildkite-agent-3', 'buildkite-agent-4']
  .map((name) => join(ROOT, 'build/peers/bin', name))
  .filter((path) => existsSync(path));

const folder = mkdtempSync(join(tmpdir(), 'plugin-'));
afterAll(() => rmSync(folder, { recursive: true }));
const plugin = clonedPlugin(ROOT, folder);

const CONFIG = {
  job: 'databricks-submit-run',
  host: `https://${tenant.DATABRICKS.host}`,
  'client-id': tenant.DATABRICKS.clientId,
  spec: {
    run_name: 'train',
    tasks: [{ task_key: 'train', notebook_task: { notebook_path: '/Shared/train', source: 'WORKSPACE' } }],
  },
};
const WATCH = '/api/2.2/jobs/runs/get';
const CANCEL = '/api/2.2/jobs/runs/cancel';

it('has an agent to run', () => {
  expect(INSTALLED, 'run test/peers/install-buildkite-agents.sh first').not.toEqual([]);
});

describe.each(INSTALLED.map((agent) => [readFileSync(`${agent}.txt`, 'utf8').trim(), agent]))(
  'agent %s',
  (_, agent) => {
    async function simulators(): Promise<World> {
      const world = await createWorld();
      onTestFinished(() => world.close());
      return world;
    }

    function start(world: World, config: unknown, env: Record<string, string> = {}): RunningBootstrap {
      const job = startBootstrap({
        agent,
        plugin,
        config,
        endpoint: `${world.url}/agent-edge.buildkite.com/v3`,
        accessToken: tenant.AGENT_ACCESS_TOKEN,
        job: tenant.BUILDKITE_JOB,
        env: { KEYLESS_SUBMIT_SIMULATORS: world.url, ...env },
      });
      onTestFinished(async () => {
        job.cancel();
        await job.ended;
      });
      return job;
    }

    /** The step again, as another job of the same build. */
    function retry(world: World, type: 'automatic' | 'manual'): RunningBootstrap {
      const jobId = '0190b1c2-4444-4abc-8def-000000000004';
      world.agentApi.retryAs(jobId);
      return start(world, CONFIG, {
        BUILDKITE_JOB_ID: jobId,
        BUILDKITE_RETRY_COUNT: '1',
        BUILDKITE_RETRY_TYPE: type,
      });
    }

    function secretsOf(world: World): readonly string[] {
      return world.agentApi.oidcRequests().map(({ token }) => token);
    }

    it('submits, waits, annotates and leaves the outputs in meta-data', async () => {
      const world = await simulators();
      const { exitCode, output } = await start(world, CONFIG).ended;
      expect(exitCode, output).toBe(0);
      expect(world.databricks.runs()).toHaveLength(1);
      expect(world.agentApi.annotations()).toMatchObject([{ style: 'success', scope: 'build' }]);
      expect([...world.agentApi.metaData().keys()]).toContain(`keyless-submit:${tenant.BUILDKITE_JOB.stepKey}`);
      for (const secret of secretsOf(world)) expect(output).not.toContain(secret);
    });

    it('refuses a configuration that the schema of the plugin does not allow, before any hook runs', async () => {
      const world = await simulators();
      const { exitCode, output } = await start(world, { ...CONFIG, job: 'nonsense' }).ended;
      expect(exitCode, output).toBe(1);
      expect(output).toContain('Plugin validation failed for "keyless-submit"');
      expect(world.requests).toEqual([]);
    });

    it('lets a placeholder stand where the schema of the plugin wants an id', async () => {
      const world = await simulators();
      const config = { ...CONFIG, 'client-id': '@{env:TRAINER_ID}' };
      const { exitCode, output } = await start(world, config, { TRAINER_ID: tenant.DATABRICKS.clientId }).ended;
      expect(exitCode, output).toBe(0);
      expect(world.databricks.runs()).toHaveLength(1);
    });

    it('cancels the remote run once when the job is cancelled', async () => {
      const world = await simulators();
      world.databricks.nextLife({ end: { kind: 'hang' } });
      const job = start(world, CONFIG);
      await expect.poll(() => world.requests.some(({ path }) => path.includes(WATCH)), { timeout: 20_000 }).toBe(true);
      job.cancel();
      const { exitCode, signal, output } = await job.ended;
      // The bootstrap ends by the signal that it was sent; its log tells what became of the hook.
      expect({ exitCode, signal }).toEqual({ exitCode: null, signal: 'SIGTERM' });
      expect(output).toContain('command hook exited with status 143');
      expect(world.requests.filter(({ path }) => path === CANCEL)).toHaveLength(1);
      expect(world.databricks.runs()).toHaveLength(1);
    });

    it('works without the Job API, and prints no token then either', async () => {
      const world = await simulators();
      const { exitCode, output } = await start(world, CONFIG, { BUILDKITE_AGENT_NO_JOB_API: 'true' }).ended;
      expect(exitCode, output).toBe(0);
      expect(secretsOf(world)).not.toEqual([]);
      for (const secret of secretsOf(world)) expect(output).not.toContain(secret);
    });

    it('submits anew when a failed job is retried automatically', async () => {
      const world = await simulators();
      world.databricks.nextLife({ end: { kind: 'user-code-failure', error: 'ValueError: no data' } });
      expect((await start(world, CONFIG).ended).exitCode).toBe(1);
      const { exitCode, output } = await retry(world, 'automatic').ended;
      expect(exitCode, output).toBe(0);
      expect(world.databricks.runs()).toHaveLength(2);
    });

    it('keeps a success when the job is retried automatically, and submits anew when somebody asks for it', async () => {
      const world = await simulators();
      expect((await start(world, CONFIG).ended).exitCode).toBe(0);
      expect((await retry(world, 'automatic').ended).exitCode).toBe(0);
      expect(world.databricks.runs()).toHaveLength(1);
      expect((await retry(world, 'manual').ended).exitCode).toBe(0);
      expect(world.databricks.runs()).toHaveLength(2);
    });
  },
);
