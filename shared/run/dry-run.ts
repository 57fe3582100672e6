import { EXIT } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { bearer, type HttpCall } from '../http/http.ts';
import { parseJson, stringifyJson } from '../json.ts';
import { Secret } from '../secret.ts';
import { attemptToken } from '../submission-key.ts';
import type { BoundRun } from './bind.ts';
import { keyOfRun } from './bind.ts';

/** Lists of thousands of files are not read line by line. */
const SHOWN_LINES = 400;

/** Prints every request that a run would make up to the submission, with `[redacted]` for tokens. Sends nothing. */
export function showDryRun(bound: BoundRun, host: Host): number {
  const { job, values } = bound;
  const { log, context } = host;
  log.section(`Dry run: ${job.title}`);
  log.info(`identity: ${job.identity}`);
  const calls = [...job.callsBefore];
  if (job.payload !== undefined) {
    const key = keyOfRun(bound, context);
    // What is completed later has another key.
    if (job.prepare === undefined) log.info(`submission key: ${key}`);
    const mark = { key, attempt: 1, token: attemptToken(key, 1) };
    calls.push({ secretHeaders: bearer(new Secret('')), ...job.submissionCall(job.payload, mark) });
  } else log.info(`attach: ${values.attach ?? ''}`);
  calls.forEach((call, index) => {
    log.section(`Request ${index + 1} of ${calls.length}`);
    // The user's own spec may hold anything, so it is printed as text from outside.
    log.remote(describeCall(call));
  });
  log.section('Result');
  log.success('Everything that can be checked without sending is in order; nothing was sent');
  return EXIT.done;
}

function describeCall({ method, url, headers = {}, secretHeaders = {}, body }: HttpCall): readonly string[] {
  const lines = Object.entries({ ...headers, ...secretHeaders }).map(([name, value]) => `${name}: ${value}`);
  return [`${method} ${url}`, ...lines, '', ...describeBody(headers['content-type'], body)];
}

function describeBody(contentType: string | undefined, body: HttpCall['body']): readonly string[] {
  if (body === undefined) return [];
  if (typeof body !== 'string') return [`(${body.bytes} bytes)`];
  if (contentType === 'application/x-www-form-urlencoded')
    return body.split('&').map((field) => decodeURIComponent(field));
  const lines = stringifyJson(parseJson(body), 2).split('\n');
  const hidden = lines.length - SHOWN_LINES;
  return hidden > 0 ? [...lines.slice(0, SHOWN_LINES), `… and ${hidden} more lines`] : lines;
}
