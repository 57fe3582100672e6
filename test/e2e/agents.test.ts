import { describe, expect, it } from 'vitest';
import { stringifyJson } from '../../shared/json.ts';
import { BUILDKITE_JOB } from '../simulators/tenant.ts';
import { createWorld, type World } from '../simulators/world.ts';
import { type KindInUse, RUN_NOW, SUBMIT_RUN } from './kinds.ts';
import { readable } from './log-text.ts';
import { type PluginOptions, runPlugin } from './plugin.ts';

const META_DATA = `keyless-submit:${BUILDKITE_JOB.stepKey}`;

function onBuildkite(
  kind: KindInUse,
  world: World,
  config: Readonly<Record<string, string | boolean>> = {},
  more: Partial<PluginOptions> = {},
) {
  const settings = { ...kind.settings('buildkite'), ...config };
  return runPlugin({ simulators: world.url, config: settings, checkout: kind.checkout, ...more });
}

describe.concurrent('agents of several ages', () => {
  const succeeded = { exitCode: 0 };
  const finished = (world: World) => JSON.parse(world.agentApi.metaData().get(META_DATA) ?? '{}');

  it('have no Job API, and nothing is given to a redactor', async () => {
    await using world = await createWorld();
    const ended = await onBuildkite(SUBMIT_RUN, world, {}, { jobApi: false });
    expect(ended, ended.output).toMatchObject(succeeded);
    expect(ended.agentCalls.filter(({ argv }) => argv[0] === 'redactor')).toEqual([]);
    expect(finished(world)).toMatchObject({ result: 'succeeded' });
  });

  it.each(['3.100.0', '4.0.0'])('%s: a job is submitted, and a later step waits for it', async (version) => {
    await using world = await createWorld();
    const step = (config: Record<string, string | boolean>, key: string) =>
      onBuildkite(SUBMIT_RUN, world, config, { agentVersion: version, env: { BUILDKITE_STEP_KEY: key } });
    const submitted = await step({ wait: false }, 'train');
    expect(submitted, submitted.output).toMatchObject(succeeded);
    expect(submitted.output).toContain('this step does not wait for it');
    expect(world.agentApi.annotations()).toMatchObject([{ style: 'info' }]);

    const { id } = SUBMIT_RUN.jobIn(world);
    const waited = await step({ attach: 'step:train' }, 'wait');
    expect(waited, waited.output).toMatchObject(succeeded);
    expect(readable(waited.output)).toContain(`Attaching to ${id}`);
    expect(world.databricks.runs()).toHaveLength(1);
    expect(JSON.parse(world.agentApi.metaData().get('keyless-submit:wait') ?? '')).toMatchObject({
      id,
      result: 'succeeded',
    });
  });

  it('give no configuration of the plugin, so that it is read from the list of plugins', async () => {
    await using world = await createWorld();
    const config = { ...RUN_NOW.settings('buildkite'), audience: null };
    const plugins = [
      { 'https://github.com/acme/other-buildkite-plugin#v1': { job: 'other' } },
      { './keyless': config },
    ];
    const ended = await runPlugin({
      simulators: world.url,
      config: undefined,
      env: { BUILDKITE_PLUGINS: stringifyJson(plugins) },
    });
    expect(ended, ended.output).toMatchObject(succeeded);
    expect(world.databricks.runs()).toHaveLength(1);
  });

  it('give no configuration of the plugin and no list of plugins: nothing is sent', async () => {
    await using world = await createWorld();
    const ended = await runPlugin({ simulators: world.url, config: undefined, env: { BUILDKITE_PLUGINS: '[]' } });
    expect(ended, ended.output).toMatchObject({ exitCode: 2 });
    expect(ended.output).toContain('the agent gave no configuration for the plugin');
    expect(world.requests).toEqual([]);
  });
});
