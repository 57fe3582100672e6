import { describe, expect, it } from 'vitest';
import type { CiContext } from '../../shared/host/ci-context.ts';
import { fillEverywhere, fillPlaceholders, PLACEHOLDERS } from '../../shared/settings/template.ts';

const context: CiContext = {
  platform: 'buildkite',
  repository: 'acme/vision',
  pipeline: 'p',
  commit: '4f0c5b1d9a7e3f2860b1c4d5e6f708192a3b4c5d',
  branch: 'main',
  build: 'b',
  buildNumber: '42',
  buildUrl: 'https://buildkite.com/acme/vision/builds/42',
  step: 's',
  attempt: 1,
  retry: 'none',
};
const placeholders = {
  context,
  env: { EPOCHS: '20', EMPTY: '', BUILDKITE_AGENT_ACCESS_TOKEN: 'secret', TRICKY: '@{commit} $(id) @@{' },
  protectedVariables: new Set(['BUILDKITE_AGENT_ACCESS_TOKEN']),
};

function fill(text: string) {
  const faults: string[] = [];
  const filled = fillPlaceholders(text, placeholders, (problem) => faults.push(problem));
  return { filled, faults };
}

describe('placeholders', () => {
  it('stand for the facts of the build', () => {
    const all = ['commit', 'short-commit', 'branch', 'build-number', 'build-url', 'repository'];
    expect([...all, 'tag'].toSorted()).toEqual(Object.keys(PLACEHOLDERS).toSorted());
    expect(fill(all.map((name) => `@{${name}}`).join(' '))).toEqual({
      filled:
        '4f0c5b1d9a7e3f2860b1c4d5e6f708192a3b4c5d 4f0c5b1d main 42 https://buildkite.com/acme/vision/builds/42 acme/vision',
      faults: [],
    });
  });

  it('stand for variables, also empty ones, whose text is not looked at again', () => {
    expect(fill('-@{env:EPOCHS}-@{env:EMPTY}-@{env:TRICKY}-')).toEqual({
      filled: '-20--@{commit} $(id) @@{-',
      faults: [],
    });
  });

  it('leave everything else alone', () => {
    const text = '\u0024{X} {{job.run_id}} $(id) a@b.c @ {x} }';
    expect(fill(text)).toEqual({ filled: text, faults: [] });
    expect(fill('@@{commit} and @@{')).toEqual({ filled: '@{commit} and @{', faults: [] });
    expect(fill('@@@{commit}')).toEqual({ filled: '@@{commit}', faults: [] });
  });

  it.each([
    ['@{comit}', '@{comit} is not a placeholder; did you mean @{commit}?'],
    ['@{COMMIT}', '@{COMMIT} is not a placeholder; did you mean @{commit}?'],
    ['@{}', '@{} is not a placeholder; there are '],
    ['@{toString}', '@{toString} is not a placeholder; there are '],
    ['@{__proto__}', '@{__proto__} is not a placeholder; there are '],
    ['@{tag}', '@{tag} has no value in this build'],
    ['@{env:EPOCH}', '@{env:EPOCH}: the environment variable is not set in this step; did you mean @{env:EPOCHS}?'],
    ['@{env:NOWHERE_TO_BE_FOUND}', '@{env:NOWHERE_TO_BE_FOUND}: the environment variable is not set in this step'],
    ['@{env:BUILDKITE_AGENT_ACCESS_TOKEN}', 'could copy a credential of the CI into the job'],
    ['@{env:BUILDKITE_AGENT_ACCESS_TOKE}', 'the environment variable is not set in this step'],
    ['@{commit', 'a placeholder is not closed: @{commit (write @@{ for a literal @{)'],
    ['@{\u001b[31mred}', '@{red} is not a placeholder'],
  ])('are refused when wrong: %j', (text, problem) => {
    const { filled, faults } = fill(text);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(problem);
    expect(faults[0]).not.toContain('secret');
    // Nobody is led to a variable that must not be used.
    expect(faults[0]).not.toContain('did you mean @{env:BUILDKITE_AGENT_ACCESS_TOKEN}');
    expect(filled).toBe(text);
  });

  it('are filled in every text of a value, never in names', () => {
    const value = { '@{commit}': ['@{branch}', { n: 1, big: 9_007_199_254_740_993n, t: '@{build-number}' }], z: null };
    expect(fillEverywhere(value, placeholders, () => expect.fail())).toEqual({
      '@{commit}': ['main', { n: 1, big: 9_007_199_254_740_993n, t: '42' }],
      z: null,
    });
  });
});
