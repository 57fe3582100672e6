import { type JsonObject, stringifyJson } from '../json.ts';
import type { HttpCall } from './http.ts';

/** A request with a JSON body, or without a body. */
export function jsonCall(
  method: HttpCall['method'],
  url: string,
  body?: JsonObject,
  headers: Readonly<Record<string, string>> = {},
): HttpCall {
  return body === undefined
    ? { method, url, headers }
    : { method, url, headers: { ...headers, 'content-type': 'application/json' }, body: stringifyJson(body) };
}

/** A form post, as OAuth wants it (RFC 6749, appendix B). Fields that are undefined are left out. */
export function formCall(
  url: string,
  fields: Readonly<Record<string, string | undefined>>,
  headers: Readonly<Record<string, string>> = {},
): HttpCall & { readonly body: string } {
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) form.append(name, value);
  return {
    method: 'POST',
    url,
    headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded' },
    body: form.toString(),
  };
}
