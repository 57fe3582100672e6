import { googleCredential } from '../../google/credential.ts';
import { explainGoogle, isGoogleCapacity } from '../../google/errors.ts';
import { loginCalls } from '../../google/trust.ts';
import { googleSettings, googleTrust } from '../../google/trust-settings.ts';
import { jsonCall } from '../../http/calls.ts';
import { answerJson, type HttpCall } from '../../http/http.ts';
import { oddId } from '../../http/odd-id.ts';
import { pagesOf } from '../../http/pages.ts';
import { urlPart } from '../../http/url-part.ts';
import { defined, type Json, type JsonObject, listAt, textAt } from '../../json.ts';
import {
  type Access,
  type Binding,
  defineKind,
  type FindRuns,
  type FoundRun,
  type JobKind,
  NOTHING_MORE,
  type Run,
  type RunStatus,
} from '../../kind.ts';
import { originSettings, specSettings } from '../../settings/run-settings.ts';
import { type Faults, id, required, type Settings, type SettingValues, text } from '../../settings/settings.ts';
import { readJob } from './job-status.ts';
import { attemptOf, keyFilter, markJob, originLabels } from './labels.ts';
import { checkMessage, hasField, messageOf, withField } from './proto-json.ts';

/** What the kinds of Vertex AI jobs do not share: everything about one collection of the API. */
export interface VertexJob<S extends Settings> {
  readonly id: string;
  readonly title: string;
  /** The collection in the API's paths, `customJobs`, and what one of it is called. */
  readonly collection: string;
  readonly noun: string;
  /** What `gcloud ai` calls it, where it knows it. */
  readonly gcloudGroup: string | undefined;
  /** The part of the console that shows it. */
  readonly consolePage: string;
  readonly spec: { readonly description: string; readonly example: string };
  readonly settings: S;
  readonly outputs: Readonly<Record<string, string>>;
  /** The resource that the user's document stands for. */
  read(spec: JsonObject): JsonObject;
  /** Checks what can be told of a resource without asking the service. */
  check(resource: JsonObject, faults: Faults): void;
  /** The resource with what only this collection takes. */
  complete(resource: JsonObject, values: SettingValues<S>, binding: Binding): JsonObject;
  /** Seconds after which the service ends the job by itself, as far as the resource says. */
  timeoutSeconds(resource: JsonObject): number | undefined;
  /** What a job that is over has come to: a success may be a failure to its users. */
  judge(status: RunStatus, values: SettingValues<S>): RunStatus;
  outputsOf(job: Json, project: string): Readonly<Record<string, string | undefined>>;
}

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
};

/** Outputs go into variables; the whole message is in the console. */
const LONGEST_ERROR = 2_000;

/**
 * The kind that a description of a job collection amounts to: create, get, list by label, cancel.
 * https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.customJobs
 */
export function vertexJob<S extends Settings>(job: VertexJob<S>): JobKind {
  return defineKind({
    id: job.id,
    title: job.title,
    settings: { ...settings, ...specSettings(job.spec.description, job.spec.example), ...job.settings },
    outputs: { ...outputs, ...job.outputs, error: "the service's message, when the job failed" },
    checkSpec: (spec, attach, faults) => {
      if (spec !== undefined) {
        const resource = job.read(spec);
        checkMessage(resource, 'labels', faults);
        job.check(resource, faults);
      } else if (!attach) faults.add('spec', 'is required: a path in the checkout, or a mapping');
    },
    bind: (values, binding) => {
      const { attach, faults, spec } = binding;
      const access = accessOf(values, binding);
      const resource = attach || spec === undefined ? undefined : resourceOf(job, spec, values, binding);
      if (faults.messages.length > 0) return undefined;
      const calls = callsOf(job.collection, values, access, binding);
      const run = runOf(job, values, access, calls);
      const title = `${job.noun} in ${values.project}, ${values.region}`;
      const plan = { title, access, longestSeconds: undefined, run };
      if (resource === undefined) return { ...plan, does: 'attach' };
      return {
        ...plan,
        does: 'run',
        serverTimeoutSeconds: job.timeoutSeconds(resource),
        submission: {
          stage: 'ready',
          payload: resource,
          delivery: {
            by: 'mark',
            create: (mark) => calls.create(markJob(resource, mark)),
            read: (answer) => calls.readName(textAt(answerJson(answer), 'name')),
            find: run.find,
            supply: undefined,
          },
          run,
        },
      };
    },
  });
}

type CommonValues = SettingValues<typeof settings>;

function accessOf(values: CommonValues, { faults }: Binding): Access {
  const { project, region } = values;
  const trust = googleTrust(values);
  if (trust.delegates.length > 0 && trust.serviceAccount === undefined)
    faults.add('delegates', 'needs service-account', { about: ['service-account'] });
  const identity = trust.serviceAccount ?? `principal of ${trust.provider}`;
  return {
    identity,
    origin: `https://${region}-aiplatform.${trust.universeDomain}`,
    place: `projects/${project}/locations/${region}`,
    logins: loginCalls(trust),
    secretHeaders: ['authorization'],
    credential: (environment) => googleCredential(trust, environment),
    explain: (call, answer) => explainGoogle({ identity, project, region }, call, answer),
    isCapacity: isGoogleCapacity,
  };
}

/** The resource that is sent, before it is marked. What the user's document has stays untouched. */
function resourceOf<S extends Settings>(
  job: VertexJob<S>,
  spec: JsonObject,
  values: CommonValues & SettingValues<S>,
  binding: Binding,
): JsonObject {
  const { context, faults } = binding;
  const resource = job.complete(job.read(spec), values, binding);
  const own = messageOf(resource, 'labels');
  const labels = values.labels ?? {};
  for (const name of Object.keys(labels)) {
    if (name in own) faults.add('labels', `${name} is set in the spec already`);
  }
  const origin = values['provenance-labels'] ? originLabels(context) : {};
  const labelled = withField(resource, 'labels', { ...origin, ...labels, ...own });
  const given = values['display-name'];
  if (given === undefined && hasField(resource, 'displayName')) return labelled;
  const name = given ?? `${context.repository.split('/').at(-1)}-${context.buildNumber}`;
  return withField(labelled, 'displayName', name.slice(0, 128));
}

function callsOf(collection: string, { region }: CommonValues, { origin, place }: Access, { context }: Binding) {
  // Shown in Google's audit log next to the request.
  const headers = { 'x-goog-request-reason': `keyless-submit ${context.buildUrl}`.slice(0, 500) };
  const call = (method: HttpCall['method'], path: string, body?: JsonObject): HttpCall =>
    jsonCall(method, `${origin}/v1/${path}`, body, headers);
  const resource = new RegExp(`^projects/[a-z0-9.:-]{1,100}/locations/([a-z0-9-]{1,50})/${collection}/\\d{1,20}$`);
  return {
    create: (body: JsonObject) => call('POST', `${place}/${collection}`, body),
    get: (name: string) => call('GET', name),
    list: (filter: string, token: string) =>
      call(
        'GET',
        `${place}/${collection}?filter=${urlPart(filter)}&pageSize=100${token === '' ? '' : `&pageToken=${urlPart(token)}`}`,
      ),
    cancel: (name: string) => call('POST', `${name}:cancel`, {}),
    /** The full name of a job in this region; undefined for any other text. */
    readName: (name: string | undefined): string | undefined =>
      name !== undefined && resource.exec(name)?.[1] === region ? name : undefined,
  };
}

type Calls = ReturnType<typeof callsOf>;

function runOf<S extends Settings>(
  job: VertexJob<S>,
  values: CommonValues & SettingValues<S>,
  { origin, place }: Access,
  calls: Calls,
): Run & { readonly find: FindRuns } {
  const { project, region } = values;
  return {
    readReference: (reference) =>
      /^\d{1,20}$/.test(reference) ? `${place}/${job.collection}/${reference}` : calls.readName(reference),
    url: (name) =>
      `https://console.cloud.google.com/agent-platform/locations/${region}/${job.consolePage}/${name.split('/').at(-1)}?project=${project}`,
    find: async (session, key) => {
      const found: FoundRun[] = [];
      const pages = pagesOf(
        origin,
        (page) => textAt(page, 'nextPageToken'),
        (token) => session.read(calls.list(keyFilter(key), token)),
      );
      for await (const page of pages) {
        for (const each of listAt(page, job.collection)) {
          const name = calls.readName(textAt(each, 'name'));
          // It is this submission's, so it may not count as none.
          if (name === undefined) throw oddId(new URL(origin).host, `a ${job.noun}'s name in ${region}`);
          found.push({ id: name, attempt: attemptOf(each) });
        }
      }
      return found.sort((left, right) => left.attempt - right.attempt);
    },
    status: async (session, name) => job.judge(readJob(await session.read(calls.get(name))), values),
    ...NOTHING_MORE,
    cancellation: {
      call: calls.cancel,
      command: (name) =>
        job.gcloudGroup === undefined
          ? `curl -X POST -H "Authorization: Bearer $(gcloud auth print-access-token)" ${calls.cancel(name).url}`
          : `gcloud ai ${job.gcloudGroup} cancel ${name.split('/').at(-1)} --project=${project} --region=${region}`,
      refusal: () => undefined,
    },
    conclude: async (_session, _name, { source, failure }) => ({
      outputs: defined({
        ...timesOf(source),
        ...job.outputsOf(source, project),
        error: failure?.message.slice(0, LONGEST_ERROR),
      }),
      notes: [],
    }),
  };
}

function timesOf(job: Json) {
  const startTime = textAt(job, 'startTime');
  const endTime = textAt(job, 'endTime');
  const seconds = (Date.parse(endTime ?? '') - Date.parse(startTime ?? '')) / 1000;
  return {
    'display-name': textAt(job, 'displayName'),
    'create-time': textAt(job, 'createTime'),
    'start-time': startTime,
    'end-time': endTime,
    'duration-seconds': Number.isNaN(seconds) ? undefined : String(Math.round(seconds)),
  };
}
