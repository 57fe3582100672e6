import type { Files } from './files.ts';
import { isObject, type Json, type JsonObject } from './json.ts';
import { looksLikeKey } from './key-shapes.ts';
import { plainLine } from './remote-text.ts';
import { type Faults, showValue } from './settings.ts';
import { fillEverywhere, fillPlaceholders, type Placeholders } from './template.ts';

/** Larger specs are refused: no service takes them, and a wrong path should not fill the memory. */
export const SPEC_LIMIT_BYTES = 4 * 1024 * 1024;
const ALIAS_LIMIT = 100;

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
  const { LineCounter, isAlias, isScalar, parseDocument, visit } = await import('yaml');
  const lines = new LineCounter();
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { place: `${name}:${line}:${col}` };
  };
  try {
    const document = parseDocument(text, { intAsBigInt: true, lineCounter: lines, merge: true, prettyErrors: false });
    const problems = [...document.errors, ...document.warnings];
    // The parser reports its own overflow as a fault of the text, among others that follow from it.
    if (problems.some(({ message }) => message.includes('call stack'))) throw new RangeError();
    for (const { pos, message } of problems) faults.add(place(pos[0]), message);
    if (faults.messages.length > before) return undefined;

    visit(document, (key, node) => {
      if (isAlias(node) || !isScalar(node) || key === 'key') return;
      const at = place(node.range?.[0] ?? 0);
      if (typeof node.value === 'string') {
        node.value = fillPlaceholders(node.value, placeholders, (problem) => faults.add(at, problem));
      } else if (typeof node.value === 'number' && !Number.isFinite(node.value)) {
        faults.add(at, `${plainLine(String(node.source), 40)} is not a number that JSON can carry`);
      }
    });
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
function withNumbers(value: Json): Json {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (Array.isArray(value)) return value.map(withNumbers);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withNumbers(item)]));
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
  return typeof steps[0] === 'string' ? steps : undefined;
}

/**
 * Sets single fields of a spec by path, such as `jobSpec.workerPoolSpecs[0].replicaCount`. Missing objects on the way are made;
 * an index may be at most the list's length, which appends. The given spec is not changed.
 */
export function applyOverrides(spec: JsonObject, given: Readonly<Record<string, Json>>, faults: Faults): JsonObject {
  let result: Json = spec;
  for (const [path, value] of Object.entries(given)) {
    const steps = pathSteps(path);
    if (steps === undefined) {
      faults.add(
        'set',
        `expected a path such as tasks[0].task_key or conf["name.with.dots"]; got ${plainLine(path, 80)}`,
      );
      continue;
    }
    const updated = withValue(result, steps, value);
    if (updated === undefined)
      faults.add(
        'set',
        `${plainLine(path, 80)} does not fit the spec: a list index past the end, or a field of something that is not a mapping`,
      );
    else result = updated;
  }
  return result as JsonObject;
}

function withValue(target: Json | undefined, steps: readonly (string | number)[], value: Json): Json | undefined {
  const [step, ...rest] = steps;
  if (step === undefined) return value;
  if (typeof step === 'number') {
    const items = target === undefined ? [] : target;
    if (!Array.isArray(items) || step > items.length) return undefined;
    const inner = withValue(items[step], rest, value);
    return inner === undefined ? undefined : items.toSpliced(step, 1, inner);
  }
  if (target !== undefined && !isObject(target)) return undefined;
  const inner = withValue(target?.[step], rest, value);
  return inner === undefined ? undefined : { ...target, [step]: inner };
}
