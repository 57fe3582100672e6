import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildkiteClaims } from '../test/simulators/oidc-issuer.ts';
import { BUILDKITE_JOB } from '../test/simulators/tenant.ts';
import type { RequestLine, World } from '../test/simulators/world.ts';
import { type Ci, pipeStep, pluginStep, type StepPlan, type StepProcess } from './ci-step.ts';
import { audienceOf } from './demo-run.ts';
import { CHECKOUT, STORIES } from './demo-stories.ts';
import type { Packagings } from './packagings.ts';

/** One kind in one packaging. */
export interface BenchCase {
  readonly kind: string;
  readonly ci: Ci;
  /** Requests that must follow one another before the job exists: each needs the answer to the one before. */
  readonly roundTrips: number;
  /** A new process of it, with a new token. */
  prepare(): Promise<StepProcess>;
}

/** What must follow one another, by kind. */
const ROUND_TRIPS: Readonly<Record<string, readonly string[]>> = {
  'vertex-custom-job': ['STS', 'generateAccessToken', 'create'],
  'databricks-submit-run': ['token', 'submit'],
  'databricks-run-now': ['token', 'run now'],
  'prefect-flow-run': ['STS', 'generateAccessToken', 'secret', 'deployment', 'create'],
  'prefect-deployment-update': ['STS', 'generateAccessToken', 'secret', 'deployment', 'update'],
  // The files are there after the first round.
  'vercel-deployment': ['token', 'project', 'create'],
};

/** Whether a request makes a job. */
export function createsJob({ method, path }: RequestLine): boolean {
  const [plain = ''] = path.split('?');
  if (method === 'PATCH') return /\/deployments\/[^/]+$/.test(plain);
  return (
    method === 'POST' &&
    /\/customJobs$|\/jobs\/runs\/submit$|\/jobs\/run-now$|\/create_flow_run$|\/v13\/deployments$/.test(plain)
  );
}

/** Every kind through both packagings, in steps that do not wait. */
export function benchCases(world: World, packagings: Packagings, folder: string): readonly BenchCase[] {
  const agent = agentStandIn(join(folder, 'agent'));
  return STORIES.filter(({ result, after }) => result === 'succeeded' && after === undefined).map((story) => {
    const { ci, settings } = story;
    const plan: StepPlan = {
      packagings,
      simulators: world.url,
      folder: join(folder, `${ci}-${settings.job}`),
      files: CHECKOUT,
      settings: { ...settings, wait: false },
    };
    return {
      kind: settings.job,
      ci,
      roundTrips: ROUND_TRIPS[settings.job]?.length ?? 0,
      prepare: async () => {
        if (ci === 'bitbucket')
          return inNewBuild(pipeStep(plan, await world.bitbucketToken({ audiences: [audienceOf(story)] })));
        agent.give(await buildkiteToken(world, audienceOf(story)));
        return inNewBuild(pluginStep(plan, 'command', agent.bin));
      },
    };
  });
}

/** The same step of another build: in one build it would join the run of the identical step before it. */
export function inNewBuild(step: StepProcess): StepProcess {
  const id = crypto.randomUUID();
  const build = step.env.BITBUCKET_PIPELINE_UUID === undefined ? 'BUILDKITE_BUILD_ID' : 'BITBUCKET_PIPELINE_UUID';
  return { ...step, env: { ...step.env, [build]: id } };
}

/** A token as the agent gets it for a job of the simulated company. */
export function buildkiteToken(world: World, audience: string): Promise<string> {
  const claims = ['organization_id', 'pipeline_id'];
  const request = { audience, claims, lifetimeSeconds: 3600, jti: crypto.randomUUID(), now: Date.now() };
  return world.issuers.buildkite.sign(buildkiteClaims({ ...BUILDKITE_JOB, ...request }));
}

/**
 * A command `buildkite-agent` that costs as little as a command can: a shell that reads a token from a file, and takes
 * whatever else it is given. The real agent is another program with a start of its own.
 */
export function agentStandIn(folder: string): { readonly bin: string; give(token: string): void } {
  const token = join(folder, 'token');
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'buildkite-agent'),
    `#!/bin/sh
case "$1" in
  oidc) read -r token <'${token}'; echo "$token" ;;
  *) while read -r line; do :; done ;;
esac
`,
    { mode: 0o755 },
  );
  return { bin: folder, give: (text) => writeFileSync(token, `${text}\n`, { mode: 0o600 }) };
}
