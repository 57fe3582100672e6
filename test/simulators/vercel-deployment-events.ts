import type { Deployment, DeploymentStore } from './vercel-deployment-store.ts';
import { badRequest } from './vercel-errors.ts';

interface Line {
  readonly type: string;
  readonly created: number;
  readonly text: string;
  readonly state?: string;
}

/**
 * `GET /v3/deployments/{id}/events`: what the build printed so far, as a list or, with `format=lines`, one object a line
 * (https://vercel.com/docs/rest-api/deployments/get-deployment-events).
 */
export function deploymentEvents(url: URL, deployment: Deployment, store: DeploymentStore, now: number): Response {
  const query = url.searchParams;
  const direction = query.get('direction') ?? 'forward';
  if (direction !== 'forward' && direction !== 'backward') {
    return badRequest('Invalid request: `direction` should be equal to one of the allowed values "backward, forward".');
  }
  const limit = Number(query.get('limit') ?? -1);
  if (!Number.isInteger(limit) || limit < -1) return badRequest('Invalid request: `limit` should be integer.');
  const since = Number(query.get('since') ?? 0);
  const until = Number(query.get('until') ?? Number.POSITIVE_INFINITY);

  const happened = linesOf(deployment, store)
    .map((line, serial) => ({ line, serial }))
    .filter(({ line: { created } }) => created <= now && created >= since && created <= until);
  const ordered = direction === 'backward' ? happened.toReversed() : happened;
  const rows = (limit === -1 ? ordered : ordered.slice(0, limit)).map(({ line, serial }) =>
    eventRow(deployment, line, serial),
  );
  if (query.get('format') !== 'lines' && query.get('follow') !== '1') return Response.json(rows);
  const streamed = [...rows, ...aliasAssigned(deployment, store)];
  return new Response(streamed.map((row) => `${JSON.stringify(row)}\n`).join(''), {
    headers: { 'content-type': 'application/stream+json' },
  });
}

function linesOf(deployment: Deployment, store: DeploymentStore): readonly Line[] {
  const { life } = deployment;
  const { state, buildingAt, readyAt, errorAt, canceledAt } = store.momentOf(deployment);
  const logs = life.logs ?? ['Using prebuilt build artifacts...'];
  const changed = (at: number | undefined, word: string): readonly Line[] =>
    at === undefined ? [] : [{ type: 'deployment-state', created: at, text: '', state: word }];
  const end = life.end ?? { kind: 'ready' };
  return [
    ...changed(buildingAt, 'BUILDING'),
    ...(buildingAt === undefined ? [] : logs.map((text) => ({ type: 'stdout', created: buildingAt, text }))),
    ...(end.kind === 'error' && errorAt !== undefined
      ? [{ type: 'stderr', created: errorAt, text: `Error: ${end.message}` }]
      : []),
    ...changed(errorAt ?? canceledAt, state),
    ...changed(readyAt, 'READY'),
  ];
}

function eventRow({ id, life }: Deployment, { type, created, text, state }: Line, serial: number) {
  const about = {
    id: `${created}${String(serial).padStart(6, '0')}`,
    deploymentId: id,
    date: created,
    serial: String(serial),
    info: {
      type: 'build',
      name: 'bld_1',
      entrypoint: '.',
      ...(state === undefined ? {} : { readyState: state }),
    },
    ...(text === '' ? {} : { text }),
  };
  return life.logTextIn === 'payload' ? { type, created, payload: about } : { type, created, ...about };
}

// Only those who follow the events are told.
function aliasAssigned(deployment: Deployment, store: DeploymentStore): readonly Record<string, unknown>[] {
  const { aliasesAt: date } = store.momentOf(deployment);
  if (date === undefined || (deployment.life.end ?? { kind: 'ready' }).kind !== 'ready') return [];
  const alias = store.aliasesOf(deployment);
  return [{ type: 'alias-assigned', deploymentId: deployment.id, date, alias, aliasError: null, aliasWarning: null }];
}
