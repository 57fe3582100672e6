import { expect, test } from 'vitest';
import { createStage, runStep } from './harness.ts';
import { KIND_SAMPLES, CIS } from './kind-samples.ts';
for (const ci of CIS) for (const s of KIND_SAMPLES) test(`${s.id} ${ci}`, async () => {
  const t0 = performance.now();
  await using stage = await createStage();
  const t1 = performance.now();
  s.script(stage.world, { end: 'success', queuedMs: 60_000, runningMs: 600_000 });
  const r = await runStep(stage, { kind: s.id, ci });
  console.log(t1-t0, performance.now()-t1);
  expect(r.exitCode).toBe(0);
});
