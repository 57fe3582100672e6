import { aiplatformTypes } from './protobuf-types.ts';
import type { Job } from './vertex-job-rules.ts';

/** A listed job, as far as a filter looks at it. */
interface Listed extends Job {
  readonly state: string | undefined;
}

/**
 * Reads a list filter (https://google.aip.dev/160): comparisons joined by AND, of `labels.KEY`, `state` and
 * `display_name`, with `=` and `:`. Unquoted names and values are words of letters, digits and underscores.
 * Returns undefined where the text is no such filter.
 */
export function jobFilter(text: string): ((job: Listed) => boolean) | undefined {
  const comparison = /\s*(?:labels\.(\w+|"[^"]*")|(state|display_name))\s*(=|:)\s*(\w+|\*|"[^"]*")\s*/y;
  const tests: ((job: Listed) => boolean)[] = [];
  let rest = text;
  while (rest.trim() !== '') {
    comparison.lastIndex = 0;
    const match = comparison.exec(rest);
    if (match === null) return undefined;
    const [whole, label, field, operator, value] = match;
    const wanted = unquoted(value ?? '');
    if (field === 'state' && !(wanted in jobStates())) return undefined;
    tests.push((job) => {
      const actual =
        label === undefined ? (field === 'state' ? stateOf(job) : job.displayName) : job.labels?.[unquoted(label)];
      if (value === '*') return operator === ':' && actual !== undefined;
      return operator === '=' ? actual === wanted : actual?.includes(wanted.replaceAll('*', '')) === true;
    });
    rest = rest.slice(whole.length);
    if (rest === '') break;
    if (!/^AND\s/.test(rest)) return undefined;
    rest = rest.slice('AND'.length);
    if (rest.trim() === '') return undefined;
  }
  return (job) => tests.every((test) => test(job));
}

/** Makes the token of the page that starts at an offset; it is good for the same filter only. */
export function pageToken(offset: number, filter: string): string {
  return Buffer.from(JSON.stringify([offset, filter])).toString('base64url');
}

/** The offset of a page token; undefined where the token is not one for this filter. */
export function pageOffset(token: string, filter: string): number | undefined {
  if (token === '') return 0;
  try {
    const [offset, made] = JSON.parse(Buffer.from(token, 'base64url').toString()) as [number, string];
    return made === filter ? offset : undefined;
  } catch {
    return undefined;
  }
}

function stateOf({ state }: Listed): string {
  return state ?? 'JOB_STATE_UNSPECIFIED';
}

function jobStates(): Readonly<Record<string, number>> {
  return aiplatformTypes()('google.cloud.aiplatform.v1.JobState', '')?.descriptor.values ?? {};
}

function unquoted(text: string): string {
  return text.startsWith('"') ? text.slice(1, -1) : text;
}
