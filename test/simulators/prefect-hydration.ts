import { isJsonObject } from './json-object.ts';

/** Stands for a value that hydration takes out of its parent. */
const REMOVED = Symbol('removed');

/** Marks the errors that are the request's fault. */
const UNHYDRATABLE = Symbol('unhydratable');

/**
 * Parameters with their `{"__prefect_kind": …}` objects replaced by what these stand for, or why that cannot be done
 * (https://docs.prefect.io/v3/api-ref/rest-api/server/deployments/create-flow-run-from-deployment).
 */
export function hydrate(
  parameters: Readonly<Record<string, unknown>>,
  variables: Readonly<Record<string, unknown>>,
): { readonly values: Record<string, unknown> } | { readonly unhydratable: string } {
  try {
    const value = hydrated(parameters, variables);
    return { values: isJsonObject(value) ? { ...value } : {} };
  } catch (error) {
    if (error instanceof Error && UNHYDRATABLE in error) return { unhydratable: error.message };
    throw error;
  }
}

function hydrated(value: unknown, variables: Readonly<Record<string, unknown>>): unknown {
  if (Array.isArray(value)) return value.map((item) => hydrated(item, variables)).filter((item) => item !== REMOVED);
  if (!isJsonObject(value)) return value;
  if ('__prefect_kind' in value) return stoodFor(value, variables);
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, item]) => [key, hydrated(item, variables)])
      .filter(([, item]) => item !== REMOVED),
  );
}

function stoodFor(value: Readonly<Record<string, unknown>>, variables: Readonly<Record<string, unknown>>): unknown {
  const part = (key: string) => (isJsonObject(value[key]) ? hydrated(value[key], variables) : value[key]);
  switch (value.__prefect_kind) {
    case 'none':
      if (!('value' in value)) throw unhydratable("Missing 'value' key in __prefect object");
      return hydrated(value.value, variables);
    case 'json':
      return 'value' in value ? parsed(part('value')) : REMOVED;
    case 'jinja':
      if (!('template' in value)) throw unhydratable("Missing 'template' key in __prefect object");
      return rendered(String(part('template')));
    case 'workspace_variable': {
      if (!('variable_name' in value)) return REMOVED;
      const name = String(part('variable_name'));
      if (!Object.hasOwn(variables, name)) throw unhydratable(`Variable '${name}' not found in workspace.`);
      return variables[name];
    }
    default:
      return value.value ?? null;
  }
}

function parsed(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value);
  } catch {
    throw unhydratable('Invalid JSON: Expecting value: line 1 column 1 (char 0)');
  }
}

/** Nothing is known to a template of a parameter, so each name renders as nothing. */
function rendered(template: string): string {
  const text = template.replace(/\{\{\s*[\w.]*\s*\}\}/g, '');
  if (!/\{\{|\{%/.test(text)) return text;
  throw unhydratable("Invalid jinja: unexpected end of template, expected 'end of print statement'.");
}

function unhydratable(message: string): Error {
  return Object.assign(new Error(message), { [UNHYDRATABLE]: true });
}
