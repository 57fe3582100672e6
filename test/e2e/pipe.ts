import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { pipeVariable } from '../../pipe/bitbucket-settings.ts';
import { type Json, stringifyJson } from '../../shared/json.ts';
import { BITBUCKET, COMMIT } from '../simulators/tenant.ts';
import {
  type FileTree,
  type NewTree,
  NODE,
  packagings,
  ROOT,
  readTree,
  temporaryFolder,
  writeTree,
} from './folders.ts';
import { type Env, type Running, start } from './process.ts';

/** The step's credential for other things of Bitbucket, which a pipe finds in its environment. */
export const PIPELINES_JWT =
  'eyJhbGciOiJSUzI1NiJ9.eyJwaXBlbGluZXMiOiJzZWNyZXQgb2YgdGhlIHN0ZXAifQ.c2lnbmF0dXJlLW9mLXRoZS1waXBlbGluZXM';

export interface PipeOptions {
  /** The address of the simulators, Code Insights among them. */
  readonly simulators: string;
  /** The step's `BITBUCKET_STEP_OIDC_TOKEN`; undefined for a step without `oidc: true`. */
  readonly token: string | undefined;
  /** The pipe's `variables`: a list arrives as NAME_COUNT and NAME_0, NAME_1, … */
  readonly variables: Readonly<Record<string, string | readonly string[]>>;
  readonly checkout?: NewTree;
  /** More of the environment; undefined takes a variable away. */
  readonly env?: Env;
}

export interface PipeStep extends Disposable {
  run(): Running;
  /** What lies below `checkout/`, `home/` and `tmp/`, and `agent/variables.env`. */
  files(): FileTree;
}

/** Prepares a step with the pipe's bundle, in the environment that Bitbucket gives to a pipe's container. */
export async function pipeStep(options: PipeOptions): Promise<PipeStep> {
  const temporary = temporaryFolder('a step');
  const folder = temporary.path;
  const path = (name: string): string => {
    mkdirSync(join(folder, name), { recursive: true });
    return join(folder, name);
  };
  const checkout = path('checkout');
  const variablesFile = join(path('agent'), 'variables.env');
  writeTree(checkout, options.checkout ?? {});
  writeTree(folder, { 'agent/variables.env': '' });
  const { pipe: program } = await packagings();
  const env = {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: path('home'),
    TMPDIR: path('tmp'),
    HOSTNAME: '5d0c1b2a3f4e',
    NODE_VERSION: '24.21.0',
    YARN_VERSION: '1.22.22',
    ...stepEnvironment(checkout, variablesFile),
    BITBUCKET_STEP_OIDC_TOKEN: options.token,
    KEYLESS_SUBMIT_SIMULATORS: options.simulators,
    ...defaults(),
    ...expanded(options.variables),
    ...options.env,
  };
  let running: Running | undefined;
  return {
    run: () => {
      running = start(NODE, [program], { cwd: checkout, env });
      return running;
    },
    files: () => readTree(folder, ['checkout', 'home', 'tmp', 'agent']),
    [Symbol.dispose]: () => {
      running?.[Symbol.dispose]();
      temporary[Symbol.dispose]();
    },
  };
}

/** Settings as people write them into a pipe's `variables`: structures as JSON, lists as lists of text. */
export function asVariables(
  settings: Readonly<Record<string, Json>>,
): Readonly<Record<string, string | readonly string[]>> {
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => {
      const list = Array.isArray(value) && value.every((item) => typeof item === 'string');
      return [pipeVariable(name), list ? value : typeof value === 'string' ? value : stringifyJson(value)];
    }),
  );
}

/** https://support.atlassian.com/bitbucket-cloud/docs/variables-and-secrets/ */
function stepEnvironment(checkout: string, variablesFile: string): Env {
  const { workspace, repository } = BITBUCKET;
  const storage = `${checkout}/.bitbucket/pipelines/generated/pipeline/pipes`;
  return {
    CI: 'true',
    BITBUCKET_BRANCH: 'main',
    BITBUCKET_BUILD_NUMBER: '42',
    BITBUCKET_CLONE_DIR: checkout,
    BITBUCKET_COMMIT: COMMIT,
    BITBUCKET_DOCKER_HOST_INTERNAL: '10.39.0.1',
    BITBUCKET_GIT_HTTP_ORIGIN: `http://bitbucket.org/${workspace}/${repository}`,
    BITBUCKET_GIT_SSH_ORIGIN: `git@bitbucket.org:${workspace}/${repository}.git`,
    BITBUCKET_PIPELINE_UUID: BITBUCKET.pipelineUuid,
    BITBUCKET_PIPELINES_VARIABLES_PATH: variablesFile,
    BITBUCKET_PIPE_SHARED_STORAGE_DIR: storage,
    BITBUCKET_PIPE_STORAGE_DIR: `${storage}/${workspace}/keyless-submit`,
    BITBUCKET_PROJECT_KEY: 'ML',
    BITBUCKET_REPO_FULL_NAME: `${workspace}/${repository}`,
    BITBUCKET_REPO_IS_PRIVATE: 'true',
    BITBUCKET_REPO_OWNER: workspace,
    BITBUCKET_REPO_OWNER_UUID: BITBUCKET.workspaceUuid,
    BITBUCKET_REPO_SLUG: repository,
    BITBUCKET_REPO_UUID: BITBUCKET.repositoryUuid,
    BITBUCKET_STEP_RUN_NUMBER: '1',
    BITBUCKET_STEP_UUID: BITBUCKET.stepUuid,
    BITBUCKET_WORKSPACE: workspace,
    DOCKER_HOST: 'tcp://host.docker.internal:2375',
    PIPELINES_JWT_TOKEN: PIPELINES_JWT,
  };
}

/** Bitbucket sets the variables that have a default in pipe.yml, whether or not a step names them. */
function defaults(): Env {
  const { variables }: { variables: readonly { name: string; default?: string }[] } = parse(
    readFileSync(join(ROOT, 'pipe.yml'), 'utf8'),
  );
  return Object.fromEntries(variables.map((variable) => [variable.name, variable.default]));
}

function expanded(variables: Readonly<Record<string, string | readonly string[]>>): Env {
  const entries = Object.entries(variables).flatMap(([name, value]): [string, string][] =>
    typeof value === 'string'
      ? [[name, value]]
      : [
          [`${name}_COUNT`, String(value.length)],
          ...value.map((item, at): [string, string] => [`${name}_${at}`, item]),
        ],
  );
  return Object.fromEntries(entries);
}
