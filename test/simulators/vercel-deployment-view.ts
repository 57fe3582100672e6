import { customEnvironmentOf, type Deployment, type DeploymentStore } from './vercel-deployment-store.ts';

/** A deployment as `GET /v13/deployments/{idOrUrl}` shows it (https://vercel.com/docs/rest-api/deployments/get-a-deployment-by-id-or-url). */
export function deploymentView(deployment: Deployment, store: DeploymentStore): Record<string, unknown> {
  const { id, url, team, project, body, creator, createdAt } = deployment;
  const environment = customEnvironmentOf(project, body.customEnvironmentSlugOrId);
  return {
    id,
    uid: id,
    url,
    name: body.name,
    version: 2,
    type: 'LAMBDAS',
    plan: 'pro',
    public: false,
    regions: ['iad1'],
    routes: null,
    projectId: project.id,
    project: { id: project.id, name: project.name },
    ownerId: team.id,
    team: { id: team.id, name: team.name, slug: team.slug },
    creator,
    inspectorUrl: inspectorUrl(deployment),
    meta: metaOf(deployment),
    ...(environment === undefined ? {} : { customEnvironment: { id: environment.id, slug: environment.slug } }),
    projectSettings: { framework: null },
    build: { env: [] },
    env: [],
    createdAt,
    alias: store.aliasesOf(deployment),
    ...stateView(deployment, store, 'boolean'),
  };
}

/** A deployment as a row of `GET /v7/deployments`. */
export function deploymentRow(deployment: Deployment, store: DeploymentStore): Record<string, unknown> {
  const { id, url, project, body, creator, createdAt } = deployment;
  const view = stateView(deployment, store, 'number');
  return {
    uid: id,
    name: body.name,
    projectId: project.id,
    url,
    created: createdAt,
    createdAt,
    state: view.readyState,
    type: 'LAMBDAS',
    creator,
    inspectorUrl: inspectorUrl(deployment),
    meta: metaOf(deployment),
    ...view,
  };
}

function stateView(deployment: Deployment, store: DeploymentStore, aliasAssignedAs: 'number' | 'boolean') {
  const { body, life, promoted } = deployment;
  const { state, buildingAt, readyAt, canceledAt, aliasesAt } = store.momentOf(deployment);
  const end = life.end ?? { kind: 'ready' };
  const failedAliases = end.kind === 'aliasError' || end.kind === 'checksFailed';
  const assigned = aliasesAt !== undefined && !failedAliases && !deployment.withheld;
  return {
    readyState: state,
    status: state,
    target: body.target ?? null,
    source: body.source ?? 'cli',
    ...(body.target === 'production' && state === 'READY' ? { readySubstate: promoted ? 'PROMOTED' : 'STAGED' } : {}),
    ...(buildingAt === undefined ? {} : { buildingAt }),
    ...(readyAt === undefined ? {} : { ready: readyAt }),
    ...(canceledAt === undefined ? {} : { canceledAt }),
    aliasAssigned: assigned && (life.aliasAssignedAs ?? aliasAssignedAs) === 'number' ? aliasesAt : assigned,
    ...(assigned ? { aliasAssignedAt: aliasesAt } : {}),
    aliasError: end.kind === 'aliasError' && aliasesAt !== undefined ? { code: end.code, message: end.message } : null,
    ...(end.kind === 'error' && state === 'ERROR'
      ? { errorCode: end.code, errorMessage: end.message, errorStep: end.step, readyStateReason: end.message }
      : {}),
    ...(end.kind === 'blocked' && state === 'BLOCKED'
      ? { seatBlock: { blockCode: end.blockCode }, readyStateReason: 'The commit author has no seat in the team.' }
      : {}),
    ...(end.kind === 'checksFailed' && readyAt !== undefined ? checksView(readyAt, aliasesAt) : {}),
  };
}

function checksView(startedAt: number, completedAt: number | undefined) {
  const completed = completedAt !== undefined;
  return {
    checksState: completed ? 'completed' : 'running',
    ...(completed ? { checksConclusion: 'failed' } : {}),
    checks: {
      'deployment-alias': { state: completed ? 'failed' : 'pending', startedAt, ...(completed ? { completedAt } : {}) },
    },
  };
}

/** `GET /v2/deployments/{id}/check-runs`. */
export function checkRuns(deployment: Deployment, store: DeploymentStore): readonly Record<string, unknown>[] {
  const { readyAt, aliasesAt } = store.momentOf(deployment);
  if (deployment.life.end?.kind !== 'checksFailed' || readyAt === undefined) return [];
  const completed = aliasesAt !== undefined;
  return [
    {
      id: `run_${deployment.id.slice(4)}`,
      checkId: 'chk_end_to_end',
      name: 'end-to-end',
      deploymentId: deployment.id,
      ownerId: deployment.team.id,
      projectId: deployment.project.id,
      source: { kind: 'webhook' },
      blocks: 'deployment-alias',
      timeout: 300_000,
      status: completed ? 'completed' : 'running',
      ...(completed ? { conclusion: 'failed', completedAt: aliasesAt } : {}),
      createdAt: readyAt,
      updatedAt: aliasesAt ?? readyAt,
    },
  ];
}

// What is told of the commit is kept among the metadata.
function metaOf({ body: { meta, gitMetadata } }: Deployment): Record<string, string> {
  const fromGit = Object.entries(gitMetadata ?? {}).flatMap(([name, value]) =>
    name.startsWith('commit') && typeof value === 'string' ? [[`gitC${name.slice(1)}`, value] as const] : [],
  );
  return { ...Object.fromEntries(fromGit), ...meta };
}

function inspectorUrl({ id, team, project }: Deployment): string {
  return `https://vercel.com/${team.slug}/${project.name}/${id.slice('dpl_'.length)}`;
}
