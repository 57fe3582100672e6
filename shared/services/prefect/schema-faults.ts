import type { OutputUnit, Schema } from '@cfworker/json-schema';
import { defined, isArray, isObject, type Json, type JsonObject, listAt, objectAt } from '../../json.ts';

/** One place of a value that its schema does not allow. */
export interface SchemaFault {
  readonly place: readonly string[];
  readonly expected: string;
  readonly value: Json | undefined;
  /** The member that is missing there. */
  readonly missing?: string;
}

/**
 * Checks a value against a JSON Schema (2020-12) without its formats, as Prefect's server does. The validator makes no code
 * at run time. Undefined when the schema cannot be worked with here.
 * https://json-schema.org/draft/2020-12/json-schema-validation
 */
export async function schemaFaults(schema: JsonObject, value: JsonObject): Promise<readonly SchemaFault[] | undefined> {
  const { Validator } = await import('@cfworker/json-schema');
  try {
    const plain = withoutFormats(schema);
    const { errors } = new Validator(plain as Schema, '2020-12', false).validate(withNumbers(value));
    return faultsOf(errors, plain, value);
  } catch {
    // A pattern that only Python knows, or a reference that leads nowhere: the server decides.
    return undefined;
  }
}

/** Each is compared with the others. */
const MOST_ERRORS = 500;

// Errors that only say that something inside does not fit, which is told by itself.
const WRAPPERS = new Set([
  'properties',
  'patternProperties',
  'additionalProperties',
  'items',
  'prefixItems',
  'allOf',
  '$ref',
  'dependentSchemas',
  'then',
  'else',
]);
const CHOICES = new Set(['anyOf', 'oneOf']);

function faultsOf(errors: readonly OutputUnit[], schema: JsonObject, value: JsonObject): readonly SchemaFault[] {
  const faults = new Map<string, SchemaFault>();
  const choices = errors.slice(0, MOST_ERRORS).filter(({ keyword }) => CHOICES.has(keyword));
  for (const error of errors.slice(0, MOST_ERRORS)) {
    const { keyword, keywordLocation, instanceLocation } = error;
    const inChoice = choices.some(
      (choice) => choice !== error && keywordLocation.startsWith(`${choice.keywordLocation}/`),
    );
    if (inChoice || (WRAPPERS.has(keyword) && isExplained(error, errors))) continue;
    const place = steps(instanceLocation);
    const missing = keyword === 'required' ? /"(.*)"/.exec(error.error)?.[1] : undefined;
    const fault = {
      place,
      expected: expectation(error, schema),
      value: place.reduce<Json | undefined>(memberAt, value),
      ...defined({ missing }),
    };
    faults.set(`${instanceLocation} ${fault.expected} ${missing}`, fault);
  }
  return [...faults.values()];
}

function isExplained(wrapper: OutputUnit, errors: readonly OutputUnit[]): boolean {
  return errors
    .slice(0, MOST_ERRORS)
    .some(
      (other) =>
        other !== wrapper &&
        !WRAPPERS.has(other.keyword) &&
        other.instanceLocation.startsWith(wrapper.instanceLocation),
    );
}

function expectation({ keyword, keywordLocation, error }: OutputUnit, schema: JsonObject): string {
  const rule = keyword === 'false' ? false : ruleAt(schema, steps(keywordLocation));
  if (CHOICES.has(keyword) && isArray(rule)) return rule.map((option) => wordFor(option)).join(' or ');
  if (keyword === 'type') return isArray(rule) ? rule.join(' or ') : String(rule);
  if (keyword === 'enum' && isArray(rule)) return `one of ${rule.map((each) => JSON.stringify(each)).join(', ')}`;
  if (keyword === 'const') return JSON.stringify(rule);
  if (BOUNDS[keyword] !== undefined) return `${BOUNDS[keyword]} ${String(rule)}`;
  return error.replace(/\.$/, '');
}

const BOUNDS: Readonly<Record<string, string>> = {
  minimum: 'at least',
  maximum: 'at most',
  exclusiveMinimum: 'more than',
  exclusiveMaximum: 'less than',
  minLength: 'a text at least as long as',
  maxLength: 'a text at most as long as',
  minItems: 'as many items as at least',
  maxItems: 'as many items as at most',
  multipleOf: 'a multiple of',
  pattern: 'a text that matches',
};

function wordFor(option: Json): string {
  if (!isObject(option)) return 'another thing';
  if (typeof option.type === 'string') return option.type;
  if (isArray(option.enum)) return `one of ${option.enum.map((each) => JSON.stringify(each)).join(', ')}`;
  const name = typeof option.$ref === 'string' ? option.$ref.split('/').at(-1) : option.title;
  return typeof name === 'string' ? name : 'another form';
}

function ruleAt(schema: JsonObject, path: readonly string[]): Json | undefined {
  // A reference is part of the path that was taken.
  const follow = (rule: Json | undefined, step: string): Json | undefined =>
    step === '$ref' && isObject(rule) ? ruleAt(schema, steps(String(rule.$ref))) : memberAt(rule, step);
  return path.reduce<Json | undefined>(follow, schema);
}

function memberAt(value: Json | undefined, step: string): Json | undefined {
  return isArray(value) ? value[Number(step)] : isObject(value) ? value[step] : undefined;
}

/** The steps of a pointer such as `#/config/layers/0`. */
function steps(pointer: string): readonly string[] {
  return pointer
    .replace(/^#?\/?/, '')
    .split('/')
    .filter((step) => step !== '')
    .map((step) => decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~'));
}

// Keywords whose members are schemas by name, and those that hold plain values.
const BY_NAME = new Set(['properties', 'patternProperties', 'definitions', '$defs', 'dependentSchemas']);
const PLAIN = new Set(['default', 'examples', 'example', 'enum', 'const', 'required']);

/** Without formats, and without patterns that could take forever: those are left to the server. */
function withoutFormats(schema: JsonObject): JsonObject {
  const isOpen = !Object.keys(objectAt(schema, 'patternProperties')).every(isQuick);
  const dropped = new Set(['format', ...(isOpen ? ['patternProperties', 'additionalProperties'] : [])]);
  const kept = Object.entries(schema).filter(
    ([keyword, rule]) => !dropped.has(keyword) && !(keyword === 'pattern' && !isQuick(String(rule))),
  );
  return Object.fromEntries(
    kept.map(([keyword, rule]) => {
      if (PLAIN.has(keyword)) return [keyword, rule];
      if (BY_NAME.has(keyword) && isObject(rule)) {
        const schemas = Object.entries(rule).map(([name, each]) => [
          name,
          isObject(each) ? withoutFormats(each) : each,
        ]);
        return [keyword, Object.fromEntries(schemas)];
      }
      if (isArray(rule))
        return [keyword, listAt(schema, keyword).map((each) => (isObject(each) ? withoutFormats(each) : each))];
      return [keyword, isObject(rule) ? withoutFormats(rule) : rule];
    }),
  );
}

/** Whether a pattern takes time in proportion to the text: at most one repetition without a limit, from the beginning on, and no repeated group. */
function isQuick(pattern: string): boolean {
  const plain = pattern.replace(/\\[\s\S]|\[(?:\\[\s\S]|[^\]\\])*\]/g, (part) =>
    /^\\[1-9k]/.test(part) ? '()*' : 'x',
  );
  const endless = plain.match(/[*+]|\{\d+,\}/g) ?? [];
  return !/\)[*+?{]/.test(plain) && (endless.length === 0 || (endless.length === 1 && plain.startsWith('^')));
}

/** The validator knows no bigint. */
function withNumbers(value: Json): Json {
  if (typeof value === 'bigint') return Number(value);
  if (isArray(value)) return value.map(withNumbers);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, withNumbers(each)]));
}
