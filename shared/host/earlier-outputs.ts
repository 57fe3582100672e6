import { SubmitError } from '../errors.ts';
import { plainLine } from '../remote-text.ts';
import type { Outputs } from './host.ts';

/** So many submissions of one step are listed. */
const MOST_LISTED = 50;

/**
 * The outputs of the only submission of a kind that a step of this build published; undefined where there is none.
 * @throws SubmitError `not-found` with a list when there are several, as jobs of a matrix make them.
 */
export function onlySubmission(
  all: readonly Outputs[],
  { kind, setting, step }: { readonly kind: string; readonly setting: string; readonly step: string },
): Outputs | undefined {
  const [first, ...others] = all.filter((outputs) => outputs.kind === kind);
  if (first === undefined || others.length === 0) return first;
  const listed = [first, ...others].slice(0, MOST_LISTED);
  throw new SubmitError('not-found', {
    happened: `The step ${plainLine(step, 100)} submitted ${others.length + 1} jobs, so step:${plainLine(step, 100)} is ambiguous`,
    presented: listed.map((outputs) => describeSubmission(outputs)),
    expected: ['a step that submitted one job, or the id of one of these'],
    remedy: [
      `Name one of them: «${setting}»: ${plainLine(first.id ?? '', 200)}`,
      'Or let each job of the matrix wait for its own submission (`wait: true`), or give the submissions steps with keys of their own.',
    ],
  });
}

function describeSubmission({ id = '', result = 'unknown', 'submission-key': key = '' }: Outputs): string {
  return `${plainLine(id, 200)} (${plainLine(result, 40)}${key === '' ? '' : `, submission key ${plainLine(key, 64)}`})`;
}
