import { isScalar, scalarFits, wellKnownFault } from './protobuf-json-values.ts';
import {
  aiplatformTypes,
  type FieldDescriptor,
  jsonName,
  protoName,
  type ResolvedType,
  type TypeLookup,
} from './protobuf-types.ts';

/** What is wrong with a JSON request body. */
export interface Violation {
  /** `payload`: the JSON is not of the message's shape. `field`: it is, but the service wants another content. */
  readonly kind: 'payload' | 'field';
  /** In proto spelling; of an unknown name, the message that has no such field. */
  readonly field: string;
  readonly description: string;
}

export interface ValidateOptions {
  /** The field of the request message that the body is, with which Google's paths begin: `custom_job`. */
  readonly at?: string;
  /** Where types come from; Vertex AI's by default. */
  readonly types?: TypeLookup;
}

/**
 * Checks a request body against a message type by the rules of proto3 JSON
 * (https://protobuf.dev/programming-guides/json/) and of google.api.field_behavior
 * (https://google.aip.dev/203), in the words of Google's JSON front end.
 */
export function validateMessage(typeName: string, value: unknown, options: ValidateOptions = {}): Violation[] {
  const types = options.types ?? aiplatformTypes();
  const type = types(typeName, '');
  if (type === undefined) throw new Error(`There is no protobuf type ${typeName}`);
  return [...message({ types, at: options.at ?? '' }, type, value, '')];
}

/** The field that a JSON name means: both the proto3 JSON name and the proto name are accepted. */
export function fieldOf(type: ResolvedType, name: string): [name: string, field: FieldDescriptor] | undefined {
  const fields = type.descriptor.fields ?? {};
  const canonical = Object.hasOwn(fields, name) ? name : jsonName(name);
  const field = Object.hasOwn(fields, canonical) ? fields[canonical] : undefined;
  return field !== undefined && (canonical === name || protoName(canonical) === name) ? [canonical, field] : undefined;
}

interface Walk {
  readonly types: TypeLookup;
  readonly at: string;
}

function* message(walk: Walk, type: ResolvedType, value: unknown, path: string): Generator<Violation> {
  if (!isObject(value)) {
    yield invalidValue(walk, path, `type.googleapis.com/${type.name}`, value);
    return;
  }
  const present = new Set<string>();
  for (const [name, content] of Object.entries(value)) {
    const found = fieldOf(type, name);
    if (found === undefined) {
      yield unknownName(walk, path, name, 'Cannot find field.');
      continue;
    }
    const [canonical, field] = found;
    if (content === null) continue;
    if (present.has(canonical)) {
      yield unknownName(walk, path, name, 'Proto field is not repeating, cannot start list.');
      continue;
    }
    yield* oneofs(walk, type, path, present, canonical, name);
    present.add(canonical);
    const fieldPath = joined(path, protoName(canonical));
    if (behaviour(field) === 'OUTPUT_ONLY' && !isEmpty(field, content)) {
      yield { kind: 'field', field: fieldPath, description: 'Output only field must not be set.' };
    }
    yield* fieldValue(walk, type, field, content, { path: fieldPath, parent: path, name });
    if (behaviour(field) === 'REQUIRED' && isEmpty(field, content)) yield required(fieldPath);
  }
  for (const [name, field] of Object.entries(type.descriptor.fields ?? {})) {
    if (behaviour(field) === 'REQUIRED' && !present.has(name)) yield required(joined(path, protoName(name)));
  }
}

function* oneofs(
  walk: Walk,
  type: ResolvedType,
  path: string,
  present: ReadonlySet<string>,
  canonical: string,
  name: string,
): Generator<Violation> {
  for (const [group, { oneof }] of Object.entries(type.descriptor.oneofs ?? {})) {
    if (oneof.includes(canonical) && oneof.some((other) => present.has(other))) {
      const fault = `oneof field '${group}' is already set. Cannot set '${name}'`;
      yield payload(walk, path, `Invalid value at '${located(walk, path)}' (oneof), ${fault}`);
    }
  }
}

interface Place {
  readonly path: string;
  readonly parent: string;
  /** As the request spells it. */
  readonly name: string;
}

function* fieldValue(
  walk: Walk,
  owner: ResolvedType,
  field: FieldDescriptor,
  value: unknown,
  place: Place,
): Generator<Violation> {
  if (field.keyType !== undefined) {
    if (!isObject(value)) yield invalidValue(walk, place.path, `map<${field.keyType}, ${field.type}>`, value);
    else {
      for (const [index, entry] of Object.values(value).entries()) {
        yield* singleValue(walk, owner, field, entry, { ...place, path: `${place.path}[${index}].value` });
      }
    }
  } else if (field.rule === 'repeated') {
    if (!Array.isArray(value)) yield invalidValue(walk, place.path, typeLabel(walk, owner, field), value);
    else {
      for (const [index, entry] of value.entries()) {
        yield* singleValue(walk, owner, field, entry, { ...place, path: `${place.path}[${index}]` });
      }
    }
  } else if (Array.isArray(value) && !isJsonType(field)) {
    yield unknownName(walk, place.parent, place.name, 'Proto field is not repeating, cannot start list.');
  } else {
    yield* singleValue(walk, owner, field, value, place);
  }
}

function* singleValue(
  walk: Walk,
  owner: ResolvedType,
  field: FieldDescriptor,
  value: unknown,
  place: Place,
): Generator<Violation> {
  if (isScalar(field.type)) {
    if (isObject(value)) {
      const fault = `(${place.name}), Starting an object on a scalar field`;
      yield payload(walk, place.parent, `Invalid value at '${located(walk, place.parent)}' ${fault}`);
    } else if (!scalarFits(field.type, value)) {
      yield invalidValue(walk, place.path, typeLabel(walk, owner, field), value);
    }
    return;
  }
  const type = resolved(walk, owner, field);
  if (type.descriptor.values !== undefined) {
    const names = Object.entries(type.descriptor.values);
    if (!names.some(([name, number]) => value === name || value === number)) {
      yield invalidValue(walk, place.path, typeLabel(walk, owner, field), value);
    }
    return;
  }
  const fault = wellKnownFault(type.name, value);
  if (fault === undefined) yield* message(walk, type, value, place.path);
  else if (fault !== '') {
    const label = `(${typeLabel(walk, owner, field)}), Field '${place.name}', ${fault}`;
    yield payload(walk, place.path, `Invalid value at '${located(walk, place.path)}' ${label}`);
  }
}

function resolved(walk: Walk, owner: ResolvedType, field: FieldDescriptor): ResolvedType {
  const type = walk.types(field.type, owner.name);
  if (type === undefined) throw new Error(`There is no protobuf type ${field.type} in ${owner.name}`);
  return type;
}

/** A Value may itself be a list. */
function isJsonType(field: FieldDescriptor): boolean {
  return ['google.protobuf.Value', 'google.protobuf.ListValue'].includes(field.type);
}

function behaviour(field: FieldDescriptor): unknown {
  return field.options?.['(google.api.field_behavior)'];
}

/** Proto3 cannot tell an empty text, list or map from an absent one. */
function isEmpty({ keyType }: FieldDescriptor, value: unknown): boolean {
  if (keyType !== undefined) return isObject(value) && Object.keys(value).length === 0;
  return value === '' || (Array.isArray(value) && value.length === 0);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function joined(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

function located({ at }: Walk, path: string): string {
  return at === '' || path === '' ? `${at}${path}` : `${at}.${path}`;
}

function typeLabel(walk: Walk, owner: ResolvedType, field: FieldDescriptor): string {
  return isScalar(field.type)
    ? `TYPE_${field.type.toUpperCase()}`
    : `type.googleapis.com/${resolved(walk, owner, field).name}`;
}

function required(field: string): Violation {
  return { kind: 'field', field, description: 'Required field is not set.' };
}

function payload(walk: Walk, path: string, description: string): Violation {
  return { kind: 'payload', field: located(walk, path), description };
}

function invalidValue(walk: Walk, path: string, label: string, value: unknown): Violation {
  return payload(walk, path, `Invalid value at '${located(walk, path)}' (${label}), ${JSON.stringify(value)}`);
}

function unknownName(walk: Walk, path: string, name: string, fault: string): Violation {
  const where = located(walk, path);
  const at = where === '' ? '' : ` at '${where}'`;
  return payload(walk, path, `Invalid JSON payload received. Unknown name "${name}"${at}: ${fault}`);
}
