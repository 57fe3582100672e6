import type { CiContext } from '../../host/ci-context.ts';
import { originOf } from '../../host/origin.ts';
import { defined, entryOf, isArray, isObject, type Json, type JsonObject, listAt, objectAt } from '../../json.ts';
import { nearestName } from '../../settings/nearest-name.ts';
import { type Faults, parseDuration } from '../../settings/settings.ts';

/** What `create_flow_run` takes. */
const FIELDS = new Set([
  'state',
  'name',
  'parameters',
  'enforce_parameter_schema',
  'context',
  'infrastructure_document_id',
  'empirical_policy',
  'tags',
  'labels',
  'parent_task_run_id',
  'work_queue_name',
  'job_variables',
]);

// Fields of other requests. Left in, the server would refuse them without saying where they belong.
const ELSEWHERE: Readonly<Record<string, string>> = {
  idempotency_key: 'is set by keyless-submit; remove it',
  deployment_id: 'is a setting of its own: deployment',
  work_pool_name: 'belongs to the deployment: a run takes its pool, and may name another queue of it',
  schedules: 'belongs to the deployment; use scheduled-time for one run',
  pull_steps: 'belongs to the deployment; see prefect-deployment-update',
  image: 'goes into job_variables',
};

/** Checks a body of `create_flow_run` as users write it. */
export function checkFlowRun(spec: JsonObject, faults: Faults): void {
  for (const name of Object.keys(spec)) {
    if (FIELDS.has(name)) continue;
    const nearest = nearestName(name, FIELDS);
    const elsewhere = entryOf(ELSEWHERE, name);
    if (elsewhere !== undefined) faults.add('spec', `${name} ${elsewhere}`);
    else if (nearest !== undefined)
      faults.add('spec', `${name} is not a field of a flow run; did you mean ${nearest}?`);
  }
  for (const name of ['state', 'parameters', 'context', 'labels', 'job_variables', 'empirical_policy']) {
    if (name in spec && !isObject(spec[name])) faults.add('spec', `${name} must be a mapping`);
  }
  if ('tags' in spec && !(isArray(spec.tags) && spec.tags.every((tag) => typeof tag === 'string')))
    faults.add('spec', 'tags must be a list of texts');
  for (const [name, value] of Object.entries(objectAt(spec, 'labels'))) {
    if (!['string', 'number', 'bigint', 'boolean'].includes(typeof value))
      faults.add('spec', `labels.${name} must be a text, a number or a boolean`);
  }
  const type = objectAt(spec, 'state').type;
  if ('state' in spec && type !== 'SCHEDULED')
    faults.add('spec', 'state.type must be SCHEDULED: others are for runs that somebody has begun');
}

/** The settings that say more of a run than its spec. */
interface RunSettings {
  readonly parameters: JsonObject | undefined;
  readonly 'run-name': string | undefined;
  readonly tags: readonly string[] | undefined;
  readonly labels: Readonly<Record<string, string>> | undefined;
  readonly 'provenance-labels': boolean;
  readonly 'job-variables': JsonObject | undefined;
  readonly 'work-queue': string | undefined;
}

/** The body of a run, but for its time and its key. What is set wins over the spec. */
export function flowRunBody(spec: JsonObject, values: RunSettings, context: CiContext, faults: Faults): JsonObject {
  const { 'work-queue': workQueue, 'provenance-labels': provenance } = values;
  if (workQueue !== undefined && 'work_queue_name' in spec)
    faults.add('work-queue', 'the spec has a work_queue_name of its own');
  const origin = `${context.repository}@${context.commit.slice(0, 8)} #${context.buildNumber}`;
  const name = values['run-name'] ?? spec.name ?? (provenance ? origin : undefined);
  const allTags = [...new Set([...listAt(spec, 'tags'), ...(values.tags ?? [])])];
  const labels = { ...(provenance ? originOf(context) : {}), ...objectAt(spec, 'labels'), ...values.labels };
  const allParameters = { ...objectAt(spec, 'parameters'), ...values.parameters };
  const variables = merged(objectAt(spec, 'job_variables'), values['job-variables'] ?? {});
  return {
    ...spec,
    ...defined({
      name,
      parameters: unlessEmpty(allParameters),
      tags: allTags.length === 0 ? undefined : allTags,
      labels: unlessEmpty(labels),
      job_variables: unlessEmpty(variables),
      work_queue_name: workQueue,
    }),
  };
}

/** The object, or undefined for one without members. */
export function unlessEmpty<T extends JsonObject>(members: T): T | undefined {
  return Object.keys(members).length === 0 ? undefined : members;
}

/** Two objects as one; where both have an object, as with `env`, these become one too. */
export function merged(base: JsonObject, changes: JsonObject): JsonObject {
  const names = new Set([...Object.keys(base), ...Object.keys(changes)]);
  return Object.fromEntries(
    [...names].map((name) => {
      const [old, change] = [base[name], changes[name]];
      if (change === undefined) return [name, old ?? null];
      return [name, isObject(old) && isObject(change) ? merged(old, change) : change];
    }),
  );
}

/** When a run is to start: a time, or so many seconds after it is asked for. */
export type ScheduledTime = { readonly time: string } | { readonly afterSeconds: number };

const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)$/;

/** A hundred years: what is far beyond cannot be written as a time. */
const LONGEST_DELAY_SECONDS = 100 * 366 * 86_400;

/** The time that a text means; undefined when it is none. */
export function readScheduledTime(text: string): ScheduledTime | undefined {
  if (ISO_TIME.test(text)) return Number.isNaN(Date.parse(text)) ? undefined : { time: new Date(text).toISOString() };
  const afterSeconds = parseDuration(text);
  return afterSeconds === undefined || afterSeconds > LONGEST_DELAY_SECONDS ? undefined : { afterSeconds };
}

/** The state that a run begins with. */
export function scheduledState(spec: JsonObject, time: string): Json {
  const state = objectAt(spec, 'state');
  return { ...state, type: 'SCHEDULED', state_details: { ...objectAt(state, 'state_details'), scheduled_time: time } };
}
