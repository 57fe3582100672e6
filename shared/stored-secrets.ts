import type { Host } from './host.ts';
import { isArray, isObject, type Json } from './json.ts';
import { Secret } from './secret.ts';
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

/** What could not be filled, and is told of. */
function isPlaceholder(text: string): boolean {
  return /^@\{[^}]*\}$/.test(text);
}

function textsIn(value: Json): readonly string[] {
  if (isArray(value)) return value.flatMap(textsIn);
  if (isObject(value)) return Object.values(value).flatMap(textsIn);
  return typeof value === 'string' ? [value] : [];
}
