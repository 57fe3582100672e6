import { isScalar, isWellKnown } from './protobuf-json-values.ts';
import { aiplatformTypes, type FieldDescriptor, type ResolvedType, type TypeLookup } from './protobuf-types.ts';
import { fieldOf } from './protobuf-walker.ts';

/**
 * A valid message as a service writes it back (https://protobuf.dev/programming-guides/json/): lowerCamelCase names,
 * 64-bit integers as strings, enum names, and nothing that has its zero value.
 */
export function canonicalMessage(typeName: string, value: unknown): Record<string, unknown> {
  const types = aiplatformTypes();
  const type = types(typeName, '');
  if (type === undefined) throw new Error(`There is no protobuf type ${typeName}`);
  return message(types, type, value as Record<string, unknown>);
}

function message(types: TypeLookup, type: ResolvedType, value: Record<string, unknown>): Record<string, unknown> {
  const written: Record<string, unknown> = {};
  for (const [name, content] of Object.entries(value)) {
    const found = fieldOf(type, name);
    if (found === undefined || content === null || content === undefined) continue;
    const [canonical, field] = found;
    const one = (entry: unknown) => single(types, type, field, entry);
    if (field.keyType !== undefined) {
      const entries = Object.entries(content as object).map(([key, entry]) => [key, one(entry)]);
      if (entries.length > 0) written[canonical] = Object.fromEntries(entries);
    } else if (field.rule === 'repeated') {
      const entries = (content as unknown[]).map(one);
      if (entries.length > 0) written[canonical] = entries;
    } else {
      const entry = one(content);
      if (!isZero(entry)) written[canonical] = entry;
    }
  }
  return written;
}

function single(types: TypeLookup, owner: ResolvedType, field: FieldDescriptor, value: unknown): unknown {
  if (isScalar(field.type)) {
    if (field.type.endsWith('int64')) return BigInt(value as string | number).toString();
    return field.type.endsWith('int32') ? Number(value) : value;
  }
  const type = types(field.type, owner.name);
  if (type === undefined) throw new Error(`There is no protobuf type ${field.type} in ${owner.name}`);
  if (type.descriptor.values !== undefined) {
    const [name] = Object.entries(type.descriptor.values).find(([, number]) => number === value) ?? [value];
    return type.descriptor.values[name as string] === 0 ? undefined : name;
  }
  return isWellKnown(type.name) ? value : message(types, type, value as Record<string, unknown>);
}

function isZero(value: unknown): boolean {
  return value === undefined || value === '' || value === 0 || value === '0' || value === false;
}
