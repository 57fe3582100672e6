import { expect, it } from 'vitest';
import { readCustomJob } from '../../shared/jobs/vertex-ai/custom-job-status.ts';

// Texts and codes of the kind that the service gives in a job's own `error`.
it.each([
  [5, 'The replica workerpool0-0 exited with a non-zero status of 1. To find out more …', 'code'],
  [8, 'Replicas low on memory: workerpool0', 'code'],
  [3, 'The model could not be found', 'code'],
  [8, 'The following quota metrics exceed quota limits: aiplatform.googleapis.com/custom_model_training_cpus', 'quota'],
  [14, 'Resources are insufficient in region: us-central1', 'quota'],
  [8, '', 'quota'],
  [7, 'Permission denied on the bucket', 'permission'],
  [16, '', 'permission'],
  [13, 'Internal error occurred. Please retry in a few minutes', 'infrastructure'],
  [14, 'Router status is temporarily unavailable', 'infrastructure'],
  [4, '', 'timeout'],
  [undefined, '', 'code'],
  [99, 'Something new', 'code'],
] as const)('a failed job with code %j and %j failed for %s', (code, message, cause) => {
  const error = code === undefined ? {} : { error: { code, message } };
  expect(readCustomJob({ state: 'JOB_STATE_FAILED', ...error }).failure).toEqual({ cause, message });
});

it('a job that expired took too long, whatever its error says', () => {
  const job = { state: 'JOB_STATE_EXPIRED', error: { code: 13, message: 'Job ran out of time' } };
  expect(readCustomJob(job)).toMatchObject({ phase: 'failed', failure: { cause: 'timeout' } });
});

it('a job that goes on or went well has no failure, whatever its error says', () => {
  for (const state of ['JOB_STATE_RUNNING', 'JOB_STATE_SUCCEEDED', 'JOB_STATE_CANCELLED'])
    expect(readCustomJob({ state, error: { code: 1, message: 'CANCELED' } })).not.toHaveProperty('failure');
});

it('a word that could be markup is only a word', () => {
  expect(readCustomJob({ state: 'toString' })).toMatchObject({ phase: 'running', word: 'toString' });
  expect(readCustomJob({ state: '\u001b[31mEVIL\n' }).word).toBe('EVIL');
});
