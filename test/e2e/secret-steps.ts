import { expect } from 'vitest';
import { createWorld, type World } from '../simulators/world.ts';
import { leaks } from './leaks.ts';
import { readable } from './log-text.ts';
import type { SecretPath } from './secret-paths.ts';
import { type Ci, type StepEnded, type StepOptions, startStep, stepIn } from './step.ts';
import { astray, secretsOf } from './token-owners.ts';

export interface SecretStep {
  readonly ci: Ci;
  readonly debug: boolean;
}

/** What is printed besides is decided in the core, so that one packaging is enough to look without it. */
export const WITH_AND_WITHOUT_DEBUG: readonly SecretStep[] = [
  { ci: 'bitbucket', debug: false },
  { ci: 'bitbucket', debug: true },
  { ci: 'buildkite', debug: true },
];
/** Debugging prints more, and nothing less. */
export const WITH_DEBUG: readonly SecretStep[] = [
  { ci: 'bitbucket', debug: true },
  { ci: 'buildkite', debug: true },
];

/** Each way with one packaging: what is said of a refusal, and of a setting, is decided in the core. */
export function inTurn(paths: readonly SecretPath[]): readonly SecretPath[] {
  return paths.map((path, at) => ({ ci: at % 2 === 0 ? 'bitbucket' : 'buildkite', ...path }));
}

type Given = Pick<StepOptions, 'simulators' | 'token'> & { readonly beforeAgent?: string };

async function givenTo(ci: Ci, { subject }: SecretPath, world: World): Promise<Given> {
  const usual = await stepIn(world);
  if (subject === undefined) return usual;
  const token = (await subject(ci, world)) ?? undefined;
  if (token === undefined) return { ...usual, token };
  return { ...usual, token, beforeAgent: `if [ "$1" = oidc ]; then echo '${token}'; exit 0; fi` };
}

async function follow(path: SecretPath, { ci, debug }: SecretStep, given: Given): Promise<StepEnded> {
  const { kind, settings, checkout, env, signal } = path;
  using step = await startStep(ci, {
    ...given,
    settings: { ...kind.settings(ci), ...settings?.(ci), debug },
    checkout: { ...kind.checkout, ...checkout },
    // Two steps of one build are not each other's repetition.
    env: { BITBUCKET_PARALLEL_STEP: debug ? '1' : '0', ...env },
  });
  if (signal !== undefined) {
    await step.running.printed(/running {3}\S/);
    step.running.signal(signal);
  }
  return await step.finish();
}

/** Goes one way in some steps, and finds that it ends as it should and that no token is where others could read it. */
export async function expectSecrecy(path: SecretPath, all: readonly SecretStep[]): Promise<void> {
  const steps = all.filter(({ ci }) => (path.ci ?? ci) === ci);
  await using world = await createWorld(path.world?.());
  path.kind.setUp?.(world);
  for (const _ of steps) path.arrange?.(world);
  const given = {
    bitbucket: await givenTo('bitbucket', path, world),
    buildkite: await givenTo('buildkite', path, world),
  };
  const ended = await Promise.all(steps.map((step) => follow(path, step, given[step.ci])));

  const secrets = secretsOf(world, [given.bitbucket.token, given.buildkite.token], path.secrets);
  for (const { exitCode, output } of ended) {
    expect(exitCode, output).toBe(path.exit);
    expect(readable(output)).toContain(path.says);
  }
  expect(leaks(secrets, ended, world)).toEqual([]);
  expect(await astray(secrets, world)).toEqual([]);
  await path.finally?.(world);
}
