import { expect, it } from 'vitest';
import { readJob } from '../../shared/services/vertex-ai/job-status.ts';

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
  expect(readJob({ state: 'JOB_STATE_FAILED', ...error }).failure).toEqual({ cause, message });
});

it('a job that expired took too long, whatever its error says', () => {
  const job = { state: 'JOB_STATE_EXPIRED', error: { code: 13, message: 'Job ran out of time' } };
  expect(readJob(job)).toMatchObject({ phase: 'failed', failure: { cause: 'timeout' } });
});

it('a job that goes on or went well has no failure, whatever its error says', () => {
  for (const state of ['JOB_STATE_RUNNING', 'JOB_STATE_SUCCEEDED', 'JOB_STATE_CANCELLED'])
    expect(readJob({ state, error: { code: 1, message: 'CANCELED' } })).not.toHaveProperty('failure');
});

it('a word that could be markup is only a word', () => {
  expect(readJob({ state: 'toString' })).toMatchObject({ phase: 'running', word: 'toString' });
  expect(readJob({ state: '\u001b[31mEVIL\n' }).word).toBe('EVIL');
});

it.each([
  ['JOB_STATE_UNSPECIFIED', 'queued'],
  ['JOB_STATE_QUEUED', 'queued'],
  ['JOB_STATE_PENDING', 'queued'],
  ['JOB_STATE_RUNNING', 'running'],
  ['JOB_STATE_UPDATING', 'running'],
  ['JOB_STATE_PAUSED', 'running'],
  ['JOB_STATE_CANCELLING', 'running'],
  ['JOB_STATE_SUCCEEDED', 'succeeded'],
  ['JOB_STATE_PARTIALLY_SUCCEEDED', 'failed'],
  ['JOB_STATE_FAILED', 'failed'],
  ['JOB_STATE_EXPIRED', 'failed'],
  ['JOB_STATE_CANCELLED', 'cancelled'],
] as const)('a job in %s is %s', (state, phase) => {
  const job = { state };
  const status = readJob(job);
  expect(status).toMatchObject({ phase, word: state, parts: [], source: job });
  expect(status.ending).toBe(state === 'JOB_STATE_CANCELLING' ? true : undefined);
  expect(status.failure !== undefined).toBe(phase === 'failed');
});

it('a job without a state is one that the service has not decided on', () => {
  expect(readJob({})).toMatchObject({ phase: 'queued', word: 'JOB_STATE_UNSPECIFIED' });
});

it.each([
  ['the service account is forbidden to read it', 'permission'],
  ['ci@acme.example does not have storage.objects.get access to it', 'permission'],
  ['GCE stockout', 'quota'],
  ['insufficient capacity in the zone', 'quota'],
  [`${'x'.repeat(2_000)} quota`, 'code'],
] as const)('a job whose error has no code and says %j failed for %s', (message, cause) => {
  expect(readJob({ state: 'JOB_STATE_FAILED', error: { message } }).failure).toEqual({ cause, message });
});
