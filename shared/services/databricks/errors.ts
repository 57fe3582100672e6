import { type ErrorCode, SubmitError } from '../../errors.ts';
import { type Answer, answerJson, type HttpCall, unreadable } from '../../http/http.ts';
import { listAt, textAt } from '../../json.ts';
import { plainLine } from '../../remote-text.ts';

const GUIDE = 'docs/databricks.md';

/**
 * What a refusal of the Databricks API means.
 * https://docs.databricks.com/api/workspace/introduction
 */
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
  const reject = (
    code: ErrorCode,
    happened: string,
    expected: readonly string[],
    remedy: readonly string[],
  ): SubmitError =>
    new SubmitError(code, {
      happened,
      presented: [
        `identity ${identity}`,
        `request ${call.method} ${pathname}`,
        ...(requestId === undefined ? [] : [`request id ${plainLine(requestId, 80)}`]),
      ],
      expected,
      words: errorCode === '' ? message : `${errorCode}: ${message}`,
      remedy,
      link: GUIDE,
    });

  if (answer.status === 401) {
    return reject(
      'credential-rejected',
      `${host} does not accept the exchanged credential`,
      ['a credential of this workspace'],
      ['Check that «host» is the workspace in which the service principal works.'],
    );
  }
  if (answer.status === 403) {
    return reject(
      'permission-denied',
      `The identity lacks a permission in ${host}`,
      ['the service principal as a member of the workspace, with the right to what the spec uses'],
      [
        'Assign the service principal to the workspace; grant it the cluster-create entitlement or serverless, CAN MANAGE RUN on a job that it runs, and USE on what the tasks read.',
      ],
    );
  }
  if (answer.status === 404 || /does not exist/i.test(message) || errorCode === 'RESOURCE_DOES_NOT_EXIST') {
    return reject(
      'not-found',
      `${host} does not know what was asked for`,
      ['an existing job, run, cluster and path'],
      ['Check «job-id», «attach», and the ids and paths in the spec. A run is kept for 60 days.'],
    );
  }
  if (isDatabricksCapacity(answer)) {
    return reject(
      'quota-exceeded',
      `A limit of ${host} does not allow the run`,
      ["room within the workspace's limits"],
      ['Wait until other runs have ended, or have the limit raised.'],
    );
  }
  return reject(
    'request-rejected',
    `${host} refused the request (${answer.status})`,
    ['a request body as the API describes it'],
    ['Correct the spec: the words above say what is wrong.'],
  );
}

/** Whether the service is out of room for runs, not merely asked too fast. */
export function isDatabricksCapacity(answer: Answer): boolean {
  const code = textAt(answerJson(answer), 'error_code');
  return (
    code === 'QUOTA_EXCEEDED' ||
    /limit of .{0,100}(?:runs|tasks)|maximum .{0,100}runs/i.test(answer.text.slice(0, 2_000))
  );
}
