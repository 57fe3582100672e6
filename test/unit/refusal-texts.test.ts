import { expect, test } from 'vitest';
import { type Facts, type Refusals, refusalError } from '../../shared/http/refusal.ts';

const REFUSALS: Refusals = {
  service: 'The service',
  link: 'docs/secrets.md',
  code: 'request-rejected',
  table: [
    {
      status: [403, 404],
      if: 'isClosed',
      code: 'permission-denied',
      happened: 'closed to {name}',
      remedy: ['{steps}'],
    },
    {
      status: [403],
      words: /who are you/i,
      code: 'credential-rejected',
      remedy: ['Ask {owner}.', 'open --for={name}'],
    },
    { words: /late/, code: 'exchange-stale' },
    { expected: ['{ order = ["{name}"] }'] },
  ],
};

function explain(status: number, words: string, facts: Facts = {}) {
  const { code, explanation } = refusalError(REFUSALS, { status, words, presented: ['identity ci'], ...facts });
  return { code, ...explanation };
}

test('the first entry that fits counts: by status, by what has to be so, by words', () => {
  expect(explain(404, '', { isClosed: true, name: 'x' }).code).toBe('permission-denied');
  expect(explain(404, '', { isClosed: false, name: 'x' }).code).toBe('request-rejected');
  expect(explain(403, 'Who are you?', { name: 'x' }).code).toBe('credential-rejected');
  expect(explain(401, 'Who are you?', { name: 'x' }).code).toBe('request-rejected');
  expect(explain(500, 'too late', {}).code).toBe('exchange-stale');
});

test('what an entry leaves out is the default text of its code, and the service is named as exactly as is known', () => {
  expect(explain(500, 'late')).toMatchObject({
    happened: 'The service says that the CI token has expired or is not valid yet',
    words: 'late',
    presented: ['identity ci'],
    expected: [],
    link: 'docs/secrets.md',
  });
  expect(explain(418, '', { service: 'host.example', name: 'x' }).happened).toBe(
    'host.example refused the request (418)',
  );
});

test('a line with an unknown fact is left out, one that is a list becomes its lines, and other braces stay', () => {
  expect(explain(403, 'who are you', { name: 'x' }).remedy).toEqual(['open --for=x']);
  expect(explain(403, '', { isClosed: true, name: 'x', steps: ['one:', '  two'] }).remedy).toEqual(['one:', '  two']);
  expect(explain(400, '', { name: 'x' }).expected).toEqual(['{ order = ["x"] }']);
});

test('a fact is one plain line, and nothing in it is taken for another fact', () => {
  const name = 'a\u001b[31m\nb {service} $& {owner}';
  expect(explain(403, '', { isClosed: true, name, owner: 'me' }).happened).toBe('closed to a b {service} $& {owner}');
});

test('only the beginning of long words is looked at', () => {
  expect(explain(500, `${'.'.repeat(5_000)}late`, { name: 'x' }).code).toBe('request-rejected');
});
