import { isJsonObject } from './json-object.ts';
import type { Violation } from './prefect-errors.ts';

type Loc = readonly (string | number)[];

/** What is wrong with a value of a request; nothing for one that fits. */
export type Shape = (value: unknown, loc: Loc) => readonly Violation[];

/** The fields of an object, each required unless wrapped in `optional`. */
export type Fields = Readonly<Record<string, Shape & { readonly mayBeAbsent?: true }>>;

const UUID = /^(urn:uuid:)?\{?[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}\}?$/i;
const BOOLEAN_WORDS = /^(0|1|on|off|t|f|true|false|y|n|yes|no)$/i;

export const anything: Shape = () => [];

export const string: Shape = (value, loc) =>
  typeof value === 'string' ? [] : violation('string_type', loc, 'Input should be a valid string', value);

export const boolean: Shape = (value, loc) => {
  if (typeof value === 'boolean' || value === 0 || value === 1) return [];
  if (typeof value !== 'string') return violation('bool_type', loc, 'Input should be a valid boolean', value);
  if (BOOLEAN_WORDS.test(value)) return [];
  return violation('bool_parsing', loc, 'Input should be a valid boolean, unable to interpret input', value);
};

export const dictionary: Shape = (value, loc) =>
  isJsonObject(value) ? [] : violation('dict_type', loc, 'Input should be a valid dictionary', value);

export const uuid: Shape = (value, loc) => {
  if (typeof value !== 'string') {
    return violation('uuid_type', loc, 'UUID input should be a string, bytes or UUID object', value);
  }
  if (UUID.test(value)) return [];
  const error = `invalid character: found \`${value.slice(0, 1)}\` at 0`;
  return violation('uuid_parsing', loc, `Input should be a valid UUID, ${error}`, value, { error });
};

export const dateTime: Shape = (value, loc) => {
  if (typeof value === 'string' && !Number.isNaN(Date.parse(value))) return [];
  return violation('value_error', loc, `Value error, Unable to parse string [${String(value)}]`, value, { error: {} });
};

export const number: Shape = (value, loc) =>
  typeof value === 'number' ? [] : violation('float_type', loc, 'Input should be a valid number', value);

export function integer(bound: { readonly ge?: number; readonly gt?: number } = {}): Shape {
  return (value, loc) => {
    if (typeof value === 'string' && !/^\s*[-+]?\d+(\.0*)?\s*$/.test(value)) {
      return violation(
        'int_parsing',
        loc,
        'Input should be a valid integer, unable to parse string as an integer',
        value,
      );
    }
    if (typeof value !== 'number' && typeof value !== 'string') {
      return violation('int_type', loc, 'Input should be a valid integer', value);
    }
    const { ge, gt } = bound;
    if (!Number.isInteger(Number(value))) {
      const message = 'Input should be a valid integer, got a number with a fractional part';
      return violation('int_from_float', loc, message, value);
    }
    if (ge !== undefined && Number(value) < ge) {
      return violation('greater_than_equal', loc, `Input should be greater than or equal to ${ge}`, value, { ge });
    }
    if (gt !== undefined && Number(value) <= gt) {
      return violation('greater_than', loc, `Input should be greater than ${gt}`, value, { gt });
    }
    return [];
  };
}

export function word(allowed: readonly string[]): Shape {
  const quoted = allowed.map((name) => `'${name}'`);
  const expected =
    quoted.length < 2 ? quoted.join('') : `${quoted.slice(0, -1).join(', ')} or ${quoted[quoted.length - 1]}`;
  return (value, loc) =>
    allowed.some((name) => name === value)
      ? []
      : violation('enum', loc, `Input should be ${expected}`, value, { expected });
}

export function list(of: Shape): Shape {
  return (value, loc) =>
    Array.isArray(value)
      ? value.flatMap((item, index) => of(item, [...loc, index]))
      : violation('list_type', loc, 'Input should be a valid list', value);
}

export function nullable(shape: Shape): Shape {
  return (value, loc) => (value === null ? [] : shape(value, loc));
}

/** Marks a field that need not be there. */
export function optional(shape: Shape): Shape & { readonly mayBeAbsent: true } {
  return Object.assign<Shape, { mayBeAbsent: true }>((value, loc) => shape(value, loc), { mayBeAbsent: true });
}

/** Values that may stand in labels: a union, of which pydantic complains about every member. */
export const labels: Shape = (value, loc) => {
  const wrong = dictionary(value, loc);
  if (wrong.length > 0 || !isJsonObject(value)) return wrong;
  return Object.entries(value).flatMap(([key, label]) => {
    if (['string', 'number', 'boolean'].includes(typeof label)) return [];
    return [
      ...violation('bool_type', [...loc, key, 'bool'], 'Input should be a valid boolean', label),
      ...violation('int_type', [...loc, key, 'int'], 'Input should be a valid integer', label),
      ...violation('float_type', [...loc, key, 'float'], 'Input should be a valid number', label),
      ...violation('string_type', [...loc, key, 'str'], 'Input should be a valid string', label),
    ];
  });
};

/** An object with these fields; others are refused, unless `others` says what becomes of them. */
export function model(fields: Fields, others: 'forbidden' | 'allowed' = 'forbidden'): Shape {
  return (value, loc) => {
    if (!isJsonObject(value)) {
      const message = 'Input should be a valid dictionary or object to extract fields from';
      return violation('model_attributes_type', loc, message, value);
    }
    const known = Object.entries(fields).flatMap(([name, shape]) => {
      const field = value[name];
      if (field !== undefined) return shape(field, [...loc, name]);
      return shape.mayBeAbsent ? [] : violation('missing', [...loc, name], 'Field required', value);
    });
    if (others === 'allowed') return known;
    const extra = Object.keys(value).filter((name) => !Object.hasOwn(fields, name));
    return [
      ...known,
      ...extra.flatMap((name) =>
        violation('extra_forbidden', [...loc, name], 'Extra inputs are not permitted', value[name]),
      ),
    ];
  };
}

export function violation(
  type: string,
  loc: Loc,
  msg: string,
  input: unknown,
  ctx?: Violation['ctx'],
): readonly Violation[] {
  return [{ type, loc, msg, input, ...(ctx === undefined ? {} : { ctx }) }];
}
