import type { CiContext } from '../host/ci-context.ts';
import type { ProtectedVariables } from '../host/protected-variables.ts';
import { isArray, isObject, type Json } from '../json.ts';
import { plainLine } from '../remote-text.ts';
import { nearestName } from './nearest-name.ts';

/** What `@{…}` can stand for. */
export interface Placeholders {
  readonly context: CiContext;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly protectedVariables: ProtectedVariables;
}

/** Every placeholder with its meaning, for the README's table. `env:` takes a variable's name. */
export const PLACEHOLDERS: Readonly<
  Record<string, { meaning: string; value(context: CiContext): string | undefined }>
> = {
  commit: { meaning: 'the commit that is built', value: (context) => context.commit },
  'short-commit': { meaning: 'its first 8 characters', value: (context) => context.commit.slice(0, 8) },
  branch: { meaning: 'the branch; not set in builds of a tag', value: (context) => context.branch },
  tag: { meaning: 'the tag; set in builds of a tag only', value: (context) => context.tag },
  'build-number': { meaning: "the build's number", value: (context) => context.buildNumber },
  'build-url': { meaning: "the build's page", value: (context) => context.buildUrl },
  repository: {
    meaning: '`workspace/repository` (Bitbucket) or `organization/pipeline` (Buildkite)',
    value: (context) => context.repository,
  },
};

/** Gets what is wrong with a placeholder, and whether it is at least a name: any other text may be a part of the value around it. */
type OnFault = (problem: string, isName: boolean) => void;

/**
 * Fills the placeholders of one string. `@@{` stands for a literal `@{`.
 * Values are inserted as they are and not looked at again: a branch named `@{env:X}` stays that.
 */
export function fillPlaceholders(text: string, placeholders: Placeholders, onFault: OnFault): string {
  return text.replace(/@@\{|@\{([^}]*)(\}?)/g, (match, expression: string | undefined, close: string | undefined) => {
    if (expression === undefined) return '@{';
    if (close !== '}') {
      onFault(`a placeholder is not closed: ${plainLine(match, 60)} (write @@{ for a literal @{)`, false);
      return match;
    }
    const value = placeholderValue(expression, placeholders);
    if ('fault' in value) {
      onFault(value.fault, value.isName);
      return match;
    }
    return value.text;
  });
}

function placeholderValue(
  expression: string,
  { context, env, protectedVariables }: Placeholders,
): { text: string } | { fault: string; isName: boolean } {
  const shown = plainLine(`@{${expression}}`, 80);
  if (expression.startsWith('env:')) {
    const name = expression.slice('env:'.length);
    const isName = /^\w+$/.test(name);
    const value = env[name];
    if (protectedVariables.has(name, value)) {
      return {
        fault: `${shown} could copy a credential of the CI into the job; to use a value that is no credential, set it in a variable with another name`,
        isName,
      };
    }
    if (value !== undefined) return { text: value };
    const nearest = nearestName(
      name,
      Object.keys(env).filter((other) => !protectedVariables.has(other, env[other])),
    );
    const hint = nearest === undefined ? '' : `; did you mean @{env:${nearest}}?`;
    return { fault: `${shown}: the environment variable is not set in this step${hint}`, isName };
  }
  const placeholder = Object.hasOwn(PLACEHOLDERS, expression) ? PLACEHOLDERS[expression] : undefined;
  if (placeholder === undefined) {
    const names = [...Object.keys(PLACEHOLDERS), 'env:NAME'];
    const nearest = nearestName(expression, names);
    return {
      fault: `${shown} is not a placeholder; ${nearest === undefined ? `there are ${names.join(', ')}` : `did you mean @{${nearest}}?`}`,
      isName: false,
    };
  }
  const value = placeholder.value(context);
  return value === undefined ? { fault: `${shown} has no value in this build`, isName: true } : { text: value };
}

/** Fills the placeholders of every string inside a value; names of members are left as they are. */
export function fillEverywhere(value: Json, placeholders: Placeholders, onFault: OnFault): Json {
  if (typeof value === 'string') return fillPlaceholders(value, placeholders, onFault);
  if (isArray(value)) return value.map((item) => fillEverywhere(item, placeholders, onFault));
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, fillEverywhere(item, placeholders, onFault)]),
  );
}
