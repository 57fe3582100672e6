import type { Handler } from './serve.ts';
import {
  authenticate,
  currentUser,
  listTeams,
  mayAct,
  oneTeam,
  type PersonalToken,
  type Scope,
  scopeOf,
} from './vercel-access.ts';
import { assignAlias } from './vercel-aliases.ts';
import { type CreateOptions, createDeployment, projectOf } from './vercel-create-deployment.ts';
import { deploymentEvents } from './vercel-deployment-events.ts';
import { isUnderWay } from './vercel-deployment-life.ts';
import type { Deployment } from './vercel-deployment-store.ts';
import { checkRuns, deploymentView } from './vercel-deployment-view.ts';
import { badRequest, forbidden, notFound, refusal } from './vercel-errors.ts';
import type { Limits } from './vercel-limits.ts';
import { listDeployments } from './vercel-list-deployments.ts';
import type { VercelOAuth, VercelTeam } from './vercel-oauth.ts';
import { projectView } from './vercel-project-view.ts';
import type { Promotions } from './vercel-promotion.ts';

export interface VercelApiOptions extends CreateOptions {
  readonly teams: readonly VercelTeam[];
  readonly personalTokens: readonly PersonalToken[];
  readonly oauth: VercelOAuth;
  readonly promotions: Promotions;
  readonly limits: Limits;
  readonly isProtected: (projectId: string) => boolean;
  readonly now: () => number;
}

interface Call {
  readonly request: Request;
  readonly url: URL;
  readonly scope: Scope;
  /** What the path names. */
  readonly names: readonly string[];
}

type Route = readonly [method: string, path: RegExp, answer: (call: Call) => Response | Promise<Response>];

/** The REST API on `api.vercel.com` (https://vercel.com/docs/rest-api). */
export function vercelApi(options: VercelApiOptions): Handler {
  const { store, promotions, projects, now, oauth, teams } = options;

  const onDeployment =
    (answer: (deployment: Deployment, call: Call) => Response | Promise<Response>): Route[2] =>
    (call) => {
      const deployment = store.find(call.names[0] ?? '');
      if (deployment === undefined || deployment.team !== call.scope.team) return notFound('Deployment');
      return mayAct(call.scope, deployment.project.id) ? answer(deployment, call) : forbidden();
    };
  const onProject =
    (answer: (project: (typeof projects)[number], call: Call) => Response | Promise<Response>): Route[2] =>
    (call) => {
      const project = projectOf(call.names[0] ?? '', call.scope, projects);
      if (project === undefined) return notFound('Project');
      return mayAct(call.scope, project.id) ? answer(project, call) : forbidden();
    };
  const alias = (type: 'promote' | 'rollback') =>
    onProject(async (project, { request, names, scope }) => {
      const deployment = store.find(names[1] ?? '');
      if (deployment?.project !== project) return notFound('Deployment');
      if (!scope.principal.mayDeploy) return forbidden();
      return promotions.request(type, deployment, await request.text());
    });
  const cancel = onDeployment((deployment, { scope }) => {
    if (!scope.principal.mayDeploy) return forbidden();
    const { state } = store.momentOf(deployment);
    if (!isUnderWay(state)) return badRequest(`The deployment cannot be canceled: it is ${state}.`);
    deployment.canceledAt = now();
    return Response.json(deploymentView(deployment, store));
  });

  const aliases = (type: 'promote' | 'rollback') =>
    onProject((project, { url }) => {
      const rows = promotions.aliases(type, project, url.searchParams.get('failedOnly') === 'true');
      if (rows === undefined) return Response.json({});
      // The CLI reads v9, where the alias is an object; v1 is what is documented.
      const shown = url.pathname.startsWith('/v9/')
        ? rows.map(({ alias, deploymentId, status }) => ({ alias: { alias, deploymentId }, status }))
        : rows.map(({ alias, id, status }) => ({ alias, id, status }));
      return Response.json({ aliases: shown, pagination: { count: shown.length, next: null, prev: null } });
    });

  const routes: readonly Route[] = [
    ['POST', /^\/v2\/files$/, ({ request, scope }) => options.files.upload(request, scope)],
    ['POST', /^\/v13\/deployments$/, ({ request, scope }) => createDeployment(request, scope, options)],
    ['GET', /^\/v7\/deployments$/, ({ url, scope }) => listDeployments(url, scope, options)],
    [
      'GET',
      /^\/v13\/deployments\/([^/]+)$/,
      onDeployment((deployment) => Response.json(deploymentView(deployment, store))),
    ],
    ['PATCH', /^\/v12\/deployments\/([^/]+)\/cancel$/, cancel],
    [
      'GET',
      /^\/v3(?:\/now)?\/deployments\/([^/]+)\/events$/,
      onDeployment((deployment, { url }) => deploymentEvents(url, deployment, store, now())),
    ],
    [
      'GET',
      /^\/v2\/deployments\/([^/]+)\/check-runs$/,
      onDeployment((deployment) => Response.json({ runs: checkRuns(deployment, store) })),
    ],
    [
      'POST',
      /^\/v2\/deployments\/([^/]+)\/aliases$/,
      onDeployment(async (deployment, { request, scope }) =>
        scope.principal.mayDeploy ? assignAlias(await request.text(), deployment, store, now()) : forbidden(),
      ),
    ],
    [
      'GET',
      /^\/v9\/projects\/([^/]+)$/,
      onProject((project) =>
        Response.json(projectView(project, { store, promotions, isProtected: options.isProtected(project.id) })),
      ),
    ],
    ['POST', /^\/v10\/projects\/([^/]+)\/promote\/([^/]+)$/, alias('promote')],
    ['POST', /^\/v[19]\/projects\/([^/]+)\/rollback\/([^/]+)$/, alias('rollback')],
    ['GET', /^\/v[19]\/projects\/([^/]+)\/promote\/aliases$/, aliases('promote')],
    ['GET', /^\/v9\/projects\/([^/]+)\/rollback\/aliases$/, aliases('rollback')],
  ];

  const identity = (request: Request, path: string): Response | undefined => {
    const principal = authenticate(request, { ...options, resolve: oauth.resolve });
    if (principal instanceof Response) return principal;
    if (path === '/v2/user') return currentUser(principal);
    if (path === '/v2/teams' || path === '/teams') return listTeams(principal, teams);
    const [, team] = /^(?:\/v2)?\/teams\/([^/]+)$/.exec(path) ?? [];
    return team === undefined ? undefined : oneTeam(decodeURIComponent(team), principal, teams);
  };

  return async (request) => {
    const url = new URL(request.url);
    const { pathname } = url;
    const limited = options.limits.refuse(request.method, pathname);
    if (limited !== undefined) return limited;
    const flow = { token: oauth.token, 'token/revoke': oauth.revoke, 'token/introspect': oauth.introspect };
    const step = Object.entries(flow).find(([name]) => pathname === `/login/oauth/${name}`);
    if (step !== undefined) return request.method === 'POST' ? step[1](request) : wrongMethod(['POST']);

    if (/^(?:\/v2)?\/(?:user|teams(?:\/[^/]+)?)$/.test(pathname)) {
      if (request.method !== 'GET') return wrongMethod(['GET']);
      const answer = identity(request, pathname);
      if (answer !== undefined) return answer;
    }
    const known = routes.flatMap((route) => {
      const match = route[1].exec(pathname);
      return match === null ? [] : [{ route, names: match.slice(1).map(decodeURIComponent) }];
    });
    if (known.length === 0) return refusal(404, 'not_found', 'The requested API endpoint was not found.');
    const found = known.find(({ route: [method] }) => method === request.method);
    if (found === undefined) return wrongMethod(known.map(({ route: [method] }) => method));

    const principal = authenticate(request, { ...options, resolve: oauth.resolve });
    if (principal instanceof Response) return principal;
    const scope = scopeOf(url, principal, teams);
    if (scope instanceof Response) return scope;
    const type = request.headers.get('content-type');
    if (type !== null && pathname !== '/v2/files' && !/^application\/json\b/.test(type)) {
      return badRequest('The request body must be application/json.');
    }
    promotions.settle();
    return found.route[2]({ request, url, scope, names: found.names });
  };
}

function wrongMethod(methods: readonly string[]): Response {
  return refusal(405, 'method_unknown', `This endpoint only responds to ${methods.join(', ')}`);
}
