import { expect, test } from 'vitest';
import { createGrace } from '../../shared/grace.ts';
import type { Job } from '../../shared/jobs/job-kind.ts';
import { type SubmissionEnvironment, submitOnce } from '../../shared/submit.ts';

test('a step that is cancelled while it supplies what a refusal asked for submits nothing any more', async () => {
  const step = new AbortController();
  let submissions = 0;
  const job: Pick<Job, 'recognisesRepeats' | 'submissionCall' | 'supply'> = {
    recognisesRepeats: false,
    submissionCall: () => ({ method: 'POST', url: 'https://service.example/runs', body: '{}' }),
    supply: async () => {
      // The last of it was sent when the signal came.
      step.abort('SIGTERM');
      return true;
    },
  };
  const environment = {
    client: {
      attempt: async () => {
        submissions += 1;
        return { kind: 'answer', status: 400, contentType: 'application/json', text: '{}' } as const;
      },
    },
    clock: { now: () => 0, sleep: async () => {} },
    context: { attempt: 1 },
    grace: createGrace(step.signal),
    signal: step.signal,
    published: async () => undefined,
  };
  const submitted = submitOnce(job as Job, {}, 'a'.repeat(64), environment as unknown as SubmissionEnvironment);
  await expect(submitted).rejects.toBe('SIGTERM');
  expect(submissions).toBe(1);
});
