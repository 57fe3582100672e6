import type { World } from '../simulators/world.ts';
import { hostileText } from './hostile.ts';
import type { KindInUse } from './kinds.ts';
import { type Ci, runStep, type StepEnded, type StepOptions, stepIn } from './step.ts';

export const MEGABYTE = 1024 * 1024;

/** So many bytes of what wants to be more than text. */
export function long(word: string, bytes: number): string {
  const text = `${hostileText(word)}\n`;
  return text.repeat(Math.ceil(bytes / text.length));
}

/** Runs a step that hands on its outputs in every way that its CI has. */
export async function runHandingOn(
  ci: Ci,
  kind: KindInUse,
  world: World,
  changes: Partial<StepOptions> = {},
): Promise<StepEnded> {
  const { settings, checkout, ...more } = changes;
  const files =
    ci === 'bitbucket'
      ? { 'output-variables': ['KEYLESS_ID', 'KEYLESS_URL', 'KEYLESS_RUN_NAME', 'KEYLESS_ERROR'] }
      : { 'outputs-file': 'build/outputs.json' };
  return runStep(ci, {
    ...(await stepIn(world)),
    settings: { ...kind.settings(ci), ...files, ...settings },
    checkout: { ...kind.checkout, ...checkout },
    ...more,
  });
}
