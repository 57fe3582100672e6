import { describe, expect, it } from 'vitest';
import { httpsUrl } from '../../buildkite-plugin/buildkite-context.ts';
import { readPluginConfiguration } from '../../buildkite-plugin/buildkite-settings.ts';

const KINDS = ['vertex-custom-job', 'databricks-run-now'];

describe("the plugin's configuration", () => {
  it('is read as JSON, with values that are empty left out and ids exact', () => {
    const BUILDKITE_PLUGIN_CONFIGURATION =
      '{"job":"databricks-run-now","job-id":9007199254740993,"wait":false,"attach":null}';
    const { settings, problem } = readPluginConfiguration({ BUILDKITE_PLUGIN_CONFIGURATION }, KINDS);
    expect(problem).toBeUndefined();
    expect(Object.fromEntries(settings)).toEqual({
      job: 'databricks-run-now',
      'job-id': '9007199254740993',
      wait: false,
    });
  });

  it('is found among all plugins of the step where the agent gave none', () => {
    const BUILDKITE_PLUGINS = JSON.stringify([
      { 'github.com/acme/docker#v1': { image: 'x' } },
      { 'github.com/acme/cache#v1': null },
      { './keyless': { job: 'vertex-custom-job', region: null, project: 'acme-ml' } },
    ]);
    const { settings, problem } = readPluginConfiguration({ BUILDKITE_PLUGINS }, KINDS);
    expect(problem).toBeUndefined();
    expect(Object.fromEntries(settings)).toEqual({ job: 'vertex-custom-job', project: 'acme-ml' });
  });

  it.each([
    [
      'two entries could be it',
      { BUILDKITE_PLUGINS: '[{"a":{"job":"vertex-custom-job"}},{"b":{"job":"vertex-custom-job"}}]' },
    ],
    ['there is nothing', {}],
    ['it is not JSON', { BUILDKITE_PLUGIN_CONFIGURATION: '{"job":' }],
    ['it is not an object', { BUILDKITE_PLUGIN_CONFIGURATION: '["job"]' }],
    ['the list is not JSON', { BUILDKITE_PLUGINS: 'plugins' }],
  ])('has a problem when %s', (_case, env) => {
    const { settings, problem } = readPluginConfiguration(env, KINDS);
    expect(settings.size).toBe(0);
    expect(problem).toMatch(/\S/);
  });
});

describe('the address of a repository', () => {
  it.each([
    ['git@bitbucket.org:acme/vision.git', 'https://bitbucket.org/acme/vision.git'],
    ['ssh://git@github.com/acme/vision', 'https://github.com/acme/vision'],
    ['https://x-token-auth:secret@bitbucket.org/acme/vision', 'https://bitbucket.org/acme/vision'],
    ['http://git.example.com/acme/vision', 'https://git.example.com/acme/vision'],
    ['/srv/git/vision.git', undefined],
    ['file:///srv/git/vision.git', undefined],
    [undefined, undefined],
  ])('%s is %s without credentials', (address, url) => expect(httpsUrl(address)).toBe(url));
});
