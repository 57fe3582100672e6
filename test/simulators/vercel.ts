import type { Handler } from './serve.ts';
import type { PersonalToken } from './vercel-access.ts';
import { vercelApi } from './vercel-api.ts';
import type { DeploymentFile } from './vercel-deployment-body.ts';
import type { DeploymentLife } from './vercel-deployment-life.ts';
import { deploymentStore, type VercelProject } from './vercel-deployment-store.ts';
import { openidConfiguration } from './vercel-discovery.ts';
import { type UploadCounts, type VercelFiles, vercelFiles } from './vercel-files.ts';
import { type Limits, scriptedLimits } from './vercel-limits.ts';
import { type AppToken, type VercelOAuth, type VercelOAuthOptions, vercelOAuth } from './vercel-oauth.ts';
import { deploymentPages } from './vercel-pages.ts';
import { type Promotions, promotions as promotionsOf } from './vercel-promotion.ts';
import { checkTrustedSources } from './vercel-trusted-sources.ts';

export interface VercelOptions extends VercelOAuthOptions {
  readonly projects: readonly VercelProject[];
  readonly personalTokens: readonly PersonalToken[];
  /** Tokens that are limited to projects may not upload files. */
  readonly limitedTokensMayNotUpload?: boolean;
  /** Every request makes a deployment of its own, as if all had said `forceNew`. */
  readonly neverDeduplicate?: boolean;
}

/** What the API was asked; of uploads without the bytes. */
export interface VercelRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: Headers;
  readonly body: string;
}

export interface DeploymentFacts {
  readonly id: string;
  readonly url: string;
  readonly projectId: string;
  readonly target: string | undefined;
  readonly customEnvironment: string | undefined;
  readonly state: string;
  readonly promoted: boolean;
  readonly aliases: readonly string[];
  readonly files: readonly DeploymentFile[];
  /** The request that made it. */
  readonly query: URLSearchParams;
  readonly headers: Headers;
  readonly json: string;
}

export interface VercelSimulator
  extends Pick<VercelFiles, 'holdUploads' | 'loseUploads'>,
    Pick<Limits, 'limitNext'>,
    Pick<Promotions, 'nextPromotion'> {
  /** The simulator that answers for a host: the API, and everything that is deployed. */
  readonly hosts: (host: string) => Handler | undefined;
  /** How the next deployments live, in this order; those after them become ready at once. */
  readonly nextLife: (...lives: readonly DeploymentLife[]) => void;
  /** Puts a project's deployments behind a sign-in page, or makes them public again. */
  readonly protect: (projectId: string, on?: boolean) => void;
  readonly received: () => readonly VercelRequest[];
  readonly uploads: () => UploadCounts;
  /** Oldest first. */
  readonly deployments: () => readonly DeploymentFacts[];
  readonly tokens: VercelOAuth['tokens'];
  readonly issuedTokens: () => readonly string[];
  /** Tokens that still open something. */
  readonly liveTokens: () => readonly AppToken[];
  /** A deployment that was made before, for production with its domains or without them, or as a preview. Returns its id. */
  readonly deployed: (
    projectId: string,
    made?: { readonly id?: string; readonly skipDomain?: boolean; readonly target?: 'production' | 'preview' },
  ) => string;
  /** The id of the deployment that a project serves in production. */
  readonly productionOf: (projectId: string) => string | undefined;
}

/** Teams of Vercel with their projects, and the hosts of what they deploy. */
export function vercelSimulator(options: VercelOptions): VercelSimulator {
  const { now } = options;
  for (const { trustedSources } of options.projects) checkTrustedSources(trustedSources ?? {});
  const oauth = vercelOAuth(options);
  const files = vercelFiles({ refuseLimitedTokens: options.limitedTokensMayNotUpload === true });
  const store = deploymentStore(now);
  const limits = scriptedLimits(now);
  const promotions = promotionsOf(store, now);
  const lives: DeploymentLife[] = [];
  const received: VercelRequest[] = [];
  const protectedProjects = new Set<string>();
  const isProtected = (projectId: string) => protectedProjects.has(projectId);

  const answer = vercelApi({
    ...options,
    store,
    files,
    oauth,
    promotions,
    limits,
    isProtected,
    nextLife: () => lives.shift() ?? {},
  });
  const api: Handler = async (request) => {
    const { pathname, search } = new URL(request.url);
    const body = pathname === '/v2/files' ? '' : await request.clone().text();
    // A connection opened ahead of its use asks nothing.
    if (request.method !== 'HEAD')
      received.push({ method: request.method, path: `${pathname}${search}`, headers: request.headers, body });
    return answer(request);
  };

  return {
    hosts: (host) => {
      if (host === 'api.vercel.com') return api;
      if (host === 'vercel.com') return openidConfiguration;
      promotions.settle();
      const configured = options.projects.some(({ domains }) => domains.includes(host));
      const deployed = configured || host.endsWith('.vercel.app') || store.at(host) !== undefined;
      return deployed ? deploymentPages(host, { ...options, store, isProtected }) : undefined;
    },
    nextLife: (...next) => {
      lives.push(...next);
    },
    deployed: (projectId, { id, skipDomain = false, target = 'production' } = {}) => {
      const project = options.projects.find((each) => each.id === projectId);
      const team = options.teams.find((each) => each.id === project?.teamId);
      if (project === undefined || team === undefined) throw new Error(`there is no project ${projectId}`);
      const made = store.add(
        {
          team,
          project,
          creator: { uid: 'usr_earlier', username: 'earlier' },
          body: {
            name: project.name,
            ...(target === 'production' ? { target, autoAssignCustomDomains: !skipDomain } : {}),
            files: [],
          },
          json: '{}',
          headers: new Headers(),
          query: new URLSearchParams(),
          life: { queuedMs: 0, buildingMs: 0, aliasMs: 0 },
        },
        id,
      );
      if (target === 'production' && !skipDomain) store.promote(made);
      return made.id;
    },
    protect: (projectId, on = true) => {
      if (on) protectedProjects.add(projectId);
      else protectedProjects.delete(projectId);
    },
    received: () => [...received],
    uploads: files.counts,
    deployments: () => {
      promotions.settle();
      return store
        .all()
        .toReversed()
        .map((deployment) => ({
          id: deployment.id,
          url: deployment.url,
          projectId: deployment.project.id,
          target: deployment.body.target,
          customEnvironment: deployment.body.customEnvironmentSlugOrId,
          state: store.momentOf(deployment).state,
          promoted: deployment.promoted,
          aliases: store.aliasesOf(deployment),
          files: deployment.body.files,
          query: deployment.query,
          headers: deployment.headers,
          json: deployment.json,
        }));
    },
    tokens: oauth.tokens,
    issuedTokens: () => oauth.tokens().map(({ accessToken }) => accessToken),
    liveTokens: () => oauth.tokens().filter(({ accessToken }) => oauth.resolve(accessToken) !== undefined),
    productionOf: (projectId) => {
      promotions.settle();
      return store.production(projectId)?.id;
    },
    holdUploads: files.holdUploads,
    loseUploads: files.loseUploads,
    limitNext: limits.limitNext,
    nextPromotion: promotions.nextPromotion,
  };
}
