import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { createWorld, type World } from '../simulators/world.ts';
import { NODE, ROOT } from './folders.ts';
import { SUBMIT_RUN } from './kinds.ts';
import { type PluginOptions, type PluginStep, pluginStep } from './plugin.ts';
import type { Ended } from './process.ts';

const HOOKS = ['hooks/command', 'hooks/pre-exit', 'hooks/find-node.sh'];
const NO_NODE = { node: null };
const OLD_NODE = { node: 'if [ "$1" = --version ]; then echo v20.19.4; else exit 1; fi' };

/** Keeps what Docker was asked and finds, then does it without a container: with an image's Node, and of the environment what was named. */
const DOCKER_PROGRAM = `
const { spawnSync } = require('node:child_process');
const { writeFileSync } = require('node:fs');
const { HOME, ...env } = process.env;
const args = process.argv.slice(1);
if (args[0] !== 'run') process.exit(0);
writeFileSync(HOME + '/docker.json', JSON.stringify({ args, env }));
const following = (flag) => args.filter((_, index) => args[index - 1] === flag);
const named = Object.fromEntries(following('--env').map((name) => [name, env[name]]));
const [entrypoint] = following('--entrypoint');
const program = args.slice(args.findIndex((arg) => arg.endsWith('/main.mjs')));
const { status } = spawnSync('${NODE}', program, {
  cwd: following('--workdir')[0],
  env: { PATH: env.PATH, HOME: '/', ...named },
  stdio: 'inherit',
});
process.exit(entrypoint === 'node' ? status : 127);
`;

interface DockerCall {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
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
    const { image } = parse(readFileSync(join(ROOT, 'pipe.yml'), 'utf8'));
    expect(args).toContain(image);
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
