import type { Files } from '../shared/files.ts';
import type { Host, Outputs } from '../shared/host.ts';
import { isObject, type Json, parseJson, stringifyJson, textAt } from '../shared/json.ts';
import { shellFile, shellPath } from '../shared/output-names.ts';
import { PROJECT } from '../shared/project.ts';
import { type ProtectedVariables, protectedBut } from '../shared/protected-variables.ts';
import { plainLine } from '../shared/remote-text.ts';
import { collectFaults, parseSettings, type SettingValues } from '../shared/settings.ts';
import type { Agent } from './agent.ts';
import { annotationBody, annotationStyle } from './annotation.ts';
import { buildkiteContext } from './buildkite-context.ts';
import { buildkiteLog } from './buildkite-log.ts';
import { buildkiteSettings, type Env } from './buildkite-settings.ts';
import { buildkiteTokens } from './buildkite-tokens.ts';
import { forgetJob, rememberJob } from './remembered-job.ts';

/**
 * Facts of a build without `BUILDKITE_`. Not among them are the agent's own settings and credentials, and the configuration of plugins.
 * https://buildkite.com/docs/pipelines/configure/environment-variables
 */
const FACTS = [
  'AGENT_ID',
  'AGENT_META_DATA_QUEUE',
  'AGENT_NAME',
  'BRANCH',
  'BUILD_AUTHOR',
  'BUILD_AUTHOR_EMAIL',
  'BUILD_CHECKOUT_PATH',
  'BUILD_CREATOR',
  'BUILD_CREATOR_EMAIL',
  'BUILD_CREATOR_TEAMS',
  'BUILD_ID',
  'BUILD_NUMBER',
  'BUILD_PATH',
  'BUILD_URL',
  'CLUSTER_ID',
  'CLUSTER_NAME',
  'COMMIT',
  'COMMIT_RESOLVED',
  'COMPUTE_TYPE',
  'GITHUB_DEPLOYMENT_ENVIRONMENT',
  'GITHUB_DEPLOYMENT_ID',
  'GITHUB_DEPLOYMENT_TASK',
  'GITHUB_EVENT',
  'GROUP_ID',
  'GROUP_KEY',
  'GROUP_LABEL',
  'JOB_ID',
  'LABEL',
  'MERGE_QUEUE_BASE_BRANCH',
  'MERGE_QUEUE_BASE_COMMIT',
  'MESSAGE',
  'ORGANIZATION_ID',
  'ORGANIZATION_SLUG',
  'PARALLEL_JOB',
  'PARALLEL_JOB_COUNT',
  'PIPELINE_DEFAULT_BRANCH',
  'PIPELINE_ID',
  'PIPELINE_NAME',
  'PIPELINE_PROVIDER',
  'PIPELINE_SLUG',
  'PIPELINE_TEAMS',
  'PULL_REQUEST',
  'PULL_REQUEST_BASE_BRANCH',
  'PULL_REQUEST_DRAFT',
  'PULL_REQUEST_LABELS',
  'PULL_REQUEST_REPO',
  'REBUILT_FROM_BUILD_ID',
  'REBUILT_FROM_BUILD_NUMBER',
  'REFSPEC',
  'REPO',
  'RETRY_COUNT',
  'RETRY_TYPE',
  'SOURCE',
  'STEP_ID',
  'STEP_KEY',
  'TAG',
  'TIMEOUT',
  'TRIGGERED_FROM_BUILD_ID',
  'TRIGGERED_FROM_BUILD_NUMBER',
  'TRIGGERED_FROM_BUILD_PIPELINE_SLUG',
  'UNBLOCKER',
  'UNBLOCKER_EMAIL',
  'UNBLOCKER_ID',
  'UNBLOCKER_NAME',
  'UNBLOCKER_TEAMS',
];
/** Variables of a job that may hold credentials of the CI. */
export const BUILDKITE_PROTECTED: ProtectedVariables = protectedBut(
  /^BUILDKITE_/i,
  FACTS.map((name) => `BUILDKITE_${name}`),
);
const REPORT_TIMEOUT_MS = 10_000;
const REDACT_TIMEOUT_MS = 5_000;
/** Buildkite discourages larger values of single keys. */
const LONGEST_VALUE = 1_000;
const LARGEST_JSON = 90_000;

export interface BuildkiteEnvironment {
  readonly env: Env;
  readonly settings: ReadonlyMap<string, Json>;
  readonly files: Files;
  readonly agent: Agent;
  readonly write: (text: string) => void;
}

/** Buildkite, seen from a plugin's hook. */
export function buildkiteHost({ env, settings, files, agent, write }: BuildkiteEnvironment): Host {
  const context = buildkiteContext(env);
  const log = buildkiteLog(write, settings.get('debug') === true || settings.get('debug') === 'true');
  const outputsFile = settings.get('outputs-file');
  const scope = metaDataScope(env);

  const mustSucceed = async (args: readonly string[], input: string): Promise<void> => {
    const { exitCode, stderr } = await agent(args, { input, timeoutMs: REPORT_TIMEOUT_MS });
    if (exitCode !== 0)
      throw new Error(
        `buildkite-agent ${args.slice(0, 2).join(' ')} ended with ${exitCode}: ${plainLine(stderr, 200)}`,
      );
  };

  const publishedOutputs = async (key: string): Promise<Outputs | undefined> => {
    const { exitCode, stdout } = await agent(['meta-data', 'get', key], { timeoutMs: REPORT_TIMEOUT_MS });
    return exitCode === 0 ? readOutputs(stdout) : undefined;
  };

  return {
    context,
    settings,
    whereSettingsShow: 'the configuration of the plugin, which everybody who can see the build can read',
    spell: (setting) => setting,
    subjectTokens: buildkiteTokens(agent, env, () => ownSettings(settings)),
    log,
    graceOnCancel: true,
    conceal: async (secrets) => {
      // The redactor lives behind the job's socket; without it nothing could be hidden, and nothing of it is printed either.
      if (env.BUILDKITE_AGENT_JOB_API_SOCKET === undefined) return;
      const values = Object.fromEntries(secrets.map((secret, index) => [String(index), secret.reveal()]));
      const { exitCode } = await agent(['redactor', 'add', '--format', 'json'], {
        input: JSON.stringify(values),
        timeoutMs: REDACT_TIMEOUT_MS,
      });
      if (exitCode !== 0)
        log.debug(`buildkite-agent redactor add ended with ${exitCode}; tokens are never printed all the same`);
    },
    report: (report) =>
      mustSucceed(
        [
          'annotate',
          '--context',
          `${PROJECT.name}-${env.BUILDKITE_STEP_ID ?? 'step'}-${env.BUILDKITE_PARALLEL_JOB ?? '0'}`.slice(0, 100),
          '--style',
          annotationStyle(report),
        ],
        annotationBody(report),
      ),
    publish: async (outputs, stage) => {
      const places: string[] = [];
      if (typeof outputsFile === 'string') {
        await files.write(outputsFile, `${stringifyJson(outputs, 2)}\n`);
        await files.write(shellPath(outputsFile), shellFile(outputs));
        places.push(outputsFile, shellPath(outputsFile));
      }
      // Each value is a process of its own, so single ones wait until they are final.
      const values = stage === 'final' ? metaDataValues(outputs) : [];
      await Promise.all([
        mustSucceed(['meta-data', 'set', scope], stringifyJson(withinLimit(outputs))),
        ...values.map(([name, value]) => mustSucceed(['meta-data', 'set', `${scope}:${name}`], value)),
      ]);
      return [...places, `meta-data ${scope}:NAME (buildkite-agent meta-data get ${scope}:id)`];
    },
    earlierOutputs: (step) => publishedOutputs(`${PROJECT.name}:${step}`),
    previousOutputs: () => publishedOutputs(scope),
    remember: (job) => rememberJob(env, job),
    forget: () => forgetJob(env),
  };
}

/** `keyless-submit:STEP`, by the step's key where it has one, with the index of a parallel job. */
function metaDataScope(env: Env): string {
  const step = env.BUILDKITE_STEP_KEY || env.BUILDKITE_STEP_ID || 'step';
  return `${PROJECT.name}:${step}${env.BUILDKITE_PARALLEL_JOB ? `:${env.BUILDKITE_PARALLEL_JOB}` : ''}`;
}

function metaDataValues(outputs: Outputs): readonly (readonly [string, string])[] {
  return Object.entries(outputs).filter(([, value]) => value.trim() !== '' && value.length <= LONGEST_VALUE);
}

/** Values are limited to 100 kB; what is longest goes first, and what attach needs is short. */
function withinLimit(outputs: Outputs): Outputs {
  const entries = Object.entries(outputs).toSorted(([, left], [, right]) => left.length - right.length);
  while (Buffer.byteLength(stringifyJson(Object.fromEntries(entries))) > LARGEST_JSON) entries.pop();
  return Object.fromEntries(entries);
}

function readOutputs(text: string): Outputs | undefined {
  try {
    const outputs = parseJson(text);
    return isObject(outputs)
      ? Object.fromEntries(Object.keys(outputs).map((name) => [name, textAt(outputs, name) ?? '']))
      : undefined;
  } catch {
    return undefined;
  }
}

/** The plugin's own settings. Faults in them end the run before any is used; until then the defaults stand. */
function ownSettings(settings: ReadonlyMap<string, Json>): SettingValues<typeof buildkiteSettings> {
  return (
    parseSettings(
      buildkiteSettings,
      settings,
      collectFaults((name) => name),
    ) ?? {
      'oidc-claims': [],
      'oidc-subject-claim': undefined,
      'oidc-lifetime': undefined,
    }
  );
}
