import type { JsonObject } from './json-object.ts';
import { detail } from './prefect-errors.ts';
import { type Route, routed } from './prefect-router.ts';
import { decoded } from './prefect-self-hosted.ts';
import type { Handler } from './serve.ts';

/** An API key of a user (`pnu_…`) or of a service account (`pnb_…`). */
export interface CloudKey {
  readonly key: string;
  readonly actorId: string;
  readonly actorName: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt?: number;
  /** The workspaces that the actor is a member of. */
  readonly workspaceIds: readonly string[];
}

export interface CloudWorkspace {
  readonly accountId: string;
  readonly accountHandle: string;
  readonly workspaceId: string;
  readonly workspaceHandle: string;
}

export interface CloudAccess {
  readonly host: string;
  readonly keys: readonly CloudKey[];
  readonly now: () => number;
}

const MAX_BODY_BYTES = 5 * 1024 * 1024;

/** Prefect Cloud: keys, membership, and the routes of each workspace (https://docs.prefect.io/v3/api-ref/rest-api/cloud). */
export function cloud(
  { host, keys, now }: CloudAccess,
  workspaces: readonly (CloudWorkspace & { readonly routes: readonly Route[] })[],
): Handler {
  return async (request) => {
    const { pathname } = new URL(request.url);
    const unfit = bodyRefusal(request);
    if (unfit !== undefined) return unfit;
    if (!pathname.startsWith('/api/')) return detail(404, 'Not Found');
    const actor = actorOf(request.headers, keys, now());
    if (actor === undefined) return detail(401, 'Invalid authentication credentials');
    const mine = workspaces.filter(({ workspaceId }) => actor.workspaceIds.includes(workspaceId));

    const [, accountId, workspaceId, rest = ''] =
      /^\/api\/accounts\/([^/]+)\/workspaces\/([^/]+)(\/.*)?$/.exec(pathname) ?? [];
    if (workspaceId === undefined) {
      return routed(meRoutes(actor, mine), decoded(pathname.slice('/api'.length)), request, `https://${host}/api`);
    }
    const workspace = mine.find((one) => one.workspaceId === workspaceId && one.accountId === accountId);
    if (workspace === undefined) return detail(404, 'Not Found');
    const base = `https://${host}/api/accounts/${accountId}/workspaces/${workspaceId}`;
    return routed(workspace.routes, decoded(rest), request, base);
  };
}

/** The key that a request comes with, if it is good. */
export function actorOf(headers: Headers, keys: readonly CloudKey[], now: number): CloudKey | undefined {
  const given = /^Bearer (\S+)$/i.exec(headers.get('authorization') ?? '')?.[1];
  return keys.find(({ key, expiresAt }) => key === given && (expiresAt === undefined || expiresAt > now));
}

function bodyRefusal(request: Request): Response | undefined {
  if (!['POST', 'PUT', 'PATCH'].includes(request.method)) return undefined;
  const length = request.headers.get('content-length');
  if (length === null) return detail(411, 'Length Required');
  return Number(length) > MAX_BODY_BYTES ? detail(413, 'Request Entity Too Large') : undefined;
}

function meRoutes(actor: CloudKey, workspaces: readonly CloudWorkspace[]): readonly Route[] {
  const row = (workspace: CloudWorkspace): JsonObject => ({
    account_id: workspace.accountId,
    account_name: workspace.accountHandle,
    account_handle: workspace.accountHandle,
    workspace_id: workspace.workspaceId,
    workspace_name: workspace.workspaceHandle,
    workspace_description: '',
    workspace_handle: workspace.workspaceHandle,
  });
  return [
    {
      method: 'GET',
      path: '/me/',
      handle: () => Response.json({ id: actor.actorId, handle: actor.actorName }),
    },
    { method: 'GET', path: '/me/workspaces', handle: () => Response.json(workspaces.map(row)) },
  ];
}
