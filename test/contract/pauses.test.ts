import { describe, expect, it } from 'vitest';
import { createStage, runStep } from './harness.ts';
import { sampleOf } from './kind-samples.ts';

const LATER = { times: 1, kind: 'status-429', retryAfterSeconds: 60 } as const;
const KINDS = ['vertex-custom-job', 'databricks-submit-run'] as const;

describe.each(KINDS)('a pause of %s', (kind) => {
  it('before its submission is repeated is told, once it is long', async () => {
    await using stage = await createStage();
    stage.world.fault({ ...LATER, ...sampleOf(kind).targets.submission });
    const { exitCode, lines } = await runStep(stage, { kind, ci: 'buildkite' });
    expect(exitCode).toBe(0);
    expect(lines.filter((line) => line.includes('trying again'))).toEqual([
      expect.stringMatching(/it answered 429: .*; trying again in 1m 00s$/),
    ]);
  });

  it('before another request is repeated is told too, without what could be a token', async () => {
    await using stage = await createStage();
    const text = 'refused eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.c2ln';
    const answer = { status: 503, type: 'text/plain', text };
    stage.world.fault({ kind: 'answer', path: /sts\.googleapis\.com|\/oidc\/v1\/token/, times: 5, answer });
    const { exitCode, lines } = await runStep(stage, { kind, ci: 'bitbucket' });
    expect(exitCode).toBe(0);
    expect(lines.filter((line) => line.includes('trying again'))).toEqual([
      expect.stringMatching(/it answered 503: refused \[redacted\]; trying again in 8s$/),
    ]);
  });
});
