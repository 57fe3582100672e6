import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { StepProcess } from '../../tools/ci-step.ts';
import type { Handler } from '../simulators/serve.ts';
import { VERCEL } from '../simulators/vercel-tenant.ts';
import { createWorld, type World, type WorldOptions } from '../simulators/world.ts';

const INSTALLED = resolve(import.meta.dirname, '../../build/peers/vercel-cli/node_modules/vercel');
const PROGRAM = join(INSTALLED, 'dist/index.js');

/** Whether `test/peers/install-vercel-cli.sh` has run. */
export function hasVercelCli(): boolean {
  return existsSync(PROGRAM);
}

// The first steps of the paths that the tool asks for. It drops the path of the address that --api gives it, so the
// simulators find these where they expect a host.
const FIRST_STEPS = ['v2', 'v3', 'v9', 'v13', 'teams'];

/** Simulators that also answer the Vercel CLI, under `world.url` itself. */
export async function worldWithCli(options: WorldOptions = {}): Promise<World> {
  let api: Handler | undefined;
  const prefixed =
    (first: string): Handler =>
    async (request) => {
      if (api === undefined) return new Response('', { status: 502 });
      const url = new URL(request.url);
      url.pathname = `/${first}${url.pathname}`;
      const { method, headers } = request;
      const bodyless = method === 'GET' || method === 'HEAD';
      return api(new Request(url, { method, headers, ...(bodyless ? {} : { body: await request.arrayBuffer() }) }));
    };
  const hosts = Object.fromEntries(FIRST_STEPS.map((first) => [first, prefixed(first)]));
  const world = await createWorld({ ...options, hosts: { ...options.hosts, ...hosts } });
  api = world.vercel.hosts('api.vercel.com');
  return world;
}

export interface CliPlan {
  /** The simulators' address. */
  readonly simulators: string;
  /** With the directory `checkout`, in which the tool is run, and `home`. */
  readonly folder: string;
  /** More arguments, such as `--prod`. */
  readonly flags: readonly string[];
}

/** `vercel deploy --prebuilt` in CI (https://vercel.com/docs/cli/deploy), as a user with a token of the whole account. */
export function cliDeployment({ simulators, folder, flags }: CliPlan): StepProcess {
  return {
    command: process.execPath,
    args: [PROGRAM, 'deploy', '--prebuilt', '--yes', '--api', simulators, ...flags],
    cwd: join(folder, 'checkout'),
    env: {
      PATH: process.env.PATH ?? '/usr/bin:/bin',
      HOME: join(folder, 'home'),
      CI: 'true',
      VERCEL_TOKEN: VERCEL.tokens.full,
      VERCEL_ORG_ID: VERCEL.teamId,
      VERCEL_PROJECT_ID: VERCEL.projectId,
      VERCEL_TELEMETRY_DISABLED: '1',
      NO_UPDATE_NOTIFIER: '1',
    },
  };
}
