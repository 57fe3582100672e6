import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { RE2JS } from 're2js';
import { afterAll, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { isArray, isObject, type Json } from '../../shared/json.ts';
import { PROJECT } from '../../shared/project.ts';
import { bundle } from '../../tools/bundle.ts';
import { replaceSections, staleFiles } from '../../tools/generate.ts';
import { ALL_SETTINGS, KINDS } from '../../tools/kinds.ts';

const ROOT = join(import.meta.dirname, '../..');
const read = (path: string) => readFile(join(ROOT, path), 'utf8');
/** `type: [string, number]`, which strict Ajv warns of otherwise. */
const UNIONS = { allowUnionTypes: true };
const scratch = await mkdtemp(join(tmpdir(), 'keyless-generated-'));
afterAll(() => rm(scratch, { recursive: true }));

test('generated files are up to date (else: npm run generate)', async () => {
  expect(await staleFiles()).toEqual([]);
});

test('a section without a place, and a place without a section, are faults of the generator', () => {
  expect(() => replaceSections('nothing', new Map([['a', 'x']]))).toThrow('no place for a');
  expect(() => replaceSections('<!-- generated: b -->\n<!-- end -->', new Map())).toThrow('b, which is not generated');
});

test('the committed bundle is what the sources give, byte for byte (else: npm run bundle)', async () => {
  await bundle('buildkite-plugin', scratch);
  const names = (await readdir(scratch)).toSorted();
  expect((await readdir(join(ROOT, 'buildkite-plugin/dist'))).toSorted()).toEqual(names);
  for (const name of names) {
    const fresh = await readFile(join(scratch, name));
    const committed = await readFile(join(ROOT, 'buildkite-plugin/dist', name));
    expect(committed.equals(fresh), name).toBe(true);
  }
});

test('the bundle holds no path of the machine that made it, and the licences of what it contains', async () => {
  await bundle('pipe', scratch);
  for (const name of await readdir(scratch))
    expect(await readFile(join(scratch, name), 'utf8'), name).not.toContain(ROOT);
  const licenses = await readFile(join(scratch, 'LICENSES.txt'), 'utf8');
  for (const name of ['zod', 'jose', 'yaml', 'google-auth-library', 'gaxios'])
    expect(licenses).toMatch(new RegExp(`^${name} \\d`, 'm'));
  expect(licenses).not.toContain('no licence file');
});

// The rules of Buildkite's plugin linter: https://github.com/buildkite-plugins/buildkite-plugin-linter
const linterSchema = {
  type: 'object',
  required: ['name', 'description', 'author', 'requirements', 'configuration'],
  properties: {
    name: { type: 'string' },
    description: { type: 'string' },
    author: { type: 'string' },
    requirements: { type: 'array', items: { type: 'string' } },
    configuration: {
      type: 'object',
      required: ['properties'],
      properties: {
        properties: { type: 'object' },
        required: { type: 'array', items: { type: 'string' } },
        additionalProperties: { type: 'boolean' },
      },
    },
  },
};

test('plugin.yml has what the linter wants, and its configuration compiles in strict mode', async () => {
  const plugin: unknown = parse(await read('plugin.yml'));
  const ajv = new Ajv();
  expect(ajv.validate(linterSchema, plugin), ajv.errorsText()).toBe(true);
  const { configuration } = plugin as { configuration: object };
  const validate = new Ajv({ ...UNIONS, strict: true, strictRequired: true, strictTypes: true }).compile(configuration);
  expect(validate({ job: 'databricks-run-now', 'job-id': 5, wait: false })).toBe(true);
  expect(validate({ job: 'no-such-kind' })).toBe(false);
  expect(validate({ job: 'databricks-run-now', hostt: 'x' })).toBe(false);
  expect(validate({})).toBe(false);
});

test('every pattern is one that the agent understands, whose regular expressions are RE2', async () => {
  const { configuration } = parse(await read('plugin.yml')) as { configuration: object };
  const patterns = new Set(patternsIn(configuration));
  expect(patterns.size).toBeGreaterThan(20);
  const refused = [...patterns].filter((pattern) => {
    try {
      RE2JS.compile(pattern);
      return false;
    } catch {
      return true;
    }
  });
  expect(refused).toEqual([]);
});

test("a kind's settings may hold placeholders, whatever else they must look like", async () => {
  const { configuration } = parse(await read('plugin.yml')) as { configuration: object };
  const agent = new Ajv(UNIONS).compile(configuration);
  const editor = new Ajv(UNIONS).compile(JSON.parse(await read('schema/plugin-configuration.schema.json')));
  for (const kind of KINDS) {
    const config = Object.fromEntries(
      Object.entries(kind.settings).flatMap(([name, { form, example }]) =>
        ['text', 'list', 'map'].includes(form) ? [[name, withPlaceholders(example)]] : [],
      ),
    );
    expect(agent({ job: kind.id, ...config }), `${kind.id}: ${JSON.stringify(agent.errors)}`).toBe(true);
    const needed = Object.entries(kind.settings).flatMap(([name, { required, example }]) =>
      required ? [[name, example]] : [],
    );
    const edited = { job: kind.id, ...Object.fromEntries(needed), ...config };
    expect(editor(edited), `${kind.id}: ${JSON.stringify(editor.errors)}`).toBe(true);
  }
});

function patternsIn(schema: unknown): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  return Object.entries(schema).flatMap(([name, value]) =>
    name === 'pattern' && typeof value === 'string' ? [value] : patternsIn(value),
  );
}

function withPlaceholders(example: Json): Json {
  if (isArray(example)) return example.map(withPlaceholders);
  if (!isObject(example)) return 'x-@{env:NAME}';
  return Object.fromEntries(Object.entries(example).map(([name, value]) => [name, withPlaceholders(value)]));
}

test('no option has two separators in a row, which agents would turn into one variable', () => {
  for (const name of Object.keys(ALL_SETTINGS)) expect(name).toMatch(/^[a-z]+(?:-[a-z]+)*$/);
});

test('every plugin entry in the README is valid, and names the current version', async () => {
  const { configuration } = parse(await read('plugin.yml')) as { configuration: object };
  const validate = new Ajv(UNIONS).compile(configuration);
  const editor = new Ajv(UNIONS).compile(JSON.parse(await read('schema/plugin-configuration.schema.json')));
  const blocks = [...(await read('README.md')).matchAll(/^```ya?ml\n([\s\S]*?)^```/gm)].map(([, text = '']) => text);
  const entries = blocks.flatMap((text) =>
    parseAllDocuments(text).flatMap((document) => {
      const steps = (document.toJS() as { steps?: { plugins?: Record<string, unknown>[] }[] }).steps ?? [];
      return steps.flatMap(({ plugins = [] }) => plugins.flatMap((plugin) => Object.entries(plugin)));
    }),
  );
  expect(entries.length).toBeGreaterThan(0);
  for (const [reference, config] of entries) {
    expect(reference).toBe(`${PROJECT.plugin}#v${PROJECT.version}`);
    expect(validate(config), JSON.stringify(validate.errors)).toBe(true);
    expect(editor(config), JSON.stringify(editor.errors)).toBe(true);
  }
});

test('the editor schema demands what each kind demands, and refuses the settings of another', async () => {
  const validate = new Ajv(UNIONS).compile(JSON.parse(await read('schema/plugin-configuration.schema.json')));
  expect(validate({ job: 'vertex-custom-job', spec: 'job.yaml' })).toBe(false);
  expect(validate({ job: 'databricks-run-now', host: 'dbc-1.cloud.databricks.com', 'job-id': '5' })).toBe(true);
  expect(validate({ job: 'databricks-run-now', host: 'dbc-1.cloud.databricks.com', region: 'us-central1' })).toBe(
    false,
  );
});

test('pipe.yml names the image of this version, and only defaults that every kind has', async () => {
  const pipe = parse(await read('pipe.yml')) as {
    image: string;
    repository: string;
    variables: { name: string; default: string }[];
  };
  expect(pipe.image).toBe(`${PROJECT.image}:${PROJECT.version}`);
  expect(pipe.repository).toMatch(/^https:\/\/bitbucket\.org\/[^/]+\/[^/]+$/);
  expect(pipe.variables.map(({ name }) => name)).toEqual(['WAIT', 'ON_CANCEL', 'DRY_RUN', 'DEBUG']);
});

test('links between the documents lead somewhere', async () => {
  const pages = ['README.md', ...(await readdir(join(ROOT, 'docs'))).map((name) => `docs/${name}`)];
  for (const page of pages) {
    for (const [, target = ''] of (await read(page)).matchAll(/\]\((?!https?:|#|mailto:)([^)#]+)[^)]*\)/g)) {
      const path = join(ROOT, page, '..', target);
      await expect(
        readdir(path).catch(() => readFile(path)),
        `${page}: ${target}`,
      ).resolves.toBeDefined();
    }
  }
});
