import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BUILDKITE_PROTECTED, buildkiteHost } from '../../buildkite-plugin/buildkite-host.ts';
import { buildkiteSettings, readPluginConfiguration } from '../../buildkite-plugin/buildkite-settings.ts';
import { BITBUCKET_PROTECTED, bitbucketHost, TOKEN_VARIABLE } from '../../pipe/bitbucket-host.ts';
import { bitbucketSettings, readPipeVariables } from '../../pipe/bitbucket-settings.ts';
import { checkoutFiles } from '../../shared/edge/checkout-files.ts';
import type { Files } from '../../shared/files.ts';
import { isArray, isObject, type Json, stringifyJson } from '../../shared/json.ts';
import type { BindEnvironment } from '../../shared/run/bind.ts';
import { JOB_KINDS, KIND_SETTINGS } from '../../shared/services/index.ts';
import { ALL_SETTINGS } from '../../tools/kinds.ts';
import { agentOverHttp } from '../contract/agent-over-http.ts';
import { AGENT_ACCESS_TOKEN, BITBUCKET, BUILDKITE_JOB, COMMIT } from '../simulators/tenant.ts';
import { type Entry, parsePipeline } from './pipelines.ts';

export const ROOT = join(import.meta.dirname, '../..');

/** What pages call the reader's own files, in the words of the settings' examples, with those of the repository that stand for them. */
const READERS_FILES: Readonly<Record<string, string>> = {
  'training/job.yaml': 'examples/vertex-ai/pytorch-gpu.yaml',
  'prediction/job.yaml': 'examples/vertex-ai/batch-prediction-job.yaml',
  'training/run.yaml': 'examples/databricks/notebook-and-wheel.yaml',
  'training/run-now.yaml': 'examples/databricks/run-now.yaml',
  'vercel/deployment.yaml': 'examples/vercel/production.yaml',
};

/** What `vercel build` leaves, in the reader's repository and here. */
const BUILD = ['.vercel/output', 'examples/vercel/output'] as const;

function inRepository(path: string): string {
  const [readers, own] = BUILD;
  return path === readers || path.startsWith(`${readers}/`) ? `${own}${path.slice(readers.length)}` : path;
}

/** The repository as a step's checkout; what is written is kept in memory, for `written` to show. */
export interface Checkout extends Files {
  readonly written: Map<string, string>;
}

export function checkout(): Checkout {
  const written = new Map<string, string>();
  const files = checkoutFiles(ROOT);
  return {
    ...files,
    written,
    read: async (path, limit) => {
      const text = written.get(path);
      return text === undefined ? files.read(READERS_FILES[path] ?? inRepository(path), limit) : { text };
    },
    list: (path) => files.list(inRepository(path)),
    entry: (path) => files.entry(inRepository(path)),
    stream: (path) => files.stream(inRepository(path)),
    write: async (path, text) => {
      written.set(path, text);
    },
  };
}

/** The same in a step that comes after one which deployed. */
export function checkoutWithOutputs(): Checkout {
  const files = checkout();
  files.written.set('.keyless-submit/outputs.json', '{"kind":"vercel-deployment","id":"dpl_5XcUvDAnqzKdGy8Qz5kM"}');
  return files;
}

export interface StepOptions {
  readonly files: Files;
  readonly write?: (text: string) => void;
  /** More variables of the step, such as a token. */
  readonly env?: Readonly<Record<string, string>>;
  /** Where the agent's API is, for steps that run. */
  readonly agentApi?: string;
}

/** A pipe's entry as the pipe's main sees it: Bitbucket's own variables, the defaults of pipe.yml, and what the entry sets. */
export function pipeStep({ settings }: Entry, { files, write = () => undefined, env = {} }: StepOptions) {
  const own = { ...bitbucketVariables(), ...env };
  const all: Record<string, string> = { ...pipeDefaults(), ...own, ...pipeVariables(settings, own) };
  const given = readPipeVariables(all, { ...ALL_SETTINGS, ...bitbucketSettings });
  return {
    host: bitbucketHost({ env: all, settings: given, files, write }),
    hostSettings: bitbucketSettings,
    kinds: JOB_KINDS,
    kindSettings: KIND_SETTINGS,
    files,
    env: all,
    protectedVariables: BITBUCKET_PROTECTED,
  } satisfies BindEnvironment;
}

/** A plugin's entry as the plugin's main sees it. */
export function pluginStep(
  { settings, step }: Entry,
  { files, write = () => undefined, env = {}, agentApi = '' }: StepOptions,
) {
  const all: Record<string, string> = {
    ...buildkiteVariables(step),
    ...textMembers(step.env),
    ...env,
    BUILDKITE_PLUGIN_CONFIGURATION: stringifyJson(settings),
  };
  const { settings: given, problem } = readPluginConfiguration(
    all,
    JOB_KINDS.map(({ id }) => id),
  );
  if (problem !== undefined) throw new Error(problem);
  const { agent } = agentOverHttp(agentApi, all);
  return {
    host: buildkiteHost({ env: all, settings: given, files, agent, write }),
    hostSettings: buildkiteSettings,
    kinds: JOB_KINDS,
    kindSettings: KIND_SETTINGS,
    files,
    env: all,
    protectedVariables: BUILDKITE_PROTECTED,
  } satisfies BindEnvironment;
}

/** The audiences that a Bitbucket step asks for: its own, none for `oidc: true`; undefined where it has no `oidc`. */
export function stepAudiences({ step: { oidc } }: Entry): readonly string[] | undefined {
  if (oidc === true) return [];
  return isObject(oidc) && isArray(oidc.audiences) ? oidc.audiences.map(String) : undefined;
}

export function tokenVariables(token: string): Readonly<Record<string, string>> {
  return { [TOKEN_VARIABLE]: token };
}

/** Lists become NAME_COUNT, NAME_0, NAME_1…; `$NAME` is a variable of the step. */
function pipeVariables(
  settings: Readonly<Record<string, Json>>,
  env: Readonly<Record<string, string>>,
): Record<string, string> {
  const expanded = (text: string) => text.replace(/\$(\w+)/g, (_all, name: string) => env[name] ?? '');
  return Object.fromEntries(
    Object.entries(settings).flatMap(([name, value]) =>
      isArray(value)
        ? [
            [`${name}_COUNT`, String(value.length)],
            ...value.map((item, index) => [`${name}_${index}`, expanded(String(item))]),
          ]
        : [[name, expanded(String(value))]],
    ),
  );
}

function pipeDefaults(): Record<string, string> {
  const metadata = parsePipeline(readFileSync(join(ROOT, 'pipe.yml'), 'utf8'));
  const variables = isObject(metadata) && isArray(metadata.variables) ? metadata.variables : [];
  return Object.fromEntries(
    variables.flatMap((item) => (isObject(item) ? [[String(item.name), String(item.default)]] : [])),
  );
}

function bitbucketVariables(): Record<string, string> {
  const { workspace, repository } = BITBUCKET;
  return {
    CI: 'true',
    BITBUCKET_WORKSPACE: workspace,
    BITBUCKET_REPO_SLUG: repository,
    BITBUCKET_REPO_FULL_NAME: `${workspace}/${repository}`,
    BITBUCKET_REPO_UUID: BITBUCKET.repositoryUuid,
    BITBUCKET_PIPELINE_UUID: BITBUCKET.pipelineUuid,
    BITBUCKET_BUILD_NUMBER: '42',
    BITBUCKET_BRANCH: 'main',
    BITBUCKET_COMMIT: COMMIT,
    BITBUCKET_GIT_HTTP_ORIGIN: `http://bitbucket.org/${workspace}/${repository}`,
  };
}

function buildkiteVariables(step: Entry['step']): Record<string, string> {
  const { organizationSlug, pipelineSlug, buildNumber, jobId, ids } = BUILDKITE_JOB;
  return {
    CI: 'true',
    BUILDKITE: 'true',
    BUILDKITE_ORGANIZATION_SLUG: organizationSlug,
    BUILDKITE_PIPELINE_SLUG: pipelineSlug,
    BUILDKITE_PIPELINE_ID: ids.pipeline_id,
    BUILDKITE_BUILD_ID: ids.build_id,
    BUILDKITE_BUILD_NUMBER: String(buildNumber),
    BUILDKITE_BUILD_URL: `https://buildkite.com/${organizationSlug}/${pipelineSlug}/builds/${buildNumber}`,
    BUILDKITE_BRANCH: BUILDKITE_JOB.branch,
    BUILDKITE_COMMIT: COMMIT,
    BUILDKITE_REPO: 'git@bitbucket.org:acme/vision.git',
    BUILDKITE_PULL_REQUEST: 'false',
    BUILDKITE_JOB_ID: jobId,
    BUILDKITE_STEP_ID: `step of ${String(step.key ?? step.label)}`,
    ...(typeof step.key === 'string' ? { BUILDKITE_STEP_KEY: step.key } : {}),
    BUILDKITE_AGENT_ACCESS_TOKEN: AGENT_ACCESS_TOKEN,
  };
}

function textMembers(value: Json | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(isObject(value) ? value : {}).map(([name, text]) => [name, String(text)]));
}
