import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pipeVariable } from '../pipe/bitbucket-settings.ts';
import { type Json, stringifyJson } from '../shared/json.ts';
import { AGENT_ACCESS_TOKEN, BITBUCKET, BUILDKITE_JOB, COMMIT } from '../test/simulators/tenant.ts';
import type { Packagings } from './packagings.ts';

/** A step's settings in the plugin's spelling. */
export type StepSettings = Readonly<Record<string, Json>>;

export interface StepPlan {
  readonly packagings: Packagings;
  /** The simulators' address. */
  readonly simulators: string;
  /** A new folder for the step alone: its checkout, home and temporary files. */
  readonly folder: string;
  /** The files of the checkout, by path. */
  readonly files: Readonly<Record<string, string>>;
  readonly settings: StepSettings;
  /** The Buildkite job; default the simulated one. */
  readonly job?: { readonly jobId: string; readonly stepKey: string };
}

/** A process as a CI starts it. */
export interface StepProcess {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

export interface EndedStep {
  readonly exitCode: number;
  /** Standard output and standard error as they came. */
  readonly log: string;
  readonly seconds: number;
}

/**
 * The pipe as Bitbucket starts it in its image (https://support.atlassian.com/bitbucket-cloud/docs/write-a-pipe-for-bitbucket-pipelines/).
 * `token` is the step's OIDC token.
 */
export function pipeStep(plan: StepPlan, token: string): StepProcess {
  const checkout = prepare(plan);
  const { workspace, repository } = BITBUCKET;
  return {
    command: process.execPath,
    args: [plan.packagings.pipe],
    cwd: checkout,
    env: {
      ...commonEnvironment(plan),
      BITBUCKET_BRANCH: 'main',
      BITBUCKET_BUILD_NUMBER: '42',
      BITBUCKET_CLONE_DIR: checkout,
      BITBUCKET_COMMIT: COMMIT,
      BITBUCKET_GIT_HTTP_ORIGIN: `http://bitbucket.org/${workspace}/${repository}`,
      BITBUCKET_PIPELINE_UUID: BITBUCKET.pipelineUuid,
      BITBUCKET_REPO_FULL_NAME: `${workspace}/${repository}`,
      BITBUCKET_REPO_SLUG: repository,
      BITBUCKET_REPO_UUID: BITBUCKET.repositoryUuid,
      BITBUCKET_STEP_OIDC_TOKEN: token,
      BITBUCKET_STEP_RUN_NUMBER: '1',
      BITBUCKET_STEP_UUID: BITBUCKET.stepUuid,
      BITBUCKET_WORKSPACE: workspace,
      ...pipeVariables(plan.settings),
    },
  };
}

/** A pipe's variables are text; structured values are JSON in it. */
export function pipeVariables(settings: StepSettings): Record<string, string> {
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [
      pipeVariable(name),
      typeof value === 'string' ? value : stringifyJson(value),
    ]),
  );
}

/**
 * A hook of the plugin as an agent starts it (https://buildkite.com/docs/pipelines/configure/environment-variables).
 * `agentBin` is the folder with the command `buildkite-agent`.
 */
export function pluginStep(plan: StepPlan, hook: 'command' | 'pre-exit', agentBin: string): StepProcess {
  const checkout = prepare(plan);
  const { organizationSlug, pipelineSlug, buildNumber, ids } = BUILDKITE_JOB;
  const common = commonEnvironment(plan);
  const { jobId, stepKey } = plan.job ?? BUILDKITE_JOB;
  return {
    command: join(plan.packagings.plugin, 'hooks', hook),
    args: [],
    cwd: checkout,
    env: {
      ...common,
      PATH: `${agentBin}:${common.PATH}`,
      KEYLESS_SUBMIT_NODE: process.execPath,
      BUILDKITE: 'true',
      BUILDKITE_AGENT_ACCESS_TOKEN: AGENT_ACCESS_TOKEN,
      BUILDKITE_AGENT_ENDPOINT: `${plan.simulators}/agent-edge.buildkite.com/v3`,
      BUILDKITE_AGENT_ID: BUILDKITE_JOB.agentId,
      BUILDKITE_AGENT_JOB_API_SOCKET: join(plan.folder, 'job.sock'),
      BUILDKITE_AGENT_JOB_API_TOKEN: 'simulated-job-api-token',
      BUILDKITE_BRANCH: BUILDKITE_JOB.branch,
      BUILDKITE_BUILD_CHECKOUT_PATH: checkout,
      BUILDKITE_BUILD_ID: ids.build_id,
      BUILDKITE_BUILD_NUMBER: String(buildNumber),
      BUILDKITE_BUILD_URL: `https://buildkite.com/${organizationSlug}/${pipelineSlug}/builds/${buildNumber}`,
      BUILDKITE_COMMAND: '',
      BUILDKITE_COMMIT: COMMIT,
      BUILDKITE_JOB_ID: jobId,
      BUILDKITE_ORGANIZATION_SLUG: organizationSlug,
      BUILDKITE_PIPELINE_ID: ids.pipeline_id,
      BUILDKITE_PIPELINE_SLUG: pipelineSlug,
      BUILDKITE_PLUGIN_CONFIGURATION: stringifyJson(plan.settings),
      BUILDKITE_PULL_REQUEST: 'false',
      BUILDKITE_REPO: `git@bitbucket.org:${BITBUCKET.workspace}/${BITBUCKET.repository}.git`,
      BUILDKITE_RETRY_COUNT: '0',
      BUILDKITE_STEP_ID: '0190b1c2-5555-4abc-8def-000000000005',
      BUILDKITE_STEP_KEY: stepKey,
      BUILDKITE_TAG: '',
    },
  };
}

/** A CI hands down an environment of its own: nothing of this process but the way to its commands. */
function commonEnvironment({ simulators, folder }: StepPlan): Record<string, string> {
  return {
    PATH: process.env.PATH ?? '/usr/bin:/bin',
    HOME: join(folder, 'home'),
    TMPDIR: join(folder, 'tmp'),
    CI: 'true',
    KEYLESS_SUBMIT_SIMULATORS: simulators,
  };
}

function prepare({ folder, files }: StepPlan): string {
  const checkout = join(folder, 'checkout');
  for (const name of ['checkout', 'home', 'tmp']) mkdirSync(join(folder, name), { recursive: true });
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(checkout, path)), { recursive: true });
    writeFileSync(join(checkout, path), text);
  }
  return checkout;
}

/** Runs a step to its end. It gets `SIGTERM`, as from an agent, once its log matches `cancelWhen`. */
export function runStep(step: StepProcess, limitMs: number, cancelWhen?: RegExp): Promise<EndedStep> {
  const startedAt = performance.now();
  const child = spawn(step.command, step.args, {
    cwd: step.cwd,
    env: step.env,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: limitMs,
    killSignal: 'SIGKILL',
  });
  let log = '';
  let cancelled = false;
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      log += text;
      if (cancelled || cancelWhen === undefined || !cancelWhen.test(log)) return;
      cancelled = true;
      child.kill('SIGTERM');
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      const killed = signal === null ? '' : `\nThe step was killed by ${signal} after ${limitMs / 1000} s.\n`;
      resolve({ exitCode: code ?? -1, log: log + killed, seconds: (performance.now() - startedAt) / 1000 });
    });
  });
}
