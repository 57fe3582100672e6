import { isArray, isObject, type Json, type JsonObject, listAt, objectAt } from '../../json.ts';
import { plainLine } from '../../remote-text.ts';
import { nearestName } from '../../settings/nearest-name.ts';
import { type Faults, showValue } from '../../settings/settings.ts';
import { type SchemaFault, schemaFaults } from './schema-faults.ts';

/**
 * What is wrong with the parameters of a run by the deployment's schema, all at once; nothing where only the server can tell.
 * The server's own check stops at the first fault, and does not look at names that the flow does not have.
 * https://docs.prefect.io/v3/concepts/deployments#flow-parameters
 */
export async function parameterFaults(schema: JsonObject, parameters: JsonObject): Promise<readonly string[]> {
  const properties = objectAt(schema, 'properties');
  const given = Object.keys(parameters);
  // What the server makes of these, or looks up by them, cannot be known here.
  const resolved = new Set(given.filter((name) => isResolvedByServer(parameters[name])));
  const faults = await schemaFaults(withNullable(without(schema, resolved)), withoutNames(parameters, resolved));
  return [...unknownNames(given, properties, schema), ...(faults ?? []).map(describe)];
}

function unknownNames(given: readonly string[], properties: JsonObject, schema: JsonObject): readonly string[] {
  const known = Object.keys(properties);
  // A flow with **kwargs takes any name.
  const open = known.length === 0 || 'additionalProperties' in schema || isObject(properties.kwargs);
  if (open) return [];
  const unknown = given.filter((name) => !Object.hasOwn(properties, name));
  const told = unknown.slice(0, MOST_UNKNOWN).map((name) => {
    const nearest = nearestName(name, known);
    const hint = nearest === undefined ? `the flow has ${known.join(', ')}` : `did you mean ${nearest}?`;
    return plainLine(`${name}: is not a parameter of the flow; ${hint}`, 400);
  });
  const more = unknown.length - told.length;
  return more === 0 ? told : [...told, `(${more} more names): are not parameters of the flow`];
}

/** Each name that is told of is compared with all that the flow has. */
const MOST_UNKNOWN = 100;

function describe({ place, expected, value, missing }: SchemaFault): string {
  if (missing !== undefined) return plainLine(`${[...place, missing].join('.')}: is required`, 300);
  return plainLine(`${place.join('.') || 'all together'}: expected ${expected}; got ${showValue(value)}`, 400);
}

/** Objects with these names stand for something that the server puts in their place. */
const RESOLVED_BY_SERVER = ['__prefect_kind', '$ref'];

/** Whether the server puts something else in the place of a value or a part of it. */
export function isResolvedByServer(value: Json | undefined): boolean {
  if (isArray(value)) return value.some(isResolvedByServer);
  if (!isObject(value)) return false;
  return RESOLVED_BY_SERVER.some((name) => name in value) || Object.values(value).some(isResolvedByServer);
}

/**
 * Objects that the server resolves (templates, variables, blocks) may be written in the spec only. Settings are put together
 * from the CI's variables, among them texts that anybody who names a branch chooses.
 */
export function refuseResolved(parameters: JsonObject, faults: Faults): void {
  for (const [name, value] of Object.entries(parameters)) {
    if (isResolvedByServer(value))
      faults.add(
        'parameters',
        `${name} holds a __prefect_kind or $ref, which the server would resolve; write it into the spec's parameters`,
      );
  }
}

function without(schema: JsonObject, names: ReadonlySet<string>): JsonObject {
  return {
    ...schema,
    properties: withoutNames(objectAt(schema, 'properties'), names),
    required: listAt(schema, 'required').filter((name) => !names.has(String(name))),
  };
}

function withoutNames(members: JsonObject, names: ReadonlySet<string>): JsonObject {
  return Object.fromEntries(Object.entries(members).filter(([name]) => !names.has(name)));
}

/**
 * Schemas of older flows do not say that an optional parameter may be null, nor how the items of a tuple follow each other;
 * the server reads them so.
 */
function withNullable(schema: JsonObject): JsonObject {
  const required = new Set(listAt(schema, 'required'));
  const properties = Object.fromEntries(
    Object.entries(objectAt(schema, 'properties')).map(([name, property]) => {
      if (!isObject(property)) return [name, property];
      const inner = 'properties' in property ? withNullable(property) : property;
      const { type, items, ...rest } = inner;
      const tuple = isArray(items) && !('prefixItems' in inner);
      const form = tuple ? { ...rest, prefixItems: items } : { ...rest, ...(items === undefined ? {} : { items }) };
      const optional = !required.has(name) && type !== undefined && type !== 'null' && !('default' in inner);
      if (type === undefined) return [name, form];
      return [name, optional ? { ...form, anyOf: [{ type }, { type: 'null' }] } : { ...form, type }];
    }),
  );
  const definitions = Object.fromEntries(
    Object.entries(objectAt(schema, 'definitions')).map(([name, each]) => [
      name,
      isObject(each) && 'properties' in each ? withNullable(each) : each,
    ]),
  );
  return { ...schema, properties, ...('definitions' in schema ? { definitions } : {}) };
}
