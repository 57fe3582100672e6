import { describe, expect, it } from 'vitest';
import type { CiContext } from '../../shared/host/ci-context.ts';
import { parseJson } from '../../shared/json.ts';
import { attemptToken, submissionKey } from '../../shared/submission-key.ts';

const context: CiContext = {
  platform: 'buildkite',
  repository: 'acme/vision',
  pipeline: '8f9a0b1c-2d3e-4f50-8617-28394a5b6c7d',
  commit: '4f0c5b1d9a7e3f2860b1c4d5e6f708192a3b4c5d',
  branch: 'main',
  build: '0190b1c2-3333-4abc-8def-000000000003',
  buildNumber: '42',
  buildUrl: 'https://buildkite.com/acme/vision/builds/42',
  step: '0190b1c2-4444-4abc-8def-000000000004',
  attempt: 1,
  retry: 'none',
};
const payload = { tasks: [{ task_key: 'train', run_id: 9_007_199_254_740_993n }], run_name: 'résumé' };
const key = submissionKey(context, 'databricks-submit-run', payload);

describe('the submission key', () => {
  it('is the same in every version: a step that is run again after an update finds its job', () => {
    expect(key).toMatchInlineSnapshot(`"d49598fd74093000da96221797e6261a1b000de6a8305036fa9ed93bdd0a9219"`);
  });

  it.each<[string, Partial<CiContext>]>([
    ['how often the step ran', { attempt: 3, retry: 'automatic' }],
    ['how the build is shown', { buildUrl: 'https://example.com', buildNumber: '43', repository: 'acme/renamed' }],
    ['the branch', { branch: 'other' }],
  ])('does not depend on %s', (_what, changes) => {
    expect(submissionKey({ ...context, ...changes }, 'databricks-submit-run', payload)).toBe(key);
  });

  it('does not depend on how the payload is written', () => {
    const written =
      '{ "run_name": "r\\u00e9sum\\u00e9", "tasks": [ {"run_id": 9007199254740993, "task_key": "train"} ] }';
    expect(submissionKey(context, 'databricks-submit-run', parseJson(written))).toBe(key);
  });

  it('is another one for another build, step, index, kind or payload', () => {
    const others = [
      submissionKey({ ...context, platform: 'bitbucket' }, 'databricks-submit-run', payload),
      submissionKey({ ...context, pipeline: 'other' }, 'databricks-submit-run', payload),
      submissionKey({ ...context, build: 'other' }, 'databricks-submit-run', payload),
      submissionKey({ ...context, step: 'other' }, 'databricks-submit-run', payload),
      submissionKey({ ...context, parallelIndex: '0' }, 'databricks-submit-run', payload),
      submissionKey({ ...context, parallelIndex: '1' }, 'databricks-submit-run', payload),
      submissionKey(context, 'databricks-run-now', payload),
      submissionKey(context, 'databricks-submit-run', { ...payload, run_name: 'resume' }),
      submissionKey(context, 'databricks-submit-run', {
        ...payload,
        tasks: [{ task_key: 'train', run_id: 9_007_199_254_740_992n }],
      }),
    ];
    expect(new Set([key, ...others]).size).toBe(others.length + 1);
    for (const other of others) expect(other).toMatch(/^[0-9a-f]{64}$/);
  });

  it('is the token of the first attempt; each further one has its own, of 64 characters', () => {
    expect(attemptToken(key, 1)).toBe(key);
    const tokens = [1, 2, 3, 10].map((attempt) => attemptToken(key, attempt));
    expect(new Set(tokens).size).toBe(4);
    for (const token of tokens) expect(token).toMatch(/^[0-9a-f]{64}$/);
  });
});
