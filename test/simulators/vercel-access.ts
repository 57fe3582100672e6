import { badRequest, forbidden, notFound, refusal } from './vercel-errors.ts';
import type { VercelOAuth, VercelTeam } from './vercel-oauth.ts';

/** A token that somebody made in the dashboard. */
export interface PersonalToken {
  readonly token: string;
  /** A full one is its user's; a project token belongs to one project and is no user. */
  readonly kind: 'full' | 'project';
  readonly teamIds: readonly string[];
  readonly projectIds?: readonly string[];
  /** Milliseconds since the epoch; never, where left out. */
  readonly expiresAt?: number;
}

/** Who asks. */
export interface Principal {
  readonly kind: 'app' | 'full' | 'project';
  readonly teamIds: readonly string[];
  /** `*`: every project of the teams. */
  readonly projectIds: readonly string[];
  /** False for app tokens whose policy lends but a part of what the client may do. */
  readonly mayDeploy: boolean;
  readonly creator: { readonly uid: string; readonly username: string };
}

export interface Scope {
  readonly principal: Principal;
  readonly team: VercelTeam;
}

const USER = { uid: 'user_ada', username: 'ada' };

export interface AccessOptions {
  readonly teams: readonly VercelTeam[];
  readonly personalTokens: readonly PersonalToken[];
  readonly resolve: VercelOAuth['resolve'];
  readonly now: () => number;
}

/** Who asks, by the request's token; a refusal in the words of https://vercel.com/docs/rest-api/errors. */
export function authenticate(request: Request, options: AccessOptions): Principal | Response {
  const header = request.headers.get('authorization');
  if (header === null) return forbidden('The request is missing an authentication token', { missingToken: true });
  const token = /^Bearer (\S+)$/i.exec(header)?.[1] ?? '';
  const app = options.resolve(token);
  if (app !== undefined) {
    return {
      kind: 'app',
      teamIds: [app.team.id],
      projectIds: app.policy.projectIds ?? ['*'],
      mayDeploy: app.policy.permissions?.includes('*') ?? true,
      creator: { uid: app.client.clientId, username: app.client.name },
    };
  }
  const personal = options.personalTokens.find((each) => each.token === token);
  if (personal === undefined || (personal.expiresAt ?? Number.POSITIVE_INFINITY) <= options.now()) {
    return forbidden('Not authorized', { invalidToken: true });
  }
  return {
    kind: personal.kind,
    teamIds: personal.teamIds,
    projectIds: personal.projectIds ?? ['*'],
    mayDeploy: true,
    creator: USER,
  };
}

/** The team that a request names by `teamId` or `slug`, if the token may act in it. */
export function scopeOf(url: URL, principal: Principal, teams: readonly VercelTeam[]): Scope | Response {
  const teamId = url.searchParams.get('teamId');
  const slug = url.searchParams.get('slug');
  // What names no team is asked of the user's own account, where this company has nothing.
  if (teamId === null && slug === null) return principal.kind === 'full' ? notFound('Project') : forbidden();
  const team = teams.find(({ id, slug: name }) => (teamId === null ? name === slug : id === teamId));
  if (team !== undefined && slug !== null && team.slug !== slug) {
    return badRequest('Invalid request: `teamId` and `slug` name different teams.');
  }
  if (team === undefined || !principal.teamIds.includes(team.id)) return outOfScope(slug ?? teamId ?? '', false);
  return team.saml === true ? outOfScope(team.slug, true, team.id) : { principal, team };
}

/** Whether the token may act on a project of its team. */
export function mayAct({ principal }: Scope, projectId: string): boolean {
  return principal.projectIds.includes('*') || principal.projectIds.includes(projectId);
}

/** `GET /v2/user`, which only tokens of a user answer. */
export function currentUser(principal: Principal): Response {
  if (principal.kind === 'project') return notFound('User');
  if (principal.kind === 'app') return forbidden('Not authorized', { invalidToken: true });
  return Response.json({
    user: {
      id: USER.uid,
      username: USER.username,
      name: 'Ada',
      email: 'ada@acme.example',
      avatar: null,
      defaultTeamId: principal.teamIds[0] ?? null,
      version: 'northstar',
      softBlock: null,
    },
  });
}

/** `GET /v2/teams/{id}`. */
export function oneTeam(id: string, principal: Principal, teams: readonly VercelTeam[]): Response {
  const team = teams.find((each) => each.id === id || each.slug === id);
  if (principal.kind === 'project') return forbidden();
  if (team === undefined || !principal.teamIds.includes(team.id)) return outOfScope(id, false);
  if (team.saml === true) return outOfScope(team.slug, true, team.id);
  return Response.json(teamView(team));
}

/** `GET /v2/teams`. */
export function listTeams(principal: Principal, teams: readonly VercelTeam[]): Response {
  if (principal.kind === 'project') return forbidden();
  const mine = teams.filter(({ id }) => principal.teamIds.includes(id));
  return Response.json({
    teams: mine.map(teamView),
    pagination: { count: mine.length, next: null, prev: null },
  });
}

function teamView({ id, slug, name }: VercelTeam) {
  return {
    id,
    slug,
    name,
    avatar: null,
    creatorId: USER.uid,
    createdAt: 1_700_000_000_000,
    billing: { plan: 'pro', period: null, addons: [] },
    membership: { role: 'MEMBER', confirmed: true, uid: USER.uid, teamId: id },
  };
}

function outOfScope(scope: string, saml: boolean, teamId?: string): Response {
  return refusal(
    403,
    'forbidden',
    `Not authorized: Trying to access resource under scope "${scope}". ` +
      'You must re-authenticate to this scope or use a token with access to this scope.',
    { scope, saml, ...(teamId === undefined ? {} : { teamId, enforced: true }) },
  );
}
