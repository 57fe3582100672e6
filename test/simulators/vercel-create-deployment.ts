import { isDeepStrictEqual } from 'node:util';
import { mayAct, type Scope } from './vercel-access.ts';
import { type DeploymentBody, readDeploymentBody } from './vercel-deployment-body.ts';
import type { DeploymentLife } from './vercel-deployment-life.ts';
import {
  customEnvironmentOf,
  type Deployment,
  type DeploymentStore,
  type VercelProject,
} from './vercel-deployment-store.ts';
import { deploymentView } from './vercel-deployment-view.ts';
import { badRequest, forbidden, notFound, refusal } from './vercel-errors.ts';
import type { VercelFiles } from './vercel-files.ts';

export interface CreateOptions {
  readonly projects: readonly VercelProject[];
  readonly store: DeploymentStore;
  readonly files: VercelFiles;
  readonly nextLife: () => DeploymentLife;
  /** Every request makes a deployment of its own, as if all had said `forceNew`. */
  readonly neverDeduplicate?: boolean;
}

const QUERY = ['forceNew', 'prebuilt', 'skipAutoDetectionConfirmation', 'slug', 'teamId', 'withCache'];
const FLAGS = ['forceNew', 'prebuilt', 'skipAutoDetectionConfirmation', 'withCache'];

/** `POST /v13/deployments` (https://vercel.com/docs/rest-api/deployments/create-a-new-deployment). */
export async function createDeployment(request: Request, scope: Scope, options: CreateOptions): Promise<Response> {
  const { store } = options;
  const query = new URL(request.url).searchParams;
  const problem = queryProblem(query);
  if (problem !== undefined) return badRequest(`Invalid request: ${problem}.`);
  const json = await request.text();
  const body = readDeploymentBody(json);
  if (typeof body === 'string') return badRequest(body);

  const project = projectOf(body.project ?? body.name, scope, options.projects);
  if (project === undefined) return notFound('Project');
  if (!mayAct(scope, project.id) || !scope.principal.mayDeploy) return forbidden();
  const wanted = body.customEnvironmentSlugOrId;
  if (wanted !== undefined && customEnvironmentOf(project, wanted) === undefined) {
    return notFound('Custom environment');
  }
  const files = filesOf(body, project, store);
  if (files === undefined) return notFound('Deployment');
  const missing = files
    .filter((file) => !file.inlined && !options.files.has(scope.team.id, file))
    .map(({ sha }) => sha);
  if (missing.length > 0) return refusal(400, 'missing_files', 'Missing files', { missing: [...new Set(missing)] });
  if (query.get('prebuilt') === '1' && !files.some(({ file }) => isOutputConfig(file))) {
    return badRequest('The prebuilt deployment has no `.vercel/output/config.json`.');
  }

  const earlier =
    query.get('forceNew') === '1' || options.neverDeduplicate === true
      ? undefined
      : sameAs({ ...body, files }, project, store);
  const made = () =>
    store.add({
      team: scope.team,
      project,
      creator: scope.principal.creator,
      body: { ...body, files },
      json,
      headers: request.headers,
      query,
      life: options.nextLife(),
    });
  return Response.json(deploymentView(earlier ?? made(), store));
}

/** The project of a team by id or name. */
export function projectOf(
  idOrName: string,
  { team }: Scope,
  projects: readonly VercelProject[],
): VercelProject | undefined {
  return projects.find(({ id, name, teamId }) => teamId === team.id && (id === idOrName || name === idOrName));
}

/** What is wrong with a query whose names and flags are known. */
function queryProblem(query: URLSearchParams): string | undefined {
  const unknown = [...query.keys()].find((name) => !QUERY.includes(name));
  if (unknown !== undefined) return `should NOT have additional property \`${unknown}\``;
  const odd = FLAGS.find((name) => !['0', '1', null].includes(query.get(name)));
  return odd === undefined ? undefined : `\`${odd}\` should be equal to one of the allowed values "0, 1"`;
}

/** What is sent, or what an earlier deployment was made of. */
function filesOf(
  { files, deploymentId }: DeploymentBody,
  project: VercelProject,
  store: DeploymentStore,
): DeploymentBody['files'] | undefined {
  if (deploymentId === undefined) return files;
  const source = store.find(deploymentId);
  return source?.project === project ? source.body.files : undefined;
}

function isOutputConfig(file: string): boolean {
  return file === '.vercel/output/config.json' || file.endsWith('/.vercel/output/config.json');
}

function sameAs(body: DeploymentBody, project: VercelProject, store: DeploymentStore): Deployment | undefined {
  return store.all().find((deployment) => {
    if (deployment.project !== project || !isDeepStrictEqual(deployment.body, body)) return false;
    return !['ERROR', 'CANCELED', 'BLOCKED'].includes(store.momentOf(deployment).state);
  });
}
