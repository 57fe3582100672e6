import type { Host } from '../host/host.ts';
import { looksLikeKey } from '../host/key-shapes.ts';
import type { ProtectedVariables } from '../host/protected-variables.ts';
import { isArray, isObject, type Json } from '../json.ts';
import { Secret } from '../secret.ts';
import { isUnreplaced, type Settings } from './settings.ts';

/**
 * Hides the secrets that stand in the settings themselves before anything is printed: a dry run, or a fault, may show what
 * holds the same value. Warns of those that everybody can read.
 */
export async function concealStored(settings: Settings, given: ReadonlyMap<string, Json>, host: Host): Promise<void> {
  const stored: Secret[] = [];
  for (const [name, setting] of Object.entries(settings)) {
    const value = given.get(name);
    // References are no secrets, and are printed.
    if (setting.secret !== true || name === 'secret-from' || value === undefined) continue;
    const secrets = textsIn(value).filter((text) => text !== '' && !isPlaceholder(text) && !isUnreplaced(text));
    stored.push(...secrets.map((text) => new Secret(text)));
    const isWritten = textsIn(host.settings.get(name) ?? '').some((text) => !text.includes('@{env:'));
    if (secrets.length > 0 && isWritten && host.whereSettingsShow !== undefined) {
      host.log.warning(
        `${host.spell(name)} stands in ${host.whereSettingsShow}: replace that key, and write @{env:NAME} for the variable of the step that holds it.`,
      );
    }
  }
  if (stored.length > 0) await host.conceal(stored);
}

type Env = Readonly<Record<string, string | undefined>>;

/** Shorter values may be any word. */
const SHORTEST_COPY = 8;
const SECRET_NAME = /TOKEN|KEY(?!LESS)|SECRET|PASSW|CREDENTIAL|AUTH(?!OR)/i;

/**
 * Hides what stands in a setting and is the value of a variable whose name says that it is secret: it may have been pasted or filled in
 * where everybody can read it. An address without a login is none.
 */
export async function concealCopies(
  given: ReadonlyMap<string, Json>,
  { env, protectedVariables }: { readonly env: Env; readonly protectedVariables: ProtectedVariables },
  host: Host,
): Promise<void> {
  const named = Object.entries(env).flatMap(([variable, value = '']) => {
    const isPlainAddress = /^https?:\/\/[^@]*$/.test(value);
    const { facts, ofSettings } = protectedVariables;
    const isNamed = SECRET_NAME.test(variable) && facts?.has(variable) !== true && ofSettings?.test(variable) !== true;
    return isNamed && value.length >= SHORTEST_COPY && !isPlainAddress ? [{ variable, value }] : [];
  });
  const copies = [...given].flatMap(([name, written]) => {
    // Where settings are variables, each is the value of its own.
    const own = `_${name.replaceAll('-', '_')}`.toLowerCase();
    const texts = [...textsIn(written), ...namesIn(written)];
    return named.filter(({ variable, value }) => !isOwn(variable, own) && texts.some((text) => text.includes(value)));
  });
  if (copies.length > 0) await host.conceal(copies.map(({ value }) => new Secret(value)));
}

/** Whether a variable holds the setting itself, or an item of it. */
function isOwn(variable: string, setting: string): boolean {
  return `_${variable}`.toLowerCase().replace(/_\d+$/, '').endsWith(setting);
}

/** Hides whatever looks like a key in settings that may be shown because something is wrong with them. */
export async function concealPasted(given: ReadonlyMap<string, Json>, host: Host): Promise<void> {
  const pasted = [...given]
    .flatMap(([name, value]) => [name, ...textsIn(value), ...namesIn(value)])
    .filter(looksLikeKey);
  if (pasted.length > 0) await host.conceal(pasted.map((text) => new Secret(text)));
}

/** What could not be filled, and is told of. */
function isPlaceholder(text: string): boolean {
  return /^@\{[^}]*\}$/.test(text);
}

function textsIn(value: Json): readonly string[] {
  if (isArray(value)) return value.flatMap(textsIn);
  if (isObject(value)) return Object.values(value).flatMap(textsIn);
  return typeof value === 'string' ? [value] : [];
}

function namesIn(value: Json): readonly string[] {
  if (isArray(value)) return value.flatMap(namesIn);
  return isObject(value) ? [...Object.keys(value), ...Object.values(value).flatMap(namesIn)] : [];
}
