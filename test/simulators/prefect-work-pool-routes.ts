import { detail } from './prefect-errors.ts';
import { filterShape, passes, WORK_QUEUE_FILTER, WORKER_FILTER } from './prefect-filters.ts';
import { poolView, queueView, type WorkPool, workerView } from './prefect-inventory.ts';
import { page, type Route } from './prefect-router.ts';
import { integer, model, optional } from './prefect-shapes.ts';
import { poolNamed, type Workspace } from './prefect-workspace.ts';

const PAGE = { limit: optional(integer()), offset: optional(integer({ ge: 0 })) };
const QUEUES = model({ ...PAGE, work_queues: optional(filterShape(WORK_QUEUE_FILTER)) }, 'allowed');
const WORKERS = model({ ...PAGE, workers: optional(filterShape(WORKER_FILTER)) }, 'allowed');

/** Work pools, their queues and workers (https://docs.prefect.io/v3/api-ref/rest-api/server/work-pools). */
export function workPoolRoutes(workspace: Workspace): readonly Route[] {
  const inPool = (name: string | undefined, answer: (pool: WorkPool) => Response): Response => {
    const pool = poolNamed(workspace, name ?? null);
    return pool === undefined ? detail(404, `Work pool "${name}" not found.`) : answer(pool);
  };
  return [
    {
      method: 'GET',
      path: '/work_pools/{name}',
      handle: ({ segments: [name] }) => inPool(name, (pool) => Response.json(poolView(pool))),
    },
    {
      method: 'GET',
      path: '/work_pools/{name}/queues/{name}',
      handle: ({ segments: [name, queueName] }) =>
        inPool(name, (pool) => {
          const queue = pool.queues.find((candidate) => candidate.name === queueName);
          return queue === undefined
            ? detail(404, `Work pool queue '${name}/${queueName}' not found.`)
            : Response.json(queueView(pool, queue));
        }),
    },
    {
      method: 'POST',
      path: '/work_pools/{name}/queues/filter',
      body: { shape: QUEUES, required: false, paged: true },
      handle: ({ segments: [name], body }) =>
        inPool(name, (pool) => {
          const rows = pool.queues.map((queue) => queueView(pool, queue));
          return Response.json(
            page(
              rows.filter((row) => passes(row, body.work_queues)),
              body,
            ),
          );
        }),
    },
    {
      method: 'POST',
      path: '/work_pools/{name}/workers/filter',
      body: { shape: WORKERS, required: false, paged: true },
      handle: ({ segments: [name], body }) =>
        inPool(name, (pool) => {
          const rows = pool.workers.map((worker) => workerView(pool, worker, workspace.now()));
          return Response.json(
            page(
              rows.filter((row) => passes(row, body.workers)),
              body,
            ),
          );
        }),
    },
  ];
}
