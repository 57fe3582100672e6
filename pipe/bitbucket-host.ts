import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { SubmitError } from '../shared/errors.ts';
import type { Files } from '../shared/files.ts';
import type { CiContext } from '../shared/host/ci-context.ts';
import type { Host, Outputs, SubjectTokenSource } from '../shared/host/host.ts';
import { variableName } from '../shared/host/output-names.ts';
import { outputsFileProblems, readOutputsFile, writeOutputsFiles } from '../shared/host/outputs-file.ts';
import { type ProtectedVariables, protectedBut } from '../shared/host/protected-variables.ts';
import { defined, type Json } from '../shared/json.ts';
import { PROJECT } from '../shared/project.ts';
import { plainLine } from '../shared/remote-text.ts';
import { Secret } from '../shared/secret.ts';
import { nearestName } from '../shared/settings/nearest-name.ts';
import { shortKey } from '../shared/submission-key.ts';
import { bitbucketLog } from './bitbucket-log.ts';
import { deleteReport, putReport, reportBody } from './bitbucket-reports.ts';
import { type Env, pipeVariable } from './bitbucket-settings.ts';

export const TOKEN_VARIABLE = 'BITBUCKET_STEP_OIDC_TOKEN';
/**
 * Facts of a step without `BITBUCKET_`. Not among them are the step's tokens and files.
 * https://support.atlassian.com/bitbucket-cloud/docs/variables-and-secrets/
 */
const FACTS = `
  BOOKMARK BRANCH BUILD_NUMBER CLONE_DIR COMMIT DEPLOYMENT_ENVIRONMENT DEPLOYMENT_ENVIRONMENT_UUID EXIT_CODE
  GIT_HTTP_ORIGIN GIT_SSH_ORIGIN PARALLEL_STEP PARALLEL_STEP_COUNT PIPELINE_UUID PROJECT_KEY PROJECT_UUID
  PR_DESTINATION_BRANCH PR_DESTINATION_COMMIT PR_ID REPO_FULL_NAME REPO_IS_PRIVATE REPO_OWNER REPO_OWNER_UUID
  REPO_SLUG REPO_UUID STEP_RUN_NUMBER STEP_TRIGGERER_UUID STEP_UUID TAG WORKSPACE WORKSPACE_UUID
`;
/** Variables of a pipe that may hold credentials of the CI. */
export const BITBUCKET_PROTECTED: ProtectedVariables = protectedBut(/^(?:BITBUCKET|PIPELINES)_/i, 'BITBUCKET_', FACTS);
const DEFAULT_OUTPUTS_FILE = '.keyless-submit/outputs.json';
// Bitbucket's limit on one audience of a step.
const AUDIENCE_LIMIT = 150;

interface BitbucketEnvironment {
  readonly env: Env;
  readonly settings: ReadonlyMap<string, Json>;
  readonly files: Files;
  readonly write: (text: string) => void;
}

/** Bitbucket Pipelines, seen from a pipe. */
export function bitbucketHost({ env, settings, files, write }: BitbucketEnvironment): Host {
  const context = bitbucketContext(env);
  const log = bitbucketLog(write, settings.get('debug') === true);
  const outputsFile = settings.get('outputs-file');
  const path = typeof outputsFile === 'string' ? outputsFile : DEFAULT_OUTPUTS_FILE;
  const reportId = (key: string) => `${PROJECT.name}-${shortKey(key)}`;

  return {
    context,
    settings,
    spell: pipeVariable,
    subjectTokens: bitbucketTokens(env),
    log,
    graceOnCancel: false,
    // Bitbucket hides only variables that were stored as secured; nothing can be added while a step runs.
    conceal: async () => undefined,
    report: (report, key) => putReport(env, reportId(key), reportBody(report, PROJECT.name, reportId(key))),
    removeReport: (key) => deleteReport(env, reportId(key)),
    publish: async (outputs, stage, key) => {
      const [json, shell] = await writeOutputsFiles(path, outputs, files);
      // Another pipe of the step may write the same files.
      await writeOutputsFiles(outputsFileOf(key), outputs, files);
      const shared = stage === 'final' ? await shareVariables(outputs, wantedVariables(settings), env) : [];
      return [json, `${shell} (for shells: . ${shell})`, ...shared];
    },
    publishProblems: async () => [
      ...(await outputsFileProblems(path, files)),
      ...(await variablesProblems(wantedVariables(settings), env)),
    ],
    // Another pipe of the same step may have left them; what a step writes is gone when it is run again.
    previousOutputs: async (key) => {
      const file = await readOutputsFile(outputsFileOf(key), files);
      return 'problem' in file ? undefined : file.outputs;
    },
    // Bitbucket kills a stopped step at once, and nothing of the pipe runs afterwards.
    remember: async () => undefined,
    forget: async () => undefined,
  };
}

/** Where the outputs of one submission are, whatever else the step submits. */
function outputsFileOf(key: string): string {
  return DEFAULT_OUTPUTS_FILE.replace(/\.json$/, `-${shortKey(key)}.json`);
}

function wantedVariables(settings: ReadonlyMap<string, Json>): readonly string[] {
  const wanted = settings.get('output-variables');
  return Array.isArray(wanted) ? wanted.map(String) : [];
}

async function shareVariables(outputs: Outputs, wanted: readonly string[], env: Env): Promise<readonly string[]> {
  if (wanted.length === 0) return [];
  const lines = Object.entries(outputs).flatMap(([name, value]) => {
    const variable = variableName(name);
    // One line each: a line feed in a value would begin another variable.
    return wanted.includes(variable) ? [`${variable}=${value.replace(/[\r\n\0]+/g, ' ')}\n`] : [];
  });
  await appendVariables(env, lines.join('')).catch((error: Error) => {
    throw new Error(`output-variables: ${error.message}`);
  });
  const there = Object.keys(outputs).map(variableName);
  const missing = wanted.filter((name) => !there.includes(name)).map((name) => lacking(name, there));
  const shared = lines.map((line) => line.slice(0, line.indexOf('=')));
  return [...(shared.length === 0 ? [] : [`variables ${shared.join(', ')}`]), ...missing];
}

/**
 * Appends lines to the file that Bitbucket reads a step's variables from. It is opened without waiting, since a FIFO would block
 * the step forever. https://support.atlassian.com/bitbucket-cloud/docs/variables-and-secrets/
 */
async function appendVariables(env: Env, lines: string): Promise<void> {
  const path = env.BITBUCKET_PIPELINES_VARIABLES_PATH;
  if (path === undefined || path === '')
    throw new Error('Bitbucket gave no BITBUCKET_PIPELINES_VARIABLES_PATH; use the outputs file');
  const refusal = (why: string) => new Error(`${plainLine(path, 200)} ${why}; use the outputs file`);
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;
  try {
    await using file = await open(path, flags);
    if (!(await file.stat()).isFile()) throw refusal('is not a file');
    await file.writeFile(lines);
  } catch (error) {
    throw error instanceof Error && 'code' in error ? refusal(`cannot be written (${error.code})`) : error;
  }
}

async function variablesProblems(wanted: readonly string[], env: Env) {
  if (wanted.length === 0) return [];
  return appendVariables(env, '').then(
    () => [],
    (error: Error) => [{ setting: 'output-variables', problem: error.message }],
  );
}

/** Some outputs are there in some endings only, so that one is not is no fault. */
function lacking(name: string, there: readonly string[]): string {
  const nearest = nearestName(name, there);
  return `no variable ${plainLine(name, 80)}: this run has no such output${nearest === undefined ? '' : `; did you mean ${nearest}?`}`;
}

/** https://support.atlassian.com/bitbucket-cloud/docs/variables-and-secrets/ */
export function bitbucketContext(env: Env): CiContext {
  const repository =
    env.BITBUCKET_REPO_FULL_NAME ?? `${env.BITBUCKET_WORKSPACE ?? 'unknown'}/${env.BITBUCKET_REPO_SLUG ?? 'unknown'}`;
  const buildNumber = env.BITBUCKET_BUILD_NUMBER ?? '0';
  const attempt = Number(env.BITBUCKET_STEP_RUN_NUMBER ?? '1');
  return {
    platform: 'bitbucket',
    repository,
    repositoryUrl: (env.BITBUCKET_GIT_HTTP_ORIGIN ?? `https://bitbucket.org/${repository}`)
      .replace(/^http:/, 'https:')
      .replace(/\/\/[^/@]*@/, '//'),
    pipeline: env.BITBUCKET_REPO_UUID ?? repository,
    commit: env.BITBUCKET_COMMIT ?? 'unknown',
    build: env.BITBUCKET_PIPELINE_UUID ?? buildNumber,
    buildNumber,
    buildUrl: `https://bitbucket.org/${repository}/pipelines/results/${buildNumber}`,
    // Two steps of a build may submit the very same thing. A step that is run again counts its runs, so it stays the same step.
    step: env.BITBUCKET_STEP_UUID ?? '',
    attempt: Number.isSafeInteger(attempt) && attempt > 0 ? attempt : 1,
    // A step's retry strategy cannot be told from a person's re-run; only failed steps are run again, so a success is kept.
    retry: attempt > 1 ? 'automatic' : 'none',
    ...defined({
      branch: env.BITBUCKET_BRANCH || undefined,
      tag: env.BITBUCKET_TAG || undefined,
      pullRequest: env.BITBUCKET_PR_ID || undefined,
      parallelIndex: env.BITBUCKET_PARALLEL_STEP || undefined,
      deploymentEnvironment: env.BITBUCKET_DEPLOYMENT_ENVIRONMENT || undefined,
    }),
  };
}

/** The one token of the step. https://support.atlassian.com/bitbucket-cloud/docs/integrate-pipelines-with-resource-servers-using-oidc/ */
function bitbucketTokens(env: Env): SubjectTokenSource {
  const howToRequest = (audience: string): readonly string[] => [
    'In bitbucket-pipelines.yml, on the step:',
    '  oidc:',
    '    audiences:',
    `      - ${audience}`,
    ...(audience.length > AUDIENCE_LIMIT
      ? [
          `That audience has ${audience.length} characters and Bitbucket takes ${AUDIENCE_LIMIT}: allow Bitbucket's default audience at the service instead, with \`oidc: true\`.`,
        ]
      : []),
  ];
  return {
    renewable: false,
    howToRequest,
    changingSubject: () => "Bitbucket's subject names the step, so it is another one in each run",
    isDefaultAudience: (audience) => audience.startsWith('ari:cloud:bitbucket::workspace/'),
    getSubjectToken: async ({ audience }) => {
      const token = env[TOKEN_VARIABLE]?.trim();
      if (token !== undefined && token !== '') return new Secret(token);
      throw new SubmitError('token-missing', {
        happened: `The step has no OIDC token (${TOKEN_VARIABLE} is not set)`,
        expected: ['a step with `oidc: true`, or with the audience that the service expects'],
        remedy: [
          'Add `oidc: true` to the step, where the service allows the default audience of your workspace. Else name the audience:',
          ...howToRequest(audience),
        ],
      });
    },
  };
}
