import { permissionDenied, type Refusal } from './databricks-errors.ts';
import type { Run } from './databricks-runs.ts';

export interface AccessOptions {
  readonly workspaceId: string;
  /** Who a bearer token is for; undefined for a token that is unknown or has expired. */
  readonly resolve: (accessToken: string) => { readonly principal: string } | undefined;
  /** Who has rights in the workspace; default: everyone who gets a token. */
  readonly members?: readonly string[];
  /** With which status an unknown or expired token is turned down; both are seen. Default 401. */
  readonly badTokenStatus?: 401 | 403;
}

export type Permission = 'CAN_VIEW' | 'CAN_MANAGE_RUN';

const LEVELS: Readonly<Record<Permission, readonly string[]>> = {
  CAN_VIEW: ['CAN_VIEW', 'CAN_MANAGE_RUN', 'CAN_MANAGE', 'IS_OWNER'],
  CAN_MANAGE_RUN: ['CAN_MANAGE_RUN', 'CAN_MANAGE', 'IS_OWNER'],
};

/** Names the caller. A token may be good and its holder still have no rights in this workspace: that is 403, not 401. */
export function authenticate(request: Request, options: AccessOptions): string | Refusal {
  const [, token] = /^Bearer (.+)$/.exec(request.headers.get('authorization') ?? '') ?? [];
  if (token === undefined) {
    const message = 'Credential was not sent or was of an unsupported type for this API.';
    return { status: 401, errorCode: 401, message };
  }
  const principal = options.resolve(token)?.principal;
  if (principal === undefined) return invalidToken(options.badTokenStatus ?? 401);
  if (options.members === undefined || options.members.includes(principal)) return principal;
  return permissionDenied(`User ${principal} does not have access to workspace ${options.workspaceId}`);
}

/** Whether someone may see or steer a run: its creator, and those whom its access control list names. */
export function mayUse(run: Run, principal: string, permission: Permission): boolean {
  return (
    run.createdBy === principal ||
    run.accessControlList.some(
      ({ service_principal_name, user_name, permission_level = '' }) =>
        (service_principal_name ?? user_name) === principal && LEVELS[permission].includes(permission_level),
    )
  );
}

export function noPermission(principal: string, jobId: bigint): Refusal {
  return permissionDenied(
    `User ${principal} does not have View or Admin or Manage Run or Owner permissions on job ${jobId}`,
  );
}

function invalidToken(status: 401 | 403): Refusal {
  return status === 401
    ? { status, errorCode: 'UNAUTHENTICATED', message: 'The access token is invalid or has expired.' }
    : { status, errorCode: 403, message: 'Invalid access token.' };
}
