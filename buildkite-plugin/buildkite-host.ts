import type { Files } from '../shared/files.ts';
import type { Host, Outputs } from '../shared/host/host.ts';
import { outputsFileProblems, readOutputs, writeOutputsFiles } from '../shared/host/outputs-file.ts';
import { type ProtectedVariables, protectedBut } from '../shared/host/protected-variables.ts';
import { defined, type Json, stringifyJson } from '../shared/json.ts';
import { PROJECT } from '../shared/project.ts';
import { plainLine } from '../shared/remote-text.ts';
import { collectFaults, parseSettings, type SettingValues } from '../shared/settings/settings.ts';
import { shortKey } from '../shared/submission-key.ts';
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
const FACTS = `
  AGENT_ID AGENT_META_DATA_QUEUE AGENT_NAME BRANCH BUILD_AUTHOR BUILD_AUTHOR_EMAIL BUILD_CHECKOUT_PATH BUILD_CREATOR
  BUILD_CREATOR_EMAIL BUILD_CREATOR_TEAMS BUILD_ID BUILD_NUMBER BUILD_PATH BUILD_URL CLUSTER_ID CLUSTER_NAME COMMIT
  COMMIT_RESOLVED COMPUTE_TYPE GITHUB_DEPLOYMENT_ENVIRONMENT GITHUB_DEPLOYMENT_ID GITHUB_DEPLOYMENT_TASK GITHUB_EVENT
  GROUP_ID GROUP_KEY GROUP_LABEL JOB_ID LABEL MERGE_QUEUE_BASE_BRANCH MERGE_QUEUE_BASE_COMMIT MESSAGE ORGANIZATION_ID
  ORGANIZATION_SLUG PARALLEL_JOB PARALLEL_JOB_COUNT PIPELINE_DEFAULT_BRANCH PIPELINE_ID PIPELINE_NAME
  PIPELINE_PROVIDER PIPELINE_SLUG PIPELINE_TEAMS PULL_REQUEST PULL_REQUEST_BASE_BRANCH PULL_REQUEST_DRAFT
  PULL_REQUEST_LABELS PULL_REQUEST_REPO REBUILT_FROM_BUILD_ID REBUILT_FROM_BUILD_NUMBER REFSPEC REPO RETRY_COUNT
  RETRY_TYPE SOURCE STEP_ID STEP_KEY TAG TIMEOUT TRIGGERED_FROM_BUILD_ID TRIGGERED_FROM_BUILD_NUMBER
  TRIGGERED_FROM_BUILD_PIPELINE_SLUG UNBLOCKER UNBLOCKER_EMAIL UNBLOCKER_ID UNBLOCKER_NAME UNBLOCKER_TEAMS
`;
/** Variables of a job that may hold credentials of the CI. */
export const BUILDKITE_PROTECTED: ProtectedVariables = {
  ...protectedBut(/^BUILDKITE_/i, 'BUILDKITE_', FACTS),
  ofSettings: /^BUILDKITE_PLUGIN/,
};
const REPORT_TIMEOUT_MS = 10_000;
const REDACT_TIMEOUT_MS = 5_000;
/** Buildkite discourages larger values of single keys. */
const LONGEST_VALUE = 1_000;
const LARGEST_JSON = 90_000;

interface BuildkiteEnvironment {
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

  const publishedOutputs = async (place: string, signal?: AbortSignal): Promise<Outputs | undefined> => {
    const limits = { timeoutMs: REPORT_TIMEOUT_MS, ...defined({ signal }) };
    const { exitCode, stdout } = await agent(['meta-data', 'get', place], limits);
    return exitCode === 0 ? readOutputs(stdout) : undefined;
  };

  /**
   * Whether another job of the step, such as one of a matrix, published another submission: then no single one may pass for the
   * step's. In a re-run, an earlier run of the same job may be the other one.
   */
  const isOfSeveral = async (outputs: Outputs): Promise<boolean> => {
    const other = await publishedOutputs(scope);
    return other?.result === SEVERAL || (context.attempt <= 1 && other !== undefined && other.id !== outputs.id);
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
    report: (report, key) =>
      mustSucceed(
        ['annotate', '--context', annotationContext(key), '--style', annotationStyle(report)],
        annotationBody(report),
      ),
    removeReport: (key) => mustSucceed(['annotation', 'remove', '--context', annotationContext(key)], ''),
    publish: async (outputs, stage, key) => {
      const own = `${scope}:${shortKey(key)}`;
      const isShared = await isOfSeveral(outputs);
      const shown = isShared ? { kind: outputs.kind ?? '', result: SEVERAL } : outputs;
      // Each value takes a process, so single ones wait until they are final.
      const isValue = ([, value]: [string, string]) => value.trim() !== '' && value.length <= LONGEST_VALUE;
      const values = stage === 'final' ? Object.entries(outputs).filter(isValue) : [];
      // What fails in one place keeps no other from being written.
      const [places] = await Promise.all([
        typeof outputsFile === 'string' ? writeOutputsFiles(outputsFile, outputs, files) : [],
        mustSucceed(['meta-data', 'set', own], stringifyJson(withinLimit(outputs))),
        mustSucceed(['meta-data', 'set', scope], stringifyJson(withinLimit(shown))),
        ...values.map(([name, value]) =>
          mustSucceed(['meta-data', 'set', `${scope}:${name}`], isShared ? SEVERAL : value),
        ),
      ]);
      return isShared
        ? [...places, `meta-data ${own} (this step has several submissions: buildkite-agent meta-data get ${own})`]
        : [...places, `meta-data ${scope}:NAME (buildkite-agent meta-data get ${scope}:id)`];
    },
    earlierOutputs: async (step, signal) => {
      const place = `${PROJECT.name}:${step}`;
      const { stdout } = await agent(['meta-data', 'keys'], { timeoutMs: REPORT_TIMEOUT_MS, signal });
      const owned = stdout
        .split('\n')
        .filter((name) => name.startsWith(`${place}:`) && OWN_PLACE.test(name.slice(place.length)));
      // Where the agent cannot list the keys, the one place of the step is all there is.
      const found = await Promise.all(
        (owned.length === 0 ? [place] : owned).map((each) => publishedOutputs(each, signal)),
      );
      return found.filter((outputs) => outputs !== undefined);
    },
    previousOutputs: (key, signal) => publishedOutputs(`${scope}:${shortKey(key)}`, signal),
    publishProblems: async () => (typeof outputsFile === 'string' ? outputsFileProblems(outputsFile, files) : []),
    remember: (job) => rememberJob(env, job),
    forget: () => forgetJob(env),
  };
}

/** What stands for an output that a step's several submissions each have. */
const SEVERAL = 'several';
/** After a step's name: the index of a parallel job, and the beginning of a submission key. */
const OWN_PLACE = /^(?::\d+)?:[0-9a-f]{12}$/;

function annotationContext(key: string): string {
  return `${PROJECT.name}-${shortKey(key)}`;
}

/** `keyless-submit:STEP`, by the step's key where it has one, with the index of a parallel job. */
function metaDataScope(env: Env): string {
  const step = env.BUILDKITE_STEP_KEY || env.BUILDKITE_STEP_ID || 'step';
  return `${PROJECT.name}:${step}${env.BUILDKITE_PARALLEL_JOB ? `:${env.BUILDKITE_PARALLEL_JOB}` : ''}`;
}

/** Values are limited to 100 kB; what is longest goes first, and what attach needs is short. */
function withinLimit(outputs: Outputs): Outputs {
  const entries = Object.entries(outputs).toSorted(([, left], [, right]) => left.length - right.length);
  while (Buffer.byteLength(stringifyJson(Object.fromEntries(entries))) > LARGEST_JSON) entries.pop();
  return Object.fromEntries(entries);
}

/** The plugin's own settings. Faults in them end the run before any is used; until then the defaults stand. */
function ownSettings(settings: ReadonlyMap<string, Json>): SettingValues<typeof buildkiteSettings> {
  const faults = collectFaults((name) => name);
  return (
    parseSettings(buildkiteSettings, settings, faults) ?? {
      'oidc-claims': [],
      'oidc-subject-claim': undefined,
      'oidc-lifetime': undefined,
    }
  );
}
