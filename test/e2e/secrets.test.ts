import { describe, expect, it } from 'vitest';
import { createWorld, type World } from '../simulators/world.ts';
import { astray, leaks, piecesOf, secretsOf } from './leaks.ts';
import { readable } from './log-text.ts';
import { ENDS, type SecretPath, TOKENS } from './secret-paths.ts';
import { EXCHANGES, SERVICES } from './secret-refusals.ts';
import { type Ci, type StepEnded, type StepOptions, startStep, stepIn } from './step.ts';

/** What is printed besides is decided in the core, so that one packaging is enough to look without it. */
const STEPS = [
  { ci: 'bitbucket', debug: false },
  { ci: 'bitbucket', debug: true },
  { ci: 'buildkite', debug: true },
] as const;

type Given = Pick<StepOptions, 'simulators' | 'token'> & { readonly beforeAgent?: string };

async function givenTo(ci: Ci, { subject }: SecretPath, world: World): Promise<Given> {
  const usual = await stepIn(world);
  if (subject === undefined) return usual;
  const token = (await subject(ci, world)) ?? undefined;
  if (token === undefined) return { ...usual, token };
  return { ...usual, token, beforeAgent: `if [ "$1" = oidc ]; then echo '${token}'; exit 0; fi` };
}

async function follow(path: SecretPath, ci: Ci, debug: boolean, given: Given): Promise<StepEnded> {
  const { kind, settings, checkout, env, signal } = path;
  using step = await startStep(ci, {
    ...given,
    settings: { ...kind.settings(ci), ...settings?.(ci), debug },
    checkout: { ...kind.checkout, ...checkout },
    // Two steps of one build are not each other's repetition.
    env: { BITBUCKET_PARALLEL_STEP: debug ? '1' : '0', ...env },
  });
  if (signal !== undefined) {
    await step.running.printed(/running {3}(?:JOB_STATE_)?RUNNING/);
    step.running.signal(signal);
  }
  return await step.finish();
}

describe.concurrent('no token comes to light with', () => {
  it.each([...ENDS, ...TOKENS, ...EXCHANGES, ...SERVICES])('$name', async (path) => {
    await using world = await createWorld(path.world?.());
    for (const _ of STEPS) path.arrange?.(world);
    const given = {
      bitbucket: await givenTo('bitbucket', path, world),
      buildkite: await givenTo('buildkite', path, world),
    };
    const steps = await Promise.all(STEPS.map(({ ci, debug }) => follow(path, ci, debug, given[ci])));

    const secrets = secretsOf(world, [given.bitbucket.token, given.buildkite.token]);
    for (const { exitCode, output } of steps) {
      expect(exitCode, output).toBe(path.exit);
      expect(readable(output)).toContain(path.says);
    }
    expect(leaks(secrets, steps, world)).toEqual([]);
    expect(await astray(secrets, world)).toEqual([]);
  });
});

describe('the search for tokens', () => {
  const payload = Buffer.from(JSON.stringify({ sub: 'somebody', aud: 'something' })).toString('base64url');
  const token = `eyJhbGciOiJSUzI1NiJ9.${payload}.${'c2lnbmF0dXJl'.repeat(20)}`;

  it.each([
    ['whole', `Authorization: Bearer ${token}`],
    ['cut short', token.slice(0, 70)],
    ['without its beginning', token.slice(-36)],
    ['in the middle of Base64', Buffer.from(`{"subject_token":"${payload}.`).toString('base64')],
  ])('finds one that stands there %s', (_, text) => {
    expect(piecesOf(token).some((piece) => text.includes(piece))).toBe(true);
  });

  it('finds nothing where none is', () => {
    expect(piecesOf(token).some((piece) => `eyJhbGciOiJSUzI1NiJ9 somebody something`.includes(piece))).toBe(false);
  });
});
