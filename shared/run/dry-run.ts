import { EXIT } from '../errors.ts';
import type { Host } from '../host/host.ts';
import type { HttpCall } from '../http/http.ts';
import { stringifyJson, tryParseJson } from '../json.ts';
import { attemptToken } from '../submission-key.ts';
import { type BoundRun, keyOfRun } from './bind.ts';

/** Lists of thousands of files are not read line by line. */
const SHOWN_LINES = 400;

/** Prints every request that a run would make up to the submission, with `[redacted]` for tokens. Sends nothing. */
export function showDryRun(bound: BoundRun, host: Host): number {
  const { plan, values } = bound;
  const { log } = host;
  log.section('request', `Dry run: ${plan.title}`);
  log.info(`identity: ${plan.access.identity}`);
  const requests = plan.access.logins.map((call) => describeCall(call, []));
  if (plan.does === 'attach') log.info(`attach: ${values.attach ?? ''}`);
  else requests.push(...submissionCalls(bound, host).map((call) => describeCall(call, plan.access.secretHeaders)));
  requests.forEach((lines, index) => {
    log.section('request', `Request ${index + 1} of ${requests.length}`);
    // The user's own spec may hold anything, so it is printed as text from outside.
    log.remote(lines);
  });
  log.section('result', 'Result');
  log.success('Everything that can be checked without sending is in order; nothing was sent');
  return EXIT.done;
}

function submissionCalls(bound: BoundRun, { log, context }: Host): readonly HttpCall[] {
  if (bound.plan.does === 'attach') return [];
  const { submission } = bound.plan;
  const key = keyOfRun(bound, context);
  const mark = { key, attempt: 1, token: attemptToken(key, 1) };
  // What is completed later has another key.
  if (submission.stage === 'draft') return [...submission.lookUps, submission.preview(mark)];
  log.info(`submission key: ${key}`);
  return [submission.delivery.create(mark)];
}

function describeCall(
  { method, url, headers = {}, secretHeaders = {}, body }: HttpCall,
  hidden: readonly string[],
): readonly string[] {
  const lines = Object.entries({ ...headers, ...secretHeaders }).map(([name, value]) => `${name}: ${value}`);
  return [
    `${method} ${url}`,
    ...lines,
    ...hidden.map((name) => `${name}: [redacted]`),
    '',
    ...describeBody(headers['content-type'], body),
  ];
}

function describeBody(contentType: string | undefined, body: HttpCall['body']): readonly string[] {
  if (body === undefined) return [];
  if (typeof body !== 'string') return [`(${body.bytes} bytes)`];
  if (contentType === 'application/x-www-form-urlencoded')
    return body.split('&').map((field) => decodeURIComponent(field));
  const lines = stringifyJson(tryParseJson(body) ?? body, 2).split('\n');
  const hidden = lines.length - SHOWN_LINES;
  return hidden > 0 ? [...lines.slice(0, SHOWN_LINES), `… and ${hidden} more lines`] : lines;
}
