import type { Deployment, DeploymentStore, VercelProject } from './vercel-deployment-store.ts';
import type { Promotions } from './vercel-promotion.ts';

/** A project as `GET /v9/projects/{idOrName}` shows it (https://vercel.com/docs/rest-api/projects/find-a-project-by-id-or-name). */
export function projectView(
  project: VercelProject,
  options: { readonly store: DeploymentStore; readonly promotions: Promotions; readonly isProtected: boolean },
): Record<string, unknown> {
  const { store } = options;
  const current = store.production(project.id);
  return {
    id: project.id,
    name: project.name,
    accountId: project.teamId,
    framework: null,
    nodeVersion: '24.x',
    rootDirectory: null,
    buildCommand: null,
    installCommand: null,
    outputDirectory: null,
    devCommand: null,
    autoAssignCustomDomains: true,
    createdAt: 1_700_000_000_000,
    updatedAt: 1_700_000_000_000,
    ssoProtection: options.isProtected ? { deploymentType: 'all' } : null,
    alias: project.domains.map((domain) => ({ domain, target: 'PRODUCTION' })),
    customEnvironments: project.customEnvironments.map(({ id, slug, domains }) => ({
      id,
      slug,
      type: 'preview',
      domains: domains.map((name) => ({ name })),
    })),
    targets: current === undefined ? {} : { production: brief(current, store) },
    latestDeployments: store
      .all()
      .filter((deployment) => deployment.project === project)
      .slice(0, 5)
      .map((deployment) => brief(deployment, store)),
    lastRollbackTarget: store.isRolledBack(project.id) ? { deploymentId: current?.id } : null,
    lastAliasRequest: options.promotions.last(project),
  };
}

function brief(deployment: Deployment, store: DeploymentStore) {
  const { id, url, body, createdAt, project } = deployment;
  return {
    id,
    url,
    name: project.name,
    createdAt,
    target: body.target ?? null,
    readyState: store.momentOf(deployment).state,
    alias: store.aliasesOf(deployment),
  };
}
