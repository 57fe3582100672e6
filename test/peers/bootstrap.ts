import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { BuildkiteJob } from '../simulators/buildkite-agent-api.ts';

/** What the agent is told about the job and where it finds everything. */
export interface BootstrapOptions {
  /** The agent's executable. */
  readonly agent: string;
  /** A git repository with the plugin, cloned by the agent: `file:///…/NAME-buildkite-plugin#REF`. */
  readonly plugin: string;
  readonly config: unknown;
  /** The agent API, without a trailing slash. */
  readonly endpoint: string;
  readonly accessToken: string;
  readonly job: BuildkiteJob;
  /** More of the job's environment; replaces what is here where names meet. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface Ended {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The job's log. */
  readonly output: string;
}

export interface RunningBootstrap {
  readonly ended: Promise<Ended>;
  /** Sends what an agent cancels a job by: SIGTERM. Does nothing once the job has ended. */
  cancel(): void;
}

const AUTHOR = {
  GIT_AUTHOR_NAME: 'author',
  GIT_AUTHOR_EMAIL: 'author@example.com',
  GIT_AUTHOR_DATE: '2026-11-21T10:00:00Z',
  GIT_COMMITTER_NAME: 'author',
  GIT_COMMITTER_EMAIL: 'author@example.com',
  GIT_COMMITTER_DATE: '2026-11-21T10:00:00Z',
};
const GRACE_SECONDS = 10;

/**
 * Runs one job's hooks with a real agent and no Buildkite: `buildkite-agent bootstrap`, in an environment as the agent
 * makes it (https://buildkite.com/docs/pipelines/configure/environment-variables) and a repository of its own.
 */
export function startBootstrap(options: BootstrapOptions): RunningBootstrap {
  const folder = mkdtempSync(join(tmpdir(), 'bootstrap-'));
  const child = spawn(options.agent, ['bootstrap'], {
    cwd: folder,
    env: { ...jobEnvironment(folder, options), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const log = collect(child);
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode, signal) => {
      rmSync(folder, { recursive: true, force: true });
      resolve({ exitCode, signal, output: log() });
    });
  });
  return {
    ended,
    cancel: () => {
      child.kill('SIGTERM');
    },
  };
}

function jobEnvironment(folder: string, { agent, job, ...options }: BootstrapOptions): Record<string, string> {
  const path = (name: string) => {
    mkdirSync(join(folder, name));
    return join(folder, name);
  };
  const bin = path('bin');
  symlinkSync(agent, join(bin, 'buildkite-agent'));
  symlinkSync(process.execPath, join(bin, 'node'));
  const repository = path('repository');
  const ids = Object.entries(job.ids ?? {}).map(([name, id]) => [`BUILDKITE_${name.toUpperCase()}`, id]);
  return {
    PATH: [bin, dirname(executable('git')), dirname(executable('bash')), '/usr/bin', '/bin'].join(':'),
    HOME: folder,
    TMPDIR: path('tmp'),
    TERM: 'xterm-256color',
    BUILDKITE: 'true',
    CI: 'true',
    ...Object.fromEntries(ids),
    BUILDKITE_JOB_ID: job.jobId,
    BUILDKITE_BUILD_NUMBER: String(job.buildNumber),
    BUILDKITE_BUILD_URL: `https://buildkite.com/${job.organizationSlug}/${job.pipelineSlug}/builds/${job.buildNumber}`,
    BUILDKITE_STEP_ID: '0190b1c2-5555-4abc-8def-000000000005',
    ...(job.stepKey === undefined ? {} : { BUILDKITE_STEP_KEY: job.stepKey }),
    BUILDKITE_AGENT_ID: job.agentId,
    BUILDKITE_AGENT_NAME: 'local',
    BUILDKITE_ORGANIZATION_SLUG: job.organizationSlug,
    BUILDKITE_PIPELINE_SLUG: job.pipelineSlug,
    BUILDKITE_PIPELINE_PROVIDER: 'git',
    BUILDKITE_REPO: repository,
    BUILDKITE_BRANCH: job.branch,
    BUILDKITE_COMMIT: commitSomething(repository, job.branch),
    BUILDKITE_COMMIT_RESOLVED: 'true',
    BUILDKITE_PULL_REQUEST: 'false',
    BUILDKITE_SOURCE: 'webhook',
    BUILDKITE_RETRY_COUNT: '0',
    BUILDKITE_COMMAND: '',
    BUILDKITE_BUILD_PATH: path('builds'),
    BUILDKITE_PLUGINS_PATH: path('plugins'),
    BUILDKITE_HOOKS_PATH: path('hooks'),
    BUILDKITE_SOCKETS_PATH: path('sockets'),
    BUILDKITE_BIN_PATH: bin,
    BUILDKITE_AGENT_ENDPOINT: options.endpoint,
    BUILDKITE_AGENT_ACCESS_TOKEN: options.accessToken,
    BUILDKITE_PLUGIN_VALIDATION: 'true',
    BUILDKITE_PLUGINS: JSON.stringify([{ [options.plugin]: options.config }]),
    // The two versions name the time between SIGTERM and SIGKILL differently.
    BUILDKITE_CANCEL_GRACE_PERIOD: String(GRACE_SECONDS),
    BUILDKITE_CANCEL_SIGNAL_TIMEOUT: `${GRACE_SECONDS}s`,
  };
}

/** Clones the last commit of a repository under the name that a plugin must have; returns how a step refers to it. */
export function clonedPlugin(repository: string, folder: string): string {
  const clone = join(folder, 'keyless-submit-buildkite-plugin');
  git('clone', '--quiet', '--no-hardlinks', repository, clone);
  return `file://${clone}#${git('-C', clone, 'rev-parse', 'HEAD')}`;
}

/** The same commit each time, as a retried step has it. */
function commitSomething(repository: string, branch: string): string {
  git('init', '--quiet', '--initial-branch', branch, repository);
  const tree = git('-C', repository, 'write-tree');
  const commit = execFileSync('git', ['-C', repository, 'commit-tree', tree, '-m', 'A commit'], {
    encoding: 'utf8',
    env: { ...process.env, ...AUTHOR },
  }).trim();
  git('-C', repository, 'update-ref', `refs/heads/${branch}`, commit);
  return commit;
}

function git(...args: readonly string[]): string {
  return execFileSync('git', args, { encoding: 'utf8' }).trim();
}

function executable(name: string): string {
  return execFileSync('sh', ['-c', `command -v ${basename(name)}`], { encoding: 'utf8' }).trim();
}

function collect(child: ChildProcess): () => string {
  const chunks: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString('utf8');
}
