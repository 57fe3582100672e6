import { isObject, type Json, type JsonObject, numberAt, objectAt, textAt } from '../../json.ts';
import type { RunStatus } from '../../kind.ts';
import { plainLine } from '../../remote-text.ts';
import { readDeploymentId } from './deployment-id.ts';

/** The two ways to point production at a deployment that is there. */
export type ChangeType = 'promote' | 'rollback';

/** What a change of production is told from others by. */
export interface ChangeMark {
  readonly type: ChangeType;
  readonly deployment: string;
  /** When the project's last request before this one was made, in ms; undefined when there was none, or it is not known. */
  readonly before: number | undefined;
  /** When the service accepted this one, in ms by its own clock; undefined when that is not known. */
  readonly acceptedAt: number | undefined;
  /** It was accepted to begin after something else. */
  readonly queued: boolean;
}

/** Answers tell the time in whole seconds. */
const CLOCK_MS = 1_000;

/** The project's last request to point production elsewhere, if it is the one that is looked for. */
export function requestOf(project: Json, { type, deployment, before }: ChangeMark): JsonObject | undefined {
  const request = objectAt(project, 'lastAliasRequest');
  if (textAt(request, 'toDeploymentId') !== deployment || (textAt(request, 'type') ?? type) !== type) return undefined;
  const requestedAt = numberAt(request, 'requestedAt');
  return before !== undefined && requestedAt !== undefined && requestedAt <= before ? undefined : request;
}

/** When the last request of a project was made, in ms. */
export function lastRequestAt(project: Json): number | undefined {
  return numberAt(objectAt(project, 'lastAliasRequest'), 'requestedAt');
}

/** Whether a project's last request is still being carried out. */
export function isUnderWay(project: Json): boolean {
  const status = textAt(objectAt(project, 'lastAliasRequest'), 'jobStatus');
  return status === 'pending' || status === 'in-progress';
}

/** What a project serves in production. */
export function productionOf(project: Json): string | undefined {
  return readDeploymentId(textAt(objectAt(objectAt(project, 'targets'), 'production'), 'id'));
}

/** Whether a project was rolled back, so that new deployments do not reach production until one is promoted. */
export function isRolledBack(project: Json): boolean {
  const target = isObject(project) ? project.lastRollbackTarget : undefined;
  return target !== undefined && target !== null;
}

/**
 * How a change of production stands, by its project.
 * https://vercel.com/docs/rest-api/projects/find-a-project-by-id-or-name
 */
export function readChange(project: Json, mark: ChangeMark): RunStatus {
  return { parts: [], source: project, ...standing(project, mark) };
}

function standing(project: Json, mark: ChangeMark): Pick<RunStatus, 'phase' | 'word' | 'detail' | 'failure'> {
  const request = requestOf(project, mark);
  const current = productionOf(project) === mark.deployment;
  const word = plainLine(textAt(request, 'jobStatus') ?? (current ? 'current' : 'requested'), 60);
  const verb = mark.type === 'promote' ? 'promotion' : 'rollback';
  if (request === undefined) {
    // What is served already and asked for no more is as it should be.
    if (current) return { phase: 'succeeded', word };
    const later = laterRequest(project, mark);
    if (later !== undefined) {
      const message = `Another request came after this ${verb}: production goes to ${plainLine(later, 80)}`;
      return { phase: 'failed', word: 'superseded', failure: { cause: 'code', message } };
    }
    const detail = mark.queued ? 'waits behind a rolling release' : `the ${verb} is not begun`;
    return { phase: 'queued', word, detail };
  }
  switch (textAt(request, 'jobStatus')) {
    case 'pending':
      return { phase: 'queued', word };
    case 'succeeded':
      return { phase: 'succeeded', word };
    case 'failed': {
      const message = 'Some domains could not be pointed at the deployment';
      return { phase: 'failed', word, failure: { cause: 'code', message } };
    }
    case 'skipped': {
      if (current) return { phase: 'succeeded', word };
      return { phase: 'failed', word, failure: { cause: 'code', message: `Vercel skipped the ${verb}` } };
    }
    default:
      return { phase: 'running', word };
  }
}

/** The deployment of a request that came after this one was accepted. */
function laterRequest(project: Json, { acceptedAt }: ChangeMark): string | undefined {
  const requestedAt = lastRequestAt(project);
  if (acceptedAt === undefined || requestedAt === undefined || requestedAt <= acceptedAt + CLOCK_MS) return undefined;
  return textAt(objectAt(project, 'lastAliasRequest'), 'toDeploymentId');
}
