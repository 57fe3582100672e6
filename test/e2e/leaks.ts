import { AGENT_ACCESS_TOKEN } from '../simulators/tenant.ts';
import type { World } from '../simulators/world.ts';
import { PIPELINES_JWT } from './pipe.ts';
import { JOB_API_TOKEN } from './plugin.ts';
import type { StepEnded } from './step.ts';
import type { Secrets } from './token-owners.ts';

/** A shorter piece of a token is of no use to anybody. */
const PIECE = 24;
const STEP = PIECE / 2;
/** Variables by which the agent hands its own command what it needs. */
const OF_THE_AGENT = ['BUILDKITE_AGENT_ACCESS_TOKEN', 'BUILDKITE_AGENT_JOB_API_TOKEN'];

/** A token where nobody expects one. */
export const STRAY_TOKEN = 'ya29.c.a-token-in-an-answer-that-has-another-shape-than-is-documented';

/** Where a token, a piece of it or its Base64 can be read by others: a line for each place. */
export function leaks(secrets: Secrets, steps: readonly StepEnded[], world: World): readonly string[] {
  const everything = [...Object.values(secrets).flat(), AGENT_ACCESS_TOKEN, JOB_API_TOKEN, PIPELINES_JWT, STRAY_TOKEN];
  const pieces = [...new Set(everything)].map((secret) => [secret, [secret, ...piecesOf(secret)]] as const);
  // The same text stands in many places.
  const placeOf = new Map(
    [...steps.flatMap((step) => [...placesOf(step)]), ...placesIn(world)].map(([place, text]) => [text, place]),
  );
  return [...placeOf].flatMap(([text, place]) =>
    pieces.flatMap(([secret, ofSecret]) => {
      const piece = ofSecret.find((each) => text.includes(each));
      return piece === undefined ? [] : [`${place}: ${piece} of ${secret.slice(0, 12)}…`];
    }),
  );
}

/** Pieces such that every part of the secret that is half again as long holds one: of a JWT not the header, which is no secret. */
export function piecesOf(secret: string): readonly string[] {
  const parts = secret.split('.');
  const telling = parts.length === 3 ? parts.slice(1) : [secret];
  // Where a secret begins in a longer text decides what its Base64 looks like.
  const encoded = ['', 'x', 'xx'].map((before) =>
    Buffer.from(`${before}${telling.join('.')}`)
      .toString('base64')
      .slice(4, -4),
  );
  return [...telling, ...encoded].flatMap((text) =>
    text.length <= PIECE
      ? [text].filter((short) => short.length >= STEP)
      : Array.from({ length: Math.floor((text.length - PIECE) / STEP) + 1 }, (_, n) =>
          text.slice(n * STEP, n * STEP + PIECE),
        ),
  );
}

function* placesOf({ output, files, agentCalls }: StepEnded): Generator<readonly [string, string]> {
  yield ['the log', output];
  for (const [path, text] of Object.entries(files)) yield [`the file ${path}`, text];
  for (const { argv, stdin, env } of agentCalls) {
    const command = argv.slice(0, 2).join(' ');
    for (const word of argv) yield [`the arguments of ${command}`, word];
    if (command !== 'redactor add') yield [`the input of ${command}`, stdin ?? ''];
    for (const [name, value] of Object.entries(env)) {
      if (!OF_THE_AGENT.includes(name)) yield [`${name} of ${command}`, value];
    }
  }
}

function* placesIn(world: World): Generator<readonly [string, string]> {
  for (const { bodies } of world.agentApi.annotations()) for (const body of bodies) yield ['an annotation', body];
  for (const [key, value] of world.agentApi.metaData()) yield [`meta-data ${key}`, value];
  for (const { puts } of world.reports.reports()) yield ['a report', JSON.stringify(puts)];
  for (const { host, path } of world.requests) yield ['an address', `${host}${decodeURIComponent(path)}`];
}
