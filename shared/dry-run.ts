import type { BoundRun } from './bind-run.ts';
import { EXIT } from './errors.ts';
import type { Host } from './host.ts';
import type { HttpCall } from './http.ts';
import { parseJson, stringifyJson } from './json.ts';
import { Secret } from './secret.ts';
import { attemptToken, submissionKey } from './submission-key.ts';

/** Prints every request that a run would make up to the submission, with `[redacted]` for tokens. Sends nothing. */
export function showDryRun({ job, kind, values }: BoundRun, host: Host): number {
  const { log, context } = host;
  log.section(`Dry run: ${job.title}`);
  log.info(`identity: ${job.identity}`);
  const calls = [...job.exchangeCalls];
  if (job.payload !== undefined) {
    const key = submissionKey(context, kind.id, job.payload);
    log.info(`submission key: ${key}`);
    const mark = { key, attempt: 1, token: attemptToken(key, 1) };
    calls.push({ ...job.submissionCall(job.payload, mark), bearer: new Secret('') });
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

function describeCall({ method, url, headers = {}, body, bearer }: HttpCall): readonly string[] {
  const shown = { ...headers, ...(bearer !== undefined ? { authorization: `Bearer ${bearer}` } : {}) };
  const json = headers['content-type'] === 'application/json';
  return [
    `${method} ${url}`,
    ...Object.entries(shown).map(([name, value]) => `${name}: ${value}`),
    '',
    ...(body === undefined
      ? []
      : json
        ? stringifyJson(parseJson(body), 2).split('\n')
        : body.split('&').map((field) => decodeURIComponent(field))),
  ];
}
