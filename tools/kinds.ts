import { defined } from '../shared/json.ts';
import type { JobKind } from '../shared/kind.ts';
import { JOB_KINDS } from '../shared/services/index.ts';
import { runSettings } from '../shared/settings/run-settings.ts';
import type { ListedSetting, Settings } from '../shared/settings/settings.ts';

/** Every kind of job, loaded, for what describes all of them. */
export const KINDS = await Promise.all(JOB_KINDS.map(async ({ load }) => (await load()).kind));

/** The settings of every run and of all kinds, by name. A name is written the same way in each kind that has it. */
export const ALL_SETTINGS: Settings = Object.assign(
  {},
  runSettings(JOB_KINDS.map(({ id }) => id)),
  ...KINDS.map(({ settings }) => settings),
);

/** What a run knows of the settings of the kinds that it does not load. */
export function listedSettings(kinds: readonly JobKind[]): Readonly<Record<string, ListedSetting>> {
  const listed: Record<string, ListedSetting> = {};
  for (const { id, settings } of kinds) {
    for (const [name, { form, secret }] of Object.entries(settings))
      listed[name] = { form, ...defined({ secret }), kinds: [...(listed[name]?.kinds ?? []), id] };
  }
  return listed;
}

/** shared/services/kind-settings.json: a line a setting. */
export function kindSettingsJson(): string {
  const lines = Object.entries(listedSettings(KINDS)).map(
    ([name, setting]) => `  ${JSON.stringify(name)}: ${JSON.stringify(setting)}`,
  );
  return `{\n${lines.join(',\n')}\n}\n`;
}
