import type { SubmitError } from '../../errors.ts';
import { type Answer, answerJson, type HttpCall, unreadable } from '../../http/http.ts';
import { refusalError, refusals } from '../../http/refusal.ts';
import { isArray, isObject, type Json, listAt, objectAt, stringifyJson, textAt } from '../../json.ts';
import { isCsrfRefusal } from './csrf.ts';
import type { PrefectServer } from './server.ts';

const CHECK_LOGIN = 'Check «auth-string», «headers» and «id-token-audience», or what «secret-from» names for them.';
const ACCEPT_IDENTITY =
  'Let the proxy accept the identity (IAP: the role IAP-secured Web App User); check that «id-token-audience» is the one that it expects.';

/** What the REST API says, and what stands in front of it. https://docs.prefect.io/v3/api-ref/rest-api */
export const PREFECT = refusals('Prefect', 'docs/prefect.md', 'request-rejected', [
  {
    status: [401],
    if: 'isCloud',
    code: 'credential-rejected',
    happened: '{service} does not accept the API key: it has expired, or was deleted or rotated',
    remedy: [
      'If the key was rotated, put the new one where this step has it from: «api-key», or what «secret-from» names for it.',
    ],
  },
  {
    status: [401],
    if: 'isProxy',
    code: 'credential-rejected',
    happened: 'The proxy in front of {service} rejected the credential',
    remedy: [CHECK_LOGIN],
  },
  {
    status: [401],
    code: 'credential-rejected',
    expected: ['the user and password of PREFECT_SERVER_API_AUTH_STRING, and what a proxy in front of it wants'],
    remedy: [CHECK_LOGIN],
  },
  {
    if: 'isCsrf',
    happened: '{service} rejected the CSRF token it had issued',
    expected: ['the same database behind every replica of the server'],
    remedy: [
      'Retry the step. If it happens again, check whether a proxy removes headers that begin with Prefect-Csrf.',
    ],
  },
  {
    status: [403],
    if: 'isCloud',
    code: 'permission-denied',
    expected: ['a role in the workspace: Runner to run deployments, Developer to change them'],
    remedy: ["Give the key's service account the role, and access to the deployment where it has a list of its own."],
  },
  {
    status: [403],
    if: 'isProxy',
    code: 'permission-denied',
    happened: 'The proxy in front of {service} refused the identity',
    remedy: [ACCEPT_IDENTITY],
  },
  { status: [403], code: 'permission-denied', remedy: [ACCEPT_IDENTITY] },
  {
    status: [404],
    if: 'isCloud',
    code: 'not-found',
    remedy: [
      "Check «api-url», «deployment» and «attach», and that the key's owner is a member of the workspace. Prefect Cloud deletes runs after 7 to 30 days.",
    ],
  },
  {
    status: [404],
    code: 'not-found',
    remedy: ["Check «deployment» and «attach», and that «api-url» is the API's own address."],
  },
  {
    status: [409],
    happened: "The parameters do not fit the deployment's schema (409)",
    remedy: ['Correct «parameters»: the words above say what is wrong.'],
  },
  {
    status: [400],
    words: /hydrating/i,
    remedy: ['Correct what has a __prefect_kind in the spec: a template or a variable there cannot be resolved.'],
  },
  {
    status: [400],
    words: /work queue/i,
    remedy: ['Leave out «work-queue»: the deployment has no work pool, so it has no queues.'],
  },
  { status: [413], remedy: ['Send less: a request may have 5 MiB, parameters alone 512 KiB.'] },
  {
    remedy: [
      "Correct the settings and the spec: the words above say what is wrong. «job-variables» must fit the work pool's template.",
    ],
  },
]);

/** What a refusal of Prefect's API means. */
export function explainPrefect(server: PrefectServer, identity: string, call: HttpCall, answer: Answer): SubmitError {
  const { status } = answer;
  const body = answerJson(answer);
  if (body === undefined && status !== 401 && status !== 403) return unreadable(call.url, answer);
  const words = refusalWords(body);
  const isCloud = server.workspace !== undefined;
  const presented = [`identity ${identity}`, `request ${call.method} ${new URL(call.url).pathname}`];
  return refusalError(PREFECT, {
    status,
    words,
    presented,
    service: server.host,
    isCloud,
    isProxy: !isCloud && words === '',
    isCsrf: isCsrfRefusal(answer),
  });
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
