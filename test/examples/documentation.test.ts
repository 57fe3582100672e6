import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { buildkiteSettings } from '../../buildkite-plugin/buildkite-settings.ts';
import { bitbucketSettings, pipeVariable } from '../../pipe/bitbucket-settings.ts';
import { ERROR_CATALOGUE } from '../../shared/errors.ts';
import { bindRun } from '../../shared/run/bind.ts';
import { ALL_SETTINGS, KINDS } from '../../tools/kinds.ts';
import { KIND_SAMPLES, SERVICES } from '../contract/kind-samples.ts';
import { anchor, codeSpans, fences, headings, links } from './markdown.ts';
import { PIPE, PLUGIN, parsePipeline, pipeEntries, pluginEntries } from './pipelines.ts';
import { checkoutWithOutputs, pipeStep, pluginStep, ROOT } from './steps.ts';

const GUIDES = [...SERVICES.map((service) => `docs/${service}.md`), 'docs/secrets.md'];
const PAGES = [...GUIDES, 'docs/network.md', 'README.md'];

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

describe.each(PAGES)('%s', (path) => {
  const blocks = fences(read(path)).filter(({ language }) => /^ya?ml$/.test(language));

  test('every pipeline in it binds, with the version of this release', async () => {
    expect(blocks.length).toBeGreaterThan(0);
    for (const { text } of blocks) {
      const document = parsePipeline(text);
      for (const entry of pipeEntries(document)) {
        expect(entry.reference).toBe(PIPE);
        await bindRun(pipeStep(entry, { files: checkoutWithOutputs() }));
      }
      for (const entry of pluginEntries(document)) {
        expect(entry.reference).toBe(PLUGIN);
        await bindRun(pluginStep(entry, { files: checkoutWithOutputs() }));
      }
    }
  });
});

test.each(KIND_SAMPLES)('the guide to $service shows a step of $id', ({ id, service }) => {
  const pipelines = fences(read(`docs/${service}.md`))
    .filter(({ language }) => language === 'yaml')
    .map(({ text }) => parsePipeline(text));
  const shown = [
    ...pipelines.flatMap((pipeline) => pipeEntries(pipeline)).map(({ settings }) => settings.JOB),
    ...pipelines.flatMap(pluginEntries).map(({ settings }) => settings.job),
  ];
  expect(shown).toContain(id);
});

test.each(SERVICES)('every place of %s that CONTRIBUTING.md names exists', (service) => {
  const places = codeSpans(read('CONTRIBUTING.md')).filter((code) => code.includes('SERVICE'));
  expect(places.length).toBeGreaterThan(3);
  expect(places.filter((place) => !existsSync(join(ROOT, place.replace('SERVICE', service))))).toEqual([]);
});

test.each(['README.md', 'CONTRIBUTING.md'])('every npm script that %s names exists', (path) => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Readonly<Record<string, string>> };
  const named = [...read(path).matchAll(/npm run ([\w:]+)/g)].map(([, name = '']) => name);
  expect(named.filter((name) => scripts[name] === undefined)).toEqual([]);
});

describe.each([...GUIDES, 'docs/network.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md'])('%s', (path) => {
  const page = read(path);

  test('its links lead to files and headings that there are', () => {
    for (const link of links(page).filter((target) => !target.startsWith('https://'))) {
      const [file = '', fragment] = link.split('#');
      const target = file === '' ? path : join(dirname(path), file);
      expect(existsSync(join(ROOT, target)), link).toBe(true);
      if (fragment !== undefined) expect(headings(read(target)).map(anchor), link).toContain(fragment);
    }
  });
});

describe.each(GUIDES)('%s', (path) => {
  const page = read(path);

  test('every setting that it names exists', () => {
    const settings = Object.keys({ ...ALL_SETTINGS, ...buildkiteSettings, ...bitbucketSettings });
    const outputs = ['submission-key', ...KINDS.flatMap((kind) => Object.keys(kind.outputs))];
    const others = [
      ...Object.keys(ERROR_CATALOGUE),
      ...KINDS.map(({ id }) => id),
      'max-time',
      'run-now',
      'x-token-auth',
    ];
    const spans = codeSpans(page);
    const kebab = spans.flatMap((code) => /^([a-z]+(?:-[a-z]+)+)(?:: \S.*)?$/.exec(code)?.[1] ?? []);
    expect(kebab.filter((name) => ![...settings, ...outputs, ...others].includes(name))).toEqual([]);
    // Single words are told from ordinary ones by the value that is set.
    const set = spans.flatMap((code) => /^([a-z]+): \S+$/.exec(code)?.[1] ?? []);
    expect(set.filter((name) => ![...settings, 'oidc', 'deployment', 'queue'].includes(name))).toEqual([]);
    const variables = spans.flatMap((code) => /^([A-Z]+(?:_[A-Z]+)*)(?:: \S.*)?$/.exec(code)?.[1] ?? []);
    const words = /^(?:CAN_|IS_OWNER$|TOKEN_|PERMISSION_DENIED$|QUOTA_EXCEEDED$|INVALID_|REPOSITORY_CHECKOUT_FAILED$)/;
    const known = settings.map(pipeVariable);
    expect(variables.filter((name) => !known.includes(name) && !words.test(name))).toEqual([]);
  });
});

test.each(GUIDES)('every error that %s explains exists', (path) => {
  const explained = [...read(path).matchAll(/^\| `([a-z]+(?:-[a-z]+)+)` \|/gm)].map(([, code = '']) => code);
  expect(explained.length).toBeGreaterThan(0);
  expect(explained.filter((code) => !(code in ERROR_CATALOGUE))).toEqual([]);
});
