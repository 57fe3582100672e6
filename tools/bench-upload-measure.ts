import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { cliDeployment, hasVercelCli, worldWithCli } from '../test/peers/vercel-cli.ts';
import { VERCEL } from '../test/simulators/vercel-tenant.ts';
import type { RequestLine, World } from '../test/simulators/world.ts';
import { agentStandIn, buildkiteToken, inNewBuild } from './bench-cases.ts';
import { median, observed } from './bench-measure.ts';
import { pipeStep, pluginStep, type StepPlan, type StepProcess } from './ci-step.ts';
import type { Packagings } from './packagings.ts';

/** What one deployment took, as its service and its own process saw it. */
export type Upload = Readonly<Record<(typeof FIGURES)[number], number>>;
const FIGURES = ['seconds', 'cpuSeconds', 'peakMib', 'requests', 'uploads', 'bytes', 'mostParallel'] as const;

export interface Deployer {
  readonly title: string;
  prepare(world: World): Promise<StepProcess>;
}

interface UploadBench extends AsyncDisposable {
  /** Deploys once; what was uploaded before stays there. */
  deploy(deployer: Deployer, folder: string, roundTripMs: number): Promise<Upload>;
}

const LIMIT_MS = 300_000;
const AT_ONCE = { queuedMs: 0, buildingMs: 0, aliasMs: 0 };

/** Everything that can deploy the build in `checkout` of a folder, the Vercel CLI among them if it is installed. */
export function deployersOf(folder: string, packagings: Packagings): readonly Deployer[] {
  const agent = agentStandIn(join(folder, 'agent'));
  mkdirSync(join(folder, 'home'), { recursive: true });
  const settings = {
    job: 'vercel-deployment',
    team: VERCEL.teamId,
    project: VERCEL.projectId,
    target: 'production',
  };
  const plan = (world: World): StepPlan => ({ packagings, simulators: world.url, folder, files: {}, settings });
  const own: readonly Deployer[] = [
    {
      title: 'Bitbucket pipe',
      prepare: async (world) =>
        inNewBuild(pipeStep(plan(world), await world.bitbucketToken({ audiences: [VERCEL.audience] }))),
    },
    {
      title: 'Buildkite plugin',
      prepare: async (world) => {
        agent.give(await buildkiteToken(world, VERCEL.audience));
        return inNewBuild(pluginStep(plan(world), 'command', agent.bin));
      },
    },
  ];
  const prepare = async (world: World) => cliDeployment({ simulators: world.url, folder, flags: ['--prod'] });
  return hasVercelCli() ? [...own, { title: 'Vercel CLI', prepare }] : own;
}

/** Simulators of its own for one deployer, so that no other has uploaded its files. */
export async function uploadBench(): Promise<UploadBench> {
  let running = 0;
  let mostParallel = 0;
  const isUpload = ({ host, path }: RequestLine) => `${host}${path}`.includes('v2/files');
  const world = await worldWithCli({
    vercel: { neverDeduplicate: true },
    onRequest: (request) => {
      if (isUpload(request)) mostParallel = Math.max(mostParallel, ++running);
    },
    onAnswer: (request) => {
      if (isUpload(request)) running -= 1;
    },
  });
  return {
    deploy: async (deployer, folder, roundTripMs) => {
      world.setDelay(roundTripMs);
      mostParallel = 0;
      const taken = await deployOnce(deployer, world, folder);
      return { ...taken, mostParallel };
    },
    [Symbol.asyncDispose]: world.close,
  };
}

async function deployOnce(deployer: Deployer, world: World, folder: string): Promise<Omit<Upload, 'mostParallel'>> {
  const { vercel } = world;
  vercel.nextLife(AT_ONCE);
  const before = { requests: vercel.received().length, deployments: vercel.deployments().length, ...vercel.uploads() };
  const taken = await observed(await deployer.prepare(world), join(folder, 'footprint.json'), LIMIT_MS);
  const made = vercel.deployments().slice(before.deployments);
  if (made.length !== 1 || made[0]?.state !== 'READY') throw new Error(`${deployer.title} did not deploy`);
  const { uploads, bytes } = vercel.uploads();
  return {
    ...taken,
    requests: vercel.received().length - before.requests,
    uploads: uploads.length - before.uploads.length,
    bytes: bytes - before.bytes,
  };
}

/** The median of each figure. */
export function medians(uploads: readonly Upload[]): Upload {
  const of = (figure: keyof Upload) => [figure, median(uploads.map((each) => each[figure]))] as const;
  return Object.fromEntries(FIGURES.map(of)) as Record<keyof Upload, number>;
}
