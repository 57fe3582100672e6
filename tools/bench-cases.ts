import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Ci, isSentTo, KIND_SAMPLES } from '../test/contract/kind-samples.ts';
import { buildkiteClaims } from '../test/simulators/oidc-issuer.ts';
import { BUILDKITE_JOB } from '../test/simulators/tenant.ts';
import type { RequestLine, World } from '../test/simulators/world.ts';
import { pipeStep, pluginStep, type StepPlan, type StepProcess } from './ci-step.ts';
import { STEPS } from './demo-stories.ts';
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

/** What must follow one another. Files that a service lacks are there after the first round. */
const ONE_AFTER_THE_OTHER = ['exchange', 'impersonation', 'secret', 'preparation', 'submission'] as const;

/** Whether a request makes a job. */
export function createsJob(request: RequestLine): boolean {
  return KIND_SAMPLES.some(({ targets }) => isSentTo(request, targets.submission));
}

/** Every kind through both packagings, in steps that do not wait; without those that find their work done the second time. */
export function benchCases(world: World, packagings: Packagings, folder: string): readonly BenchCase[] {
  const agent = agentStandIn(join(folder, 'agent'));
  return STEPS.filter(({ kind }) => kind.setUp === undefined).map(({ ci, kind, checkout, settings }) => {
    const plan: StepPlan = {
      packagings,
      simulators: world.url,
      folder: join(folder, `${ci}-${kind.id}`),
      files: checkout,
      settings: { ...settings, wait: false },
    };
    return {
      kind: kind.id,
      ci,
      roundTrips: ONE_AFTER_THE_OTHER.filter((name) => kind.targets[name] !== undefined).length,
      prepare: async () => {
        if (ci === 'bitbucket')
          return inNewBuild(pipeStep(plan, await world.bitbucketToken({ audiences: [kind.audience(ci)] })));
        agent.give(await buildkiteToken(world, kind.audience(ci)));
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
