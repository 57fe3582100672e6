import { defined, isArray, isObject, type Json, type JsonObject, listAt, mapMembers, objectAt } from '../../json.ts';
import { plainLine } from '../../remote-text.ts';
import { nearestName } from '../../settings/nearest-name.ts';
import type { Faults } from '../../settings/settings.ts';
import { schemaFaults } from './schema-faults.ts';

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
  const known = {
    ...schema,
    properties: withoutNames(properties, resolved),
    required: listAt(schema, 'required').filter((name) => !resolved.has(String(name))),
  };
  const faults = await schemaFaults(withNullable(known), withoutNames(parameters, resolved));
  return [...unknownNames(given, properties, schema), ...faults];
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

function withoutNames(members: JsonObject, names: ReadonlySet<string>): JsonObject {
  return defined(mapMembers(members, (value, name) => (names.has(name) ? undefined : value)));
}

/**
 * Schemas of older flows do not say that an optional parameter may be null, nor how the items of a tuple follow each other;
 * the server reads them so.
 */
function withNullable(schema: JsonObject): JsonObject {
  const required = new Set(listAt(schema, 'required'));
  const inner = <T extends Json>(each: T) => (isObject(each) && 'properties' in each ? withNullable(each) : each);
  const properties = mapMembers(objectAt(schema, 'properties'), (property, name): Json => {
    if (!isObject(property)) return property;
    const { type, items, ...rest } = inner(property);
    const isTuple = isArray(items) && !('prefixItems' in rest);
    const isOptional = !required.has(name) && type !== undefined && type !== 'null' && !('default' in rest);
    return {
      ...rest,
      ...defined(isTuple ? { prefixItems: items } : { items }),
      ...defined(isOptional ? { anyOf: [{ type }, { type: 'null' }] } : { type }),
    };
  });
  return { ...schema, properties, definitions: mapMembers(objectAt(schema, 'definitions'), inner) };
}
