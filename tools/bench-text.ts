import { annotationBody } from '../buildkite-plugin/annotation.ts';
import { bitbucketContext } from '../pipe/bitbucket-host.ts';
import { describeFault } from '../shared/edge/node.ts';
import { explainGoogle, isGoogleCapacity } from '../shared/google/errors.ts';
import { looksLikeKey } from '../shared/host/key-shapes.ts';
import { createSecretIndex } from '../shared/host/secret-index.ts';
import { describeAttempt, unreadable } from '../shared/http/http.ts';
import { canonicalJson, type Json, type JsonObject, parseJson, stringifyJson, tryParseJson } from '../shared/json.ts';
import { escapeMarkup, plainLine, plainTail, plainText } from '../shared/remote-text.ts';
import { artifactNotes } from '../shared/services/prefect/artifacts.ts';
import { parameterFaults } from '../shared/services/prefect/parameter-schema.ts';
import { pinPullSteps } from '../shared/services/prefect/pull-steps.ts';
import { readApiUrl } from '../shared/services/prefect/server.ts';
import { collectFaults, parseDuration, refuseUnknown, showValue } from '../shared/settings/settings.ts';
import { applyOverrides, parseSpec } from '../shared/settings/spec.ts';
import { fillPlaceholders, type Placeholders } from '../shared/settings/template.ts';

/** Texts that patterns may stumble over, by name: each makes one of about `size` characters. */
const TEXTS: Readonly<Record<string, (size: number) => string>> = {
  words: (size) => 'The quick brown fox jumps. '.repeat(size / 27),
  '<': (size) => '<'.repeat(size),
  'new lines': (size) => `${'\n'.repeat(size)}x`,
  slashes: (size) => `${'/'.repeat(size)}x`,
  'open placeholders': (size) => '@{'.repeat(size / 2),
  'unknown placeholders': (size) => Array.from({ length: size / 10 }, (_, n) => `@{x${n}}`).join(' '),
  'control strings': (size) => '\u001b]'.repeat(size / 2),
  'one-byte control strings': (size) => '\u009d'.repeat(size),
  escapes: (size) => '\\u0041%41&#65;'.repeat(size / 14),
  backslashes: (size) => '\\'.repeat(size),
  percents: (size) => '%25'.repeat(size / 3),
  base64: (size) => Buffer.from('The quick brown fox'.repeat(size / 25)).toString('base64'),
  'beginnings of tokens': (size) => 'eyJ'.repeat(size / 3),
  logins: (size) => '://a:'.repeat(size / 5),
  'private keys': (size) => '-----BEGIN PRIVATE KEY-----'.repeat(size / 27),
  'at signs': (size) => `permission to act as service_account: ${'a@'.repeat(size / 2)}`,
  'question marks': (size) => `${'?'.repeat(size)}\n`,
  digits: (size) => '9'.repeat(size),
};

const asker = { identity: 'x', project: 'x', region: 'x' };
const call = { method: 'GET', url: 'https://x.example/' } as const;
const answer = (text: string) => ({ kind: 'answer', status: 400, contentType: 'text/html', text }) as const;
const placeholders: Placeholders = { context: bitbucketContext({}), env: process.env, protectedVariables: new Set() };
const index = createSecretIndex();
for (let count = 0; count < 50; count += 1) index.learn(`${count}${'aB3-xY9_'.repeat(100)}${count}`);

/** What is measured with every text. */
const OF_TEXT: Readonly<Record<string, (text: string) => unknown>> = {
  plainText,
  plainLine: (text) => plainLine(text),
  plainTail: (text) => plainTail(text),
  escapeMarkup,
  'secrets found': (text) => index.find(text),
  looksLikeKey,
  showValue,
  describeAttempt: (text) => describeAttempt(answer(text)),
  unreadable: (text) => unreadable(call.url, answer(text)),
  describeFault: (text) => describeFault(new Error(text)),
  annotation: (text) => annotationBody({ title: text, state: 'failed', summary: text, facts: [], remote: [text] }),
  placeholders: (text) => {
    const { add } = collect();
    return fillPlaceholders(text, placeholders, (problem) => add('x', problem));
  },
  'refusal of Google': (text) => explainGoogle(asker, call, answer(JSON.stringify({ error: { message: text } }))),
  'capacity of Google': (text) => isGoogleCapacity({ ...answer(text), status: 429 }),
  'address of Prefect': (text) => readApiUrl(`https://x.example/${text}`, text),
  'pull steps': (text) => pinPullSteps([{ git_clone: { repository: text } }], 'c', 'https://x.example/a/b'),
  duration: (text) => parseDuration(text),
  'JSON of it': (text) => parseJson(JSON.stringify([text])),
};

/** What is measured by the number of its parts. */
const OF_SIZE: Readonly<Record<string, (size: number) => unknown>> = {
  'YAML map of so many keys': (size) => spec(Array.from({ length: size }, (_, n) => `k${n}: ${n}`).join('\n')),
  'YAML list': (size) => spec(`a:\n${'- 1\n'.repeat(size)}`),
  'YAML of so many faults': (size) => spec('"a": *b\n'.repeat(size)),
  'YAML of one key': (size) => spec('a: 1\n'.repeat(size)),
  'YAML aliases': (size) => spec(`a: &a 1\nb:\n${'- *a\n'.repeat(size)}`),
  'YAML nested': (size) => spec('['.repeat(size)),
  'YAML integer of so many digits': (size) => spec(`a: ${'9'.repeat(size)}`),
  'JSON nested': (size) => tryParseJson('['.repeat(size)),
  'JSON integer of so many digits': (size) => stringifyJson(parseJson('9'.repeat(size))),
  'JSON in order': (size) => canonicalJson(object(size)),
  overrides: (size) => applyOverrides({}, object(size), collect()),
  'one long override': (size) => applyOverrides({}, { ['a.'.repeat(size)]: 1 }, collect()),
  'unknown settings': (size) =>
    refuseUnknown(Object.keys(object(size)), new Set(Object.keys(object(60))), {}, collect()),
  'table with so many columns': (size) => artifactNotes([{ type: 'table', data: stringifyJson(table(size)) }]),
  'parameters that do not fit': (size) =>
    parameterFaults({ type: 'object', additionalProperties: { type: 'string' } }, object(size)),
  'parameter for a slow pattern': (size) =>
    parameterFaults({ properties: { a: { type: 'string', pattern: '^(a+)+$' } } }, { a: `${'a'.repeat(size)}!` }),
};

function collect() {
  return collectFaults((name) => name);
}

function spec(text: string) {
  return parseSpec(text, 'job.yaml', placeholders, collect());
}

function object(size: number): JsonObject {
  return Object.fromEntries(Array.from({ length: size }, (_, n) => [`name-${n}`, n]));
}

function table(size: number): Json {
  return {
    first: Array.from({ length: size }, () => 0),
    ...Object.fromEntries(Array.from({ length: size }, (_, n) => [n, []])),
  };
}

async function milliseconds(action: () => unknown): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    const startedAt = performance.now();
    await action();
    times.push(performance.now() - startedAt);
  }
  return Math.min(...times);
}

const TEXT_SIZE = 100_000;
const PARTS = 2_000;
const LARGER = 10;
/** Below, the clock and the compiler tell more than the text. */
const MEASURABLE_MS = 20;

async function row(what: string, size: number, measure: (size: number) => () => unknown): Promise<void> {
  const [less, more] = [measure(size), measure(size * LARGER)];
  const [small, large] = [await milliseconds(less), await milliseconds(more)];
  const ratio = large < MEASURABLE_MS ? '' : (large / Math.max(small, 0.01)).toFixed(1);
  process.stdout.write(
    `${what.padEnd(60)}${small.toFixed(2).padStart(10)}${large.toFixed(2).padStart(12)}${ratio.padStart(8)}\n`,
  );
}

/** Prints what each function that reads text of others costs for so much and for ten times as much: linear cost is a ratio of about 10. */
async function main(): Promise<void> {
  process.stdout.write(`${''.padEnd(60)}${'n, ms'.padStart(10)}${'10 n, ms'.padStart(12)}${'ratio'.padStart(8)}\n`);
  for (const [name, measured] of Object.entries(OF_SIZE)) await row(name, PARTS, (size) => () => measured(size));
  for (const [name, measured] of Object.entries(OF_TEXT)) {
    for (const [what, make] of Object.entries(TEXTS)) {
      await row(`${name}: ${what}`, TEXT_SIZE, (size) => {
        const text = make(size);
        return () => measured(text);
      });
    }
  }
}

await main();
