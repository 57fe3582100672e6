import type { OutputUnit, Schema } from '@cfworker/json-schema';
import { defined, isArray, isObject, type Json, type JsonObject, mapMembers, objectAt } from '../../json.ts';
import { plainLine } from '../../remote-text.ts';
import { showValue } from '../../settings/settings.ts';

/**
 * What a JSON Schema (2020-12) does not allow of a value, place by place; formats are left out, as by Prefect's server. Nothing
 * where the schema cannot be worked with here. The validator makes no code at run time.
 * https://json-schema.org/draft/2020-12/json-schema-validation
 */
export async function schemaFaults(schema: JsonObject, value: JsonObject): Promise<readonly string[]> {
  const { Validator } = await import('@cfworker/json-schema');
  try {
    const plain = withoutFormats(schema);
    const { errors } = new Validator(plain as Schema, '2020-12', false).validate(withNumbers(value));
    return faultsOf(errors.slice(0, MOST_ERRORS), plain, value);
  } catch {
    // A pattern that only Python knows, or a reference that leads nowhere: the server decides.
    return [];
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

function faultsOf(errors: readonly OutputUnit[], schema: JsonObject, value: JsonObject): readonly string[] {
  const faults = new Set<string>();
  const choices = errors.filter(({ keyword }) => CHOICES.has(keyword));
  for (const error of errors) {
    const { keyword, keywordLocation, instanceLocation } = error;
    const inChoice = choices.some(
      (choice) => choice !== error && keywordLocation.startsWith(`${choice.keywordLocation}/`),
    );
    if (inChoice || (WRAPPERS.has(keyword) && isExplained(error, errors))) continue;
    const place = steps(instanceLocation);
    const missing = keyword === 'required' ? /"(.*)"/.exec(error.error)?.[1] : undefined;
    if (missing !== undefined) faults.add(plainLine(`${[...place, missing].join('.')}: is required`, 300));
    else {
      const got = showValue(place.reduce<Json | undefined>(memberAt, value));
      const where = place.join('.') || 'all together';
      faults.add(plainLine(`${where}: expected ${expectation(error, schema)}; got ${got}`, 400));
    }
  }
  return [...faults];
}

function isExplained(wrapper: OutputUnit, errors: readonly OutputUnit[]): boolean {
  return errors.some(
    ({ keyword, instanceLocation }) => !WRAPPERS.has(keyword) && instanceLocation.startsWith(wrapper.instanceLocation),
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
  const inner = (rule: Json): Json => (isObject(rule) ? withoutFormats(rule) : rule);
  return defined(
    mapMembers(schema, (rule, keyword) => {
      if (dropped.has(keyword) || (keyword === 'pattern' && !isQuick(String(rule)))) return undefined;
      if (PLAIN.has(keyword)) return rule;
      if (BY_NAME.has(keyword) && isObject(rule)) return mapMembers(rule, inner);
      return isArray(rule) ? rule.map(inner) : inner(rule);
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
  return isObject(value) ? mapMembers(value, withNumbers) : value;
}
