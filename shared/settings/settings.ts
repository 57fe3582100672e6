import * as z from 'zod/mini';
import { looksLikeKey, withoutKeys } from '../host/key-shapes.ts';
import { type Json, stringifyJson } from '../json.ts';
import { plainLine } from '../remote-text.ts';
import { Secret } from '../secret.ts';
import { nearestName } from './nearest-name.ts';

/** How a setting is written, so that a CI whose variables are all text knows how to read it. */
type SettingForm = 'text' | 'flag' | 'list' | 'map' | 'values' | 'objects' | 'document';

/** One setting: the only source of its parsing, its faults, and everything that users read about it. */
export interface Setting<T = unknown> {
  readonly form: SettingForm;
  /** Made only when it is needed: making the schemas of all kinds would take longer than using those of one. */
  readonly schema: () => z.ZodMiniType<T>;
  /** One or two sentences in Markdown. */
  readonly description: string;
  /** Completes "expected …". */
  readonly expected: string;
  readonly example: Json;
  readonly required: boolean;
  readonly default?: Json;
  /** The words to choose from, where there are few. */
  readonly words?: readonly string[];
  /** The value may not be shown, however wrong it is. */
  readonly secret?: boolean;
}

/** A setting of other kinds too, as far as it must be known where they are not loaded. */
export interface ListedSetting extends Pick<Setting, 'form' | 'secret'> {
  /** The kinds that have it. */
  readonly kinds: readonly string[];
}

export type Settings = Readonly<Record<string, Setting>>;
export type SettingValues<S extends Settings> = {
  readonly [Name in keyof S]: S[Name] extends Setting<infer T> ? T : never;
};

interface Described {
  readonly description: string;
  readonly expected: string;
  readonly example: Json;
}

function optional<T>(form: SettingForm, schema: () => z.ZodMiniType<T>, described: Described): Setting<T | undefined> {
  return { form, schema: () => z.optional(schema()), required: false, ...described };
}

/** Makes a setting mandatory. */
export function required<T>(setting: Setting<T | undefined>): Setting<T> {
  const schema = () => {
    const outer = setting.schema();
    return (outer instanceof z.ZodMiniOptional ? outer.def.innerType : outer) as z.ZodMiniType<T>;
  };
  return { ...setting, schema, required: true };
}

/** Gives a setting a value for when it is not set, as the user would have written it. */
export function withDefault<T>(setting: Setting<T | undefined>, value: Json): Setting<T> {
  const { schema } = required(setting);
  return { ...setting, schema: () => z.prefault(schema(), value as never), required: false, default: value };
}

interface Accepted {
  readonly pattern?: RegExp;
  /** What the pattern cannot say: it has to be one for the agent's regular expressions too, which know no lookaheads. */
  readonly accepts?: (value: string) => boolean;
}

function matching(pattern: RegExp | undefined): z.ZodMiniType<string> {
  return pattern === undefined ? z.string() : z.string().check(z.regex(pattern));
}

/** Turns what is right into something else. */
function mapped<In, Out>(schema: z.ZodMiniType<In>, turn: (value: In) => Out): z.ZodMiniType<Out> {
  return z.pipe(schema, z.transform(turn));
}

function textSchema({ accepts, pattern }: Accepted): z.ZodMiniType<string> {
  const string = matching(pattern).check(z.minLength(1));
  return accepts === undefined ? string : string.check(z.refine(accepts));
}

/** Text, as it is. */
export function text(described: Described & Accepted): Setting<string | undefined> {
  return optional('text', () => textSchema(described), described);
}

/** Text that nobody may see. */
export function secret(described: Described & { readonly pattern?: RegExp }): Setting<Secret | undefined> {
  const schema = () => mapped(textSchema(described), (value) => new Secret(value));
  return { ...optional('text', schema, described), secret: true };
}

/** Texts by name that nobody may see. */
export function secretMap(
  described: Described & { readonly names: RegExp; readonly values: RegExp },
): Setting<Readonly<Record<string, Secret>> | undefined> {
  const { names, values } = described;
  const schema = () =>
    byName(
      names,
      mapped(matching(values), (value) => new Secret(value)),
    );
  return { ...optional('map', schema, described), secret: true };
}

/** One of a few words. */
export function choice<const T extends string>(values: readonly T[], described: Described): Setting<T | undefined> {
  return { ...optional('text', () => z.enum(values), described), words: values };
}

/** True or false. */
export function flag(described: Omit<Described, 'expected' | 'example'>): Setting<boolean | undefined> {
  const schema = () => mapped(z.literal([true, false, 'true', 'false']), (value) => value === true || value === 'true');
  return optional('flag', schema, { ...described, expected: 'true or false', example: true });
}

/** Ids are text or, as YAML reads them, numbers; they stay text, so that none of their digits are lost. */
export function id(described: Described & { readonly pattern: RegExp }): Setting<string | undefined> {
  const schema = () => mapped(z.union([matching(described.pattern), z.int().check(z.nonnegative())]), String);
  return optional('text', schema, described);
}

const DURATION = /^(?:\d+d)?(?:\d+h)?(?:\d+m)?(?:\d+s)?$/;
const SECONDS = { d: 86_400, h: 3_600, m: 60, s: 1 } as const;

/** Seconds of a duration such as `90m` or `1d12h`; undefined for anything else and for zero. */
export function parseDuration(text: string): number | undefined {
  if (!DURATION.test(text)) return undefined;
  let total = 0;
  for (const [, amount = '', unit = ''] of text.matchAll(/(\d+)([dhms])/g)) {
    total += Number(amount) * SECONDS[unit as keyof typeof SECONDS];
  }
  return total > 0 && Number.isSafeInteger(total) ? total : undefined;
}

/** The value is the number of seconds. */
export function duration(
  described: Omit<Described, 'expected'> & { readonly atMost?: string },
): Setting<number | undefined> {
  const { atMost } = described;
  const limit = parseDuration(atMost ?? '') ?? Number.POSITIVE_INFINITY;
  const isWithin = (seconds: number | undefined) => seconds !== undefined && seconds <= limit;
  const schema = () =>
    mapped(
      matching(DURATION).check(z.refine((value) => isWithin(parseDuration(value)))),
      (value) => parseDuration(value) ?? 0,
    );
  const most = atMost === undefined ? '' : `, at most ${atMost}`;
  const expected = `a duration in days, hours, minutes and seconds, such as 90m, 6h or 1d12h${most}`;
  return optional('text', schema, { ...described, expected });
}

/** Texts in order. */
export function list(described: Described & Accepted): Setting<readonly string[] | undefined> {
  return optional('list', () => z.array(textSchema(described)), described);
}

/** Text by name; numbers and booleans become their text. */
export function map(
  described: Described & { readonly names?: RegExp; readonly values?: RegExp },
): Setting<Readonly<Record<string, string>> | undefined> {
  const { names, values } = described;
  const schema = () => {
    // Large integers arrive as bigints, which JSON Schema knows as numbers.
    const other = z
      .custom<number | bigint | boolean>((item) => ['number', 'bigint', 'boolean'].includes(typeof item))
      .check(z.meta({ type: ['number', 'boolean'] }));
    return byName(names, z.union([matching(values), mapped(other, String)]));
  };
  return optional('map', schema, described);
}

function byName<T>(names: RegExp | undefined, value: z.ZodMiniType<T>): z.ZodMiniType<Readonly<Record<string, T>>> {
  return z.record(matching(names) as z.ZodMiniType<string, string>, value);
}

/** Any JSON by name: what arrives was read from JSON, so any value is one. */
function jsonByName(): z.ZodMiniType<Readonly<Record<string, Json>>> {
  return byName(undefined, z.unknown() as z.ZodMiniType<Json>);
}

/** Any JSON by name or by path. */
export function values(described: Described): Setting<Readonly<Record<string, Json>> | undefined> {
  return optional('values', jsonByName, described);
}

/** A list of objects of one shape. */
export function objects<T>(item: () => z.ZodMiniType<T>, described: Described): Setting<readonly T[] | undefined> {
  return optional('objects', () => z.array(item()), described);
}

/** A path in the checkout, or the document itself. */
export function document(described: Described): Setting<string | Readonly<Record<string, Json>> | undefined> {
  return optional('document', () => z.union([textSchema({}), jsonByName()]), described);
}

/** Collects everything that is wrong, so that the user is told once. */
export interface Faults {
  /** `subject` is a setting's canonical name, or a place in a file; `about` are the other settings that the problem comes from. */
  add(
    subject: string | { readonly place: string },
    problem: string,
    more?: { readonly about: readonly string[] },
  ): void;
  readonly messages: readonly string[];
  /** A setting's name as users of the CI write it. */
  readonly spell: (setting: string) => string;
}

/** Faults in the spelling of one CI. */
export function collectFaults(spell: (setting: string) => string): Faults {
  const messages: string[] = [];
  const known = new Set<string>();
  return {
    messages,
    spell,
    add: (subject, problem) => {
      const message = `${typeof subject === 'string' ? spell(subject) : subject.place}: ${problem}`;
      if (known.has(message)) return;
      known.add(message);
      messages.push(message);
    },
  };
}

/**
 * Parses what is set for `settings`, adding every fault. Undefined when there was one, so that nothing half-checked is used.
 * Names are canonical; unknown ones are the caller's to report, who knows which other settings exist.
 */
export function parseSettings<S extends Settings>(
  settings: S,
  given: ReadonlyMap<string, Json>,
  faults: Faults,
): SettingValues<S> | undefined {
  const before = faults.messages.length;
  const values: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(settings)) {
    const value = given.get(name);
    if (value === undefined && setting.required) {
      faults.add(name, `is required: ${setting.expected}`);
      continue;
    }
    const result = setting.schema().safeParse(value);
    if (result.success) values[name] = result.data;
    else faults.add(name, describeFault(setting, value, result.error));
  }
  return faults.messages.length === before ? (values as SettingValues<S>) : undefined;
}

/** A variable's name where its value should be. */
export function isUnreplaced(value: Json | undefined): value is string {
  return typeof value === 'string' && /^\$\{?[A-Z_][A-Z0-9_]*\}?$/.test(value);
}

function describeFault(setting: Setting, value: Json | undefined, error: z.core.$ZodError): string {
  const issue = error.issues[0];
  const path = issue?.path ?? [];
  if (setting.secret === true) {
    const got = isUnreplaced(value)
      ? `got ${value}, which nothing has replaced: no variable of that name is set`
      : 'what is set is another thing, and is not shown';
    return `expected ${setting.expected}; ${got}`;
  }
  if (issue?.code === 'invalid_key')
    return `expected ${setting.expected}; got the name ${showValue(String(path.at(-1)))}`;
  const inner = path.reduce<unknown>((parent, key) => (parent as Record<PropertyKey, unknown>)?.[key], value);
  const place = path.length > 0 ? ` at ${plainLine(withoutKeys(path.map(String).join('.')), 200)}` : '';
  const nearest = typeof value === 'string' ? nearestName(value, setting.words ?? []) : undefined;
  const hint = nearest === undefined ? '' : `; did you mean ${nearest}?`;
  return `expected ${setting.expected}; got ${showValue(inner as Json | undefined)}${place}${hint}`;
}

const MOST_LOOKED_AT = 4_000;

/** A value as it can stand in a message: JSON, on one line, cut, without what looks like a key or a login. */
export function showValue(value: Json | undefined): string {
  if (value === undefined) return 'nothing';
  const text = stringifyJson(value)
    .slice(0, MOST_LOOKED_AT)
    .replace(/\/\/[^\s"/]*@/g, '//[redacted]@');
  if (typeof value === 'string' && looksLikeKey(text))
    return `${value.length} characters, not shown because they look like a key`;
  return plainLine(withoutKeys(text), 80);
}

/** Adds a fault for each name that is not among `known`, with the kinds that have it or the nearest one that is. */
export function refuseUnknown(
  given: Iterable<string>,
  known: ReadonlySet<string>,
  elsewhere: Readonly<Record<string, Pick<ListedSetting, 'kinds'>>>,
  faults: Faults,
): void {
  const { spell } = faults;
  for (const name of given) {
    if (known.has(name)) continue;
    const owners = Object.hasOwn(elsewhere, name) ? elsewhere[name]?.kinds : undefined;
    if (owners !== undefined) {
      faults.add(name, `belongs to ${owners.join(' and ')}; remove it or change ${spell('job')}`);
      continue;
    }
    const nearest = nearestName(name, known);
    const names = [...known].map(spell).sort().join(', ');
    faults.add(
      { place: plainLine(spell(name), 80) },
      nearest === undefined
        ? `is not a setting; the settings are ${names}`
        : `is not a setting; did you mean ${spell(nearest)}?`,
    );
  }
}
