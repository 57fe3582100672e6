import { type ErrorCode, SubmitError } from '../../errors.ts';
import { type Answer, answerJson, type HttpCall, unreadable } from '../../http/http.ts';
import { isArray, isObject, type Json, listAt, objectAt, stringifyJson, textAt } from '../../json.ts';
import { isCsrfRefusal } from './csrf.ts';
import type { PrefectServer } from './server.ts';

const GUIDE = 'docs/prefect.md';

/**
 * What a refusal of Prefect's API means.
 * https://docs.prefect.io/v3/api-ref/rest-api
 */
export function explainPrefect(server: PrefectServer, identity: string, call: HttpCall, answer: Answer): SubmitError {
  const body = answerJson(answer);
  const { pathname } = new URL(call.url);
  const { host } = server;
  const words = refusalWords(body);
  const reject = (
    code: ErrorCode,
    happened: string,
    expected: readonly string[],
    remedy: readonly string[],
  ): SubmitError =>
    new SubmitError(code, {
      happened,
      presented: [`identity ${identity}`, `request ${call.method} ${pathname}`],
      expected,
      words,
      remedy,
      link: GUIDE,
    });
  const proxied = server.workspace === undefined && words === '';

  if (answer.status === 401) {
    return reject(
      'credential-rejected',
      proxied ? `What stands before ${host} does not accept the credential` : `${host} does not accept the credential`,
      [
        server.workspace === undefined
          ? 'the user and password of PREFECT_SERVER_API_AUTH_STRING, and what a proxy in front of it wants'
          : 'an API key that is neither expired nor deleted nor rotated',
      ],
      server.workspace === undefined
        ? ['Check «auth-string», «headers» and «id-token-audience», or what «secret-from» names for them.']
        : [
            'Check when the key expires. If it was rotated, put the new one where this step has it from: «api-key», or what «secret-from» names for it.',
          ],
    );
  }
  if (isCsrfRefusal(answer)) {
    return reject(
      'request-rejected',
      `${host} did not accept the token against forged requests that it gave out itself`,
      ['the same database behind every replica of the server'],
      ['Start the step again. If it happens again, look whether a proxy removes headers that begin with Prefect-Csrf.'],
    );
  }
  if (answer.status === 403) {
    return reject(
      'permission-denied',
      proxied ? `What stands before ${host} refuses the identity` : `The identity lacks a permission in ${host}`,
      [
        server.workspace === undefined
          ? 'an identity that the proxy lets in (IAP: the role IAP-secured Web App User)'
          : 'a role in the workspace: Runner to run deployments, Developer to change them',
      ],
      server.workspace === undefined
        ? ['Let the identity in; check that «id-token-audience» is the one that the proxy expects.']
        : ["Give the key's service account the role, and access to the deployment where it has a list of its own."],
    );
  }
  if (answer.status === 404 && body !== undefined) {
    return reject(
      'not-found',
      `${host} does not know what was asked for`,
      server.workspace === undefined
        ? ['an existing deployment or run', "an address that is the API's own"]
        : ["a workspace that the key's owner is a member of", 'an existing deployment or run in it'],
      ['Check «api-url», «deployment» and «attach». Prefect Cloud deletes runs after 7 to 30 days.'],
    );
  }
  if (body === undefined) return unreadable(call.url, answer);
  if (answer.status === 409) {
    return reject(
      'request-rejected',
      `The parameters do not fit the deployment's schema (409)`,
      ['parameters as the flow declares them'],
      ['Correct «parameters»: the words above say what is wrong.'],
    );
  }
  return reject(
    'request-rejected',
    `${host} refused the request (${answer.status})`,
    ['a request as the API describes it'],
    [remedyOf(answer.status, words)],
  );
}

function remedyOf(status: number, words: string): string {
  if (status === 400 && /hydrating/i.test(words))
    return 'Correct what has a __prefect_kind in the spec: a template or a variable there cannot be resolved.';
  if (status === 400 && /work queue/i.test(words))
    return 'Leave out «work-queue»: the deployment has no work pool, so it has no queues.';
  if (status === 413) return 'Send less: a request may have 5 MiB, parameters alone 512 KiB.';
  return "Correct the settings and the spec: the words above say what is wrong. «job-variables» must fit the work pool's template.";
}

/** The words of a refusal, which has several forms: `detail` as text or list, or `exception_message` with details. */
function refusalWords(body: Json | undefined): string {
  const detail = isObject(body) ? body.detail : undefined;
  if (typeof detail === 'string') return detail;
  const faults = isArray(detail) ? detail : listAt(body, 'exception_detail');
  const message = textAt(body, 'exception_message') ?? textAt(objectAt(body, 'error'), 'message');
  return [...(message === undefined ? [] : [message]), ...faults.map(faultWords)].join('\n');
}

function faultWords(fault: Json): string {
  const place = listAt(fault, 'loc').map((step) => String(step));
  const message = textAt(fault, 'msg');
  return message === undefined ? stringifyJson(fault) : `${place.join('.')}: ${message}`;
}
