import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createWorld, type World } from '../simulators/world.ts';
import { NODE, ROOT } from './folders.ts';
import { RUN_YAML, SUBMIT_RUN } from './kinds.ts';
import { type PluginOptions, type PluginStep, pluginStep } from './plugin.ts';
import type { Ended } from './process.ts';

const HOOKS = ['hooks/command', 'hooks/pre-exit', 'hooks/find-node.sh'];
const NO_NODE = { node: null };
const OLD_NODE = { node: 'if [ "$1" = --version ]; then echo v20.19.4; else exit 1; fi' };
const RELEASED = `docker.io/keylesssubmit/keyless-submit:9.9.9@sha256:${'0123456789abcdef'.repeat(4)}`;

/** A Node that says it is of another version. */
function nodeOf(version: string): string {
  return `[ "$1" != --version ] || { echo ${version}; exit; }\nexec '${NODE}' "$@"`;
}

/**
 * Keeps what Docker was asked and finds, then does it without a container: with an image's Node, and of the environment what
 * was named. Signals reach it and what it runs alike, and it ends after that.
 */
const DOCKER_PROGRAM = `
const { spawn } = require('node:child_process');
const { writeFileSync } = require('node:fs');
const { HOME, UNSEEN, ...env } = process.env;
const args = process.argv.slice(1);
if (args[0] !== 'run') process.exit(0);
writeFileSync(HOME + '/docker.json', JSON.stringify({ args, env }));
for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(name, () => {});
const following = (flag) => args.filter((_, index) => args[index - 1] === flag);
const named = Object.fromEntries(following('--env').map((name) => [name, env[name]]));
const [entrypoint] = following('--entrypoint');
const image = args.findIndex((arg) => arg === '--import') - 1;
const program = args.slice(image + 1).map((arg) => UNSEEN === 'plugin' ? arg.replace(/^.*main.mjs$/, '/unseen/main.mjs') : arg);
const child = spawn('${NODE}', program, {
  cwd: following('--workdir')[0],
  env: { PATH: UNSEEN === 'agent' ? '/nowhere' : env.PATH, HOME: '/', ...named },
  stdio: 'inherit',
});
child.on('exit', (code, signal) => process.exit(entrypoint !== 'node' ? 127 : signal === null ? code : 137));
`;

interface DockerCall {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

function valuesOf({ args }: DockerCall, flag: string): readonly string[] {
  return args.filter((_, index) => args[index - 1] === flag);
}

/** A step on a machine with the given commands only: wherever this machine has a Node of its own, it cannot be found. */
async function stepWith(world: World, options: Partial<PluginOptions>): Promise<PluginStep> {
  const step = await pluginStep({
    simulators: world.url,
    config: { ...SUBMIT_RUN.settings('buildkite'), wait: false },
    checkout: SUBMIT_RUN.checkout,
    pluginFolder: 'plugins/keyless-submit-buildkite-plugin',
    ...options,
  });
  const finder = join(step.plugin, 'hooks/find-node.sh');
  writeFileSync(join(step.plugin, 'hooks/released-image'), `${RELEASED}\n`);
  const elsewhere = readFileSync(finder, 'utf8').replaceAll(/ (\/\w+\/\w+\/bin\/node)/g, ` '${step.folder}'$1`);
  writeFileSync(finder, elsewhere);
  return step;
}

async function runWith(options: Partial<PluginOptions>): Promise<Ended & { requests: number; docker?: DockerCall }> {
  await using world = await createWorld();
  using step = await stepWith(world, options);
  const ended = await step.command().ended;
  const docker = step.files()['home/docker.json'];
  const preExit = await step.preExit();
  expect(preExit).toMatchObject({ exitCode: 0, output: '' });
  return { ...ended, requests: world.requests.length, ...(docker === undefined ? {} : { docker: JSON.parse(docker) }) };
}

function volumes({ args }: DockerCall): readonly string[] {
  return args.filter((_arg, index) => args[index - 1] === '--volume');
}

/** A script for `docker`, which reads its program from beside it. */
const DOCKER = `exec '${NODE}' --eval "$(/bin/cat <<'PROGRAM'\n${DOCKER_PROGRAM}\nPROGRAM\n)" -- "$@"`;

describe.concurrent('without a fit Node', () => {
  it.each([
    ['none', NO_NODE],
    ['one that is too old', OLD_NODE],
  ])('%s: the image of the pipe runs the bundle, and no value is on a command line', async (_, node) => {
    const canaries = { MODEL_TOKEN: 'value-of-model-token', LINES: 'one\nEVIL=two', EMPTY: '' };
    const ended = await runWith({ commands: { ...node, docker: DOCKER }, env: canaries });
    expect(ended.exitCode, ended.output).toBe(0);
    expect(ended.output).toContain('No Node 22.12 or newer on this agent');
    expect(ended.output).toContain('The job is submitted');

    const { args = [], env = {} } = ended.docker ?? {};
    expect(args).toContain(RELEASED);
    const names = args.filter((__, index) => args[index - 1] === '--env');
    expect(names).toEqual(
      expect.arrayContaining([
        ...Object.keys(canaries),
        'BUILDKITE_AGENT_ACCESS_TOKEN',
        'BUILDKITE_PLUGIN_CONFIGURATION',
      ]),
    );
    expect(names.filter((name) => !(name in env))).toEqual([]);
    for (const own of ['PATH', 'HOME', 'EVIL']) expect(names).not.toContain(own);
    // Places are mounted under their own names; nothing else that a variable holds may be seen by other users.
    const exposed = args.filter(
      (arg, index) => !/^--(?:volume|workdir|env)$/.test(args[index - 1] ?? '') && arg !== args.at(-2),
    );
    const values = Object.entries(env).filter(([, value]) => value.length > 7);
    expect(values.filter(([, value]) => exposed.some((arg) => arg.includes(value)))).toEqual([]);
  });

  it.each([
    ['a file', join(ROOT, 'LICENSE'), 1],
    ['nothing', join(ROOT, 'no-such-file.pem'), 0],
  ])('the image gets the CAs that NODE_EXTRA_CA_CERTS names, where that is %s', async (_, path, mounts) => {
    const { docker } = await runWith({
      commands: { ...NO_NODE, docker: DOCKER },
      env: { NODE_EXTRA_CA_CERTS: path },
    });
    expect(
      docker === undefined ? [] : volumes(docker).filter((volume) => volume === `${path}:${path}:ro`),
    ).toHaveLength(mounts);
  });

  it('another image can be chosen', async () => {
    const { docker, exitCode } = await runWith({
      commands: { ...NO_NODE, docker: DOCKER },
      env: { KEYLESS_SUBMIT_IMAGE: 'registry.example/mirror/keyless-submit:1' },
    });
    expect(exitCode).toBe(0);
    expect(docker?.args).toContain('registry.example/mirror/keyless-submit:1');
  });

  it.each([
    ['none', NO_NODE, 'no node on PATH'],
    ['one that is too old', OLD_NODE, 'v20.19.4'],
  ])('%s, and without Docker: says so and ends with 2', async (_, commands, found) => {
    const ended = await runWith({ commands });
    expect(ended.exitCode, ended.output).toBe(2);
    expect(ended.output).toContain('keyless-submit needs Node 22.12 or newer');
    expect(ended.output).toContain(found);
    expect(ended.output).toContain('KEYLESS_SUBMIT_NODE');
    expect(ended.requests).toBe(0);
  });

  it('and without an image that a release recorded: runs none, and says what to set', async () => {
    await using world = await createWorld();
    using step = await stepWith(world, { commands: { ...NO_NODE, docker: DOCKER } });
    rmSync(join(step.plugin, 'hooks/released-image'));
    const ended = await step.command().ended;
    expect(ended.exitCode, ended.output).toBe(2);
    expect(ended.output).toContain('KEYLESS_SUBMIT_IMAGE');
    expect(step.files()['home/docker.json']).toBeUndefined();
  });

  it.each([
    ['plugin', "does not see this agent's files"],
    ['agent', 'buildkite-agent cannot run in the container'],
  ])('and with a Docker that cannot use what is mounted (%s): says so and ends with 2', async (UNSEEN, words) => {
    const ended = await runWith({ commands: { ...NO_NODE, docker: DOCKER }, env: { UNSEEN } });
    expect(ended.exitCode, ended.output).toBe(2);
    expect(ended.output).toContain(words);
    expect(ended.output).not.toContain('Cannot find module');
    expect(ended.requests).toBe(0);
  });

  it('and on macOS: says that a container does not help', async () => {
    const ended = await runWith({ commands: { ...NO_NODE, docker: DOCKER, uname: 'echo Darwin' } });
    expect(ended.exitCode, ended.output).toBe(2);
    expect(ended.output).toContain("this machine's buildkite-agent cannot run in it");
    expect(ended.docker).toBeUndefined();
  });

  it.each([
    ['below the checkout', 'checkout/models', {}],
    ['beside the checkout', 'work', {}],
    ['where there is no checkout', 'work', { BUILDKITE_BUILD_CHECKOUT_PATH: undefined }],
  ])('the container works where the hook does: %s', async (_, directory, env) => {
    await using world = await createWorld();
    const checkout = { 'models/training/run.yaml': RUN_YAML };
    const options = { commands: { ...NO_NODE, docker: DOCKER }, directory, checkout, env };
    using step = await stepWith(world, {
      ...options,
      config: { ...SUBMIT_RUN.settings('buildkite'), 'dry-run': true },
    });
    mkdirSync(join(step.folder, directory, 'training'), { recursive: true });
    writeFileSync(join(step.folder, directory, 'training/run.yaml'), RUN_YAML);
    const ended = await step.command().ended;
    expect(ended.exitCode, ended.output).toBe(0);
    const call: DockerCall = JSON.parse(step.files()['home/docker.json'] ?? '');
    const place = join(step.folder, directory);
    expect(valuesOf(call, '--workdir')).toEqual([place]);
    expect(valuesOf(call, '--volume')).toContain(`${place}:${place}`);
  });

  it('authorities are mounted, each once, and only what is there', async () => {
    await using world = await createWorld();
    using step = await stepWith(world, {
      commands: { ...NO_NODE, docker: DOCKER },
      checkout: { ...SUBMIT_RUN.checkout, 'ca.pem': '' },
      env: { NODE_EXTRA_CA_CERTS: 'ca.pem', SSL_CERT_FILE: '/nowhere/ca.pem', SSL_CERT_DIR: '/etc' },
    });
    const ended = await step.command().ended;
    expect(ended.exitCode, ended.output).toBe(0);
    const call: DockerCall = JSON.parse(step.files()['home/docker.json'] ?? '');
    const volumes = valuesOf(call, '--volume');
    const own = join(step.checkout, 'ca.pem');
    expect(volumes).toEqual(expect.arrayContaining([`${own}:${own}:ro`, '/etc:/etc:ro', '/tmp:/tmp']));
    expect(volumes.filter((volume) => volume.includes('/nowhere'))).toEqual([]);
    const places = volumes.map((volume) => volume.split(':')[1]);
    expect(places).toEqual([...new Set(places)]);
    expect(valuesOf(call, '--env')).toContain('NODE_EXTRA_CA_CERTS');
  });

  it('a signal cancels the job that the container submitted, and the hook waits for that', async () => {
    await using world = await createWorld();
    SUBMIT_RUN.hang(world);
    using step = await stepWith(world, {
      commands: { ...NO_NODE, docker: DOCKER },
      config: SUBMIT_RUN.settings('buildkite'),
    });
    const running = step.command();
    await running.printed('running   RUNNING');
    running.signal('SIGTERM');
    const ended = await running.ended;
    expect(ended.exitCode, ended.output).toBe(143);
    expect(ended.output).toMatch(/the cancellation of \S+ was accepted/);
    expect(world.databricks.runs()).toMatchObject([{ cancelledBy: expect.any(String) }]);
  });

  it.each([125, 126, 127, 255])('and with a Docker that ends with %i: ends with 2', async (code) => {
    const docker = `[ "$1" != run ] || { echo 'docker: cannot start.' >&2; exit ${code}; }`;
    const ended = await runWith({ commands: { ...NO_NODE, docker } });
    expect(ended.exitCode, ended.output).toBe(2);
    expect(ended.output).toContain(`it ended with ${code}`);
  });

  it('and with a Docker that cannot run anything: ends with a code that Buildkite gives no other meaning', async () => {
    const docker = `echo 'docker: Cannot connect to the Docker daemon at unix:///var/run/docker.sock.' >&2; exit 125`;
    const ended = await runWith({ commands: { ...NO_NODE, docker } });
    expect(ended.output).toMatch(/docker/i);
    expect(ended.exitCode, ended.output).toBe(2);
    expect(ended.requests).toBe(0);
  });
});

describe.concurrent('a fit Node', () => {
  it('is the one that KEYLESS_SUBMIT_NODE names', async () => {
    const ended = await runWith({ commands: OLD_NODE, env: { KEYLESS_SUBMIT_NODE: NODE } });
    expect(ended.exitCode, ended.output).toBe(0);
  });

  it('is looked for where KEYLESS_SUBMIT_NODE names none', async () => {
    const ended = await runWith({ env: { KEYLESS_SUBMIT_NODE: '/nowhere/node' } });
    expect(ended.exitCode, ended.output).toBe(0);
  });

  it.each(['/usr/local/bin', '/opt/homebrew/bin'])('is found in %s, which agents often lack on PATH', async (place) => {
    await using world = await createWorld();
    using step = await stepWith(world, { commands: OLD_NODE });
    mkdirSync(join(step.folder, place), { recursive: true });
    symlinkSync(NODE, join(step.folder, place, 'node'));
    const ended = await step.command().ended;
    expect(ended.exitCode, ended.output).toBe(0);
  });
});

/** What a job may set for its own programs, each of which would break or slow the hooks. */
const OF_THE_JOB: readonly [string, string][] = [
  ['NODE_OPTIONS', '--require /nowhere/tracer.js'],
  ['NODE_OPTIONS', '--flag-of-another-node'],
  ['NODE_OPTIONS', '--inspect-brk=127.0.0.1:0'],
  ['NODE_PATH', '/nowhere'],
  ['NODE_V8_COVERAGE', '/nowhere/coverage'],
  ['NODE_REDIRECT_WARNINGS', '/nowhere/warnings'],
  ['NODE_COMPILE_CACHE', '/nowhere/cache'],
  ['NODE_CHANNEL_FD', '1'],
];

// One after the other: the pre-exit hook gives up after some seconds.
describe('variables that are meant for Nodes of the job', () => {
  it.each(OF_THE_JOB)('reach neither hook: %s=%s', async (name, value) => {
    await using world = await createWorld();
    SUBMIT_RUN.hang(world);
    const seen = `[ -z "\${${name}+x}" ] || echo "it has ${name}"\nexec '${NODE}' "$@"`;
    const config = SUBMIT_RUN.settings('buildkite');
    using step = await stepWith(world, { commands: { node: seen }, config, env: { [name]: value } });
    const running = step.command();
    await running.printed('running   RUNNING');
    running.signal('SIGKILL');
    const first = await running.ended;
    const second = await step.preExit();
    expect(first.output + second.output).not.toContain('it has');
    expect(second.exitCode, second.output).toBe(0);
    expect(world.databricks.runs()).toMatchObject([{ cancelledBy: expect.any(String) }]);
  });

  it('reach no container', async () => {
    const env = { ...Object.fromEntries(OF_THE_JOB), NODE_ENV: 'production' };
    const { docker, exitCode, output } = await runWith({ commands: { ...NO_NODE, docker: DOCKER }, env });
    expect(exitCode, output).toBe(0);
    const names = docker === undefined ? [] : valuesOf(docker, '--env');
    expect(names.filter((name) => name.startsWith('NODE_'))).toEqual(expect.arrayContaining(['NODE_ENV']));
    for (const [name] of OF_THE_JOB) expect(names).not.toContain(name);
  });

  it('are the same ones in the image', () => {
    const finder = readFileSync(join(ROOT, 'hooks/find-node.sh'), 'utf8');
    const inHooks = /^FOREIGN_VARIABLES=\(([^)]*)\)/m.exec(finder)?.[1]?.trim().split(/\s+/) ?? [];
    const entrypoint = /^ENTRYPOINT (\[[\s\S]*?\])$/m.exec(readFileSync(join(ROOT, 'Dockerfile'), 'utf8'))?.[1] ?? '[]';
    const words: readonly string[] = JSON.parse(entrypoint.replaceAll('\\\n', ''));
    expect(inHooks).toContain('NODE_OPTIONS');
    expect(words.filter((_, index) => words[index - 1] === '-u').toSorted()).toEqual(inHooks.toSorted());
  });
});

describe.concurrent('with a proxy', () => {
  const proxies = [{ HTTPS_PROXY: 'http://proxy.example:3128' }, { https_proxy: 'http://proxy.example:3128' }];

  it.each(['v22.12.0', 'v22.20.0', 'v23.11.1', 'v24.4.1'])(
    '%s is not used, since it ignores the proxy',
    async (version) => {
      for (const env of proxies) {
        const ended = await runWith({ commands: { node: nodeOf(version) }, env });
        expect(ended.exitCode, ended.output).toBe(2);
        expect(ended.output).toContain(version);
        expect(ended.output).toContain('22.21 or a newer 22, or 24.5 or newer');
      }
    },
  );

  it.each(['v22.21.0', 'v24.5.0', 'v24.21.0', 'v25.0.0', 'v30.1.0'])('%s is used', async (version) => {
    const ended = await runWith({ commands: { node: nodeOf(version) }, env: proxies[0] ?? {} });
    expect(ended.exitCode, ended.output).toBe(0);
  });

  it.each([{}, { HTTP_PROXY: 'http://proxy.example:3128', NO_PROXY: '127.0.0.1' }, { HTTPS_PROXY: '' }])(
    'a Node that ignores it is used where https has none: %o',
    async (env) => {
      const ended = await runWith({ commands: { node: nodeOf('v22.12.0') }, env });
      expect(ended.exitCode, ended.output).toBe(0);
    },
  );

  it('another Node that can use it is looked for', async () => {
    await using world = await createWorld();
    using step = await stepWith(world, { commands: { node: nodeOf('v24.4.1') }, env: proxies[0] ?? {} });
    mkdirSync(join(step.folder, '/usr/local/bin'), { recursive: true });
    symlinkSync(NODE, join(step.folder, '/usr/local/bin/node'));
    const ended = await step.command().ended;
    expect(ended.exitCode, ended.output).toBe(0);
  });

  it('the image is used where no Node can use it', async () => {
    const ended = await runWith({ commands: { node: nodeOf('v24.4.1'), docker: DOCKER }, env: proxies[0] ?? {} });
    expect(ended.exitCode, ended.output).toBe(0);
    expect(ended.output).toContain('No Node that can use HTTPS_PROXY');
    expect(ended.docker).toBeDefined();
  });
});

describe.concurrent('the plugin may lie', () => {
  it.each([
    ['in a folder with spaces', 'plugin folder of agent 1/keyless-submit-buildkite-plugin'],
    ['in the repository that is built', 'checkout/.buildkite/plugins/keyless-submit'],
  ])('%s', async (_, pluginFolder) => {
    await using world = await createWorld();
    SUBMIT_RUN.hang(world);
    using step = await stepWith(world, { pluginFolder, config: SUBMIT_RUN.settings('buildkite') });
    const running = step.command();
    await running.printed('running   RUNNING');
    running.signal('SIGKILL');
    await running.ended;
    const second = await step.preExit();
    expect(second.exitCode, second.output).toBe(0);
    expect(world.databricks.runs()).toMatchObject([{ cancelledBy: expect.any(String) }]);
  });
});

describe('the hooks', () => {
  it('are shell that shellcheck has nothing to say about, or that at least parses where there is no shellcheck', () => {
    const hasShellcheck = spawnSync('shellcheck', ['--version']).status === 0;
    const [command, ...args] = hasShellcheck
      ? ['shellcheck', '--external-sources', ...HOOKS]
      : ['bash', '-n', ...HOOKS];
    expect(execFileSync(command ?? '', args, { cwd: ROOT, encoding: 'utf8' })).toBe('');
  });
});
