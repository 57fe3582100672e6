import { type Json, numberAt, textAt } from '../json.ts';
import { Secret } from '../secret.ts';

/** A lifetime beyond this many seconds (about 30 years) is a mistake. */
const LONGEST_LIFE_SECONDS = 1e9;

/** The token at `name` of an answer; undefined when there is none that an HTTP header could carry (RFC 9110, section 5.5). */
export function tokenAt(answer: Json | undefined, name: string): Secret | undefined {
  const text = textAt(answer, name);
  return text !== undefined && /^[\x21-\x7e]+$/.test(text) ? new Secret(text) : undefined;
}

/** The lifetime in seconds at `name`; undefined when the answer names none that can be. */
export function lifetimeAt(answer: Json | undefined, name: string): number | undefined {
  const seconds = numberAt(answer, name);
  return seconds !== undefined && seconds >= 0 && seconds <= LONGEST_LIFE_SECONDS ? seconds : undefined;
}
