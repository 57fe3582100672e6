import { type ExecFileException, execFile } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { BITBUCKET, COMMIT } from '../simulators/tenant.ts';

/** An image of the pipe, and the engine that holds it: with buildah also the flags for its store. */
export type PipeImage =
  | { readonly engine: 'docker'; readonly name: string }
  | { readonly engine: 'buildah'; readonly name: string; readonly store: readonly string[] };

export interface PipeRun {
  readonly image: PipeImage;
  /** What the container finds in its environment, array variables already expanded. */
  readonly env: Readonly<Record<string, string>>;
  /** The step's clone: mounted read-write where Bitbucket has it, and the working directory. */
  readonly cloneDir: string;
  /** Mounted where the file of BITBUCKET_PIPELINES_VARIABLES_PATH lies; without it that file cannot be written. */
  readonly variablesDir?: string;
  /** Run in place of the ENTRYPOINT. */
  readonly command?: readonly string[];
}

export interface PipeEnded {
  readonly exitCode: number;
  /** Standard output and standard error, as the step's log shows them. */
  readonly output: string;
}

const ROOT = resolve(import.meta.dirname, '../..');
const WORK = join(ROOT, 'build/image');
const TAG = 'node:24-slim';
const BASE_IMAGE = `localhost/${TAG}`;
const CLONE_DIR = '/opt/atlassian/pipelines/agent/build';
/** What buildah itself adds to the output of a command that failed. */
const ENDING_OF_BUILDAH = /(subprocess exited with status \d+\n)*(Error: exit status \d+\n)?$/;
const VARIABLES_DIR = '/opt/atlassian/pipelines/agent/tmp';

/** Builds the image of a folder's Dockerfile: with Docker where an engine answers, else with buildah. */
export async function buildImage(context: string = ROOT): Promise<PipeImage> {
  const name = 'localhost/keyless-submit-pipe:test';
  if ((await run('docker', ['version', '--format', '{{.Server.Version}}'])).exitCode === 0) {
    // The test wants what the tag is now; only a release pins it.
    await succeed('docker', ['pull', '--quiet', TAG]);
    await succeed('docker', ['tag', TAG, BASE_IMAGE]);
    await succeed('docker', ['build', '--quiet', '--build-arg', `NODE_IMAGE=${BASE_IMAGE}`, '--tag', name, context]);
    return { engine: 'docker', name };
  }
  const store = (await succeed(join(import.meta.dirname, 'assemble-base.sh'), [])).trim().split('\n');
  await succeed('buildah', [
    ...store,
    ...['bud', '--quiet', '--isolation', 'chroot', '--build-arg', `NODE_IMAGE=${BASE_IMAGE}`],
    ...npmMounts().flatMap((mount) => ['--volume', mount]),
    ...['--tag', name, context],
  ]);
  await succeed('buildah', [...store, 'rmi', '--prune']);
  return { engine: 'buildah', name, store };
}

/**
 * Runs the image as Bitbucket runs a pipe: its ENTRYPOINT as the image's user, the clone mounted and the working
 * directory (https://support.atlassian.com/bitbucket-cloud/docs/write-a-pipe-for-bitbucket-pipelines/). The container
 * has the host's network. With buildah `host.docker.internal` has no address: give a DOCKER_HOST of 127.0.0.1.
 */
export async function runPipe({ image, env, cloneDir, variablesDir, command }: PipeRun): Promise<PipeEnded> {
  const flags = [
    ...['--workingdir', CLONE_DIR, '--volume', `${resolve(cloneDir)}:${CLONE_DIR}`],
    ...(variablesDir === undefined ? [] : ['--volume', `${resolve(variablesDir)}:${VARIABLES_DIR}`]),
    ...Object.entries(env).flatMap(([name, value]) => ['--env', `${name}=${value}`]),
  ];
  if (image.engine === 'docker') {
    const network = ['--network', 'host', '--add-host', 'host.docker.internal:127.0.0.1'];
    const [entrypoint, ...args] = command ?? [];
    const inPlace = entrypoint === undefined ? [] : ['--entrypoint', entrypoint];
    const whole = ['run', '--rm', ...network, ...flags.map(dockerFlag), ...inPlace, image.name, ...args];
    const { exitCode, output } = await run('docker', whole);
    return { exitCode, output };
  }
  const container = (await succeed('buildah', [...image.store, 'from', '--pull-never', image.name])).trim();
  try {
    const whole = [...flags, container, '--', ...(command ?? (await commandOf(image.name, image.store)))];
    const { exitCode, output } = await run('buildah', [...image.store, 'run', '--isolation', 'chroot', ...whole]);
    return { exitCode, output: output.replace(ENDING_OF_BUILDAH, '') };
  } finally {
    await succeed('buildah', [...image.store, 'rm', container]);
  }
}

/** What Bitbucket gives to every pipe of a branch build of the simulated company's repository, and makes of the step's `variables`. */
export function pipeEnvironment(
  variables: Readonly<Record<string, string | readonly string[]>>,
  more: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const { workspace, repository } = BITBUCKET;
  const storage = `${CLONE_DIR}/.bitbucket/pipelines/generated/pipeline/pipes`;
  return {
    CI: 'true',
    BITBUCKET_BUILD_NUMBER: '7',
    BITBUCKET_BRANCH: 'main',
    BITBUCKET_CLONE_DIR: CLONE_DIR,
    BITBUCKET_COMMIT: COMMIT,
    BITBUCKET_DOCKER_HOST_INTERNAL: '127.0.0.1',
    BITBUCKET_GIT_HTTP_ORIGIN: `http://bitbucket.org/${workspace}/${repository}`,
    BITBUCKET_GIT_SSH_ORIGIN: `git@bitbucket.org:${workspace}/${repository}.git`,
    BITBUCKET_PIPELINE_UUID: BITBUCKET.pipelineUuid,
    BITBUCKET_PIPELINES_VARIABLES_PATH: `${VARIABLES_DIR}/variables.env`,
    BITBUCKET_PIPE_SHARED_STORAGE_DIR: storage,
    BITBUCKET_PIPE_STORAGE_DIR: `${storage}/${workspace}/keyless-submit`,
    BITBUCKET_PROJECT_KEY: 'ML',
    BITBUCKET_PROJECT_UUID: '{eeeeeeee-0000-4000-8000-000000000005}',
    BITBUCKET_REPO_FULL_NAME: `${workspace}/${repository}`,
    BITBUCKET_REPO_IS_PRIVATE: 'true',
    BITBUCKET_REPO_OWNER: workspace,
    BITBUCKET_REPO_OWNER_UUID: BITBUCKET.workspaceUuid,
    BITBUCKET_REPO_SLUG: repository,
    BITBUCKET_REPO_UUID: BITBUCKET.repositoryUuid,
    BITBUCKET_SSH_KEY_FILE: '/opt/atlassian/pipelines/agent/ssh/id_rsa',
    BITBUCKET_STEP_RUN_NUMBER: '1',
    BITBUCKET_STEP_TRIGGERER_UUID: '{ffffffff-0000-4000-8000-000000000006}',
    BITBUCKET_STEP_UUID: BITBUCKET.stepUuid,
    BITBUCKET_WORKSPACE: workspace,
    DOCKER_HOST: 'tcp://127.0.0.1:2375',
    PIPELINES_JWT_TOKEN: 'pipelines-jwt-token',
    ...expanded(variables),
    ...more,
  };
}

/** A list arrives as its length and its elements, each under a name of its own; nothing has the list's own name. */
function expanded(variables: Readonly<Record<string, string | readonly string[]>>): Record<string, string> {
  const entries = Object.entries(variables).flatMap(([name, value]): [string, string][] =>
    typeof value === 'string'
      ? [[name, value]]
      : [[`${name}_COUNT`, String(value.length)], ...value.map((each, i): [string, string] => [`${name}_${i}`, each])],
  );
  return Object.fromEntries(entries);
}

interface ImageDescription {
  readonly OCIv1: { readonly config: { readonly Entrypoint?: readonly string[]; readonly Cmd?: readonly string[] } };
}

/** buildah runs what it is told and leaves an image's ENTRYPOINT to its caller. */
async function commandOf(image: string, store: readonly string[]): Promise<readonly string[]> {
  const description: unknown = JSON.parse(await succeed('buildah', [...store, 'inspect', '--type', 'image', image]));
  const { Entrypoint = [], Cmd = [] } = (description as ImageDescription).OCIv1.config;
  return [...Entrypoint, ...Cmd];
}

function dockerFlag(flag: string): string {
  return flag === '--workingdir' ? '--workdir' : flag;
}

/** The build's `npm ci` reaches the registry as npm on this machine does: with its settings and its authorities. */
function npmMounts(): readonly string[] {
  const userSettings = join(homedir(), '.npmrc');
  const authorities = process.env.NODE_EXTRA_CA_CERTS;
  const mounts = existsSync(userSettings) ? [`${userSettings}:/root/.npmrc:ro`] : [];
  if (authorities === undefined) return mounts;
  const inside = '/usr/local/etc/ca-certificates.crt';
  const globalSettings = join(WORK, 'npmrc');
  mkdirSync(WORK, { recursive: true });
  writeFileSync(globalSettings, `cafile=${inside}\n`);
  return [...mounts, `${authorities}:${inside}:ro`, `${globalSettings}:/usr/local/etc/npmrc:ro`];
}

async function succeed(command: string, args: readonly string[]): Promise<string> {
  const { exitCode, output, stdout } = await run(command, args);
  if (exitCode !== 0) throw new Error(`${command} ended with ${exitCode}:\n${output}`);
  return stdout;
}

function run(command: string, args: readonly string[]): Promise<PipeEnded & { readonly stdout: string }> {
  return new Promise((done) => {
    const child = execFile(
      command,
      args,
      { maxBuffer: 64 * 1024 * 1024 },
      (error: ExecFileException | null, stdout) => {
        const exitCode = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
        done({ exitCode, output: chunks.join(''), stdout });
      },
    );
    const chunks: string[] = [];
    child.stdout?.on('data', (chunk: string) => chunks.push(chunk));
    child.stderr?.on('data', (chunk: string) => chunks.push(chunk));
    child.on('error', (error) => chunks.push(error.message));
  });
}
