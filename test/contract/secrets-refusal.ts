import { expect, test } from 'vitest';
import type { ErrorCode } from '../../shared/errors.ts';
import type { Json } from '../../shared/json.ts';
import { VAULT } from '../simulators/brokers-tenant.ts';
import { providerName } from '../simulators/tenant.ts';
import type { World, WorldOptions } from '../simulators/world.ts';
import { createStage } from './harness.ts';
import type { Ci } from './kind-samples.ts';
import { CIS, readSecrets } from './secrets-step.ts';

/** One way in which a broker refuses, and what its user reads. */
export interface Refusal {
  readonly why: string;
  readonly cis?: readonly Ci[];
  settings(ci: Ci): Readonly<Record<string, Json>>;
  readonly audience?: string;
  readonly world?: WorldOptions;
  readonly prepare?: (world: World) => void;
  readonly code: ErrorCode;
  /** What its user reads. */
  readonly says: readonly (string | RegExp)[];
}

export const NO_SECRET: ErrorCode = 'secret-unavailable';

/** The setting that names where a key is kept. */
export const from = (reference: string) => ({ 'secret-from': { 'api-key': reference } });

/** A test for each of the refusals, in each CI that can lead to it. */
export function testRefusals(refusals: readonly Refusal[]): void {
  test.each(refusals.flatMap((refusal) => (refusal.cis ?? CIS).map((ci) => [ci, refusal.why, refusal] as const)))(
    '%s: %s',
    async (ci, _why, { settings, audience, world, prepare, code, says }) => {
      await using stage = await createStage(world);
      prepare?.(stage.world);
      const given = settings(ci);
      const usual = 'vault-address' in given ? VAULT.audience : `https://iam.googleapis.com/${providerName(ci)}`;
      const { error, faults, values, log } = await readSecrets(stage, {
        ci,
        settings: given,
        audience: audience ?? usual,
      });
      expect(faults).toEqual([]);
      expect({ code: error?.code, exit: error?.exitCode }).toEqual({ code, exit: 3 });
      expect(values).toEqual({});
      for (const words of says) {
        if (typeof words === 'string') expect(log).toContain(words);
        else expect(log).toMatch(words);
      }
      expect(stage.world.brokers.vault.liveTokens()).toEqual([]);
    },
  );
}
