import { isJsonObject } from './json-object.ts';

/** Finds what is wrong with a value at a path; undefined where nothing is. */
export type Shape = (value: unknown, path: string) => string | undefined;

export const text: Shape = typed('string', (value) => typeof value === 'string');
export const flag: Shape = typed('boolean', (value) => typeof value === 'boolean');
export const wholeNumber: Shape = typed('integer', (value) => Number.isSafeInteger(value) && Number(value) >= 0);

export function pattern(expression: RegExp): Shape {
  return (value, path) =>
    text(value, path) ??
    (expression.test(String(value)) ? undefined : `\`${path}\` should match pattern "${expression.source}"`);
}

export function oneOf(...values: readonly unknown[]): Shape {
  return (value, path) =>
    values.includes(value)
      ? undefined
      : `\`${path}\` should be equal to one of the allowed values "${values.join(', ')}"`;
}

export function orNull(shape: Shape): Shape {
  return (value, path) => (value === null ? undefined : shape(value, path));
}

export function listOf(shape: Shape): Shape {
  return (value, path) =>
    Array.isArray(value)
      ? firstProblem(value.map((each, index) => () => shape(each, `${path}[${index}]`)))
      : `\`${path}\` should be array`;
}

export function mapOf(shape: Shape): Shape {
  return (value, path) =>
    isJsonObject(value)
      ? firstProblem(
          Object.entries(value).map(
            ([name, each]) =>
              () =>
                shape(each, `${path}.${name}`),
          ),
        )
      : `\`${path}\` should be object`;
}

/** An object of known fields only. */
export function fields(
  required: Readonly<Record<string, Shape>>,
  optional: Readonly<Record<string, Shape>> = {},
): Shape {
  const known = { ...required, ...optional };
  return (value, path) => {
    const where = path === '' ? '' : `\`${path}\` `;
    if (!isJsonObject(value)) return path === '' ? 'should be object' : `${where}should be object`;
    const missing = Object.keys(required).find((name) => !Object.hasOwn(value, name));
    if (missing !== undefined) return `${where}missing required property \`${missing}\``;
    const unknown = Object.keys(value).find((name) => !Object.hasOwn(known, name));
    if (unknown !== undefined) return `${where}should NOT have additional property \`${unknown}\``;
    return firstProblem(
      Object.entries(value).map(
        ([name, each]) =>
          () =>
            known[name]?.(each, path === '' ? name : `${path}.${name}`),
      ),
    );
  };
}

function typed(name: string, is: (value: unknown) => boolean): Shape {
  return (value, path) => (is(value) ? undefined : `\`${path}\` should be ${name}`);
}

function firstProblem(checks: readonly (() => string | undefined)[]): string | undefined {
  for (const check of checks) {
    const problem = check();
    if (problem !== undefined) return problem;
  }
  return undefined;
}
