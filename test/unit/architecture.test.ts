import { readdir, readFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { JOB_KINDS } from '../../shared/services/index.ts';

const ROOT = join(import.meta.dirname, '../..');

interface Module {
  readonly path: string;
  readonly text: string;
  /** Imported modules: paths from the root for our own, names for packages. */
  readonly imports: readonly string[];
}

async function modulesBelow(folder: string): Promise<readonly Module[]> {
  const files = await readdir(join(ROOT, folder), { recursive: true });
  const sources = files.filter((file) => file.endsWith('.ts')).map((file) => join(folder, file));
  return Promise.all(
    sources.map(async (path) => {
      const text = await readFile(join(ROOT, path), 'utf8');
      const names = [...text.matchAll(/(?:^import[^;]*?from |^export[^;]*?from |\bimport\()'([^']+)'/gm)].map(
        ([, name = '']) => name,
      );
      const imports = names.map((name) =>
        name.startsWith('.') ? relative(ROOT, join(ROOT, dirname(path), name)) : name,
      );
      return { path, text, imports };
    }),
  );
}

const shared = await modulesBelow('shared');
const pipe = await modulesBelow('pipe');
const plugin = await modulesBelow('buildkite-plugin');
const core = shared.filter(({ path }) => !path.startsWith('shared/edge/'));

function importers(modules: readonly Module[], matches: (name: string) => boolean): readonly string[] {
  return modules.filter(({ imports }) => imports.some(matches)).map(({ path }) => path);
}

test('the modules were found and read', () => {
  expect(shared.length).toBeGreaterThan(30);
  expect(pipe.map(({ path }) => path)).toContain('pipe/main.ts');
  expect(plugin.map(({ path }) => path)).toContain('buildkite-plugin/main.ts');
  expect(core.flatMap(({ imports }) => imports)).toContain('shared/json.ts');
});

test('the core imports neither packaging, and the packagings do not import each other', () => {
  expect(importers(shared, (name) => name.startsWith('pipe/') || name.startsWith('buildkite-plugin/'))).toEqual([]);
  expect(importers(pipe, (name) => name.startsWith('buildkite-plugin/'))).toEqual([]);
  expect(importers(plugin, (name) => name.startsWith('pipe/'))).toEqual([]);
});

test('nothing that ships imports tools or tests', () => {
  expect(importers([...shared, ...pipe, ...plugin], (name) => /^(?:test|tools)\//.test(name))).toEqual([]);
});

test('only the mains import the edge', () => {
  const outside = [...core, ...pipe, ...plugin];
  expect(importers(outside, (name) => name.startsWith('shared/edge/')).toSorted()).toEqual([
    'buildkite-plugin/main.ts',
    'pipe/main.ts',
  ]);
});

test('the core touches no process, environment, file, socket or clock', () => {
  const touching = core.filter(({ text, imports }) => {
    const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
    return (
      imports.some((name) => /^node:(?!crypto$)/.test(name)) ||
      /\bprocess\.|\bDate\.now\b|\bnew Date\(\)|\bsetTimeout\b|\bsetInterval\b|\bperformance\.|(?<![.\w])fetch\((?!call|origin)/.test(
        code,
      )
    );
  });
  expect(touching.map(({ path }) => path)).toEqual([]);
});

test('inside the core, imports go one way: run, jobs, secrets, identity, http', () => {
  const jobs = core.filter(({ path }) => path.startsWith('shared/jobs/'));
  const identity = core.filter(({ path }) => path.startsWith('shared/identity/'));
  const story = new Set(
    ['run', 'bind-run', 'ending', 'narration', 'watch', 'submit', 'attach', 'dry-run', 'cancel-remembered'].map(
      (name) => `shared/${name}.ts`,
    ),
  );
  expect(importers(jobs, (name) => story.has(name))).toEqual([]);
  expect(importers(identity, (name) => story.has(name) || /^shared\/(?:jobs|secrets)\//.test(name))).toEqual([]);
  const secrets = core.filter(({ path }) => path.startsWith('shared/secrets/'));
  expect(secrets.length).toBeGreaterThan(0);
  expect(importers(secrets, (name) => story.has(name) || name.startsWith('shared/jobs/'))).toEqual([]);
  const http = core.filter(({ path }) => path === 'shared/http/http.ts');
  expect(importers(http, (name) => /^shared\/(?:jobs|identity)\//.test(name) || story.has(name))).toEqual([]);
});

const folders = new Set(
  core.filter(({ path }) => /^shared\/jobs\/[^/]+\//.test(path)).map(({ path }) => path.split('/')[2]),
);

test('the kinds of one service do not know those of another', () => {
  expect(folders.size).toBeGreaterThan(3);
  for (const folder of folders) {
    const modules = core.filter(({ path }) => path.startsWith(`shared/jobs/${folder}/`));
    expect(
      importers(
        modules,
        (name) =>
          name.startsWith('shared/jobs/') && !name.startsWith(`shared/jobs/${folder}/`) && name !== 'shared/kind.ts',
      ),
    ).toEqual([]);
  }
});

test('google-auth-library is imported in one file, which is itself loaded only on demand', () => {
  const all = [...shared, ...pipe, ...plugin];
  expect(importers(all, (name) => name.startsWith('google-auth-library'))).toEqual(['shared/google/sts.ts']);
  const static_ = all.filter(({ text }) => /^import .*from '[^']*google-sts\.ts'/m.test(text));
  expect(static_.map(({ path }) => path)).toEqual([]);
});

test('execa is used only where agent commands are run', () => {
  expect(importers([...shared, ...pipe, ...plugin], (name) => name === 'execa')).toEqual(['buildkite-plugin/agent.ts']);
});

test('no service is named in a host, and no CI in a kind', () => {
  const code = (text: string) => text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
  const hosts = [...pipe, ...plugin].filter(({ path }) => !/-settings\.ts$/.test(path));
  expect(
    hosts
      .filter(({ text }) => /vertex|databricks|google|prefect|vercel|vault|azure/i.test(code(text)))
      .map(({ path }) => path),
  ).toEqual([]);
  // Settings may name both CIs to their users.
  const kinds = core.filter(({ path }) => path.startsWith('shared/jobs/') && !/-settings\.ts$/.test(path));
  // Databricks names its Git providers, one of which is Bitbucket; that is its word, not the CI's.
  const naming = kinds.filter(({ text }) =>
    /buildkite|bitbucket(?!Cloud|\\?\.org)/i.test(code(text).replace(/description: .*|expected: .*|example: .*/g, '')),
  );
  expect(naming.map(({ path }) => path)).toEqual([]);
});

test('the list of kinds has every folder of a service, and no name twice', () => {
  const ids = JOB_KINDS.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  const index = core.find(({ path }) => path === 'shared/services/index.ts');
  expect(
    new Set(index?.imports.map((name) => name.split('/')[2]).filter((name) => name?.endsWith('.ts') === false)),
  ).toEqual(folders);
});
