import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkoutFiles } from '../../shared/edge/checkout-files.ts';
import { type Json, stringifyJson } from '../../shared/json.ts';
import { collectFaults } from '../../shared/settings/settings.ts';
import { applyOverrides, loadSpec, parseSpec } from '../../shared/settings/spec.ts';
import type { Placeholders } from '../../shared/settings/template.ts';

const placeholders: Placeholders = {
  context: {
    platform: 'bitbucket',
    repository: 'acme/vision',
    pipeline: 'p',
    commit: '4f0c5b1d9a7e3f2860b1c4d5e6f708192a3b4c5d',
    branch: 'x: {y}\n- "z',
    build: 'b',
    buildNumber: '42',
    buildUrl: 'https://example.com/42',
    step: '',
    attempt: 1,
    retry: 'none',
  },
  env: {},
  protectedVariables: new Set(['BITBUCKET_STEP_OIDC_TOKEN']),
};

async function parse(text: string) {
  const faults = collectFaults((name) => name);
  const spec = await parseSpec(text, 'job.yaml', placeholders, faults);
  expect(spec === undefined).toBe(faults.messages.length > 0);
  return { spec, faults: faults.messages };
}

describe('a spec', () => {
  it('is YAML or JSON, with anchors, merges and block texts', async () => {
    const yaml = [
      'base: &base {machine: n1, count: 1}',
      'pools:',
      '  - <<: *base',
      '    count: 2',
      '  - *base',
      'script: |',
      '  line 1',
      '  line 2',
      'yes: "yes"',
    ].join('\n');
    expect((await parse(yaml)).spec).toEqual({
      base: { machine: 'n1', count: 1 },
      pools: [
        { machine: 'n1', count: 2 },
        { machine: 'n1', count: 1 },
      ],
      script: 'line 1\nline 2\n',
      yes: 'yes',
    });
    expect((await parse('{"a": [1, 2.5, -3e2, true, null, "\\u00e9"]}')).spec).toEqual({
      a: [1, 2.5, -300, true, null, 'é'],
    });
  });

  it('keeps YAML 1.2 words as text and every digit of integers', async () => {
    const { spec } = await parse('a: no\nb: 0777\nc: 12:30\nd: 9007199254740993\ne: [-9223372036854775808, 5]\nf: 1.0');
    expect(spec).toEqual({
      a: 'no',
      b: 777,
      c: '12:30',
      d: 9_007_199_254_740_993n,
      e: [-9_223_372_036_854_775_808n, 5],
      f: 1,
    });
    expect(stringifyJson(spec ?? null)).toContain('"d":9007199254740993,"e":[-9223372036854775808,5]');
  });

  it.each([
    ['a: 1\nb: 2\na: 3', 'job.yaml:3:1: ', /unique/i],
    ['{"a": 1, "a": 2}', 'job.yaml:1:10: ', /unique/i],
    ['a:\n  - b\n c: d', 'job.yaml:3:', /./],
    ['a: [1, 2', 'job.yaml:1:', /./],
    ['a: "\\x"', 'job.yaml:1:', /./],
    ['a: *nowhere', 'job.yaml', /nowhere/],
    ['a: !!js/function x', 'job.yaml:1:4: ', /tag/i],
    ['a: b\n---\nc: d', 'job.yaml:', /document/i],
    ['a:\n  b: .nan', 'job.yaml:2:6: ', /\.nan is not a number that JSON can carry/],
    ['a: -.inf', 'job.yaml:1:4: ', /-\.inf is not a number/],
    ['a: 1e999', 'job.yaml:1:4: ', /1e999 is not a number/],
    ['a:\n  - "@{comit}"', 'job.yaml:2:5: ', /@\{comit\} is not a placeholder; did you mean @\{commit\}\?/],
    ['- a', 'job.yaml: ', /found a list/],
    ['just words', 'job.yaml: ', /found a string/],
    ['', 'job.yaml: ', /found nothing/],
    ['# only a comment', 'job.yaml: ', /found nothing/],
  ])('%j is refused where it is wrong', async (text, place, words) => {
    const { faults } = await parse(text);
    expect(faults.length).toBeGreaterThan(0);
    expect(faults[0]).toContain(place);
    expect(faults[0]).toMatch(words);
    expect(faults.join('')).not.toMatch(/\n/);
  });

  it('tells all of its faults', async () => {
    const { faults } = await parse('a: "@{one}"\nb:\n  - "@{two"\n  - .inf');
    expect(faults.map((fault) => fault.slice(0, fault.indexOf(': ')))).toEqual([
      'job.yaml:1:4',
      'job.yaml:3:5',
      'job.yaml:4:5',
    ]);
  });

  it('gets placeholders as texts, which never change its structure', async () => {
    const { spec } = await parse('a: "@{branch}"\nb: @{branch}\nc: >-\n  x @{build-number}'.replace('b: @', 'b: x@'));
    expect(spec).toEqual({ a: 'x: {y}\n- "z', b: 'xx: {y}\n- "z', c: 'x 42' });
  });

  it('that multiplies its aliases is refused quickly', async () => {
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x]'];
    for (let n = 1; n < 12; n += 1)
      lines.push(
        `a${n}: &a${n} [${Array(9)
          .fill(`*a${n - 1}`)
          .join(', ')}]`,
      );
    const startedAt = performance.now();
    const { faults } = await parse(lines.join('\n'));
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(/alias/i);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });

  it.each(['[', '{"a":', '- '])('nested absurdly deep with %j is refused', async (opening) => {
    const { faults } = await parse(`a: ${opening.repeat(100_000)}`);
    expect(faults.length).toBeGreaterThan(0);
    expect(faults.join(' ').length).toBeLessThan(20_000);
  });

  it('cannot reach the prototype of anything', async () => {
    const { spec } = await parse('{"__proto__": {"polluted": true}, "constructor": {"x": 1}}');
    expect(Object.keys(spec ?? {})).toEqual(['__proto__', 'constructor']);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    expect(stringifyJson(spec ?? null)).toBe('{"__proto__":{"polluted":true},"constructor":{"x":1}}');
  });
});

describe('a spec in the checkout', () => {
  let checkout = '';
  beforeAll(async () => {
    checkout = await mkdtemp(join(tmpdir(), 'keyless-spec-'));
    await writeFile(join(checkout, 'job.yaml'), 'a: "@{build-number}"');
    await writeFile(join(checkout, 'latin1.yaml'), Buffer.from([0x61, 0x3a, 0x20, 0xe9]));
    await using big = await open(join(checkout, 'big.yaml'), 'w');
    await big.truncate(50 * 1024 * 1024);
  });
  afterAll(() => rm(checkout, { recursive: true }));

  async function load(given: string) {
    const faults = collectFaults((name) => name);
    return { spec: await loadSpec(given, checkoutFiles(checkout), placeholders, faults), faults: faults.messages };
  }

  it('is read and filled', async () => {
    expect(await load('job.yaml')).toEqual({ spec: { a: '42' }, faults: [] });
    expect(await load('{"a": "@{build-number}"}')).toEqual({ spec: { a: '42' }, faults: [] });
  });

  it.each([
    ['jobs.yaml', 'jobs.yaml does not exist in the checkout'],
    ['.', '. is a directory'],
    ['../../etc/passwd', 'is outside the checkout'],
    ['/etc/passwd', 'is outside the checkout'],
    ['latin1.yaml', 'latin1.yaml is not UTF-8 text'],
    ['big.yaml', 'big.yaml has 50.0 MiB; at most 4.0 are read'],
  ])('%s is refused in plain words', async (path, problem) => {
    const { spec, faults } = await load(path);
    expect(spec).toBeUndefined();
    expect(faults).toEqual([expect.stringContaining(problem)]);
  });
});

describe('overrides by path', () => {
  const spec = { name: 'a', tasks: [{ key: 't', deep: { n: 1 } }], none: null };

  function set(changes: Readonly<Record<string, Json>>) {
    const faults = collectFaults((name) => name);
    return { result: applyOverrides(spec, changes, faults), faults: faults.messages };
  }

  it('set, add, append and replace', () => {
    const before = structuredClone(spec);
    const { result, faults } = set({
      name: 'b',
      'tasks[0].deep.n': 9_007_199_254_740_993n,
      'tasks[0].labels.team-1': 'vision',
      'tasks[1]': { key: 'u' },
      'tasks[2].key': 'v',
      'new.path[0].x': [1],
    });
    expect(faults).toEqual([]);
    expect(result).toEqual({
      name: 'b',
      tasks: [
        { key: 't', deep: { n: 9_007_199_254_740_993n }, labels: { 'team-1': 'vision' } },
        { key: 'u' },
        { key: 'v' },
      ],
      none: null,
      new: { path: [{ x: [1] }] },
    });
    expect(spec).toEqual(before);
  });

  it.each(['', '.', 'a.', '.a', 'a..b', '[0]', 'a[', 'a[]', 'a[x]', 'a[-1]', 'a[0]b', 'a]'])(
    'refuse %j, which is no path',
    (path) => expect(set({ [path]: 1 }).faults).toEqual([expect.stringContaining('expected a path such as')]),
  );

  it.each(['tasks[2]', 'tasks.key', 'name.first', 'name[0]', 'tasks[0].key.x', 'none.x'])(
    'refuse %s, which does not fit',
    (path) => {
      const { result, faults } = set({ [path]: 1 });
      expect(faults).toEqual([expect.stringContaining(`${path} does not fit the spec`)]);
      expect(result).toEqual(spec);
    },
  );
});
