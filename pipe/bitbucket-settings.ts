import { type Json, type JsonObject, tryParseJson } from '../shared/json.ts';
import { nearestName } from '../shared/settings/nearest-name.ts';
import { list, type Setting, type Settings } from '../shared/settings/settings.ts';

export type Env = Readonly<Record<string, string | undefined>>;

/** Settings that only a pipe has. */
export const bitbucketSettings = {
  'output-variables': list({
    description:
      "Outputs to hand to later steps as variables: `KEYLESS_` and an output's name in capitals. List the same names under the step's `output-variables`; the pipe writes no others.",
    expected: 'a list of variable names such as KEYLESS_ID and KEYLESS_URL',
    example: ['KEYLESS_ID', 'KEYLESS_URL'],
    pattern: /^KEYLESS_[A-Z][A-Z_]*$/,
  }),
} satisfies Settings;

/** `service-account` as `SERVICE_ACCOUNT`. */
export function pipeVariable(setting: string): string {
  return setting.toUpperCase().replaceAll('-', '_');
}

// What Bitbucket, Docker and the image put into a pipe's environment without anybody having asked for it.
const NOT_OURS =
  /^(?:BITBUCKET_|PIPELINES_|KEYLESS_SUBMIT_|DOCKER_|NODE_|LC_|CI$|PATH$|HOME$|HOSTNAME$|PWD$|OLDPWD$|SHLVL$|TERM$|LANG$|TZ$|_$)/;

/**
 * The settings among a pipe's variables, all of which are text: lists come as NAME_COUNT, NAME_0, NAME_1…, structured values as JSON.
 * Empty text means not set. Variables that look like a misspelt setting are kept, so that they are refused and not ignored;
 * others are the user's own, for `@{env:NAME}`.
 */
export function readPipeVariables(
  env: Env,
  known: Readonly<Record<string, Pick<Setting, 'form'>>>,
): ReadonlyMap<string, Json> {
  const given = new Map<string, Json>();
  const used = new Set<string>();
  const take = (name: string): string | undefined => {
    used.add(name);
    return env[name] === '' ? undefined : env[name];
  };
  for (const [setting, { form }] of Object.entries(known)) {
    const variable = pipeVariable(setting);
    const text = take(variable);
    const items = readItems(variable, take);
    const value =
      items === undefined ? (text === undefined ? undefined : decode(text, form)) : decodeItems(items, form);
    if (value !== undefined) given.set(setting, value);
  }
  const names = Object.keys(known).map(pipeVariable);
  for (const [variable, text] of Object.entries(env)) {
    if (used.has(variable) || NOT_OURS.test(variable) || text === undefined || text === '') continue;
    if (nearestName(variable, names) !== undefined) given.set(variable.toLowerCase().replaceAll('_', '-'), text);
  }
  return given;
}

function readItems(variable: string, take: (name: string) => string | undefined): readonly string[] | undefined {
  const count = take(`${variable}_COUNT`);
  if (count === undefined || !/^\d{1,4}$/.test(count)) return undefined;
  return Array.from({ length: Number(count) }, (_, index) => take(`${variable}_${index}`) ?? '');
}

const FLAGS: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  '1': true,
  false: false,
  no: false,
  '0': false,
};

function decode(text: string, form: Setting['form']): Json {
  switch (form) {
    case 'text':
    case 'document':
      return text;
    case 'flag':
      return FLAGS[text.toLowerCase()] ?? text;
    case 'list':
      return text.trimStart().startsWith('[') ? jsonOrText(text) : [text];
    case 'map':
    case 'values':
    case 'objects':
      return jsonOrText(text);
  }
}

function decodeItems(items: readonly string[], form: Setting['form']): Json {
  if (form === 'objects') return items.map(jsonOrText);
  if (form !== 'map' && form !== 'values') return items;
  if (items.some((item) => item.indexOf('=') < 1)) return items;
  const texts = items.map((item) => {
    const split = item.indexOf('=');
    return [item.slice(0, split), item.slice(split + 1)] as const;
  });
  return Object.fromEntries(
    form === 'map' ? texts : texts.map(([path, text]) => [path, jsonOrText(text)]),
  ) as JsonObject;
}

/** Numbers, booleans and structures as JSON writes them; anything else is text. */
function jsonOrText(text: string): Json {
  return tryParseJson(text) ?? text;
}
