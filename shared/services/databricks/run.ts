import { jsonCall } from '../../http/calls.ts';
import { answerJson, type HttpCall } from '../../http/http.ts';
import { oddId } from '../../http/odd-id.ts';
import { pagesOf } from '../../http/pages.ts';
import { urlPart } from '../../http/url-part.ts';
import type { Session } from '../../identity/session.ts';
import { isObject, type Json, type JsonObject, listAt, textAt } from '../../json.ts';
import { type Access, type FoundRun, NOTHING_MORE, type Plan, type Run } from '../../kind.ts';
import { PLACEHOLDER } from '../../secret.ts';
import { databricksCredential, exchangeCall, workspaceHeader } from './credential.ts';
import { explainDatabricks, isDatabricksCapacity } from './errors.ts';
import { concludeRun } from './run-conclusion.ts';
import { RUN_ID_FORM, readRunId, runIdAt } from './run-id.ts';
import { readRun } from './run-status.ts';
import type { DatabricksTrust } from './trust.ts';

/** What the two ways to start a run do not share. */
export interface RunStart {
  readonly title: string;
  readonly path: '/api/2.2/jobs/runs/submit' | '/api/2.2/jobs/run-now';
  /** Undefined when an earlier run is attached to. */
  readonly payload: JsonObject | undefined;
  readonly serverTimeoutSeconds: number | undefined;
  /** The run's name with the key in it, where it has a name of its own: lists show nothing else of a run. */
  readonly keyInName: KeyInName | undefined;
}

/** How a run's name carries a submission key. */
export interface KeyInName {
  mark(payload: JsonObject, key: string, attempt: number): JsonObject;
  /** The attempt that a listed run is of; undefined for other submissions' runs. */
  attemptOf(run: Json, key: string): number | undefined;
}

/** A Databricks run: the same life however it was started. https://docs.databricks.com/api/workspace/jobs */
export function databricksRun(trust: DatabricksTrust, start: RunStart): Plan {
  const { keyInName, path, payload, serverTimeoutSeconds, title } = start;
  const access = accessOf(trust);
  const calls = callsOf(trust);
  const run = runOf(trust, calls, keyInName);
  const plan = { title, access, longestSeconds: undefined, run };
  if (payload === undefined) return { ...plan, does: 'attach' };
  return {
    ...plan,
    does: 'run',
    serverTimeoutSeconds,
    submission: {
      stage: 'ready',
      payload,
      delivery: {
        by: 'token',
        create: ({ key, attempt, token }) =>
          calls.post(path, { ...(keyInName?.mark(payload, key, attempt) ?? payload), idempotency_token: token }),
        read: (answer) => {
          const id = runIdAt(answerJson(answer));
          return id === undefined ? undefined : { id, made: 'unknown' };
        },
      },
      run,
    },
  };
}

function accessOf(trust: DatabricksTrust): Access {
  const { clientId, origin, workspaceId } = trust;
  const identity = clientId === undefined ? 'account-wide federation policy' : `service principal ${clientId}`;
  return {
    identity,
    origin,
    place: workspaceId,
    logins: [exchangeCall(trust, PLACEHOLDER.reveal())],
    secretHeaders: ['authorization'],
    credential: (environment) => databricksCredential(trust, environment),
    explain: (call, answer) => explainDatabricks(identity, call, answer),
    isCapacity: isDatabricksCapacity,
  };
}

function callsOf(trust: DatabricksTrust) {
  const headers = workspaceHeader(trust);
  return {
    get: (path: string): HttpCall => jsonCall('GET', `${trust.origin}${path}`, undefined, headers),
    post: (path: string, body: JsonObject): HttpCall => jsonCall('POST', `${trust.origin}${path}`, body, headers),
  };
}

function runOf(
  { host, origin }: DatabricksTrust,
  { get, post }: ReturnType<typeof callsOf>,
  keyInName: KeyInName | undefined,
): Run {
  const pages = (session: Session, path: string): AsyncIterable<Json> =>
    pagesOf(
      origin,
      (page) => textAt(page, 'next_page_token'),
      (token) => session.read(get(token === '' ? path : `${path}&page_token=${urlPart(token)}`)),
    );
  return {
    readReference: readRunId,
    url: () => undefined,
    find:
      keyInName === undefined
        ? undefined
        : async (session, key): Promise<readonly FoundRun[]> => {
            // The newest come first, and only the newest attempt is of interest.
            for await (const page of pages(session, '/api/2.2/jobs/runs/list?run_type=SUBMIT_RUN&limit=24')) {
              for (const run of listAt(page, 'runs')) {
                const attempt = keyInName.attemptOf(run, key);
                if (attempt === undefined) continue;
                const id = runIdAt(run);
                // It is this submission's, so it may not count as none.
                if (id === undefined) throw oddId(host, RUN_ID_FORM);
                return [{ id, attempt }];
              }
            }
            return [];
          },
    status: async (session, id) => {
      let run: Json | undefined;
      const tasks: Json[] = [];
      for await (const page of pages(session, `/api/2.2/jobs/runs/get?run_id=${id}`)) {
        run ??= page;
        tasks.push(...listAt(page, 'tasks'));
      }
      return readRun(isObject(run) ? { ...run, tasks } : (run ?? null));
    },
    ...NOTHING_MORE,
    cancellation: {
      call: (id) => post('/api/2.2/jobs/runs/cancel', { run_id: BigInt(id) }),
      command: (id) => `databricks jobs cancel-run ${id}`,
      refusal: () => undefined,
    },
    conclude: (session, _id, status) =>
      concludeRun(session, status, (id) => get(`/api/2.2/jobs/runs/get-output?run_id=${id}`)),
  };
}
