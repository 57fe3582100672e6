import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { pipeStep, pluginStep, runStep, type StepPlan } from '../../tools/ci-step.ts';
import { packagings, temporaryFolder } from '../e2e/folders.ts';
import { installRecordingAgent } from '../e2e/recording-agent.ts';
import type { DeploymentFacts, VercelRequest } from '../simulators/vercel.ts';
import { VERCEL } from '../simulators/vercel-tenant.ts';
import type { World } from '../simulators/world.ts';
import { deployedPaths, SAME_CONTENTS, writeOutput } from './prebuilt-output.ts';
import { cliDeployment, hasVercelCli, worldWithCli } from './vercel-cli.ts';
import { differences, expectedDifferences, fileHeaders, requestOf, withoutReasons } from './vercel-differences.ts';

const LIMIT_MS = 60_000;
const OURS = ['pipe', 'plugin'] as const;
type Deployer = 'cli' | (typeof OURS)[number];

/** One wish in the words of both. */
interface Wish {
  readonly flags: readonly string[];
  readonly settings: Readonly<Record<string, unknown>>;
  /** What the build was made for. */
  readonly builtFor: string;
}

const PRODUCTION: Wish = { flags: ['--prod'], settings: { target: 'production' }, builtFor: 'production' };
const WISHES: readonly (readonly [string, Wish])[] = [
  ['to production', PRODUCTION],
  [
    'to production without its domains',
    { ...PRODUCTION, flags: ['--prod', '--skip-domain'], settings: { ...PRODUCTION.settings, 'skip-domain': true } },
  ],
  ['as a preview', { flags: [], settings: { target: 'preview' }, builtFor: 'preview' }],
  [
    'to a custom environment',
    {
      flags: [`--target=${VERCEL.environment}`],
      settings: { environment: VERCEL.environment },
      builtFor: VERCEL.environment,
    },
  ],
];

it('has the Vercel CLI to run', () => {
  expect(hasVercelCli(), 'run test/peers/install-vercel-cli.sh first').toBe(true);
});

describe.runIf(hasVercelCli())('the Vercel CLI and keyless-submit deploy one and the same directory', () => {
  let made: StepPlan['packagings'];
  beforeAll(async () => {
    made = await packagings();
  });

  /** A checkout with its own simulators, that each of them can deploy. */
  async function deployers({ flags, settings, builtFor }: Wish) {
    const world = await worldWithCli();
    const temporary = temporaryFolder('a build');
    const folder = temporary.path;
    const checkout = join(folder, 'checkout');
    writeOutput(checkout, builtFor);
    mkdirSync(join(folder, 'home'));
    const head = detachedCommit(checkout);
    const { bin } = installRecordingAgent(folder);
    const plan: StepPlan = {
      packagings: made,
      simulators: world.url,
      folder,
      files: {},
      settings: { job: 'vercel-deployment', team: VERCEL.teamId, project: VERCEL.projectId, ...settings },
    };
    const processOf = async (by: Deployer) => {
      if (by === 'cli') return cliDeployment({ simulators: world.url, folder, flags });
      if (by === 'plugin') return pluginStep(plan, 'command', bin);
      return pipeStep(plan, await world.bitbucketToken({ audiences: [VERCEL.audience] }));
    };
    const run = async (by: Deployer) => runStep(await processOf(by), LIMIT_MS);
    return {
      world,
      checkout,
      head,
      run,
      deploy: async (by: Deployer): Promise<Deployed> => {
        const before = { requests: world.vercel.received().length, uploads: world.vercel.uploads().uploads.length };
        const { exitCode, log } = await run(by);
        expect(exitCode, log).toBe(0);
        const deployment = world.vercel.deployments().at(-1);
        if (deployment === undefined) throw new Error(`nothing was deployed:\n${log}`);
        return {
          deployment,
          requests: world.vercel.received().slice(before.requests),
          uploaded: world.vercel
            .uploads()
            .uploads.slice(before.uploads)
            .map(({ sha }) => sha),
        };
      },
      [Symbol.asyncDispose]: async () => {
        await world.close();
        temporary[Symbol.dispose]();
      },
    };
  }

  it.each(WISHES)('%s, with the same files and the same request but for what is listed', async (_, wish) => {
    await using build = await deployers(wish);
    const cli = await build.deploy('cli');
    expect(pathsOf(cli)).toEqual(deployedPaths());
    for (const by of OURS) {
      const ours = await build.deploy(by);
      const expected = expectedDifferences(by, build.head);
      expect(differences(requestOf(cli.deployment), requestOf(ours.deployment)), by).toEqual(withoutReasons(expected));
      expect(filesOf(ours), by).toEqual(filesOf(cli));
      expect(ours.uploaded, by).toEqual([]);
    }
    expect(statesOf(build.world)).toEqual(['READY', 'READY', 'READY']);
  });

  it('gives each file its own mode, where the tool gives one mode to all files of the same contents', async () => {
    await using build = await deployers(PRODUCTION);
    const modes = async (by: Deployer) => {
      const { deployment } = await build.deploy(by);
      return SAME_CONTENTS.map((path) => deployment.files.find(({ file }) => file === path)?.mode);
    };
    expect(new Set(await modes('cli')).size).toBe(1);
    for (const by of OURS) expect(await modes(by), by).toEqual([0o100755, 0o100644]);
  });

  it.each<readonly [Deployer, Deployer]>([
    ['cli', 'pipe'],
    ['cli', 'plugin'],
    ['pipe', 'cli'],
    ['plugin', 'cli'],
  ])('uploads each content once, and after a change only what is new: %s, then %s', async (first, second) => {
    await using build = await deployers(PRODUCTION);
    const all = await build.deploy(first);
    expect(all.uploaded.toSorted()).toEqual([...new Set(all.deployment.files.map(({ sha }) => sha))].sort());

    const output = join(build.checkout, '.vercel/output');
    writeFileSync(join(output, 'static/index.html'), '<h1>Edge, again</h1>\n');
    writeFileSync(join(output, 'static/moved.html'), '<h1>Edge</h1>\n');
    writeFileSync(join(build.checkout, 'src/lib/greeting.js'), "module.exports = 'good day';\n");
    const next = await build.deploy(second);
    const shaOf = (path: string) => next.deployment.files.find(({ file }) => file === path)?.sha;
    const changed = [shaOf('.vercel/output/static/index.html'), shaOf('src/lib/greeting.js')];
    expect(next.uploaded.toSorted()).toEqual(changed.toSorted());
    expect(statesOf(build.world)).toEqual(['READY', 'READY']);
  });

  it('does not let functions take files of version control', async () => {
    await using build = await deployers(PRODUCTION);
    const config = { runtime: 'nodejs22.x', handler: 'index.js', filePathMap: { config: '.git/config' } };
    const path = join(build.checkout, '.vercel/output/functions/api/node.func/.vc-config.json');
    writeFileSync(path, JSON.stringify(config));
    const refusals: Readonly<Record<Deployer, string>> = {
      cli: 'version-control files',
      pipe: 'version control, which is never deployed: .git/config',
      plugin: 'version control, which is never deployed: .git/config',
    };
    for (const [by, words] of Object.entries(refusals)) {
      const { exitCode, log } = await build.run(by as Deployer);
      expect(exitCode, log).not.toBe(0);
      expect(log).toContain(words);
    }
    expect(build.world.vercel.uploads().uploads).toEqual([]);
  });

  it('asks first and uploads what is missing, under headers that mean the same', async () => {
    const asked = async (by: Deployer) => {
      await using build = await deployers(PRODUCTION);
      const { requests } = await build.deploy(by);
      const steps = requests.map(({ method, path }) => `${method} ${path.replace(/\?.*/, '')}`);
      const from = steps.indexOf('POST /v13/deployments');
      const uploads = requests.filter(({ path }) => path.startsWith('/v2/files'));
      return {
        order: steps.slice(from, steps.lastIndexOf('POST /v13/deployments') + 1).filter(isNotRepeated),
        headers: [...new Set(uploads.map(fileHeaders))],
      };
    };
    const order = ['POST /v13/deployments', 'POST /v2/files', 'POST /v13/deployments'];
    const type = 'content-length content-type=application/octet-stream';
    expect(await asked('cli')).toEqual({ order, headers: [`${type} x-now-digest x-now-size`] });
    for (const by of OURS) expect(await asked(by), by).toEqual({ order, headers: [`${type} x-vercel-digest`] });
  });
});

interface Deployed {
  readonly deployment: DeploymentFacts;
  readonly requests: readonly VercelRequest[];
  /** Hashes, as they came. */
  readonly uploaded: readonly string[];
}

function pathsOf({ deployment }: Deployed): readonly string[] {
  return deployment.files.map(({ file }) => file).sort();
}

/** Path, contents and mode of every file; without the mode where the tool loses it. */
function filesOf({ deployment }: Deployed): readonly unknown[] {
  return deployment.files
    .map(({ mode, ...file }) => (SAME_CONTENTS.includes(file.file) ? file : { ...file, mode }))
    .sort((left, right) => (left.file < right.file ? -1 : 1));
}

function isNotRepeated(step: string, at: number, steps: readonly string[]): boolean {
  return step !== steps[at - 1];
}

function statesOf(world: World): readonly string[] {
  return world.vercel.deployments().map(({ state }) => state);
}

/** Commits the sources, and leaves them as CIs check them out. */
function detachedCommit(checkout: string): string {
  const git = (...args: readonly string[]) =>
    execFileSync('git', ['-C', checkout, ...args], { encoding: 'utf8' }).trim();
  git('init', '--quiet', '--initial-branch', 'main');
  git('remote', 'add', 'origin', 'git@bitbucket.org:acme/vision.git');
  git('add', '--all');
  git('-c', 'user.name=Ada', '-c', 'user.email=ada@acme.example', 'commit', '--quiet', '--message', 'A commit');
  git('checkout', '--quiet', '--detach');
  return git('rev-parse', 'HEAD');
}
