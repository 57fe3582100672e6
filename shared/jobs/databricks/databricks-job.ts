import { answerJson, type HttpCall } from '../../http.ts';
import {
  type DatabricksTrust,
  databricksCredential,
  exchangeForm,
  tokenEndpoint,
  workspaceHeader,
} from '../../identity/databricks.ts';
import { isObject, type Json, type JsonObject, listAt, stringifyJson, textAt } from '../../json.ts';
import type { ServiceClient } from '../../service-client.ts';
import { urlPart } from '../../url-part.ts';
import { type Job, submissionOf } from '../job-kind.ts';
import { explainDatabricks, isDatabricksCapacity } from './databricks-errors.ts';
import { concludeRun } from './run-conclusion.ts';
import { readRunId, runIdAt } from './run-id.ts';
import { readRun } from './run-status.ts';

/** What the two ways to start a run do not share. */
export interface RunStart {
  readonly title: string;
  readonly path: '/api/2.2/jobs/runs/submit' | '/api/2.2/jobs/run-now';
  readonly payload: JsonObject | undefined;
  readonly serverTimeoutSeconds: number | undefined;
  /** How the runs of a submission are found again, where something of theirs can carry the key. */
  readonly find?: (list: (query: string, signal: AbortSignal) => AsyncIterable<Json>) => FindByKey;
  /** Puts the key where `find` looks for it. */
  readonly mark?: (payload: JsonObject, key: string, attempt: number) => JsonObject;
}

type FindByKey = (key: string, signal: AbortSignal) => Promise<readonly { id: string; attempt: number }[]>;

/** Arrays of more than 100 tasks come in pages, at most this many. */
const MOST_PAGES = 100;

/** A Databricks run: the same life however it was started. https://docs.databricks.com/api/workspace/jobs */
export function databricksJob(trust: DatabricksTrust, start: RunStart): Job {
  const identity =
    trust.clientId === undefined ? 'account-wide federation policy' : `service principal ${trust.clientId}`;
  const call = (method: HttpCall['method'], path: string, body?: JsonObject): HttpCall => ({
    method,
    url: `${trust.origin}${path}`,
    headers: { ...workspaceHeader(trust), ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: stringifyJson(body) }),
  });

  const readWhole = async (client: ServiceClient, id: string, signal: AbortSignal): Promise<Json> => {
    const first = await client.read(call('GET', `/api/2.2/jobs/runs/get?run_id=${id}`), signal);
    const tasks = [...listAt(first, 'tasks')];
    let token = textAt(first, 'next_page_token');
    for (let page = 1; token !== undefined && token !== '' && page < MOST_PAGES; page += 1) {
      const next = await client.read(
        call('GET', `/api/2.2/jobs/runs/get?run_id=${id}&page_token=${urlPart(token)}`),
        signal,
      );
      tasks.push(...listAt(next, 'tasks'));
      token = textAt(next, 'next_page_token');
    }
    return isObject(first) ? { ...first, tasks } : first;
  };

  const { find, mark } = start;
  return {
    title: start.title,
    identity,
    origin: trust.origin,
    payload: start.payload,
    serverTimeoutSeconds: start.serverTimeoutSeconds,
    callsBefore: [
      {
        method: 'POST',
        url: tokenEndpoint(trust),
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...workspaceHeader(trust) },
        body: exchangeForm(trust, '[redacted]').toString(),
      },
    ],
    credential: (environment) => databricksCredential(trust, environment),
    submissionCall: (payload, { key, attempt, token }) =>
      call('POST', start.path, {
        ...(mark === undefined ? payload : mark(payload, key, attempt)),
        idempotency_token: token,
      }),
    readSubmission: (answer) => submissionOf(runIdAt(answerJson(answer))),
    recognisesRepeats: true,
    find:
      find === undefined
        ? undefined
        : (client, key, signal) => find((query, abort) => listRuns(client, call, query, abort))(key, signal),
    status: async (client, id, signal) => readRun(await readWhole(client, id, signal)),
    conclude: (client, _id, status, signal) =>
      concludeRun(status, client, (id) => call('GET', `/api/2.2/jobs/runs/get-output?run_id=${id}`), signal),
    readReference: readRunId,
    cancellation: {
      call: (id) => call('POST', '/api/2.2/jobs/runs/cancel', { run_id: BigInt(id) }),
      command: (id) => `databricks jobs cancel-run ${id}`,
    },
    url: () => undefined,
    explain: (request, answer) => explainDatabricks(identity, request, answer),
    isCapacity: isDatabricksCapacity,
  };
}

async function* listRuns(
  client: ServiceClient,
  call: (method: 'GET', path: string) => HttpCall,
  query: string,
  signal: AbortSignal,
): AsyncIterable<Json> {
  let token = '';
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const suffix = token === '' ? '' : `&page_token=${urlPart(token)}`;
    const list = await client.read(call('GET', `/api/2.2/jobs/runs/list?${query}${suffix}`), signal);
    yield* listAt(list, 'runs');
    token = textAt(list, 'next_page_token') ?? '';
    if (token === '') return;
  }
}
