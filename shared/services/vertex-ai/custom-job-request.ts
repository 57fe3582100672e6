import type { CiContext } from '../../host/ci-context.ts';
import { originOf } from '../../host/origin.ts';
import { isArray, isObject, type JsonObject } from '../../json.ts';
import type { Faults } from '../../settings/settings.ts';

/** Labels that a look-up goes by. They stay when `provenance-labels` is off. */
export const KEY_LABEL = 'keyless_submit_key';
export const ATTEMPT_LABEL = 'keyless_submit_attempt';

export interface CustomJobWishes {
  readonly displayName: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly provenance: boolean;
  readonly timeoutSeconds: number;
}

/**
 * Checks what can be told of a user's document without asking the service. It may be a CustomJob (as for REST) or a bare
 * CustomJobSpec (as for `gcloud ai custom-jobs create --config`), with names in camelCase or snake_case, as proto3 JSON allows.
 */
export function checkCustomJob(spec: JsonObject | undefined, attach: boolean, faults: Faults): void {
  if (spec === undefined) {
    if (!attach) faults.add('spec', 'is required: a path in the checkout, or a mapping');
    return;
  }
  const document = wrapped(spec);
  if (!has(document, 'jobSpec')) {
    faults.add('spec', 'has neither jobSpec (a CustomJob) nor workerPoolSpecs (a CustomJobSpec)');
    return;
  }
  const jobSpec = checkedMember(document, 'jobSpec', faults);
  checkedMember(document, 'labels', faults);
  if (jobSpec === undefined) return;
  checkedMember(jobSpec, 'scheduling', faults);
  if (!isArray(memberOf(jobSpec, 'workerPoolSpecs')) && !has(jobSpec, 'persistentResourceId')) {
    faults.add('spec', 'jobSpec.workerPoolSpecs must be a list of worker pools');
  }
}

/**
 * Completes a checked document to a CustomJob. What is there stays untouched.
 * https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.customJobs
 */
export function completeCustomJob(
  spec: JsonObject,
  wishes: CustomJobWishes,
  context: CiContext,
  faults: Faults,
): JsonObject {
  const document = wrapped(spec);
  const jobSpec = objectOf(document, 'jobSpec');
  const labels = objectOf(document, 'labels');
  const added = { ...(wishes.provenance ? originLabels(context) : {}), ...wishes.labels };
  for (const name of Object.keys(wishes.labels)) {
    if (name in labels) faults.add('labels', `${name} is set in the spec already`);
  }
  // The user's own labels in the spec win over ours; the service allows 64.
  return {
    ...document,
    ...(has(document, 'displayName') && wishes.displayName === undefined
      ? {}
      : {
          [spelling(document, 'displayName')]: (
            wishes.displayName ?? `${context.repository.split('/').at(-1)}-${context.buildNumber}`
          ).slice(0, 128),
        }),
    labels: { ...added, ...labels },
    [spelling(document, 'jobSpec')]: withTimeout(jobSpec, wishes.timeoutSeconds),
  };
}

/** Adds the labels that the job is found again by. */
export function markCustomJob(job: JsonObject, key: string, attempt: number): JsonObject {
  const labels = isObject(job.labels) ? job.labels : {};
  return { ...job, labels: { ...labels, [KEY_LABEL]: keyLabel(key), [ATTEMPT_LABEL]: String(attempt) } };
}

/** A label holds 63 characters; 160 bits of the key are enough to tell submissions apart. */
export function keyLabel(key: string): string {
  return key.slice(0, 40);
}

/** Seconds after which the service ends the job by itself. */
export function serverTimeoutOf(job: JsonObject): number | undefined {
  const { timeout } = objectOf(objectOf(job, 'jobSpec'), 'scheduling');
  const seconds = typeof timeout === 'string' ? Number(/^(\d+)(?:\.\d+)?s$/.exec(timeout)?.[1]) : Number.NaN;
  return Number.isNaN(seconds) ? undefined : seconds;
}

function withTimeout(jobSpec: JsonObject, seconds: number): JsonObject {
  const scheduling = objectOf(jobSpec, 'scheduling');
  return has(scheduling, 'timeout')
    ? jobSpec
    : { ...jobSpec, [spelling(jobSpec, 'scheduling')]: { ...scheduling, timeout: `${seconds}s` } };
}

function originLabels(context: CiContext): JsonObject {
  return Object.fromEntries(Object.entries(originOf(context)).map(([name, value]) => [name, toLabel(value)]));
}

/** Text as a label value: lower case, digits, `_` and `-`, at most 63 characters. A URL loses its scheme, so that the telling end fits. */
export function toLabel(text: string): string {
  return text
    .replace(/^https?:\/\//, '')
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, '-')
    .replace(/^-+/, '')
    .slice(0, 63)
    .replace(/-+$/, '');
}

function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function has(parent: JsonObject, name: string): boolean {
  return name in parent || snake(name) in parent;
}

/** The spelling that the document already uses for a field, else the canonical one. */
function spelling(parent: JsonObject, name: string): string {
  return snake(name) in parent ? snake(name) : name;
}

function memberOf(parent: JsonObject, name: string) {
  return parent[spelling(parent, name)];
}

function objectOf(parent: JsonObject, name: string): JsonObject {
  const value = memberOf(parent, name);
  return isObject(value) ? value : {};
}

/** A CustomJobSpec is what a CustomJob has as its jobSpec. */
function wrapped(spec: JsonObject): JsonObject {
  return has(spec, 'workerPoolSpecs') ? { jobSpec: spec } : spec;
}

function checkedMember(parent: JsonObject, name: string, faults: Faults): JsonObject | undefined {
  if (name !== snake(name) && name in parent && snake(name) in parent)
    faults.add('spec', `has both ${name} and ${snake(name)}`);
  const value = memberOf(parent, name);
  if (value === undefined || isObject(value)) return value;
  faults.add('spec', `${name} must be a mapping`);
  return undefined;
}
