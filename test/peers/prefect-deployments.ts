import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PrefectServer } from './prefect-server.ts';

/** A deployment as the server has it. */
export interface Deployment {
  readonly id: string;
  readonly version: string;
  readonly tags: readonly string[];
  readonly job_variables: unknown;
  readonly pull_steps: unknown;
}

/** Makes a deployment, by the API alone, of a flow and in a pool that need not exist yet. */
export async function createDeployment(
  server: PrefectServer,
  deployment: { readonly flow: string; readonly name: string; readonly work_pool_name: string } & Readonly<
    Record<string, unknown>
  >,
): Promise<string> {
  const { flow, ...rest } = deployment;
  const created = async (path: string, body: unknown): Promise<string> => {
    const answer = await server.call('POST', path, body);
    if (answer.status >= 300 && answer.status !== 409)
      throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return (answer.body as { id: string }).id;
  };
  await created('/work_pools/', { name: deployment.work_pool_name, type: 'process' });
  return await created('/deployments/', { flow_id: await created('/flows/', { name: flow }), ...rest });
}

export async function readDeployment(server: PrefectServer, id: string): Promise<Deployment> {
  return (await server.call('GET', `/deployments/${id}`)).body as Deployment;
}

/** The flow of each commit in the repository: it logs which one it is. */
const FLOW = (commit: string) => `import os
from prefect import flow, get_run_logger

@flow(name="versioned")
def versioned() -> None:
    get_run_logger().info("code of the ${commit} commit, GIT_SHA=%s", os.environ.get("GIT_SHA"))
`;

/**
 * Makes a git repository with a flow in two commits and returns their hashes, the older first. The server's workers find it
 * under each of the addresses.
 */
export function createRepository(
  server: PrefectServer,
  addresses: readonly string[],
): { readonly first: string; readonly second: string } {
  const repository = join(server.folder, 'repository');
  mkdirSync(repository);
  const git = (...args: readonly string[]) =>
    execFileSync('git', ['-C', repository, '-c', 'user.name=author', '-c', 'user.email=author@example.com', ...args], {
      encoding: 'utf8',
    }).trim();
  git('init', '--quiet', '--initial-branch', 'main');
  const commit = (which: string) => {
    writeFileSync(join(repository, 'flows.py'), FLOW(which));
    git('add', 'flows.py');
    git('commit', '--quiet', '--message', `The ${which} commit`);
    return git('rev-parse', 'HEAD');
  };
  const found = addresses.map((address) => `\tinsteadOf = ${address}\n`).join('');
  writeFileSync(join(server.folder, 'home/.gitconfig'), `[url "file://${repository}"]\n${found}`);
  return { first: commit('first'), second: commit('second') };
}

/** A deployment whose runs fetch the newest code of a repository. */
export async function deployVersioned(
  server: PrefectServer,
  name: string,
  pool: string,
  repository: string,
): Promise<string> {
  return await createDeployment(server, {
    flow: 'versioned',
    name,
    work_pool_name: pool,
    entrypoint: 'flows.py:versioned',
    pull_steps: [{ 'prefect.deployments.steps.git_clone': { repository, branch: 'main' } }],
    job_variables: { env: { STAGE: 'prod' } },
    tags: ['peer'],
  });
}
