import { aliasId } from './vercel-aliases.ts';
import type { Deployment, DeploymentStore, VercelProject } from './vercel-deployment-store.ts';
import { badRequest, refusal } from './vercel-errors.ts';

/** The script of one promotion or rollback. */
export interface PromotionLife {
  /** Waits behind a rolling release: the answer is 202. */
  readonly queued?: boolean;
  readonly pendingMs?: number;
  readonly runningMs?: number;
  readonly end?: 'succeeded' | 'failed' | 'skipped' | 'hang';
  /** Domains that could not be pointed at the deployment, where it failed; by default the first. */
  readonly failedAliases?: readonly string[];
}

interface AliasRequest {
  readonly type: 'promote' | 'rollback';
  readonly from: Deployment | undefined;
  readonly to: Deployment;
  readonly requestedAt: number;
  readonly life: PromotionLife;
  applied: boolean;
}

export interface AliasStatus {
  readonly alias: string;
  readonly id: string;
  readonly deploymentId: string;
  readonly status: string;
}

export interface Promotions {
  readonly request: (type: AliasRequest['type'], to: Deployment, body: string) => Response;
  /** The last request of a project as `lastAliasRequest` shows it. */
  readonly last: (project: VercelProject) => Record<string, unknown> | null;
  /** What became of the domains with the last request; undefined if it was of the other type. */
  readonly aliases: (
    type: AliasRequest['type'],
    project: VercelProject,
    failedOnly: boolean,
  ) => readonly AliasStatus[] | undefined;
  readonly nextPromotion: (...lives: readonly PromotionLife[]) => void;
  /** Does what is due. */
  readonly settle: () => void;
}

const DEFAULT_PENDING_MS = 100;
const DEFAULT_RUNNING_MS = 200;

/**
 * Points production at a deployment that is there already
 * (https://vercel.com/docs/rest-api/projects/point-production-traffic-to-a-given-deployment).
 */
export function promotions(store: DeploymentStore, now: () => number): Promotions {
  const requests = new Map<string, AliasRequest>();
  const scripted: PromotionLife[] = [];

  const statusOf = ({ life, requestedAt }: AliasRequest): string => {
    const running = requestedAt + (life.pendingMs ?? DEFAULT_PENDING_MS);
    if (now() < running) return 'pending';
    const over = running + (life.runningMs ?? DEFAULT_RUNNING_MS);
    return life.end === 'hang' || now() < over ? 'in-progress' : (life.end ?? 'succeeded');
  };

  const settle = () => {
    for (const request of requests.values()) {
      if (request.applied || statusOf(request) !== 'succeeded') continue;
      request.applied = true;
      store.promote(request.to);
      store.hold(request.to.project.id, request.type === 'rollback');
    }
  };

  return {
    request: (type, to, body) => {
      if (body.trim() === '') return badRequest('Invalid request: missing request body.');
      if (!/^\s*\{\s*\}\s*$/.test(body)) return badRequest('Invalid request: the body should be an empty object.');
      const verb = type === 'promote' ? 'promoted' : 'rolled back to';
      const refuse = (status: number, why: string) =>
        refusal(status, status === 409 ? 'conflict' : 'bad_request', `Deployment cannot be ${verb}: ${why}.`);
      if (to.body.target !== 'production') return refuse(400, 'it was not built for production');
      const { state } = store.momentOf(to);
      if (state !== 'READY') return refuse(400, `it is ${state}, not READY`);
      const from = store.production(to.project.id);
      if (type === 'rollback' && !to.promoted) return refuse(422, 'it has never served production');
      if (from === to) return refuse(409, 'it is the current production deployment');
      const last = requests.get(to.project.id);
      if (last !== undefined && ['pending', 'in-progress'].includes(statusOf(last))) {
        return refuse(409, 'another request is in progress');
      }
      const life = scripted.shift() ?? {};
      requests.set(to.project.id, { type, from, to, requestedAt: now(), life, applied: false });
      return Response.json({}, { status: life.queued === true ? 202 : 201 });
    },
    last: ({ id }) => {
      const request = requests.get(id);
      if (request === undefined) return null;
      return {
        type: request.type,
        fromDeploymentId: request.from?.id ?? null,
        toDeploymentId: request.to.id,
        jobStatus: statusOf(request),
        requestedAt: request.requestedAt,
      };
    },
    aliases: (type, project, failedOnly) => {
      const request = requests.get(project.id);
      if (request?.type !== type) return undefined;
      const status = statusOf(request);
      const failed = status === 'failed' ? (request.life.failedAliases ?? project.domains.slice(0, 1)) : [];
      return project.domains
        .map((alias) => ({
          alias,
          id: aliasId(alias),
          deploymentId: request.to.id,
          status: failed.includes(alias)
            ? 'failed'
            : status === 'succeeded' || status === 'failed'
              ? 'completed'
              : status,
        }))
        .filter((row) => !failedOnly || row.status === 'failed');
    },
    nextPromotion: (...lives) => {
      scripted.push(...lives);
    },
    settle,
  };
}
