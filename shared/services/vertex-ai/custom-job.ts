import { googleCredential } from '../../google/credential.ts';
import { explainGoogle, isGoogleCapacity } from '../../google/errors.ts';
import { loginCalls } from '../../google/trust.ts';
import { googleSettings, googleTrust } from '../../google/trust-settings.ts';
import { answerJson, type HttpCall } from '../../http/http.ts';
import { oddId } from '../../http/odd-id.ts';
import { pagesOf } from '../../http/pages.ts';
import { urlPart } from '../../http/url-part.ts';
import { type Json, type JsonObject, listAt, numberAt, objectAt, stringifyJson, textAt } from '../../json.ts';
import { type Conclusion, defineKind, type FoundRun, type Job, type RunStatus, submissionOf } from '../../kind.ts';
import { originSettings, specSettings } from '../../settings/run-settings.ts';
import { id, required, text } from '../../settings/settings.ts';
import {
  ATTEMPT_LABEL,
  checkCustomJob,
  completeCustomJob,
  KEY_LABEL,
  keyLabel,
  markCustomJob,
  serverTimeoutOf,
} from './custom-job-request.ts';
import { readCustomJob } from './custom-job-status.ts';

const settings = {
  project: required(
    id({
      description: 'The Google Cloud project that the job runs in.',
      expected: "a project's id or number",
      example: 'acme-ml',
      pattern: /^(?:(?:[a-z][a-z0-9.-]*:)?[a-z][a-z0-9-]{4,28}[a-z0-9]|\d+)$/,
    }),
  ),
  region: required(
    text({
      description: 'The region that the job runs in.',
      expected: 'a region such as us-central1',
      example: 'us-central1',
      pattern: /^[a-z]+(?:-[a-z]+)+\d+$/,
    }),
  ),
  ...googleSettings,
  ...specSettings(
    'The job: a CustomJob, as for REST, or a CustomJobSpec, as for `gcloud ai custom-jobs create --config`.',
    'training/job.yaml',
  ),
  'display-name': text({
    description:
      "The job's name in the console. By default the spec's, else repository and build number. It is cut to 128 characters.",
    expected: 'a name on one line',
    example: 'resnet-@{short-commit}',
    pattern: /^[^\n]+$/,
  }),
  ...originSettings("the job's labels", '', {
    names: /^[a-z][a-z0-9_-]{0,62}$/,
    values: /^[a-z0-9_-]{0,63}$/,
    expected:
      'labels such as {"team": "vision"}: names and values of at most 63 lower-case letters, digits, _ and -, names beginning with a letter',
  }),
};

const outputs = {
  'display-name': "the job's name in the console",
  'create-time': 'when the service accepted it (RFC 3339)',
  'start-time': 'when it began to run',
  'end-time': 'when it ended',
  'duration-seconds': 'how long it ran, in seconds',
  'output-directory': "where the job was told to write: the spec's `baseOutputDirectory`",
  'model-directory': '`AIP_MODEL_DIR` of the job, where the output directory is set',
  'logs-url': "the job's log in the console",
  error: "the service's message, when the job failed",
};

/** Outputs go into variables; the whole message is in the console. */
const LONGEST_ERROR = 2_000;
const RESOURCE = /^projects\/[a-z0-9.:-]{1,100}\/locations\/([a-z0-9-]{1,50})\/customJobs\/\d{1,20}$/;

/** A Vertex AI custom job. https://cloud.google.com/vertex-ai/docs/training/create-custom-job */
export const vertexCustomJob = defineKind({
  id: 'vertex-custom-job',
  title: 'Vertex AI custom job',
  settings,
  outputs,
  checkSpec: checkCustomJob,
  bind: (values, { attach, context, faults, spec, timeoutSeconds }) => {
    const { project, region } = values;
    const trust = googleTrust(values);
    const identity = trust.serviceAccount ?? `principal of ${trust.provider}`;
    if (trust.delegates.length > 0 && trust.serviceAccount === undefined)
      faults.add('delegates', 'needs service-account', { about: ['service-account'] });
    const wishes = {
      displayName: values['display-name'],
      labels: values.labels ?? {},
      provenance: values['provenance-labels'],
      timeoutSeconds,
    };
    const payload = attach || spec === undefined ? undefined : completeCustomJob(spec, wishes, context, faults);
    if (faults.messages.length > 0) return undefined;

    const origin = `https://${region}-aiplatform.${trust.universeDomain}`;
    const parent = `projects/${project}/locations/${region}`;
    const call = (method: HttpCall['method'], path: string, body?: JsonObject): HttpCall => ({
      method,
      url: `${origin}/v1/${path}`,
      headers: {
        // Shown in Google's audit log beside the request.
        'x-goog-request-reason': `keyless-submit ${context.buildUrl}`.slice(0, 500),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: stringifyJson(body) }),
    });
    const consoleUrl = (name: string): string =>
      `https://console.cloud.google.com/agent-platform/locations/${region}/training/${name.split('/').at(-1)}?project=${project}`;

    /** The full name of a job in this region; undefined for any other text. */
    const readName = (text: string | undefined): string | undefined =>
      text !== undefined && RESOURCE.exec(text)?.[1] === region ? text : undefined;

    const find: Job['find'] = async (client, key, signal) => {
      const path = `${parent}/customJobs?filter=${urlPart(`labels.${KEY_LABEL}=${keyLabel(key)}`)}&pageSize=100`;
      const found: FoundRun[] = [];
      const list = pagesOf(origin, nextPageOf, async (token) =>
        client.read(call('GET', token === '' ? path : `${path}&pageToken=${urlPart(token)}`), signal),
      );
      for await (const page of list) {
        for (const job of listAt(page, 'customJobs')) {
          const id = readName(textAt(job, 'name'));
          // It is this submission's, so it may not count as none.
          if (id === undefined) throw oddId(new URL(origin).host, `a custom job's name in ${region}`);
          found.push({ id, attempt: attemptOf(job) });
        }
      }
      return found.sort((left, right) => left.attempt - right.attempt);
    };

    return {
      title: `custom job in ${project}, ${region}`,
      identity,
      origin,
      place: parent,
      payload,
      serverTimeoutSeconds: payload === undefined ? undefined : serverTimeoutOf(payload),
      callsBefore: loginCalls(trust),
      credential: (environment) => googleCredential(trust, environment),
      submissionCall: (job, { key, attempt }) => call('POST', `${parent}/customJobs`, markCustomJob(job, key, attempt)),
      readSubmission: (answer) => submissionOf(readName(textAt(answerJson(answer), 'name'))),
      recognisesRepeats: false,
      find,
      status: async (client, name, signal) => readCustomJob(await client.read(call('GET', name), signal)),
      conclude: async (_client, name, status) => concludeCustomJob(name, status, project),
      readReference: (reference) => {
        if (/^\d{1,20}$/.test(reference)) return `${parent}/customJobs/${reference}`;
        return readName(reference);
      },
      cancellation: {
        call: (name) => call('POST', `${name}:cancel`, {}),
        command: (name) =>
          `gcloud ai custom-jobs cancel ${name.split('/').at(-1)} --project=${project} --region=${region}`,
      },
      url: consoleUrl,
      explain: (request, answer) => explainGoogle({ identity, project, region }, request, answer),
      isCapacity: isGoogleCapacity,
    };
  },
});

/** The attempt that a job's labels name, the first without one. */
function attemptOf(job: Json): number {
  const attempt = numberAt(objectAt(job, 'labels'), ATTEMPT_LABEL);
  return attempt !== undefined && Number.isSafeInteger(attempt) && attempt > 0 ? attempt : 1;
}

const nextPageOf = (page: Json) => textAt(page, 'nextPageToken');

function concludeCustomJob(name: string, { source, failure }: RunStatus, project: string): Conclusion {
  const directory = textAt(objectAt(objectAt(source, 'jobSpec'), 'baseOutputDirectory'), 'outputUriPrefix');
  const startTime = textAt(source, 'startTime');
  const endTime = textAt(source, 'endTime');
  const seconds =
    startTime === undefined || endTime === undefined
      ? Number.NaN
      : (Date.parse(endTime) - Date.parse(startTime)) / 1000;
  const query = urlPart(`resource.labels.job_id="${name.split('/').at(-1)}"`);
  const candidates = {
    'display-name': textAt(source, 'displayName'),
    'create-time': textAt(source, 'createTime'),
    'start-time': startTime,
    'end-time': endTime,
    'duration-seconds': Number.isNaN(seconds) ? undefined : String(Math.round(seconds)),
    'output-directory': directory,
    'model-directory': directory === undefined ? undefined : `${directory.replace(/\/$/, '')}/model/`,
    'logs-url': `https://console.cloud.google.com/logs/query;query=${query}?project=${project}`,
    error: failure === undefined ? undefined : failure.message.slice(0, LONGEST_ERROR),
  };
  return {
    outputs: Object.fromEntries(
      Object.entries(candidates).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
    ),
    notes: [],
  };
}
