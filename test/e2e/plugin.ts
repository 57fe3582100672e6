import { execFileSync } from 'node:child_process';
import { cpSync, globSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Json, stringifyJson } from '../../shared/json.ts';
import { AGENT_ACCESS_TOKEN, BUILDKITE_JOB } from '../simulators/tenant.ts';
import { type FileTree, type NewTree, NODE, packagings, readTree, temporaryFolder, writeTree } from './folders.ts';
import { type Ended, type Env, type Running, start } from './process.ts';
import { installRecordingAgent, type RecordedCall } from './recording-agent.ts';

export const JOB_API_TOKEN = 'simulated-job-api-token';

export interface PluginOptions {
  /** The address of the simulators; `agent-edge.buildkite.com` of them is the agent's endpoint. */
  readonly simulators: string;
  /** What the pipeline sets for the plugin; undefined where the agent fails to pass it on. */
  readonly config: Readonly<Record<string, Json>> | undefined;
  readonly checkout?: NewTree;
  /** Where the hooks are started, below the folder of the step; default the checkout. */
  readonly directory?: string;
  /** More of the job's environment; undefined takes a variable away. */
  readonly env?: Env;
  readonly agentVersion?: string;
  /** Whether the agent serves the Job API; default true. */
  readonly jobApi?: boolean;
  /** Shell lines that run in every `buildkite-agent` before the stand-in does. */
  readonly beforeAgent?: string;
  /** Commands on PATH beside the agent and a few of the system's, by name: a script, or `null` for none. Default: the pinned Node. */
  readonly commands?: Readonly<Record<string, string | null>>;
  /** Where the agent puts the plugin, below the folder of the step; by default steps share a clone, as those of one agent do. */
  readonly pluginFolder?: string;
}

export interface PluginStep extends Disposable {
  readonly folder: string;
  readonly checkout: string;
  readonly plugin: string;
  /** Starts the command hook, as the agent does: sourced by a shell in the checkout. */
  command(): Running;
  /** Runs the pre-exit hook, in the environment that the agent gives it; other hooks may have changed that. */
  preExit(changes?: Env): Promise<Ended>;
  /** The beginning of the paths of the folders in which this step may be remembered. */
  readonly rememberedAt: string;
  agentCalls(): readonly RecordedCall[];
  /** What lies below `checkout/`, `home/` and `tmp/`. */
  files(): FileTree;
}

export interface PluginEnded extends Ended {
  readonly preExit: Ended;
  readonly agentCalls: readonly RecordedCall[];
  readonly files: FileTree;
}

/** What the hooks may count on besides Node. */
const SYSTEM_COMMANDS = ['bash', 'sh', 'env', 'dirname', 'id', 'sed'];

/** Prepares a step of a job with the plugin as agents get it: a clone without dependencies, on a machine with little on PATH. */
export async function pluginStep(options: PluginOptions): Promise<PluginStep> {
  // Nothing promises paths without spaces.
  const temporary = temporaryFolder('a step');
  const folder = temporary.path;
  const path = (name: string): string => {
    mkdirSync(join(folder, name), { recursive: true });
    return join(folder, name);
  };
  const { pluginFolder } = options;
  const { plugin: clone } = await packagings();
  const plugin = pluginFolder === undefined ? clone : copyOf(clone, path(pluginFolder));
  const checkout = path('checkout');
  writeTree(checkout, options.checkout ?? {});

  const agent = installRecordingAgent(folder, options.agentVersion);
  const bin = path('bin');
  for (const name of SYSTEM_COMMANDS) symlinkSync(locate(name), join(bin, name));
  script(join(bin, 'buildkite-agent'), `${options.beforeAgent ?? ''}\nexec '${agent.bin}/buildkite-agent' "$@"`);
  for (const [name, text] of Object.entries({ node: `exec '${NODE}' "$@"`, ...options.commands })) {
    if (text !== null) script(join(bin, name), text);
  }

  const env = {
    PATH: bin,
    HOME: path('home'),
    TMPDIR: path('tmp'),
    TERM: 'xterm-256color',
    ...jobEnvironment(checkout, options),
    ...options.env,
  };
  const job = `${env.BUILDKITE_JOB_ID}-${env.BUILDKITE_AGENT_ENDPOINT}`.replace(/[^\w-]/g, '');
  const rememberedAt = `/tmp/keyless-submit-${job}.`;
  let running: Running | undefined;
  const hook = (name: string, changes: Env) =>
    start('bash', ['-c', '. "$0"', join(plugin, 'hooks', name)], {
      cwd: path(options.directory ?? 'checkout'),
      env: { ...env, ...changes },
    });
  return {
    folder,
    checkout,
    plugin,
    command: () => {
      running = hook('command', {});
      return running;
    },
    preExit: (changes) => hook('pre-exit', { BUILDKITE_COMMAND_EXIT_STATUS: '0', ...changes }).ended,
    rememberedAt,
    agentCalls: agent.calls,
    files: () => readTree(folder, ['checkout', 'home', 'tmp']),
    [Symbol.dispose]: () => {
      running?.[Symbol.dispose]();
      for (const left of globSync(`${rememberedAt}*`)) rmSync(left, { recursive: true, force: true });
      temporary[Symbol.dispose]();
    },
  };
}

/** Runs the command hook and then the pre-exit hook. */
export async function runPlugin(options: PluginOptions): Promise<PluginEnded> {
  using step = await pluginStep(options);
  const ended = await step.command().ended;
  const preExit = await step.preExit();
  return { ...ended, preExit, agentCalls: step.agentCalls(), files: step.files() };
}

/** All of the plugin that its hooks use. */
const USED = ['hooks', 'buildkite-plugin', 'plugin.yml', 'pipe.yml'];

function copyOf(plugin: string, target: string): string {
  for (const name of USED) cpSync(join(plugin, name), join(target, name), { recursive: true });
  return target;
}

/** Writes an executable shell script. */
export function script(path: string, text: string): void {
  writeFileSync(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
}

/** https://buildkite.com/docs/pipelines/configure/environment-variables */
function jobEnvironment(checkout: string, { simulators, config, jobApi = true }: PluginOptions) {
  const { organizationSlug: organization, pipelineSlug: pipeline, buildNumber, ids } = BUILDKITE_JOB;
  const reference = 'https://github.com/keyless-submit/keyless-submit-buildkite-plugin#v1.0.0';
  return {
    BUILDKITE: 'true',
    CI: 'true',
    BUILDKITE_AGENT_ACCESS_TOKEN: AGENT_ACCESS_TOKEN,
    BUILDKITE_AGENT_ENDPOINT: `${simulators}/agent-edge.buildkite.com/v3`,
    BUILDKITE_AGENT_ID: BUILDKITE_JOB.agentId,
    BUILDKITE_AGENT_NAME: 'builder-1',
    BUILDKITE_BRANCH: BUILDKITE_JOB.branch,
    BUILDKITE_BUILD_CHECKOUT_PATH: checkout,
    BUILDKITE_BUILD_ID: ids.build_id,
    BUILDKITE_BUILD_NUMBER: String(buildNumber),
    BUILDKITE_BUILD_URL: `https://buildkite.com/${organization}/${pipeline}/builds/${buildNumber}`,
    BUILDKITE_COMMAND: '',
    BUILDKITE_COMMIT: BUILDKITE_JOB.commit,
    BUILDKITE_JOB_ID: BUILDKITE_JOB.jobId,
    BUILDKITE_LABEL: ':rocket: Train',
    BUILDKITE_ORGANIZATION_ID: ids.organization_id,
    BUILDKITE_ORGANIZATION_SLUG: organization,
    BUILDKITE_PIPELINE_ID: ids.pipeline_id,
    BUILDKITE_PIPELINE_SLUG: pipeline,
    BUILDKITE_PULL_REQUEST: 'false',
    BUILDKITE_REPO: `git@bitbucket.org:${organization}/${pipeline}.git`,
    BUILDKITE_RETRY_COUNT: '0',
    BUILDKITE_SOURCE: 'webhook',
    BUILDKITE_STEP_ID: '0190b1c2-5555-4abc-8def-000000000005',
    BUILDKITE_STEP_KEY: BUILDKITE_JOB.stepKey,
    BUILDKITE_TAG: '',
    KEYLESS_SUBMIT_SIMULATORS: simulators,
    ...(jobApi
      ? {
          BUILDKITE_AGENT_JOB_API_SOCKET: `/tmp/job-api/${BUILDKITE_JOB.jobId}.sock`,
          BUILDKITE_AGENT_JOB_API_TOKEN: JOB_API_TOKEN,
        }
      : {}),
    BUILDKITE_PLUGINS: stringifyJson([{ [reference]: config ?? null }]),
    ...(config === undefined
      ? {}
      : {
          BUILDKITE_PLUGIN_NAME: 'KEYLESS_SUBMIT',
          BUILDKITE_PLUGIN_CONFIGURATION: goJson(config),
          ...flattened('BUILDKITE_PLUGIN_KEYLESS_SUBMIT', config),
        }),
  };
}

/** The agent is written in Go, whose JSON keeps these out of HTML. */
function goJson(config: Json): string {
  return stringifyJson(config).replace(
    /[<>&]/g,
    (character) => `\\u00${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

/** https://buildkite.com/docs/pipelines/integrations/plugins/writing#step-2-add-a-hook */
function flattened(name: string, value: Json): Record<string, string> {
  if (typeof value !== 'object' || value === null) return { [name]: String(value) };
  return Object.assign(
    {},
    ...Object.entries(value).map(([key, item]) =>
      flattened(`${name}_${key.toUpperCase().replace(/[-\s]/g, '_')}`, item as Json),
    ),
  );
}

function locate(command: string): string {
  return execFileSync('sh', ['-c', `command -v ${command}`], { encoding: 'utf8' }).trim();
}
