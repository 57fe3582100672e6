import type { CiContext } from '../../host/ci-context.ts';
import { originOf } from '../../host/origin.ts';
import { type Json, type JsonObject, mapMembers, numberAt, objectAt } from '../../json.ts';
import type { SubmissionMark } from '../../kind.ts';

// Labels that a look-up goes by. They stay when `provenance-labels` is off.
const KEY_LABEL = 'keyless_submit_key';
const ATTEMPT_LABEL = 'keyless_submit_attempt';

/** Where a job comes from, as labels. */
export function originLabels(context: CiContext): JsonObject {
  return mapMembers(originOf(context), toLabel);
}

/** A resource with the labels that it is found again by. */
export function markJob(job: JsonObject, { key, attempt }: SubmissionMark): JsonObject {
  const marks = { [KEY_LABEL]: keyLabel(key), [ATTEMPT_LABEL]: String(attempt) };
  return { ...job, labels: { ...objectAt(job, 'labels'), ...marks } };
}

/** The list filter for the jobs that carry a key. https://google.aip.dev/160 */
export function keyFilter(key: string): string {
  return `labels.${KEY_LABEL}=${keyLabel(key)}`;
}

/** The attempt that a job's labels name, the first without one. */
export function attemptOf(job: Json): number {
  const attempt = numberAt(objectAt(job, 'labels'), ATTEMPT_LABEL);
  return attempt !== undefined && Number.isSafeInteger(attempt) && attempt > 0 ? attempt : 1;
}

/** A label holds 63 characters; 160 bits of the key are enough to tell submissions apart. */
function keyLabel(key: string): string {
  return key.slice(0, 40);
}

/** Text as a label value: lower case, digits, `_` and `-`, at most 63 characters. A URL loses its scheme, so that the telling end fits. */
function toLabel(text: string): string {
  return text
    .replace(/^https?:\/\//, '')
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, '-')
    .replace(/^-+/, '')
    .slice(0, 63)
    .replace(/-+$/, '');
}
