import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { EXIT } from '../../shared/errors.ts';
import { createStage, runStep } from './harness.ts';
import { BUILD } from './vercel-samples.ts';

const KIND = 'vercel-deployment';
const FUNCTION = '.vercel/output/functions/api/hello.func';

/** A checkout with more in it than the sample's build. */
async function checkoutOf(files: Readonly<Record<string, string>>, links: Readonly<Record<string, string>> = {}) {
  const root = await mkdtemp(join(tmpdir(), 'keyless-vercel-'));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(root, dirname(path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  for (const [path, target] of Object.entries(links)) {
    await mkdir(join(root, dirname(path)), { recursive: true });
    await symlink(target, join(root, path));
  }
  return root;
}

function sha1(text: string): string {
  return createHash('sha1').update(text).digest('hex');
}

test('links are sent as links, contents once, and what functions take from elsewhere with them', async () => {
  await using stage = await createStage();
  const checkout = await checkoutOf(
    {
      '.vercel/output/static/copy.html': BUILD['.vercel/output/static/index.html'],
      '.vercel/output/functions/page.func/.vc-config.json': JSON.stringify({
        runtime: 'nodejs22.x',
        handler: 'index.js',
        filePathMap: { 'node_modules/left/index.js': './node_modules/left/index.js' },
      }),
      'node_modules/left/index.js': 'module.exports = 1;\n',
      '.vercel/routes.json': '{}',
    },
    { '.vercel/output/functions/b.func': 'api/hello.func' },
  );
  const { exitCode, log, outputs } = await runStep(stage, { kind: KIND, ci: 'buildkite', checkout });
  expect(exitCode, log).toBe(EXIT.done);

  const [deployment] = stage.world.vercel.deployments();
  const files = new Map(deployment?.files.map((file) => [file.file, file]));
  expect([...files.keys()]).toEqual(
    [
      ...Object.keys(BUILD),
      '.vercel/output/static/copy.html',
      '.vercel/output/functions/page.func/.vc-config.json',
      '.vercel/output/functions/b.func',
      'node_modules/left/index.js',
      '.vercel/routes.json',
    ].toSorted(),
  );
  expect(files.get('.vercel/output/functions/b.func')).toMatchObject({
    mode: 41471,
    size: 'api/hello.func'.length,
    sha: sha1('api/hello.func'),
  });
  const { uploads } = stage.world.vercel.uploads();
  expect(new Set(uploads.map(({ sha }) => sha)).size).toBe(uploads.length);
  expect(outputs).toMatchObject({ files: String(files.size), 'files-uploaded': String(uploads.length) });
  expect(uploads).toHaveLength(files.size - 1);
  expect(log).toContain('2 of them from outside of it');
});

test('what the service has already is not uploaded again', async () => {
  await using stage = await createStage();
  await runStep(stage, { kind: KIND, ci: 'buildkite' });
  const before = stage.world.vercel.uploads().uploads.length;
  const checkout = await checkoutOf({ '.vercel/output/static/new.html': 'new\n' });
  const { outputs } = await runStep(stage, { kind: KIND, ci: 'buildkite', build: 43, checkout });
  // Besides the page that every build of the sample makes anew.
  const uploaded = stage.world.vercel.uploads().uploads.slice(before);
  expect(uploaded).toHaveLength(2);
  expect(uploaded).toContainEqual({ sha: sha1('new\n'), size: 4 });
  expect(outputs).toMatchObject({ files: '6', 'files-uploaded': '2' });
});

test('many files are uploaded at the same time, but not all of them', async () => {
  await using stage = await createStage();
  stage.world.vercel.holdUploads(() => new Promise((resolve) => setTimeout(resolve, 5)));
  const many = Array.from({ length: 60 }, (_each, index) => [`.vercel/output/static/${index}.txt`, `file ${index}`]);
  const checkout = await checkoutOf(Object.fromEntries(many));
  const { exitCode, log } = await runStep(stage, { kind: KIND, ci: 'bitbucket', checkout });
  expect(exitCode, log).toBe(EXIT.done);
  const { mostParallel, uploads } = stage.world.vercel.uploads();
  expect(uploads).toHaveLength(65);
  expect(mostParallel).toBeGreaterThan(4);
  expect(mostParallel).toBeLessThanOrEqual(50);
});

test('a file that is missing after it was uploaded is named', async () => {
  await using stage = await createStage();
  stage.world.vercel.loseUploads(1);
  const { exitCode, log } = await runStep(stage, { kind: KIND, ci: 'buildkite' });
  expect(exitCode).toBe(EXIT.service);
  expect(log).toContain('request-rejected: Vercel still misses a file that was uploaded');
  expect(log).toMatch(/Presented:\n {4}\.vercel\/output\/\S+ \(sha1 [0-9a-f]{40}, \d+ bytes\)/);
});

test('a build elsewhere in the repository is deployed as if its project were the whole', async () => {
  await using stage = await createStage();
  const at = (path: string) => path.replace('.vercel/', 'apps/web/.vercel/');
  const own = Object.fromEntries(Object.entries(BUILD).map(([path, text]) => [at(path), text]));
  const config = JSON.stringify({
    runtime: 'nodejs22.x',
    handler: 'index.js',
    filePathMap: { 'a.js': 'lib/a.js', 'b.js': 'packages/b.js' },
  });
  const checkout = await checkoutOf({
    ...own,
    [at(`${FUNCTION}/.vc-config.json`)]: config,
    'apps/web/lib/a.js': 'a',
    'packages/b.js': 'b',
  });
  const settings = { directory: './apps/web/.vercel/output/' };
  const { exitCode, log } = await runStep(stage, { kind: KIND, ci: 'bitbucket', checkout, settings });
  expect(exitCode, log).toBe(EXIT.done);
  const names = stage.world.vercel.deployments()[0]?.files.map(({ file }) => file);
  expect(names).toEqual([...Object.keys(BUILD), 'lib/a.js', 'packages/b.js'].toSorted());
});

test('everything that is wrong with a build is told at once, and nothing is sent', async () => {
  await using stage = await createStage();
  const builds = {
    target: 'preview',
    builds: [{ src: 'api/hello.ts', error: { message: 'no such module', code: 'X' } }],
  };
  const files = {
    'out/config.json': '{"version":2}',
    'out/builds.json': JSON.stringify(builds),
    'out/functions/a.func/.vc-config.json': JSON.stringify({ filePathMap: { a: '../../etc/passwd', b: 'lost.js' } }),
    'out/functions/b.func/.vc-config.json': 'not JSON',
  };
  const checkout = await checkoutOf(files);
  const settings = { directory: 'out', environment: 'qa', aliases: ['no domain'], set: { files: [] } };
  const { exitCode, log, requests } = await runStep(stage, { kind: KIND, ci: 'bitbucket', checkout, settings });
  expect(exitCode).toBe(EXIT.settings);
  expect(requests).toEqual([]);
  // What depends on settings that are wrong themselves is not looked at yet.
  expect(log).toContain('ALIASES: expected a list of domain names');

  const again = await runStep(stage, {
    kind: KIND,
    ci: 'bitbucket',
    checkout,
    settings: { ...settings, aliases: null },
  });
  expect(again.exitCode).toBe(EXIT.settings);
  expect(again.requests).toEqual([]);
  for (const fault of [
    'SPEC: files cannot be set here: the files come from directory',
    'ENVIRONMENT: takes the place of a target; remove TARGET',
    'DIRECTORY: out/config.json has the version 2; expected 3',
    'TARGET: the build was made for preview and would be deployed to qa; build with `vercel build --target=qa`',
    'DIRECTORY: the build of api/hello.ts failed: no such module',
    "DIRECTORY: a function's filePathMap leads outside of the checkout: ../../etc/passwd",
    "DIRECTORY: a function's filePathMap needs lost.js, which is not in the checkout",
    'DIRECTORY: out/functions/b.func/.vc-config.json is not a JSON object',
  ])
    expect(again.log).toContain(fault);
});

test('a directory that is no build is told so', async () => {
  await using stage = await createStage();
  const checkout = await checkoutOf({ 'dist/index.html': 'x' });
  const wrong = await runStep(stage, { kind: KIND, ci: 'buildkite', checkout, settings: { directory: 'dist' } });
  expect(wrong.log).toContain('directory: dist has no config.json, so it is not an output of the Build Output API');
  const none = await runStep(stage, { kind: KIND, ci: 'buildkite', checkout, settings: { directory: 'build' } });
  expect(none.log).toContain(
    'directory: build does not exist in the checkout; a build made by `vercel build` is expected',
  );
  expect([wrong.exitCode, none.exitCode]).toEqual([EXIT.settings, EXIT.settings]);
});

test('bulk redirects take no file of version control', async () => {
  await using stage = await createStage();
  const checkout = await checkoutOf({
    '.git/config': 'url = https://x-token-auth:of-the-checkout@git.example',
    'vercel.json': '{"bulkRedirectsPath":".git"}',
  });
  const { exitCode, log } = await runStep(stage, { kind: KIND, ci: 'buildkite', checkout });
  expect(exitCode, log).toBe(EXIT.done);
  expect(JSON.stringify(stage.world.vercel.deployments()[0]?.json)).not.toContain('.git/config');
});
