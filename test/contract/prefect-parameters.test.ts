import { expect, test } from 'vitest';
import type { Json, JsonObject } from '../../shared/json.ts';
import { isResolvedByServer, parameterFaults } from '../../shared/services/prefect/parameter-schema.ts';

function schemaOf(properties: JsonObject, more: JsonObject = {}): JsonObject {
  return { title: 'Parameters', type: 'object', properties, ...more };
}

/** A schema of one parameter, a value for it, and what is said of that. */
const CASES: readonly (readonly [string, JsonObject, Json, readonly string[]])[] = [
  ['a whole number in place of a fraction', { type: 'number' }, 3, []],
  ['an integer beyond what a double holds', { type: 'integer' }, 9_007_199_254_740_993n, []],
  ['text in place of a number', { type: 'integer' }, '3', ['x: expected integer or null; got "3"']],
  ['a format, which the server does not look at', { type: 'string', format: 'date' }, 'tomorrow', []],
  ['null for an optional parameter of an old flow', { type: 'string' }, null, []],
  ['null where there is a default', { type: 'string', default: 'a' }, null, ['x: expected string; got null']],
  [
    'a tuple of an old flow',
    { type: 'array', items: [{ type: 'integer' }, { type: 'string' }], default: [] },
    [1, 'a'],
    [],
  ],
  [
    'a wrong item of a tuple',
    { type: 'array', items: [{ type: 'integer' }, { type: 'string' }], default: [] },
    ['a', 'a'],
    ['x.0: expected integer; got "a"'],
  ],
  [
    'one of several forms',
    { anyOf: [{ type: 'integer' }, { type: 'null' }] },
    'a',
    ['x: expected integer or null; got "a"'],
  ],
  [
    'a member named like a keyword',
    { type: 'object', properties: { format: { type: 'string' } } },
    { format: 'a' },
    [],
  ],
  ['a length', { type: 'string', minLength: 3 }, 'ab', ['x: expected a text at least as long as 3; got "ab"']],
  ['a pattern that only Python knows', { type: 'string', pattern: '(?P<name>a)' }, 'b', []],
  ['a template that the server fills', { type: 'integer' }, { __prefect_kind: 'jinja', template: '{{ 1 }}' }, []],
  ['a reference to a block', { type: 'object', required: ['name'] }, { $ref: 'f3b7' }, []],
  ['a reference that leads nowhere', { $ref: '#/definitions/Gone' }, 1, []],
];

test.each(CASES)('%s', async (_what, property, value, faults) => {
  expect(await parameterFaults(schemaOf({ x: property }), { x: value })).toEqual(faults);
});

test('a model that refers to itself is checked as deep as the value goes', async () => {
  const definitions = {
    Node: {
      type: 'object',
      properties: { next: { $ref: '#/definitions/Node' }, value: { type: 'integer' } },
      required: ['value'],
    },
  };
  const schema = schemaOf({ list: { $ref: '#/definitions/Node' } }, { definitions });
  expect(await parameterFaults(schema, { list: { value: 1, next: { value: 'b' } } })).toEqual([
    'list.next.value: expected integer; got "b"',
  ]);
});

test('names are looked at where the flow takes no others', async () => {
  const epochs = { epochs: { type: 'integer' } };
  expect(await parameterFaults(schemaOf(epochs), { epoch: 1 })).toEqual([
    'epoch: is not a parameter of the flow; did you mean epochs?',
  ]);
  for (const schema of [
    schemaOf({ ...epochs, kwargs: {} }),
    schemaOf({}),
    schemaOf(epochs, { additionalProperties: true }),
  ])
    expect(await parameterFaults(schema, { epoch: 1 })).toEqual([]);
});

test('what the server resolves is seen however deep it is', () => {
  expect(isResolvedByServer([{ a: { b: [{ __prefect_kind: 'json', value: '1' }] } }])).toBe(true);
  expect(isResolvedByServer({ a: ['__prefect_kind'] })).toBe(false);
});
