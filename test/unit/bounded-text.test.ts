import { describe, expect, it } from 'vitest';
import { readPluginConfiguration } from '../../buildkite-plugin/buildkite-settings.ts';
import { bitbucketContext } from '../../pipe/bitbucket-host.ts';
import { readPipeVariables } from '../../pipe/bitbucket-settings.ts';
import { answerJson, describeAttempt } from '../../shared/http/http.ts';
import { DEEPEST, parseJson, stringifyJson } from '../../shared/json.ts';
import { plainTail, withoutTrailing } from '../../shared/remote-text.ts';
import { artifactNotes } from '../../shared/services/prefect/artifacts.ts';
import { parameterFaults } from '../../shared/services/prefect/parameter-schema.ts';
import { nearestName } from '../../shared/settings/nearest-name.ts';
import { collectFaults, values } from '../../shared/settings/settings.ts';
import { applyOverrides, parseSpec } from '../../shared/settings/spec.ts';
import { fillEverywhere, type Placeholders } from '../../shared/settings/template.ts';

const PLACEHOLDERS: Placeholders = { context: bitbucketContext({}), env: {}, protectedVariables: new Set() };

function nested(levels: number, text = ''): string {
  return `${'['.repeat(levels)}${text}${']'.repeat(levels)}`;
}

describe('JSON that is nested deeply', () => {
  it('is read as deep as anything needs, and walked without a fault', () => {
    const value = parseJson(nested(DEEPEST, '"@{commit}"'));
    expect(stringifyJson(fillEverywhere(value, PLACEHOLDERS, () => undefined))).toBe(nested(DEEPEST, '"unknown"'));
  });

  it.each([DEEPEST + 1, 100_000])('is refused with words: %d levels', (levels) => {
    expect(() => parseJson(nested(levels))).toThrow(RangeError);
    expect(() => parseJson(`{"a": ${nested(levels)}}`)).toThrow('nested deeper than 500 levels');
  });

  it('is not what stands in a text', () => {
    expect(parseJson(JSON.stringify(`"${'['.repeat(2_000)}\\`))).toBe(`"${'['.repeat(2_000)}\\`);
  });

  it('is no answer', () => {
    const text = nested(100_000);
    expect(answerJson({ kind: 'answer', status: 200, contentType: 'application/json', text })).toBeUndefined();
  });

  it('is told of as such where it is the configuration of the plugin', () => {
    const env = { BUILDKITE_PLUGIN_CONFIGURATION: `{"job": "x", "spec": {"a": ${nested(10_000)}}}` };
    expect(readPluginConfiguration(env, ['x']).problem).toBe(
      'BUILDKITE_PLUGIN_CONFIGURATION is nested deeper than 500 levels',
    );
  });

  it('is the text that it is where it is a variable of the pipe', () => {
    const set = values({ description: '', expected: 'x', example: {} });
    expect(readPipeVariables({ SET: nested(10_000) }, { set }).get('set')).toBe(nested(10_000));
  });
});

describe('a spec', () => {
  const parse = async (text: string) => {
    const faults = collectFaults((name) => name);
    return { spec: await parseSpec(text, 'job.yaml', PLACEHOLDERS, faults), faults: faults.messages };
  };

  it.each([
    `a: ${nested(DEEPEST + 1)}`,
    `{"a": ${nested(DEEPEST + 1)}}`,
    `a: ${nested(50_000)}`,
    Array.from({ length: DEEPEST + 1 }, (_, level) => `${' '.repeat(level)}a:`).join('\n'),
  ])('that is nested too deeply is refused with words (%#)', async (text) => {
    const { spec, faults } = await parse(text);
    expect(spec).toBeUndefined();
    expect(faults).toEqual(['job.yaml: is nested too deeply']);
  });

  it('with many keys is read, and the one that is there twice is found, with its place', async () => {
    const lines = Array.from({ length: 20_000 }, (_, n) => `key-${n}: ${n}`);
    expect(Object.keys((await parse(lines.join('\n'))).spec ?? {})).toHaveLength(20_000);
    const { faults } = await parse([...lines, 'nested:', '  key-7: 1', 'key-7: 2', '"key-8": 3'].join('\n'));
    expect(faults).toEqual(['job.yaml:20003:1: Map keys must be unique', 'job.yaml:20004:1: Map keys must be unique']);
  });

  it('with more aliases than anybody needs is refused, since each costs a look at all anchors', async () => {
    const anchors = (count: number) => Array.from({ length: count }, (_, n) => `- &x${n} ${n}`).join('\n');
    const aliases = (count: number) => Array.from({ length: count }, (_, n) => `- *x${n}`).join('\n');
    const { spec } = await parse(`a:\n${anchors(1_000)}\nb:\n${aliases(1_000)}`);
    expect(spec?.b).toHaveLength(1_000);
    const startedAt = performance.now();
    const { faults } = await parse(`a:\n${anchors(20_000)}\nb:\n${aliases(20_000)}`);
    expect(faults).toEqual(['job.yaml: has 20000 aliases (*name); expected at most 1000']);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });

  it('has overrides of paths that lead somewhere', () => {
    const faults = collectFaults((name) => name);
    const long = Array.from({ length: DEEPEST + 1 }, () => 'a').join('.');
    const set = { 'a.b[0].c': 1, 'a.b[1]': 2, 'a.b[3]': 3, 'd.__proto__.x': 4, [long]: 5, 'x[1]': 6 };
    const given = { a: { kept: true } };
    const spec = applyOverrides(given, set, faults);
    expect(stringifyJson(spec)).toBe('{"a":{"kept":true,"b":[{"c":1},2]},"d":{"__proto__":{"x":4}}}');
    expect(given).toEqual({ a: { kept: true } });
    expect(faults.messages).toHaveLength(3);
  });
});

it('an integer of very many digits is a number, not one that is exact', () => {
  expect(parseJson('9'.repeat(1_000))).toBe(BigInt('9'.repeat(1_000)));
  expect(parseJson('9'.repeat(1_001))).toBe(Number.POSITIVE_INFINITY);
});

it('a fault is told once, however often it is found', () => {
  const faults = collectFaults((name) => name);
  for (let round = 0; round < 3; round += 1) faults.add('a', 'is wrong');
  faults.add('b', 'is wrong');
  expect(faults.messages).toEqual(['a: is wrong', 'b: is wrong']);
});

it('a name that nobody can have mistyped is compared with none', () => {
  expect(nearestName('regoin', ['region', 'project'])).toBe('region');
  expect(nearestName(`${'x'.repeat(300)}`, ['x'.repeat(299)])).toBeUndefined();
});

it('of an answer only the beginning is looked at for words, and of a success none are told', () => {
  const answer = { kind: 'answer', contentType: '', status: 500 } as const;
  expect(describeAttempt({ ...answer, text: '<b>full</b> of <i>words' })).toBe('it answered 500: full of words');
  expect(describeAttempt({ ...answer, text: `${'<>'.repeat(3_000)}the end` })).toBe('it answered 500');
  expect(describeAttempt({ ...answer, status: 200, text: '{"access_token": "abc"}' })).not.toContain('abc');
});

it('of very many parameters that a flow does not have, only some are compared with those that it has', async () => {
  const named = (word: string) => Object.fromEntries(Array.from({ length: 6_000 }, (_, n) => [`${word}_${n}`, {}]));
  const startedAt = performance.now();
  const faults = await parameterFaults({ properties: named('parameter') }, named('parmeter'));
  expect(performance.now() - startedAt).toBeLessThan(8_000);
  expect(faults).toHaveLength(101);
  expect(faults[0]).toContain('did you mean parameter_0?');
  expect(faults.at(-1)).toBe('(5900 more names): are not parameters of the flow');
});

it('what stands at the end of a text is cut, and nothing before', () => {
  expect(withoutTrailing('//a//', '/')).toBe('//a');
  expect(withoutTrailing('///', '/')).toBe('');
  expect(plainTail(`a${'\n'.repeat(5)}`)).toEqual(['a']);
});

it('of a table only so many rows and columns are shown, and how many rows there are', () => {
  const wide = {
    first: Array.from({ length: 5_000 }, (_, n) => n),
    ...Object.fromEntries(Array.from({ length: 5_000 }, (_, n) => [`c${n}`, []])),
  };
  const [note] = artifactNotes([{ type: 'table', key: 'wide', data: stringifyJson(wide) }]);
  expect(note?.lines).toHaveLength(41);
  expect(note?.lines[0]?.split(' | ')).toHaveLength(100);
  expect(note?.lines.at(-1)).toBe('… and 4961 more lines');
});

it.each([
  ['^[a-z-]+$', 'ABC', true],
  ['^\\d{3}$', 'ABC', true],
  ['^(a+)+$', `${'a'.repeat(40)}!`, false],
  ['(a|a)*$', `${'a'.repeat(40)}!`, false],
  ['a*a*a*b', 'a'.repeat(40), false],
  ['^(?:a?){40}a{40}$', 'a'.repeat(40), false],
  ['^(a)\\1*$', 'b', false],
])(
  'a parameter is compared with the pattern %s only if that cannot take for ever',
  async (pattern, value, isCompared) => {
    const faults = await parameterFaults({ properties: { a: { type: 'string', pattern } } }, { a: value });
    expect(faults).toHaveLength(isCompared ? 1 : 0);
  },
);
