import { type Answer, answerJson } from '../../http/http.ts';
import { urlPart } from '../../http/url-part.ts';
import type { ServiceClient } from '../../identity/service-client.ts';
import { isArray, type Json, textAt } from '../../json.ts';
import { plainLine } from '../../remote-text.ts';
import type { PrefectCall } from './call.ts';

/**
 * Why nobody takes up a run that is due: what its work pool and queue are like, and who asks them for work. Details that
 * may not be seen are left out.
 * https://docs.prefect.io/v3/concepts/work-pools
 */
export async function whyLate(
  run: Json,
  call: PrefectCall,
  client: ServiceClient,
  signal: AbortSignal,
): Promise<string> {
  const poolName = textAt(run, 'work_pool_name');
  const queueName = textAt(run, 'work_queue_name');
  if (poolName === undefined)
    return 'nobody has taken it up: the deployment has no work pool, so the process that serves it must be running';
  const pool = `/work_pools/${urlPart(poolName)}`;
  const ask = async (attempt: Promise<Awaited<ReturnType<ServiceClient['attempt']>>>): Promise<Json | undefined> => {
    const result = await attempt;
    return result.kind === 'answer' && isSuccess(result) ? answerJson(result) : undefined;
  };
  const [poolState, queueState, workers] = await Promise.all([
    ask(client.attempt(call('GET', pool), signal)),
    queueName === undefined
      ? undefined
      : ask(client.attempt(call('GET', `${pool}/queues/${urlPart(queueName)}`), signal)),
    ask(client.attempt(call('POST', `${pool}/workers/filter`, { limit: 50 }), signal)),
  ]);
  return explainLate({ poolName, queueName, pool: poolState, queue: queueState, workers });
}

function isSuccess({ status }: Answer): boolean {
  return status >= 200 && status < 300;
}

/** What was read of those who could take up a run. */
export interface WorkSide {
  readonly poolName: string;
  readonly queueName: string | undefined;
  readonly pool: Json | undefined;
  readonly queue: Json | undefined;
  readonly workers: Json | undefined;
}

/** The sentence on why a run waits, from what was read. */
export function explainLate({ poolName, queueName, pool, queue, workers }: WorkSide): string {
  const where = `work pool ${plainLine(poolName, 80)}${queueName === undefined ? '' : `, queue ${plainLine(queueName, 80)}`}`;
  return `nobody has taken it up: ${where}${reasonOf(pool, queue, workers)}`;
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
  return textAt(each, 'status') === 'PAUSED' || (each as { is_paused?: unknown } | undefined)?.is_paused === true;
}
