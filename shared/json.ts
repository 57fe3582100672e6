/** JSON with integers of any size: an integer outside the safe range is a bigint on the way in and stays exact on the way out. */
export type Json = string | number | boolean | bigint | null | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

/** Documents that are nested deeper are refused: no service has such, and walking them would overflow the stack. */
export const DEEPEST = 500;
/** Integers of more digits are read as the number that is nearest: making one of a million digits takes seconds. */
const MOST_DIGITS = 1_000;

type SourceReviver = (this: unknown, key: string, value: unknown, context: { source?: string }) => unknown;
const exactIntegers: SourceReviver = (_key, value, context) =>
  typeof value === 'number' && !Number.isSafeInteger(value) && isExact(context.source ?? '')
    ? BigInt(context.source ?? '')
    : value;

function isExact(source: string): boolean {
  return source.length <= MOST_DIGITS && /^-?\d+$/.test(source);
}

/**
 * Parses JSON text without losing digits of large integers (run ids may exceed 2^53).
 * @throws SyntaxError for text that is not JSON, RangeError for one that is nested deeper than `DEEPEST`.
 */
export function parseJson(text: string): Json {
  requireShallow(text);
  return (JSON.parse as (text: string, reviver: SourceReviver) => Json)(text, exactIntegers);
}

function requireShallow(text: string): void {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit === BACKSLASH) at += 1;
    else if (unit === QUOTE) inString = !inString;
    else if (inString) continue;
    else if (unit === OPEN_BRACKET || unit === OPEN_BRACE) depth += 1;
    else if (unit === CLOSE_BRACKET || unit === CLOSE_BRACE) depth -= 1;
    if (depth > DEEPEST) throw new RangeError(`nested deeper than ${DEEPEST} levels`);
  }
}

const [BACKSLASH, QUOTE, OPEN_BRACKET, CLOSE_BRACKET, OPEN_BRACE, CLOSE_BRACE] = [0x5c, 0x22, 0x5b, 0x5d, 0x7b, 0x7d];

const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };

/** Writes JSON text; bigints become plain JSON numbers with all their digits. */
export function stringifyJson(value: Json, indent?: number): string {
  return JSON.stringify(value, (_key, item) => (typeof item === 'bigint' ? rawJSON(String(item)) : item), indent);
}

/** The same value with the keys of every object in order: equal documents give equal text, however they were written. */
export function canonicalJson(value: Json): string {
  return stringifyJson(sorted(value));
}

function sorted(value: Json): Json {
  if (isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key] ?? null)]),
  );
}

/** Whether a value is a JSON array. */
export function isArray(value: unknown): value is readonly Json[] {
  return Array.isArray(value);
}

/** Whether a value is a JSON object. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The object at `key`, or an empty one where the answer has none: a missing member is a missing detail, not a crash. */
export function objectAt(value: Json | undefined, key: string): JsonObject {
  const member = isObject(value) ? value[key] : undefined;
  return isObject(member) ? member : {};
}

/** The text at `key`; numbers of any size become their decimal text (int64 arrives as either). */
export function textAt(value: Json | undefined, key: string): string | undefined {
  const member = isObject(value) ? value[key] : undefined;
  if (typeof member === 'string') return member;
  return typeof member === 'number' || typeof member === 'bigint' ? String(member) : undefined;
}

/** The number at `key`, also when the service wrote it as decimal text. */
export function numberAt(value: Json | undefined, key: string): number | undefined {
  const text = textAt(value, key);
  const number = text === undefined || text.trim() === '' ? Number.NaN : Number(text);
  return Number.isFinite(number) ? number : undefined;
}

/** The list at `key`, or an empty one. */
export function listAt(value: Json | undefined, key: string): readonly Json[] {
  const member = isObject(value) ? value[key] : undefined;
  return isArray(member) ? member : [];
}

type Present<T> = string extends keyof T
  ? { [Name in keyof T]: Exclude<T[Name], undefined> }
  : { [Name in keyof T]?: Exclude<T[Name], undefined> };

/** The members that are not undefined: `{ ...defined({ url }) }` has a `url` only where there is one. */
export function defined<T extends object>(members: T): Present<T> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Present<T>;
}

/** The value that JSON text stands for; undefined for any other text. */
export function tryParseJson(text: string): Json | undefined {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

/** What a table has for a word from outside; undefined for one that it does not list, such as `constructor`. */
export function entryOf<T>(table: Readonly<Record<string, T>>, word: string): T | undefined {
  return Object.hasOwn(table, word) ? table[word] : undefined;
}

/** The object with another value for each of its members. */
export function mapMembers<T, R>(members: Readonly<Record<string, T>>, make: (value: T, name: string) => R) {
  return Object.fromEntries(Object.entries(members).map(([name, value]) => [name, make(value, name)]));
}
