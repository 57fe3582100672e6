import { answerJson, type HttpCall } from '../../http/http.ts';
import { pagesOf } from '../../http/pages.ts';
import { urlPart } from '../../http/url-part.ts';
import type { ServiceClient } from '../../identity/service-client.ts';
import { isObject, type Json, type JsonObject, listAt, stringifyJson, textAt } from '../../json.ts';
import { type Job, submissionOf } from '../../kind.ts';
import { PLACEHOLDER } from '../../secret.ts';
import { databricksCredential, exchangeCall, workspaceHeader } from './credential.ts';
import { explainDatabricks, isDatabricksCapacity } from './errors.ts';
import { concludeRun } from './run-conclusion.ts';
import { readRunId, runIdAt } from './run-id.ts';
import { readRun } from './run-status.ts';
import type { DatabricksTrust } from './trust.ts';

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

const nextPageOf = (page: Json) => textAt(page, 'next_page_token');

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

  const pages = (client: ServiceClient, path: string, signal: AbortSignal): AsyncIterable<Json> =>
    pagesOf(trust.origin, nextPageOf, async (token) =>
      client.read(call('GET', token === '' ? path : `${path}&page_token=${urlPart(token)}`), signal),
    );

  const readWhole = async (client: ServiceClient, id: string, signal: AbortSignal): Promise<Json> => {
    let run: Json | undefined;
    const tasks: Json[] = [];
    for await (const page of pages(client, `/api/2.2/jobs/runs/get?run_id=${id}`, signal)) {
      run ??= page;
      tasks.push(...listAt(page, 'tasks'));
    }
    return isObject(run) ? { ...run, tasks } : (run ?? null);
  };

  const { find, mark } = start;
  return {
    title: start.title,
    identity,
    origin: trust.origin,
    place: trust.workspaceId,
    payload: start.payload,
    serverTimeoutSeconds: start.serverTimeoutSeconds,
    callsBefore: [exchangeCall(trust, PLACEHOLDER.reveal())],
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
        : (client, key, signal) => {
            const list = async function* (query: string, abort: AbortSignal): AsyncIterable<Json> {
              for await (const page of pages(client, `/api/2.2/jobs/runs/list?${query}`, abort))
                yield* listAt(page, 'runs');
            };
            return find(list)(key, signal);
          },
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
