import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
import { isJsonObject, type JsonObject } from './json-object.ts';

/** What the server says of a value that its schema refuses. */
export interface SchemaFailure {
  /** The sentence of its own exception, with the field's path. */
  readonly sentence: string;
  /** The reason alone, as jsonschema words it. */
  readonly reason: string;
}

export interface SchemaRules {
  readonly ignoreRequired?: boolean;
  /** Null passes for each optional field, and not only for those without a default. */
  readonly nullDespiteDefault?: boolean;
}

/** Checks a value as the server does: JSON Schema 2020-12, formats not asserted, null allowed where a field is optional. */
export function schemaFailure(
  value: unknown,
  schema: JsonObject,
  rules: SchemaRules = {},
): SchemaFailure | 'circular' | undefined {
  const tolerant = withNulls(schema, rules.nullDespiteDefault ?? false);
  const effective = rules.ignoreRequired === true ? withoutRequired(tolerant) : tolerant;
  try {
    const validate = new Ajv2020({ strict: false, validateFormats: false, verbose: true }).compile(effective as object);
    if (validate(value)) return undefined;
    // A union's own error comes after those of its members.
    return failureOf(validate.errors?.at(-1));
  } catch (error) {
    if (error instanceof RangeError) return 'circular';
    const reason = error instanceof Error ? error.message : String(error);
    return { sentence: `Validation failed. Failure reason: ${reason}`, reason };
  }
}

/** A value in the notation of Python, in which jsonschema quotes it. */
export function pythonRepr(value: unknown): string {
  if (value === null || value === undefined) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'string') return value.includes("'") && !value.includes('"') ? `"${value}"` : `'${value}'`;
  if (Array.isArray(value)) return `[${value.map(pythonRepr).join(', ')}]`;
  if (!isJsonObject(value)) return String(value);
  return `{${Object.entries(value)
    .map(([key, item]) => `${pythonRepr(key)}: ${pythonRepr(item)}`)
    .join(', ')}}`;
}

function failureOf(error: ErrorObject | undefined): SchemaFailure {
  const reason = error === undefined ? 'unknown' : reasonOf(error);
  const path = (error?.instancePath ?? '')
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map((part) => (/^\d+$/.test(part) ? `[${part}]` : `.${part}`))
    .join('')
    .replace(/^\./, '');
  const where = path === '' ? '' : ` for field ${pythonRepr(path)}`;
  return { sentence: `Validation failed${where}. Failure reason: ${reason}`, reason };
}

function reasonOf({ keyword, params, data, message }: ErrorObject): string {
  const value = pythonRepr(data);
  switch (keyword) {
    case 'required':
      return `${pythonRepr(params.missingProperty)} is a required property`;
    case 'type':
      return `${value} is not of type ${[params.type].flat().map(pythonRepr).join(', ')}`;
    case 'enum':
      return `${value} is not one of ${pythonRepr(params.allowedValues)}`;
    case 'const':
      return `${pythonRepr(params.allowedValue)} was expected`;
    case 'minimum':
      return `${value} is less than the minimum of ${params.limit}`;
    case 'maximum':
      return `${value} is greater than the maximum of ${params.limit}`;
    case 'exclusiveMinimum':
      return `${value} is less than or equal to the minimum of ${params.limit}`;
    case 'exclusiveMaximum':
      return `${value} is greater than or equal to the maximum of ${params.limit}`;
    case 'pattern':
      return `${value} does not match ${pythonRepr(params.pattern)}`;
    case 'additionalProperties':
      return `Additional properties are not allowed (${pythonRepr(params.additionalProperty)} was unexpected)`;
    case 'anyOf':
    case 'oneOf':
      return `${value} is not valid under any of the given schemas`;
    default:
      return `${value} ${message ?? 'is not valid'}`;
  }
}

function withNulls(schema: JsonObject, despiteDefault: boolean): JsonObject {
  if (!isJsonObject(schema.properties)) return schema;
  const required = Array.isArray(schema.required) ? schema.required : [];
  const properties = Object.entries(schema.properties).map(([name, field]) => {
    if (!isJsonObject(field)) return [name, field];
    const inner = withNulls(field, despiteDefault);
    const { type, ...rest } = inner;
    const optional = !required.includes(name) && (despiteDefault || !('default' in field));
    if (type === undefined || type === 'null' || !optional) return [name, inner];
    return [name, { ...rest, anyOf: [{ type }, { type: 'null' }] }];
  });
  return { ...schema, properties: Object.fromEntries(properties) };
}

function withoutRequired(value: JsonObject): JsonObject {
  const strip = (item: unknown): unknown => {
    if (Array.isArray(item)) return item.map(strip);
    if (!isJsonObject(item)) return item;
    return Object.fromEntries(
      Object.entries(item)
        .filter(([key]) => key !== 'required')
        .map(([key, inner]) => [key, strip(inner)]),
    );
  };
  return strip(value) as JsonObject;
}
