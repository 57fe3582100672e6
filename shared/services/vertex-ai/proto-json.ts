import { isObject, type Json, type JsonObject } from '../../json.ts';
import type { Faults } from '../../settings/settings.ts';

// Users' documents may spell fields in camelCase or snake_case, as proto3 JSON allows
// (https://protobuf.dev/programming-guides/json/); what is added follows the spelling that is there.

/** Whether a document has a field, in either spelling. `name` is the canonical one. */
export function hasField(document: JsonObject, name: string): boolean {
  return name in document || snake(name) in document;
}

/** The value of a field, in either spelling. */
export function fieldOf(document: JsonObject, name: string): Json | undefined {
  return document[spelling(document, name)];
}

/** The message in a field, or an empty one. */
export function messageOf(document: JsonObject, name: string): JsonObject {
  const value = fieldOf(document, name);
  return isObject(value) ? value : {};
}

/** The document with a field set, in the spelling that it uses for it already, else in the canonical one. */
export function withField(document: JsonObject, name: string, value: Json): JsonObject {
  return { ...document, [spelling(document, name)]: value };
}

/** The message in a field, checked to be one and to be there once; undefined when it is not there or a fault was added. */
export function checkMessage(document: JsonObject, name: string, faults: Faults): JsonObject | undefined {
  if (name !== snake(name) && name in document && snake(name) in document)
    faults.add('spec', `has both ${name} and ${snake(name)}`);
  const value = fieldOf(document, name);
  if (value === undefined || isObject(value)) return value;
  faults.add('spec', `${name} must be a mapping`);
  return undefined;
}

function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function spelling(document: JsonObject, name: string): string {
  return snake(name) in document ? snake(name) : name;
}
