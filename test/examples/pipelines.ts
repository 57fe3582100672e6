import { parse } from 'yaml';
import { isArray, isObject, type Json, type JsonObject } from '../../shared/json.ts';
import { PROJECT } from '../../shared/project.ts';

/** How pipelines refer to this version of the two packagings. */
export const PIPE = `${PROJECT.pipe}:${PROJECT.version}`;
export const PLUGIN = `${PROJECT.plugin}#v${PROJECT.version}`;

/** One use of a packaging: what is set, and the step that it is in (empty in a fragment without one). */
export interface Entry {
  readonly reference: string;
  readonly settings: JsonObject;
  readonly step: JsonObject;
}

/** A file of either CI as its users' tools read it, with merge keys. */
export function parsePipeline(text: string): Json {
  return parse(text, { merge: true, intAsBigInt: false }) as Json;
}

/** Every entry of the pipe, in the order of the text: whole files, single steps and bare lists of a script alike. */
export function pipeEntries(value: Json, step: JsonObject = {}): readonly Entry[] {
  if (isArray(value)) return value.flatMap((item) => pipeEntries(item, step));
  if (!isObject(value)) return [];
  if (typeof value.pipe === 'string' && value.pipe.startsWith(`${PROJECT.pipe}:`)) {
    return [{ reference: value.pipe, settings: isObject(value.variables) ? value.variables : {}, step }];
  }
  return Object.values(value).flatMap((member) => pipeEntries(member, 'script' in value ? value : step));
}

/** Every entry of the plugin. */
export function pluginEntries(value: Json): readonly Entry[] {
  if (isArray(value)) return value.flatMap(pluginEntries);
  if (!isObject(value)) return [];
  const plugins = isArray(value.plugins) ? value.plugins : [];
  const own = plugins.flatMap((plugin) =>
    Object.entries(isObject(plugin) ? plugin : {})
      .filter(([reference]) => reference.startsWith(`${PROJECT.plugin}#`))
      .map(([reference, settings]) => ({ reference, settings: isObject(settings) ? settings : {}, step: value })),
  );
  return [...own, ...Object.values(value).flatMap(pluginEntries)];
}

/** The pipelines of a Bitbucket file, each with its entries: they share nothing, since each is a build of its own. */
export function bitbucketBuilds(file: Json): readonly { readonly name: string; readonly entries: readonly Entry[] }[] {
  const pipelines = isObject(file) && isObject(file.pipelines) ? file.pipelines : {};
  return Object.entries(pipelines).flatMap(([start, selected]) =>
    Object.entries(isArray(selected) ? { [start]: selected } : isObject(selected) ? selected : {}).map(
      ([name, steps]) => ({ name: name === start ? name : `${start}: ${name}`, entries: pipeEntries(steps) }),
    ),
  );
}
