import type { Principal } from './vercel-access.ts';
import type { DeploymentBody } from './vercel-deployment-body.ts';
import { type DeploymentLife, type Moment, momentOf } from './vercel-deployment-life.ts';
import type { VercelTeam } from './vercel-oauth.ts';
import type { TrustedSources } from './vercel-trusted-sources.ts';

export interface VercelProject {
  readonly id: string;
  readonly name: string;
  readonly teamId: string;
  /** Custom domains of production. */
  readonly domains: readonly string[];
  readonly customEnvironments: readonly {
    readonly id: string;
    readonly slug: string;
    readonly domains: readonly string[];
  }[];
  /** Who may see protected deployments without signing in. */
  readonly trustedSources?: TrustedSources;
  readonly bypassSecrets?: readonly string[];
}

export interface Deployment {
  readonly id: string;
  /** Its own host. */
  readonly url: string;
  readonly team: VercelTeam;
  readonly project: VercelProject;
  readonly creator: Principal['creator'];
  readonly body: DeploymentBody;
  /** The request that made it, as it came. */
  readonly json: string;
  readonly headers: Headers;
  readonly query: URLSearchParams;
  readonly life: DeploymentLife;
  readonly createdAt: number;
  canceledAt?: number;
  /** It has been what production serves. */
  promoted: boolean;
  /** Its domains are assigned, for good or ill. */
  settled: boolean;
  /** Its project was rolled back, so it got no domains of its own accord. */
  withheld: boolean;
  pagesServed: number;
}

export interface DeploymentStore {
  /** Newest first, with what is due by now done. */
  readonly all: () => readonly Deployment[];
  readonly add: (
    deployment: Omit<Deployment, 'id' | 'url' | 'createdAt' | 'promoted' | 'settled' | 'withheld' | 'pagesServed'>,
    id?: string,
  ) => Deployment;
  /** By id or by host. */
  readonly find: (idOrUrl: string) => Deployment | undefined;
  readonly momentOf: (deployment: Deployment) => Moment;
  /** Which deployment a domain leads to. */
  readonly at: (domain: string) => Deployment | undefined;
  readonly aliasesOf: (deployment: Deployment) => readonly string[];
  readonly assign: (domain: string, deployment: Deployment) => void;
  /** What a project serves in production. */
  readonly production: (projectId: string) => Deployment | undefined;
  /** Points a project's production domains at a deployment. */
  readonly promote: (deployment: Deployment) => void;
  /** From a rollback to the next promotion, new deployments are kept from production. */
  readonly hold: (projectId: string, isRolledBack: boolean) => void;
  readonly isRolledBack: (projectId: string) => boolean;
}

/** Every deployment, and the domains that lead to them; domains are assigned in the order in which they come due. */
export function deploymentStore(now: () => number): DeploymentStore {
  const deployments: Deployment[] = [];
  const domains = new Map<string, Deployment>();
  const production = new Map<string, Deployment>();
  const rolledBack = new Set<string>();

  const assign = (domain: string, deployment: Deployment) => {
    domains.set(domain, deployment);
  };
  const promote = (deployment: Deployment) => {
    const { project, team } = deployment;
    deployment.promoted = true;
    production.set(project.id, deployment);
    for (const domain of [...project.domains, `${project.name}-${team.slug}.vercel.app`]) assign(domain, deployment);
  };
  const stateOf = ({ life, createdAt, canceledAt }: Deployment) => momentOf(life, createdAt, canceledAt, now());

  const settle = () => {
    const due = deployments
      .filter(({ settled }) => !settled)
      .flatMap((deployment) => {
        const { aliasesAt } = stateOf(deployment);
        return aliasesAt === undefined ? [] : [{ deployment, aliasesAt }];
      })
      .toSorted((a, b) => a.aliasesAt - b.aliasesAt);
    for (const { deployment } of due) {
      deployment.settled = true;
      const { body, project, life } = deployment;
      if (life.end !== undefined && life.end.kind !== 'ready') continue;
      if (body.target === 'production' && body.autoAssignCustomDomains !== false) {
        if (rolledBack.has(project.id)) deployment.withheld = true;
        else promote(deployment);
      }
      const environment = customEnvironmentOf(project, body.customEnvironmentSlugOrId);
      for (const domain of environment?.domains ?? []) assign(domain, deployment);
    }
  };

  return {
    all: () => {
      settle();
      return deployments.toReversed();
    },
    add: (made, id) => {
      const hash = crypto.randomUUID().replaceAll('-', '');
      const deployment: Deployment = {
        ...made,
        id: id ?? `dpl_${hash.slice(0, 28)}`,
        url: `${made.project.name}-${hash.slice(0, 9)}-${made.team.slug}.vercel.app`,
        createdAt: now(),
        promoted: false,
        settled: false,
        withheld: false,
        pagesServed: 0,
      };
      deployments.push(deployment);
      return deployment;
    },
    find: (idOrUrl) => {
      settle();
      return deployments.find(({ id, url }) => id === idOrUrl || url === idOrUrl) ?? domains.get(idOrUrl);
    },
    momentOf: stateOf,
    at: (domain) => {
      settle();
      return domains.get(domain) ?? deployments.find(({ url }) => url === domain);
    },
    aliasesOf: (deployment) => {
      settle();
      return [...domains].filter(([, holder]) => holder === deployment).map(([domain]) => domain);
    },
    assign,
    production: (projectId) => {
      settle();
      return production.get(projectId);
    },
    promote,
    hold: (projectId, isRolledBack) => {
      if (isRolledBack) rolledBack.add(projectId);
      else rolledBack.delete(projectId);
    },
    isRolledBack: (projectId) => rolledBack.has(projectId),
  };
}

export function customEnvironmentOf(project: VercelProject, slugOrId: string | undefined) {
  return project.customEnvironments.find(({ id, slug }) => slugOrId === id || slugOrId === slug);
}

/** The name of the environment, as trusted sources and listings know it. */
export function environmentOf({ body, project }: Deployment): string {
  return customEnvironmentOf(project, body.customEnvironmentSlugOrId)?.slug ?? body.target ?? 'preview';
}
