/** A JSON Schema in the shapes that the simulators' description files use. */
export type Schema = Readonly<Record<string, unknown>>;

export const string: Schema = { type: 'string' };
export const boolean: Schema = { type: 'boolean' };
export const integer: Schema = { type: 'integer' };
/** Protocol buffers print 64-bit integers as decimal strings and read both forms. */
export const int64: Schema = { type: ['integer', 'string'], pattern: '^-?[0-9]+$' };
/** An object whose fields are left unchecked. */
export const anyObject: Schema = { type: 'object' };
export const strings: Schema = { type: 'array', items: string };
export const stringMap: Schema = { type: 'object', additionalProperties: string };

/** An object that refuses every field not listed. */
export function object(properties: Readonly<Record<string, Schema>>, required: readonly string[] = []): Schema {
  return { type: 'object', properties, required, additionalProperties: false };
}

export function list(items: Schema): Schema {
  return { type: 'array', items };
}

export function oneOfWords(...words: readonly string[]): Schema {
  return { type: 'string', enum: words };
}
