import { defined } from '../../json.ts';
import { defineKind } from '../../kind.ts';
import { specSettings } from '../../settings/run-settings.ts';
import { id, map } from '../../settings/settings.ts';
import { databricksRun } from './run.ts';
import { runOutputs } from './run-conclusion.ts';
import { databricksSettings, databricksTrust } from './trust-settings.ts';

const settings = {
  ...databricksSettings,
  'job-id': id({
    description: 'The job to run.',
    expected: "a job's id: digits",
    example: '620143925716443',
    pattern: /^\d{1,19}$/,
  }),
  'job-parameters': map({
    description:
      'Values for parameters that the job defines. Pass `@{commit}` and the like here to record where the run comes from.',
    expected: 'text by name, such as {"epochs": "20"}',
    example: { git_commit: '@{commit}', epochs: '20' },
  }),
  ...specSettings('More of the body of `run-now`, such as `only` or `queue`.', 'training/run-now.yaml'),
};

/** A run of an existing Databricks job. https://docs.databricks.com/api/workspace/jobs/runnow */
export const kind = defineKind({
  id: 'databricks-run-now',
  title: 'Databricks job',
  settings,
  outputs: runOutputs,
  checkSpec: (spec = {}, _attach, faults) => {
    if ('idempotency_token' in spec) faults.add('spec', 'idempotency_token is set by keyless-submit; remove it');
  },
  bind: (values, { attach, faults, spec = {} }) => {
    const trust = databricksTrust(values, faults);
    const { 'job-id': jobId, 'job-parameters': parameters } = values;
    if (!attach && jobId === undefined && !('job_id' in spec)) faults.add('job-id', "is required: a job's id: digits");
    if (jobId !== undefined && 'job_id' in spec) faults.add('job-id', 'the spec has a job_id of its own');
    if (parameters !== undefined && 'job_parameters' in spec)
      faults.add('job-parameters', 'the spec has job_parameters of its own');
    if (faults.messages.length > 0) return undefined;
    const job = jobId ?? spec.job_id;
    const payload = {
      ...spec,
      // An id may exceed what a JSON number holds exactly in most readers, so it is written from its digits.
      ...defined({ job_id: jobId === undefined ? undefined : BigInt(jobId), job_parameters: parameters }),
    };
    return databricksRun(trust, {
      title: job === undefined ? `a run on ${trust.host}` : `job ${String(job)} on ${trust.host}`,
      path: '/api/2.2/jobs/run-now',
      payload: attach ? undefined : payload,
      // A run of an existing job takes the job's own timeout; the request cannot set one.
      serverTimeoutSeconds: undefined,
      keyInName: undefined,
    });
  },
});
