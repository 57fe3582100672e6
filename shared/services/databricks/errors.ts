import type { SubmitError } from '../../errors.ts';
import { type Answer, answerJson, type HttpCall, unreadable } from '../../http/http.ts';
import { refusalError, refusals } from '../../http/refusal.ts';
import { listAt, textAt } from '../../json.ts';
import { plainLine } from '../../remote-text.ts';

/** What the REST API says. https://docs.databricks.com/api/workspace/introduction */
export const DATABRICKS = refusals('Databricks', 'docs/databricks.md', 'request-rejected', [
  {
    status: [401],
    code: 'credential-rejected',
    remedy: ['Check that «host» is the workspace in which the service principal works.'],
  },
  {
    status: [403],
    code: 'permission-denied',
    remedy: [
      'Assign the service principal to the workspace; grant it the cluster-create entitlement or serverless, CAN MANAGE RUN on a job that it runs, and USE on what the tasks read.',
    ],
  },
  {
    if: 'isUnknown',
    code: 'not-found',
    remedy: [
      'Check «job-id», «attach», and the ids and paths in the spec, and whether the service principal may see them. A run is kept for 60 days.',
    ],
  },
  {
    if: 'isCapacity',
    code: 'quota-exceeded',
    happened: 'A limit of {service} does not allow the run',
    remedy: [
      'Wait until other runs have ended, let it wait with queue: {enabled: true} in the spec, or have the limit raised.',
    ],
  },
  { remedy: ['Correct the spec: the words above say what is wrong.'] },
]);

/** What a refusal of the Databricks API means. */
export function explainDatabricks(identity: string, call: HttpCall, answer: Answer): SubmitError {
  const body = answerJson(answer);
  const message =
    textAt(body, 'message') ?? textAt(body, 'error_description') ?? textAt(body, 'error') ?? textAt(body, 'detail');
  if (message === undefined) return unreadable(call.url, answer);
  const errorCode = textAt(body, 'error_code') ?? '';
  const requestId = listAt(body, 'details')
    .map((detail) => textAt(detail, 'request_id'))
    .find((id) => id !== undefined);
  const { host, pathname } = new URL(call.url);
  return refusalError(DATABRICKS, {
    status: answer.status,
    words: errorCode === '' ? message : `${errorCode}: ${message}`,
    presented: [
      `identity ${identity}`,
      `request ${call.method} ${pathname}`,
      ...(requestId === undefined ? [] : [`request id ${plainLine(requestId, 80)}`]),
    ],
    service: host,
    isUnknown: answer.status === 404 || /does not exist/i.test(message) || errorCode === 'RESOURCE_DOES_NOT_EXIST',
    isCapacity: isDatabricksCapacity(answer),
  });
}

/** Whether the service is out of room for runs, not merely asked too fast. */
export function isDatabricksCapacity(answer: Answer): boolean {
  const code = textAt(answerJson(answer), 'error_code');
  return (
    code === 'QUOTA_EXCEEDED' ||
    /limit of .{0,100}(?:runs|tasks)|maximum .{0,100}runs/i.test(answer.text.slice(0, 2_000))
  );
}
