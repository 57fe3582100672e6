import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { buildkiteSettings } from '../../buildkite-plugin/buildkite-settings.ts';
import { bitbucketSettings } from '../../pipe/bitbucket-settings.ts';
import { EXIT } from '../../shared/errors.ts';
import { isObject, parseJson, stringifyJson } from '../../shared/json.ts';
import { runSettings } from '../../shared/settings/run-settings.ts';
import { collectFaults, parseSettings, type Setting } from '../../shared/settings/settings.ts';
import { KINDS } from '../../tools/kinds.ts';
import { createStage, runStep, type StepResult, sentTo } from './harness.ts';
import { CIS, KIND_SAMPLES, type KindSample } from './kind-samples.ts';

const SAMPLES = KIND_SAMPLES.map((sample) => [sample.id, sample] as const);
/** Every sample and each of its variants, on both CIs. */
const USES = KIND_SAMPLES.flatMap((sample) =>
  Object.entries({ '': sample.settings, ...sample.variants }).flatMap(([variant, settings]) =>
    CIS.map((ci) => {
      const name = variant === '' ? sample.id : `${sample.id}.${variant}`;
      return [name, ci, { sample, step: { kind: sample.id, ci, settings: settings(ci) } }] as const;
    }),
  ),
);
const BASE_OUTPUTS = ['kind', 'id', 'url', 'submission-key', 'attempt', 'commit', 'result', 'state', 'failure'];

test('every kind has a sample', () => {
  expect(KIND_SAMPLES.map(({ id }) => id)).toEqual(KINDS.map(({ id }) => id));
});

test('a sample that can fail tells how, and only that', () => {
  const fails = KIND_SAMPLES.filter(({ fail }) => fail !== undefined).map(({ id }) => id);
  expect(KIND_SAMPLES.filter(({ story }) => story.fails !== undefined).map(({ id }) => id)).toEqual(fails);
});

test('every kind of Vertex AI has a spec in snake_case too', () => {
  const kinds = KIND_SAMPLES.filter(({ service }) => service === 'vertex-ai');
  for (const { id, variants } of kinds) expect(Object.keys(variants ?? {}), id).toContain('snake-case');
});

test('there is a golden file for each submission, and no other', async () => {
  const files = await readdir(join(import.meta.dirname, 'golden'));
  expect(files.toSorted()).toEqual(USES.map(([name, ci]) => `${name}.${ci}.http`).toSorted());
});

const SETTINGS = [
  ['every run', runSettings(KINDS.map(({ id }) => id))] as const,
  ...KINDS.map(({ id, settings }) => [id, settings] as const),
  ['a pipe', bitbucketSettings] as const,
  ['a plugin', buildkiteSettings] as const,
].flatMap(([owner, settings]) => Object.entries<Setting>(settings).map(([name, each]) => [name, owner, each] as const));

test.each(SETTINGS)('the setting %s of %s says what it is, and its example is one', (name, _owner, setting) => {
  expect(setting.description).toMatch(/\S.*\.$/);
  expect(setting.expected).not.toBe('');
  const values = [setting.example, ...(setting.default === undefined ? [] : [setting.default])];
  for (const value of values) {
    const faults = collectFaults((written) => written);
    parseSettings({ [name]: setting }, new Map([[name, value]]), faults);
    expect(faults.messages).toEqual([]);
  }
});

test('a name means the same kind of value wherever it is', () => {
  const forms = new Map<string, Set<string>>();
  for (const [name, , { form }] of SETTINGS) forms.set(name, (forms.get(name) ?? new Set()).add(form));
  expect([...forms].filter(([, names]) => names.size > 1)).toEqual([]);
});

test.each(KINDS.map((kind) => [kind.id, kind] as const))('%s describes every output', async (id, kind) => {
  for (const description of Object.values(kind.outputs)) expect(description).toMatch(/\S/);
  expect(Object.keys(kind.outputs).filter((name) => BASE_OUTPUTS.includes(name))).toEqual([]);
  await using stage = await createStage();
  const sample = KIND_SAMPLES.find((each) => each.id === id);
  const fails = sample?.ends === undefined || sample.ends.includes('code');
  for (const end of fails ? (['success', { cause: 'code' }] as const) : (['success'] as const)) {
    sample?.script(stage.world, { end });
    const { outputs } = await runStep(stage, { kind: id, ci: 'buildkite', build: end === 'success' ? 1 : 2 });
    const described = [...BASE_OUTPUTS, ...Object.keys(kind.outputs)];
    expect(Object.keys(outputs ?? {}).filter((name) => !described.includes(name))).toEqual([]);
    expect(outputs).toMatchObject({ kind: id, result: end === 'success' ? 'succeeded' : 'failed' });
  }
});

/** A request as it was printed or sent, with its body laid out. */
function layOut(head: string, headers: Iterable<readonly [string, string]>, body: string): string {
  const fields = [...headers].filter(([name]) => /^(?:content-type|x-goog-request-reason)$/.test(name)).toSorted();
  return `${head}\n${fields.map(([name, value]) => `${name}: ${value}\n`).join('')}\n${stringifyJson(parseJson(body), 2)}\n`;
}

async function submissionOf(result: StepResult, sample: KindSample): Promise<string> {
  const [sent, ...others] = sentTo(result.requests, sample.targets.submission);
  // A service that asks for something first is then sent the very same.
  expect(others).toHaveLength(sample.targets.supply === undefined ? 0 : 1);
  for (const other of others) expect(await other.body()).toBe(await sent?.body());
  if (sent === undefined) throw new Error(`nothing was submitted:\n${result.log}`);
  return layOut(`${sent.method} https://${sent.host}${sent.path}`, sent.headers, await sent.body());
}

// `npm run golden` renews the files.
test.each(USES)('%s on %s submits this request', async (name, ci, { sample, step }) => {
  await using stage = await createStage();
  const result = await runStep(stage, step);
  expect(result.exitCode, result.log).toBe(EXIT.done);
  expect(sample.jobs(stage.world).at(-1)?.submitter).toBe(sample.submitter);
  await expect(await submissionOf(result, sample)).toMatchFileSnapshot(`golden/${name}.${ci}.http`);
});

const isWhole = ({ targets }: KindSample) => targets.preparation === undefined && targets.supply === undefined;

test.each(USES.filter(([, , { sample }]) => !isWhole(sample)))(
  'a dry run of %s on %s sends nothing and prints what is known before',
  async (_name, _ci, { sample, step }) => {
    await using stage = await createStage();
    const dry = await runStep(stage, { ...step, settings: { ...step.settings, 'dry-run': true } });
    expect(dry.exitCode, dry.log).toBe(EXIT.done);
    expect(dry.requests).toEqual([]);
    const calls = dry.lines.filter((line) => /^ {2}│ (?:GET|POST|PUT|PATCH) https:/.test(line));
    expect(calls.at(-1)).toContain(`│ ${sample.targets.submission.method} https:`);
    expect(calls.length).toBeGreaterThan(callsBefore(sample));
    expect(dry.lines).toContain('  │ authorization: [redacted]');
  },
);

/** The requests that come before what a service is asked to do. */
function callsBefore({ targets: { exchange, impersonation, secret } }: KindSample): number {
  return [exchange, impersonation, secret].filter((target) => target !== undefined).length;
}

test.each(USES.filter(([, , { sample }]) => isWhole(sample)))(
  'a dry run of %s on %s sends nothing and prints exactly what is submitted',
  async (_name, _ci, { sample, step }) => {
    await using stage = await createStage();
    const dry = await runStep(stage, { ...step, settings: { ...step.settings, 'dry-run': true } });
    expect(dry.exitCode, dry.log).toBe(EXIT.done);
    expect(dry.requests).toEqual([]);
    expect(dry.outputs).toBeUndefined();

    const printed = dry.lines.flatMap((line) => (line.startsWith('  │ ') ? [line.slice(4)] : []));
    const start = printed.findLastIndex((line) => /^(?:POST|PUT) https:/.test(line));
    const blank = printed.indexOf('', start);
    const headers = printed.slice(start + 1, blank).map((line) => line.split(/: (.*)/s) as [string, string]);
    const body = printed.slice(blank + 1).join('\n');
    const real = await runStep(stage, step);
    expect(layOut(printed[start] ?? '', headers, body)).toBe(await submissionOf(real, sample));
    expect(headers).toContainEqual(['authorization', '[redacted]', '']);
    expect(printed.filter((line) => /^(?:GET|POST|PUT) https:/.test(line))).toHaveLength(callsBefore(sample) + 1);
  },
);

test.each(SAMPLES)('%s has Buildkite hide every token before it is used', async (id, sample) => {
  await using stage = await createStage();
  const { requests, concealed } = await runStep(stage, { kind: id, ci: 'buildkite' });
  const used = sentTo(requests, sample.targets.submission).map(({ headers }) => headers.get('authorization'));
  expect(used.length).toBeGreaterThan(0);
  for (const header of used) expect(concealed).toContain(header?.replace(/^Bearer /, ''));
  for (const { token } of stage.world.agentApi.oidcRequests()) expect(concealed).toContain(token);
});

const LABELLED = KINDS.filter(({ settings }) => 'provenance-labels' in settings).map(({ id }) => id);

test.each(SAMPLES.filter(([id]) => LABELLED.includes(id)))('%s carries its origin', async (id, sample) => {
  await using stage = await createStage();
  const label = { settings: { labels: { team: 'vision' } } };
  await runStep(stage, { kind: id, ci: 'bitbucket', ...label });
  await runStep(stage, { kind: id, ci: 'bitbucket', build: 43, settings: { 'provenance-labels': false } });
  const [labelled = '', plain = ''] = sample.jobs(stage.world).map(({ body }) => body);
  expect(tagsIn(parseJson(labelled))).toMatchObject({
    team: 'vision',
    ci_platform: 'bitbucket',
    ci_commit: '4f0c5b1d9a7e3f2860b1c4d5e6f708192a3b4c5d',
    ci_branch: 'main',
    ci_build: '42',
    ci_repository: expect.stringMatching(/^acme.vision$/),
    ci_build_url: expect.stringMatching(/results.42$/),
  });
  expect(Object.keys(tagsIn(parseJson(plain))).filter((name) => name.startsWith('ci_'))).toEqual([]);
});

/** Every text member of `labels`, `custom_tags` and `meta`, wherever they are. */
function tagsIn(value: unknown): Record<string, unknown> {
  if (Array.isArray(value)) return Object.assign({}, ...value.map(tagsIn));
  if (!isObject(value)) return {};
  const here = [value.labels, value.custom_tags, value.meta].filter(isObject);
  return Object.assign({}, ...here, ...Object.values(value).map(tagsIn));
}

test.each(SAMPLES.filter(([, { repeatable }]) => repeatable === undefined))(
  '%s tells the service when to end the job',
  async (id, sample) => {
    await using stage = await createStage();
    await runStep(stage, { kind: id, ci: 'buildkite' });
    await runStep(stage, { kind: id, ci: 'buildkite', build: 43, settings: { timeout: '90m' } });
    const timeouts = sample.jobs(stage.world).map(({ body }) => sample.serverTimeout(body));
    const knows = sample.serverTimeout('') !== undefined;
    expect(timeouts).toEqual(knows ? [86_400, 5_400] : [undefined, undefined]);
  },
);
