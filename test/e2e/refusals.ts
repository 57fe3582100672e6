import { expect } from 'vitest';
import { pipeVariable } from '../../pipe/bitbucket-settings.ts';
import { serve } from '../simulators/serve.ts';
import type { NewTree } from './folders.ts';
import { type KindInUse, VERTEX } from './kinds.ts';
import { foreignControls, groupLines, missingInOrder, readable } from './log-text.ts';
import type { Env } from './process.ts';
import { CIS, type Ci, runStep, type StepSettings } from './step.ts';

/** Input that ends a step before it sends anything. */
export interface BadInput {
  readonly name: string;
  /** By default a custom job of Vertex AI. */
  readonly kind?: KindInUse;
  /** Only where one CI can give such input, or gives it otherwise. */
  readonly ci?: Ci;
  /** Changes to the settings of the kind; undefined leaves one out. */
  readonly settings?: StepSettings;
  readonly checkout?: NewTree;
  readonly env?: Env;
  /** What the message says, in the spelling of the CI. */
  readonly says: (spell: (setting: string) => string) => readonly string[];
}

/** Each input with each packaging that can get it. */
export function withEachCi(inputs: readonly BadInput[]) {
  return inputs.flatMap((input) =>
    CIS.filter((ci) => (input.ci ?? ci) === ci).map((ci) => ({ title: `${input.name} (${ci})`, ci, input })),
  );
}

/** Runs a step with the input: one message tells every fault, and nobody was asked for anything. */
export async function expectRefusal(ci: Ci, { kind = VERTEX, says, ...input }: BadInput): Promise<void> {
  const arrivals: string[] = [];
  const nobody = await serve(async () => new Response(null, { status: 418 }), {
    onRequest: ({ method, url }) => arrivals.push(`${method} ${url}`),
  });
  const { exitCode, output, files, agentCalls } = await runStep(ci, {
    simulators: nobody.url,
    token: 'not.a.token',
    settings: { ...kind.settings(ci), ...input.settings },
    checkout: { ...kind.checkout, ...input.checkout },
    ...(input.env === undefined ? {} : { env: input.env }),
  }).finally(nobody.close);

  expect(exitCode, output).toBe(2);
  const log = readable(output);
  for (const text of says(ci === 'bitbucket' ? pipeVariable : (setting) => setting)) expect(log).toContain(text);
  expect(log.match(/invalid-settings: .*nothing was sent/g), output).toHaveLength(1);
  expect(missingInOrder(output, ['Error', 'invalid-settings: ', 'Faults:', 'What to do:']), output).toEqual([]);

  expect(output.length).toBeLessThan(50_000);
  expect(foreignControls(output)).toEqual([]);
  expect(groupLines(output)).toEqual(ci === 'buildkite' ? ['+++ :x: Error'] : []);
  expect(Object.keys(files).filter((path) => path.endsWith('pwned'))).toEqual([]);
  // Secrets among the settings are hidden first of all.
  expect(agentCalls.filter(({ argv }) => argv[0] !== 'redactor')).toEqual([]);
  expect(arrivals).toEqual([]);
}
