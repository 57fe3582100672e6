import { readdir, readFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { JOB_KINDS } from '../../shared/services/index.ts';

const ROOT = join(import.meta.dirname, '../..');

/** The wings that each wing may import from, besides itself. One that is not listed may import nothing of ours. */
const DIRECTIONS: Readonly<Record<string, readonly string[]>> = {
  // Words that every wing uses: errors, secrets, JSON, files, the clock, text from outside.
  plain: [],
  host: ['plain'],
  http: ['plain', 'host'],
  settings: ['plain', 'host'],
  edge: ['plain', 'host', 'http', 'settings'],
  identity: ['plain', 'host', 'http'],
  // The contract between the story and the services.
  kind: ['plain', 'host', 'http', 'settings', 'identity'],
  google: ['plain', 'host', 'http', 'settings', 'identity', 'kind'],
  secrets: ['plain', 'host', 'http', 'settings', 'identity', 'kind', 'google'],
  service: ['plain', 'host', 'http', 'settings', 'identity', 'kind', 'google', 'secrets'],
  // The list of kinds.
  services: ['plain', 'host', 'settings', 'kind', 'service'],
  run: ['plain', 'host', 'http', 'settings', 'identity', 'kind'],
  'pipe host': ['plain', 'host', 'http', 'settings', 'kind'],
  'plugin host': ['plain', 'host', 'http', 'settings', 'kind'],
  main: ['plain', 'host', 'http', 'settings', 'edge', 'kind', 'services', 'run', 'pipe host', 'plugin host'],
};

/** Packages that only certain modules import, because they are large or reach outside. */
const CONFINED: Readonly<Record<string, readonly string[]>> = {
  'google-auth-library': ['shared/google/sts.ts'],
  execa: ['buildkite-plugin/agent.ts'],
};

/** Modules and packages that are only ever loaded on demand. */
const LATE = ['execa', 'shared/google/sts.ts', 'shared/secrets/aws/signature.ts', 'shared/secrets/aws/xml-answer.ts'];

interface Module {
  readonly path: string;
  /** The source without comments. */
  readonly code: string;
  /** Imported modules, of types too: paths from the root for our own, names for packages. */
  readonly imports: readonly string[];
  /** The same without those that are loaded on demand. */
  readonly atOnce: readonly string[];
}

function wingOf(path: string): string {
  const parts = path.split('/');
  if (parts.at(-1) === 'main.ts') return 'main';
  if (parts[0] === 'pipe') return 'pipe host';
  if (parts[0] === 'buildkite-plugin') return 'plugin host';
  if (parts[0] !== 'shared') return parts[0] ?? '';
  if (parts.length === 2) return /^(?:kind|submission-key)\.ts$/.test(parts[1] ?? '') ? 'kind' : 'plain';
  if (parts[1] === 'services') return parts.length > 3 ? 'service' : 'services';
  return parts[1] ?? '';
}

async function modulesBelow(folder: string): Promise<readonly Module[]> {
  const files = await readdir(join(ROOT, folder), { recursive: true });
  const sources = files.filter((file) => file.endsWith('.ts')).map((file) => join(folder, file));
  return Promise.all(
    sources.map(async (path) => {
      const text = await readFile(join(ROOT, path), 'utf8');
      const pathOf = (name: string): string =>
        name.startsWith('.') ? relative(ROOT, join(ROOT, dirname(path), name)) : name;
      const named = (pattern: RegExp) => [...text.matchAll(pattern)].map(([, name = '']) => pathOf(name));
      const atOnce = named(/^(?:import|export)\b[^;]*? from '([^']+)'/gm);
      const late = named(/\bimport\('([^']+)'\)/g);
      return { path, code: text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, ''), imports: [...atOnce, ...late], atOnce };
    }),
  );
}

const modules = (await Promise.all(['shared', 'pipe', 'buildkite-plugin'].map(modulesBelow))).flat();
const core = modules.filter(({ path }) => path.startsWith('shared/') && !/^(?:edge|main)$/.test(wingOf(path)));
const isOurs = (name: string): boolean => modules.some(({ path }) => path === name);

test('the modules were found and read, and each is in a wing of the table', () => {
  expect(modules.length).toBeGreaterThan(100);
  expect(new Set(modules.map(({ path }) => wingOf(path)))).toEqual(new Set(Object.keys(DIRECTIONS)));
  expect(modules.flatMap(({ imports }) => imports)).toContain('shared/json.ts');
});

test('imports go the ways that the table allows, and what ships imports neither tools nor tests', () => {
  const astray = modules.flatMap(({ path, imports }) => {
    const from = wingOf(path);
    const allowed = [from, ...(DIRECTIONS[from] ?? [])];
    return imports
      .filter((name) => name.includes('/') && (isOurs(name) || /^(?:tools|test)\//.test(name)))
      .filter((name) => !allowed.includes(wingOf(name)))
      .map((name) => `${path} -> ${name}`);
  });
  expect(astray).toEqual([]);
});

test('the services do not know each other, nor do the brokers of secrets', () => {
  const roomOf = (path: string) => /^shared\/(?:services|secrets)\/[^/]+\//.exec(path)?.[0];
  const between = modules.flatMap(({ path, imports }) =>
    imports
      .filter((name) => {
        const [from, to] = [roomOf(path), roomOf(name)];
        return from !== undefined && to !== undefined && from !== to && from.split('/')[1] === to.split('/')[1];
      })
      .map((name) => `${path} -> ${name}`),
  );
  expect(between).toEqual([]);
});

test('no module imports itself by way of others, not even for a type', () => {
  const importsOf = new Map(modules.map(({ path, imports }) => [path, imports.filter(isOurs)]));
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (path: string, way: readonly string[]): void => {
    const start = way.indexOf(path);
    if (start >= 0) circles.push([...way.slice(start), path].join(' -> '));
    if (start >= 0 || done.has(path)) return;
    for (const next of importsOf.get(path) ?? []) visit(next, [...way, path]);
    done.add(path);
  };
  for (const { path } of modules) visit(path, []);
  expect(circles).toEqual([]);
});

test('the core touches no process, environment, file, socket or clock', () => {
  const touching = core.filter(
    ({ code, imports }) =>
      imports.some((name) => /^node:(?!crypto$)/.test(name)) ||
      /\bprocess\.|\bDate\.now\b|\bnew Date\(\)|\bsetTimeout\b|\bsetInterval\b|\bperformance\.|(?<![.\w])fetch\((?!call|origin)/.test(
        code,
      ),
  );
  expect(touching.map(({ path }) => path)).toEqual([]);
});

test('large packages are imported where the table says, and loaded only on demand', () => {
  for (const [name, allowed] of Object.entries(CONFINED)) {
    const importing = modules.filter(({ imports }) => imports.some((each) => each.split('/')[0] === name));
    expect(
      importing.map(({ path }) => path),
      name,
    ).toEqual(allowed);
  }
  const early = modules.filter(({ atOnce }) => atOnce.some((name) => LATE.includes(name)));
  expect(early.map(({ path }) => path)).toEqual([]);
});

test('no service is named in a host or in the story, and no CI in a service', () => {
  const naming = (paths: RegExp, words: RegExp, ignored: RegExp): readonly string[] =>
    modules
      .filter(({ path }) => paths.test(path) && !/-settings\.ts$/.test(path))
      .filter(({ code }) => words.test(code.replace(ignored, '')))
      .map(({ path }) => path);
  const services = /vertex|databricks|google|prefect|vercel|vault|azure/i;
  expect(naming(/^(?:pipe|buildkite-plugin|shared\/run)\//, services, /(?!)/)).toEqual([]);
  // Settings may name both CIs to their users. Databricks calls one of its Git providers bitbucketCloud.
  const shown = /description: .*|expected: .*|example: .*|bitbucket(?=Cloud|\\?\.org)/gi;
  expect(naming(/^shared\/services\//, /buildkite|bitbucket/i, shown)).toEqual([]);
});

test('each kind is what the list says of it, and is loaded only when a step is of it', async () => {
  const loaded = await Promise.all(JOB_KINDS.map(async ({ load }) => (await load()).kind));
  expect(loaded.map(({ id, title }) => ({ id, title }))).toEqual(JOB_KINDS.map(({ id, title }) => ({ id, title })));
  const early = modules
    .filter(({ path }) => wingOf(path) !== 'service')
    .filter(({ atOnce }) => atOnce.some((name) => isOurs(name) && wingOf(name) === 'service'));
  expect(early.map(({ path }) => path)).toEqual([]);
});

test('the list of kinds has every folder of a service, and no name twice', () => {
  const ids = JOB_KINDS.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  const folderOf = (path: string) => /^shared\/services\/([^/]+)\//.exec(path)?.[1];
  const listed = modules.find(({ path }) => path === 'shared/services/index.ts')?.imports.map(folderOf);
  const folders = modules.map(({ path }) => folderOf(path)).filter((folder) => folder !== undefined);
  expect(new Set(listed?.filter((folder) => folder !== undefined))).toEqual(new Set(folders));
});
