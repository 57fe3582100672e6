import { jsonCall } from '../../http/calls.ts';
import { type Answer, answerJson, type HttpCall, type StreamedBody } from '../../http/http.ts';
import type { Session } from '../../identity/session.ts';
import { type JsonObject, numberAt, objectAt, textAt } from '../../json.ts';

export const VERCEL_ORIGIN = 'https://api.vercel.com';

/** Makes requests in the scope of one team. */
export type VercelCall = (
  method: HttpCall['method'],
  path: string,
  options?: { readonly query?: Readonly<Record<string, string>>; readonly body?: JsonObject },
) => HttpCall;

/** Requests to the REST API in the scope of a team. https://vercel.com/docs/rest-api */
export function vercelCalls(team: string): VercelCall {
  const scope = team.startsWith('team_') ? { teamId: team } : { slug: team };
  return (method, path, { query = {}, body } = {}) => ({
    ...jsonCall(method, `${VERCEL_ORIGIN}${path}?${new URLSearchParams({ ...scope, ...query })}`, body),
    askedToWait,
  });
}

/** The REST API under one identity, in the scope of its team. */
export interface VercelApi extends Session {
  readonly call: VercelCall;
}

export function vercelApi(team: string, session: Session): VercelApi {
  return { ...session, call: vercelCalls(team) };
}

/** https://vercel.com/docs/rest-api/deployments/upload-deployment-files */
export function uploadCall(call: VercelCall, sha: string, body: StreamedBody): HttpCall {
  return {
    ...call('POST', '/v2/files'),
    headers: { 'content-type': 'application/octet-stream', 'x-vercel-digest': sha },
    body,
  };
}

/** A number too small for a time of our days is a span. */
const EARLIEST_TIME_MS = 1e11;

/** A refusal for too many requests says when the limit begins anew, in seconds and in ms since the epoch. */
export function askedToWait(answer: Answer, now: number): number | undefined {
  if (answer.status !== 429) return undefined;
  const limit = objectAt(objectAt(answerJson(answer), 'error'), 'limit');
  const seconds = numberAt(limit, 'reset');
  const resetMs = numberAt(limit, 'resetMs') ?? (seconds === undefined ? undefined : seconds * 1000);
  if (resetMs === undefined) return undefined;
  return Math.max(0, resetMs < EARLIEST_TIME_MS ? resetMs : resetMs - now);
}

/** What an answer of failure says. Some endpoints call it `err`. */
export function vercelError(answer: Answer): JsonObject {
  const body = answerJson(answer);
  const error = objectAt(body, 'error');
  return textAt(error, 'code') === undefined && textAt(error, 'message') === undefined ? objectAt(body, 'err') : error;
}
