import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { pipeVariable } from '../../pipe/bitbucket-settings.ts';
import type { Json } from '../../shared/json.ts';
import { bindRun } from '../../shared/run/bind.ts';
import { collectFaults } from '../../shared/settings/settings.ts';
import { parseSpec } from '../../shared/settings/spec.ts';
import { KIND_SAMPLES, SERVICES } from '../contract/kind-samples.ts';
import { EARLIER } from '../contract/vercel-samples.ts';
import type { World, WorldOptions } from '../simulators/world.ts';
import { bitbucketBuilds, type Entry, PIPE, PLUGIN, parsePipeline, pipeEntries, pluginEntries } from './pipelines.ts';
import { simulatedRuns } from './simulated-runs.ts';
import { checkout, checkoutWithOutputs, pipeStep, pluginStep, ROOT } from './steps.ts';

/** What those who start the examples' pipelines set. */
const ENV = { PARTITION_DATE: '2026-11-20', ROLL_BACK_TO: EARLIER };

/** The company's workspace has the job that the examples run. */
const world: Omit<WorldOptions, 'now'> = {
  databricks: {
    jobs: [
      {
        jobId: 620_143_925_716_443n,
        name: 'nightly scoring',
        tasks: [{ task_key: 'score', notebook_task: { notebook_path: '/Shared/score', source: 'WORKSPACE' } }],
        parameters: [
          { name: 'git_commit', default: '' },
          { name: 'build', default: '' },
        ],
      },
    ],
  },
};

function pipeline(path: string): Json {
  return parsePipeline(readFileSync(join(ROOT, path), 'utf8'));
}

async function specsOf(service: string): Promise<readonly string[]> {
  const files = await readdir(join(ROOT, 'examples', service), { withFileTypes: true });
  return files
    .filter((file) => file.isFile() && !/^(?:bitbucket-pipelines|pipeline)\.yml$/.test(file.name))
    .map((file) => `examples/${service}/${file.name}`);
}

test('there is a folder for each service, and nothing else', async () => {
  expect((await readdir(join(ROOT, 'examples'))).toSorted()).toEqual([...SERVICES].toSorted());
});

describe.each(SERVICES)('examples/%s', (service) => {
  const bitbucket = pipeline(`examples/${service}/bitbucket-pipelines.yml`);
  const buildkite = pipeline(`examples/${service}/pipeline.yml`);

  test('every spec is whole, and used by both CIs', async () => {
    const specs = await specsOf(service);
    expect(specs.length).toBeGreaterThan(1);
    const nothingSet = { reference: PLUGIN, settings: {}, step: { key: 'spec' } };
    const { host, env, protectedVariables } = pluginStep(nothingSet, { files: checkout(), env: ENV });
    for (const path of specs) {
      const faults = collectFaults((name) => name);
      const text = readFileSync(join(ROOT, path), 'utf8');
      const spec = await parseSpec(text, path, { context: host.context, env, protectedVariables }, faults);
      expect(faults.messages).toEqual([]);
      expect(spec).toBeDefined();
    }
    const used = (entries: readonly { settings: Readonly<Record<string, unknown>> }[], name: string) =>
      new Set(entries.flatMap(({ settings }) => (settings[name] === undefined ? [] : [settings[name]])));
    expect(used(pipeEntries(bitbucket), 'SPEC')).toEqual(new Set(specs));
    expect(used(pluginEntries(buildkite), 'spec')).toEqual(new Set(specs));
  });

  test('every kind has a step that submits it, on both CIs', () => {
    const kinds = KIND_SAMPLES.filter((sample) => sample.service === service).map(({ id }) => id);
    for (const entries of [pipeEntries(bitbucket), pluginEntries(buildkite)]) {
      expect([...new Set(entries.filter(submits).map(kindOf))].toSorted()).toEqual(kinds.toSorted());
    }
  });

  test('every entry of the pipe binds', async () => {
    const entries = pipeEntries(bitbucket);
    expect(entries.map(({ reference }) => reference)).toEqual(entries.map(() => PIPE));
    for (const entry of entries) await bindRun(pipeStep(entry, { files: checkoutWithOutputs(), env: ENV }));
  });

  test('every entry of the plugin binds', async () => {
    const entries = pluginEntries(buildkite);
    expect(entries.map(({ reference }) => reference)).toEqual(entries.map(() => PLUGIN));
    for (const entry of entries) await bindRun(pluginStep(entry, { files: checkoutWithOutputs(), env: ENV }));
  });

  test.each(bitbucketBuilds(bitbucket))('the services accept what Bitbucket submits: $name', async ({ entries }) => {
    await using runs = await simulatedRuns(world);
    for (const { setUp } of KIND_SAMPLES) setUp?.(runs.world);
    let kept = new Map<string, string>();
    for (const entry of entries) {
      const files = checkout();
      for (const [path, text] of kept) files.written.set(path, text);
      const { exitCode, log } = await runs.runPipe(entry, { files, env: ENV });
      expect(exitCode, log).toBe(0);
      // The next step gets this one's artifacts, and nothing else of its checkout.
      kept = JSON.stringify(entry.step.artifacts ?? []).includes('.keyless-submit/**') ? files.written : new Map();
    }
    expect(submittedIn(runs.world)).toEqual(entries.filter(submits).map(kindOf).toSorted());
    expect(runs.world.reports.refusals()).toEqual([]);
  });

  test('the services accept what Buildkite submits', async () => {
    await using runs = await simulatedRuns(world);
    for (const { setUp } of KIND_SAMPLES) setUp?.(runs.world);
    const entries = pluginEntries(buildkite);
    for (const entry of entries) {
      const { exitCode, log } = await runs.runPlugin(entry, { files: checkout(), env: ENV });
      expect(exitCode, log).toBe(0);
    }
    expect(submittedIn(runs.world)).toEqual(entries.filter(submits).map(kindOf).toSorted());
    const { agentApi } = runs.world;
    const waiting = entries.find(({ settings }) => settings.attach !== undefined);
    expect(agentApi.metaData().get(`keyless-submit:${waiting?.step.key}:result`)).toBe('succeeded');
    // The trust that docs/ sets up is bound to these two claims.
    for (const { claims } of agentApi.oidcRequests()) expect(claims).toEqual(['organization_id', 'pipeline_id']);
  });

  test('each CI has a pair of steps of which one submits and the other waits', () => {
    const pipe = pipeEntries(bitbucket).map(({ settings }) => settings);
    expect(pipe.filter(({ WAIT }) => WAIT === 'false')).toHaveLength(1);
    expect(pipe.filter(({ ATTACH }) => ATTACH === 'file:.keyless-submit/outputs.json')).toHaveLength(1);
    const plugin = pluginEntries(buildkite).map(({ settings }) => settings);
    expect(plugin.filter(({ wait }) => wait === false)).toHaveLength(1);
    const [left] = pluginEntries(buildkite).filter(({ settings }) => settings.wait === false);
    expect(plugin.filter(({ attach }) => attach === `step:${left?.step.key}`)).toHaveLength(1);
  });
});

/** A setting of an entry in either CI's spelling. */
function settingOf({ settings }: Entry, name: string): Json | undefined {
  return settings[name] ?? settings[pipeVariable(name)];
}

function kindOf(entry: Entry): Json | undefined {
  return settingOf(entry, 'job');
}

function submits(entry: Entry): boolean {
  return settingOf(entry, 'attach') === undefined && String(settingOf(entry, 'dry-run')) !== 'true';
}

/** The kind of each job that was submitted. */
function submittedIn(world: World): readonly string[] {
  return KIND_SAMPLES.flatMap(({ id, jobs }) => jobs(world).map(() => id)).toSorted();
}
