import { urlPart } from '../../http/url-part.ts';
import { isArray, isObject, type Json, textAt } from '../../json.ts';
import { plainLine } from '../../remote-text.ts';
import { glance, type PrefectApi } from './api.ts';

/**
 * Why a run that is due does not begin: what its work pool and queue are like, and who asks them for work. Details that
 * may not be seen are left out.
 * https://docs.prefect.io/v3/concepts/work-pools
 */
export async function whyLate(prefect: PrefectApi, run: Json): Promise<string> {
  const poolName = textAt(run, 'work_pool_name');
  const queueName = textAt(run, 'work_queue_name');
  if (poolName === undefined)
    return 'no process has picked it up: the deployment has no work pool, so the process that serves it must be running';
  const { call } = prefect;
  const path = `/work_pools/${urlPart(poolName)}`;
  const [pool, queue, workers] = await Promise.all([
    glance(prefect, call('GET', path)),
    queueName === undefined ? undefined : glance(prefect, call('GET', `${path}/queues/${urlPart(queueName)}`)),
    glance(prefect, call('POST', `${path}/workers/filter`, { limit: 50 })),
  ]);
  const where = `work pool ${plainLine(poolName, 80)}${queueName === undefined ? '' : `, queue ${plainLine(queueName, 80)}`}`;
  return `no worker has picked it up: ${where}${reasonOf(pool, queue, workers)}`;
}

function reasonOf(pool: Json | undefined, queue: Json | undefined, workers: Json | undefined): string {
  if (isPaused(pool)) return '; the pool is paused';
  if (isPaused(queue)) return '; the queue is paused';
  const type = textAt(pool, 'type') ?? '';
  // Pools that Prefect or a cloud's own service works on have no workers.
  if (/:(?:push|managed)$/.test(type)) return '';
  if (!isArray(workers)) return textAt(pool, 'status') === 'NOT_READY' ? '; no worker is online' : '';
  const online = workers.filter((worker) => textAt(worker, 'status') !== 'OFFLINE');
  if (workers.length === 0) return '; the pool has no worker';
  return online.length === 0 ? '; none of its workers is online' : `; ${online.length} of its workers are online`;
}

function isPaused(each: Json | undefined): boolean {
  return textAt(each, 'status') === 'PAUSED' || (isObject(each) && each.is_paused === true);
}
