import { describe, expect, it } from 'vitest';
import { canonicalJson, listAt, numberAt, objectAt, parseJson, stringifyJson, textAt } from '../../shared/json.ts';

describe('JSON', () => {
  it.each([
    '9007199254740991',
    '9007199254740992',
    '9007199254740993',
    '-9007199254740993',
    '9223372036854775807',
    '18446744073709551616',
    '123456789012345678901234567890',
  ])('keeps %s on the way in and out', (digits) => {
    const text = `{"run_id":${digits},"ids":[${digits}]}`;
    expect(textAt(parseJson(text), 'run_id')).toBe(digits);
    expect(stringifyJson(parseJson(text))).toBe(text);
    expect(parseJson(stringifyJson(parseJson(text), 2))).toEqual(parseJson(text));
  });

  it('leaves texts, fractions and exponents as they are', () => {
    const text = '{"a":"9007199254740993","b":0.1,"c":1e21,"d":-0}';
    expect(parseJson(text)).toEqual({ a: '9007199254740993', b: 0.1, c: 1e21, d: -0 });
  });

  it.each(['', '{', '{"a":1', '[1,]', '<html>', "{'a':1}", '{"a":NaN}', 'undefined'])('does not read %j', (text) => {
    expect(() => parseJson(text)).toThrow(SyntaxError);
  });

  it('has one canonical form, however a document was written', () => {
    const left = parseJson('{"b":[{"y":1,"x":9007199254740993}],"a":{"d":null,"c":"é"}}');
    const right = parseJson('{ "a": {"c": "\\u00e9", "d": null}, "b": [ {"x": 9007199254740993, "y": 1.0} ] }');
    expect(canonicalJson(left)).toBe(canonicalJson(right));
    expect(canonicalJson(left)).toBe('{"a":{"c":"é","d":null},"b":[{"x":9007199254740993,"y":1}]}');
    expect(canonicalJson(parseJson('[2,1]'))).not.toBe(canonicalJson(parseJson('[1,2]')));
  });

  it('keeps a member named __proto__', () => {
    const text = '{"__proto__":{"a":1}}';
    expect(stringifyJson(parseJson(text))).toBe(text);
    expect(canonicalJson(parseJson(text))).toBe(text);
  });

  it('is read without surprises where members are missing or of another type', () => {
    const value = parseJson('{"n":"12","s":5,"big":9007199254740993,"o":{"x":1},"l":[1],"e":"","w":"x","z":null}');
    expect([textAt(value, 's'), textAt(value, 'big'), textAt(value, 'o')]).toEqual([
      '5',
      '9007199254740993',
      undefined,
    ]);
    expect([numberAt(value, 'n'), numberAt(value, 'e'), numberAt(value, 'w'), numberAt(value, 'z')]).toEqual([
      12,
      undefined,
      undefined,
      undefined,
    ]);
    expect([objectAt(value, 'o'), objectAt(value, 'l'), objectAt('text', 'o')]).toEqual([{ x: 1 }, {}, {}]);
    expect([listAt(value, 'l'), listAt(value, 'o'), listAt(undefined, 'l')]).toEqual([[1], [], []]);
    expect(textAt(value, 'toString')).toBeUndefined();
  });
});
