import { SubmitError } from '../errors.ts';

/**
 * The error for an answer that names a job, a project or the like by an id that does not have the service's form. The id is not shown.
 * `host` is who answered, `form` completes "expected …".
 */
export function oddId(host: string, form: string): SubmitError {
  return new SubmitError('unreadable-answer', {
    happened: `${host} answered with an id that does not have its form`,
    expected: [form],
    remedy: [
      `Check that ${host} is the service's own host and not a proxy. Retry the step: a job that exists is found by its key.`,
    ],
  });
}
