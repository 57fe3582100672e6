import { SubmitError } from '../../errors.ts';
import type { HttpCall } from '../../http/http.ts';
import { defined, isArray, isObject, type JsonObject, textAt } from '../../json.ts';
import { plainLine } from '../../remote-text.ts';
import { glance, type PrefectApi } from './api.ts';
import { type DeploymentReference, deploymentPath, nameOf, uuidAt } from './deployment-reference.ts';
import { CLOUD_API, type PrefectServer } from './server.ts';

/** A deployment as the server has it. */
export interface Deployment {
  readonly id: string;
  readonly source: JsonObject;
}

/**
 * Reads a deployment.
 * https://docs.prefect.io/v3/api-ref/rest-api/server/deployments/read-deployment-by-name
 * @throws SubmitError `not-found` with what the caller can see in its stead.
 */
export async function readDeployment(prefect: PrefectApi, reference: DeploymentReference): Promise<Deployment> {
  const call = prefect.call('GET', deploymentPath(reference));
  const source = await prefect.read(call).catch(async (error: unknown) => {
    if (!(error instanceof SubmitError) || error.code !== 'not-found') throw error;
    throw await deploymentMissing(prefect, reference, error);
  });
  const id = uuidAt(source, 'id');
  if (!isObject(source) || id === undefined) {
    throw new SubmitError('unreadable-answer', {
      happened: `${prefect.access.server.host} answered with something that is not a deployment`,
      presented: [`request ${call.method} ${new URL(call.url).pathname}`],
      remedy: ['Check that «api-url» is the address of a Prefect API.'],
    });
  }
  return { id, source };
}

/** To a key without access, a whole workspace does not exist; which ones it sees tells the two cases apart. */
async function deploymentMissing(
  prefect: PrefectApi,
  reference: DeploymentReference,
  refusal: SubmitError,
): Promise<SubmitError> {
  const { server, identity } = prefect.access;
  const seen = server.workspace === undefined ? undefined : await visibleWorkspaces(prefect);
  const isMember = seen?.some(({ id }) => id === server.workspace?.id.toLowerCase());
  const { words } = refusal.explanation;
  const told = { link: 'docs/prefect.md', ...defined({ words }) };
  if (seen !== undefined && isMember === false) {
    return new SubmitError('not-found', {
      happened: "The key's owner is no member of the workspace that the address names",
      presented: [`identity ${identity}`, `workspace ${server.workspace?.id}`],
      expected:
        seen.length === 0
          ? ['a workspace that the key sees; it sees none']
          : ['one of the workspaces that the key sees:', ...seen.map(({ id, name }) => `${name}: ${id}`)],
      remedy: ['Correct «api-url», or make the service account a member of the workspace.'],
      ...told,
    });
  }
  return new SubmitError('not-found', {
    happened: `${server.host} has no deployment ${plainLine(nameOf(reference), 200)}`,
    presented: [`identity ${identity}`],
    expected: ["a deployment's FLOW/NAME as `prefect deployment ls` shows it, or its id"],
    remedy: [
      'Check «deployment» and «api-url». A deployment with a list of who may see it must have this identity on it.',
    ],
    ...told,
  });
}

const WORKSPACES: HttpCall = { method: 'GET', url: `${CLOUD_API}/me/workspaces` };

async function visibleWorkspaces(prefect: PrefectApi): Promise<readonly { id: string; name: string }[] | undefined> {
  const rows = await glance(prefect, WORKSPACES);
  if (!isArray(rows)) return undefined;
  return rows.slice(0, 20).map((row) => ({
    id: plainLine(textAt(row, 'workspace_id') ?? '', 60).toLowerCase(),
    name: plainLine(`${textAt(row, 'account_handle') ?? ''}/${textAt(row, 'workspace_handle') ?? ''}`, 120),
  }));
}

/** The error for faults that only the deployment shows. `outcome` says what was not done, `expected` what it would take. */
export function doesNotFit(
  outcome: string,
  faults: readonly string[],
  expected: string,
  remedy: readonly string[],
): SubmitError {
  return new SubmitError('invalid-settings', {
    happened: `What is set does not fit the deployment; ${outcome}`,
    presented: faults,
    expected: [expected],
    remedy,
    link: 'docs/prefect.md',
  });
}

/** What to do about parameters that do not fit. */
export const CORRECT_PARAMETERS =
  'Correct the parameters. If the flow has changed, deploy it again first: the deployment keeps the schema of the last time.';

/** Says what a deployment is, and what stands in the way of its runs. */
export function describeDeployment({ source }: Deployment, { log }: PrefectApi): void {
  const pool = textAt(source, 'work_pool_name');
  const facts = [
    ['version', textAt(source, 'version')],
    ['work pool', pool],
    ['queue', textAt(source, 'work_queue_name')],
  ].flatMap(([label, value]) => (value === undefined || value === '' ? [] : [`${label} ${value}`]));
  log.info(plainLine(`deployment ${[textAt(source, 'name') ?? '', ...facts].join(', ')}`, 300));
  if (source.paused === true)
    log.info('  its schedules are paused; a run that is asked for, like this one, starts nevertheless');
  if (textAt(source, 'status') === 'NOT_READY')
    log.warning(
      pool === undefined
        ? 'The deployment is not ready: the process that serves it has not been heard of lately; the run waits for it.'
        : `The deployment is not ready: no worker has asked for its work lately; the run waits for one on ${plainLine(pool, 100)}.`,
    );
}

/** Where a deployment's page is. */
export function deploymentUrl({ ui }: PrefectServer, id: string): string {
  return `${ui}/deployments/deployment/${id}`;
}
