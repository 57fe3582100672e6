import type { HttpCall } from '../../http/http.ts';
import { type JsonObject, stringifyJson } from '../../json.ts';
import type { PrefectServer } from './server.ts';

/** Makes requests to one server's API. The length of a body is always told: Prefect Cloud refuses bodies without. */
export type PrefectCall = (method: HttpCall['method'], path: string, body?: JsonObject) => HttpCall;

export function prefectCall({ base }: PrefectServer): PrefectCall {
  return (method, path, body) => ({
    method,
    url: `${base}${path}`,
    ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: stringifyJson(body) }),
  });
}
