import { jsonCall } from '../../http/calls.ts';
import { answerJson, type HttpCall, isSuccess } from '../../http/http.ts';
import type { Session } from '../../identity/session.ts';
import type { Json, JsonObject } from '../../json.ts';
import type { PrefectAccess } from './access.ts';
import type { PrefectServer } from './server.ts';

/** Makes requests to one server's API. The length of a body is always told: Prefect Cloud refuses bodies without. */
export type PrefectCall = (method: HttpCall['method'], path: string, body?: JsonObject) => HttpCall;

export function prefectCall({ base }: PrefectServer): PrefectCall {
  return (method, path, body) => jsonCall(method, `${base}${path}`, body);
}

/** One server's API under one identity. */
export interface PrefectApi extends Session {
  readonly access: PrefectAccess;
  readonly call: PrefectCall;
}

export function prefectApi(access: PrefectAccess, session: Session): PrefectApi {
  return { ...session, access, call: prefectCall(access.server) };
}

/** Reads what is only good to know: asked once, and undefined where that brings no answer of success. */
export async function glance({ attempt }: Session, call: HttpCall): Promise<Json | undefined> {
  const answer = await attempt(call);
  return answer.kind === 'answer' && isSuccess(answer) ? answerJson(answer) : undefined;
}
