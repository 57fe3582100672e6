import { createHash } from 'node:crypto';
import type { CiContext } from './host/ci-context.ts';
import { canonicalJson, type Json } from './json.ts';

/**
 * What makes a submission the same one again: 64 hex digits over platform, pipeline, build, step, parallel index, kind, payload
 * and, where it is set, the instance. Neither the CI's job id nor the attempt is in it, so a re-run of the step has the same key.
 */
export function submissionKey(context: CiContext, kind: string, payload: Json, instance?: string): string {
  const { platform, pipeline, build, step, parallelIndex } = context;
  const parts = [platform, pipeline, build, step, parallelIndex ?? '', kind, payload];
  return sha256(canonicalJson(instance === undefined ? parts : [...parts, instance]));
}

/** The beginning of a key, enough to tell the submissions of one build apart: it is part of names that people see. */
export function shortKey(key: string): string {
  return key.slice(0, 12);
}

/** The idempotency token of one attempt: the key itself first, then a value derived from key and number (64 characters each). */
export function attemptToken(key: string, attempt: number): string {
  return attempt === 1 ? key : sha256(`${key}:${attempt}`);
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
