import { mayAct, type Scope } from './vercel-access.ts';
import { projectOf } from './vercel-create-deployment.ts';
import { type Deployment, type DeploymentStore, environmentOf, type VercelProject } from './vercel-deployment-store.ts';
import { deploymentRow } from './vercel-deployment-view.ts';
import { badRequest, forbidden, notFound } from './vercel-errors.ts';

const QUERY = [
  'app',
  'branch',
  'from',
  'limit',
  'projectId',
  'sha',
  'since',
  'slug',
  'state',
  'target',
  'teamId',
  'to',
  'until',
];
const NUMBERS = ['from', 'limit', 'since', 'to', 'until'];
const MOST = 100;

/** `GET /v7/deployments` (https://vercel.com/docs/rest-api/deployments/list-deployments). */
export function listDeployments(
  url: URL,
  scope: Scope,
  options: { readonly store: DeploymentStore; readonly projects: readonly VercelProject[]; readonly now: () => number },
): Response {
  const { store } = options;
  const query = url.searchParams;
  const unknown = [...query.keys()].find((name) => !QUERY.includes(name));
  if (unknown !== undefined) return badRequest(`Invalid request: should NOT have additional property \`${unknown}\`.`);
  const odd = NUMBERS.find((name) => !/^\d*$/.test(query.get(name) ?? ''));
  if (odd !== undefined) return badRequest(`Invalid request: \`${odd}\` should be number.`);
  const limit = Number(query.get('limit') ?? 20);
  if (limit < 1 || limit > MOST) return badRequest(`Invalid request: \`limit\` should be between 1 and ${MOST}.`);
  const projectId = query.get('projectId');
  const project = projectId === null ? undefined : projectOf(projectId, scope, options.projects);
  if (projectId !== null) {
    if (project === undefined) return notFound('Project');
    if (!mayAct(scope, project.id)) return forbidden();
  }

  const matches = matcher(query, store);
  const all = store
    .all()
    .filter(
      (deployment) =>
        deployment.team === scope.team &&
        (project ?? deployment.project) === deployment.project &&
        mayAct(scope, deployment.project.id) &&
        options.now() >= deployment.createdAt + (deployment.life.listedAfterMs ?? 0) &&
        matches(deployment),
    );
  const page = all.slice(0, limit);
  return Response.json({
    deployments: page.map((deployment) => deploymentRow(deployment, store)),
    pagination: {
      count: page.length,
      next: all.length > page.length ? (page.at(-1)?.createdAt ?? null) : null,
      prev: page[0]?.createdAt ?? null,
    },
  });
}

function matcher(query: URLSearchParams, store: DeploymentStore): (deployment: Deployment) => boolean {
  const wanted = (name: string, held: string | undefined) => (query.get(name) ?? held) === held;
  const states = query.get('state')?.split(',');
  const after = Math.max(Number(query.get('since') ?? 0), Number(query.get('from') ?? 0));
  const before = Math.min(...['until', 'to'].map((name) => Number(query.get(name) ?? Number.POSITIVE_INFINITY)));
  return (deployment) => {
    const { body, createdAt } = deployment;
    return (
      wanted('app', body.name) &&
      wanted('sha', body.gitMetadata?.commitSha) &&
      wanted('branch', body.gitMetadata?.commitRef) &&
      wanted('target', environmentOf(deployment)) &&
      (states?.includes(store.momentOf(deployment).state) ?? true) &&
      createdAt >= after &&
      createdAt < before
    );
  };
}
