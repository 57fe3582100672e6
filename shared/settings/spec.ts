import type { Files } from '../files.ts';
import { looksLikeKey } from '../host/key-shapes.ts';
import { DEEPEST, isArray, isObject, type Json, type JsonObject } from '../json.ts';
import { plainLine } from '../remote-text.ts';
import { type Faults, showValue } from './settings.ts';
import { fillEverywhere, fillPlaceholders, type Placeholders } from './template.ts';

/** Larger specs are refused: no service takes them, and a wrong path should not fill the memory. */
const SPEC_LIMIT_BYTES = 4 * 1024 * 1024;
const ALIAS_LIMIT = 100;
/** The parser goes through all anchors for each alias. */
const MOST_ALIASES = 1_000;

/**
 * The service's own request body as its users have it: a YAML or JSON file in the checkout, or the document itself.
 * Placeholders are filled in parsed strings, so that no value can change the document's structure.
 * Undefined when a fault was added.
 */
export async function loadSpec(
  given: string | JsonObject,
  files: Files,
  placeholders: Placeholders,
  faults: Faults,
): Promise<JsonObject | undefined> {
  if (typeof given !== 'string') {
    return asMapping(
      fillEverywhere(given, placeholders, (problem) => faults.add('spec', problem)),
      faults,
      'spec',
    );
  }
  if (given.trimStart().startsWith('{')) return parseSpec(given, faults.spell('spec'), placeholders, faults);
  const file = await files.read(given, SPEC_LIMIT_BYTES);
  if ('problem' in file) {
    faults.add('spec', looksLikeKey(given) ? `expected a path in the checkout; got ${showValue(given)}` : file.problem);
    return undefined;
  }
  return parseSpec(file.text, plainLine(given, 200), placeholders, faults);
}

/** Parses YAML 1.2 (and so JSON) with exact integers; every fault names the file, line and column. */
export async function parseSpec(
  text: string,
  name: string,
  placeholders: Placeholders,
  faults: Faults,
): Promise<JsonObject | undefined> {
  const before = faults.messages.length;
  const { LineCounter, isAlias, isMap, isScalar, parseDocument, visit } = await import('yaml');
  const lines = new LineCounter();
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { place: `${name}:${line}:${col}` };
  };
  try {
    const document = parseDocument(text, {
      intAsBigInt: true,
      lineCounter: lines,
      merge: true,
      prettyErrors: false,
      // It compares each key with all others of its map; `visit` below looks for the same in one go.
      uniqueKeys: false,
    });
    const problems = [...document.errors, ...document.warnings];
    // The parser reports its own overflow as a fault of the text, among others that follow from it.
    if (problems.some(({ message }) => message.includes('call stack'))) throw new RangeError();
    for (const { pos, message } of problems) faults.add(place(pos[0]), message);
    if (faults.messages.length > before) return undefined;

    let aliases = 0;
    visit(document, (key, node, path) => {
      if (path.length > DEEPEST * 2) throw new RangeError();
      if (isMap(node)) {
        const seen = new Set<unknown>();
        for (const { key: own } of node.items) {
          if (!isScalar(own)) continue;
          if (seen.has(own.value)) faults.add(place(own.range?.[0] ?? 0), 'Map keys must be unique');
          seen.add(own.value);
        }
        return;
      }
      if (isAlias(node)) aliases += 1;
      if (!isScalar(node) || key === 'key') return;
      const at = place(node.range?.[0] ?? 0);
      if (typeof node.value === 'string') {
        node.value = fillPlaceholders(node.value, placeholders, (problem) => faults.add(at, problem));
      } else if (typeof node.value === 'number' && !Number.isFinite(node.value)) {
        faults.add(at, `${plainLine(String(node.source), 40)} is not a number that JSON can carry`);
      }
    });
    if (aliases > MOST_ALIASES)
      faults.add({ place: name }, `has ${aliases} aliases (*name); expected at most ${MOST_ALIASES}`);
    if (faults.messages.length > before) return undefined;
    return asMapping(withNumbers(document.toJS({ maxAliasCount: ALIAS_LIMIT }) as Json), faults, { place: name });
  } catch (error) {
    // The library throws for aliases that multiply, and the stack overflows on absurd nesting.
    const problem = error instanceof RangeError ? 'is nested too deeply' : plainLine((error as Error).message, 200);
    faults.add({ place: name }, problem);
    return undefined;
  }
}

/** The parser gives every integer as a bigint; those that a number holds exactly become numbers. */
function withNumbers(value: Json, depth = 0): Json {
  if (depth > DEEPEST) throw new RangeError();
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (Array.isArray(value)) return value.map((item) => withNumbers(item, depth + 1));
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withNumbers(item, depth + 1)]));
}

function asMapping(value: Json, faults: Faults, subject: string | { place: string }): JsonObject | undefined {
  if (isObject(value)) return value;
  const found = value === null ? 'nothing' : Array.isArray(value) ? 'a list' : `a ${typeof value}`;
  faults.add(subject, `expected a mapping (the request's fields by name); found ${found}`);
  return undefined;
}

// A name, an index in brackets, or a name with dots or brackets of its own as ["a.b"].
const STEP = /(?:^|(?<=.)\.)([^.[\]"]+)|\[(\d+)\]|\["([^"]+)"\]/y;

/** The steps of a path; undefined when it is not one. */
function pathSteps(path: string): readonly (string | number)[] | undefined {
  const steps: (string | number)[] = [];
  STEP.lastIndex = 0;
  while (STEP.lastIndex < path.length) {
    const match = STEP.exec(path);
    if (match === null) return undefined;
    const [, name, index, quoted = ''] = match;
    steps.push(index === undefined ? (name ?? quoted) : Number(index));
  }
  return typeof steps[0] === 'string' && steps.length <= DEEPEST ? steps : undefined;
}

/**
 * Sets single fields of a spec by path, such as `jobSpec.workerPoolSpecs[0].replicaCount`. Missing objects on the way are made;
 * an index may be at most the list's length, which appends. The given spec is not changed.
 */
export function applyOverrides(spec: JsonObject, given: Readonly<Record<string, Json>>, faults: Faults): JsonObject {
  const result: JsonObject = structuredClone(spec);
  for (const [path, value] of Object.entries(given)) {
    const steps = pathSteps(path);
    if (steps === undefined) {
      faults.add(
        'set',
        `expected a path such as tasks[0].task_key or conf["name.with.dots"]; got ${plainLine(path, 80)}`,
      );
    } else if (!setAt(result, steps, structuredClone(value))) {
      faults.add(
        'set',
        `${plainLine(path, 80)} does not fit the spec: a list index past the end, or a field of something that is not a mapping`,
      );
    }
  }
  return result;
}

/** Puts a value at a path, in place; false, with nothing changed, when the path does not fit. */
function setAt(root: Json, steps: readonly (string | number)[], value: Json): boolean {
  let target: Json = root;
  for (const [index, step] of steps.entries()) {
    const fits = typeof step === 'number' ? isArray(target) && step <= target.length : isObject(target);
    if (!fits) return false;
    const next: Json | undefined = Object.getOwnPropertyDescriptor(target, step)?.value;
    if (next === undefined || index === steps.length - 1) {
      const made = madeOf(steps.slice(index + 1), value);
      // A plain assignment to `__proto__` would make no member.
      if (made !== undefined)
        Object.defineProperty(target, step, { value: made, writable: true, enumerable: true, configurable: true });
      return made !== undefined;
    }
    target = next;
  }
  return false;
}

/** A value within new objects and lists; undefined where an index leaves a gap. */
function madeOf(steps: readonly (string | number)[], value: Json): Json | undefined {
  return steps.reduceRight<Json | undefined>((inner, step) => {
    if (inner === undefined || (typeof step === 'number' && step > 0)) return undefined;
    return typeof step === 'number' ? [inner] : { [step]: inner };
  }, value);
}
