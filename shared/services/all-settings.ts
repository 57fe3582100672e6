import type { JobKind } from '../kind.ts';
import { runSettings } from '../settings/run-settings.ts';
import type { Settings } from '../settings/settings.ts';

/** The settings of every run and of all kinds, by name. A name is written the same way in each kind that has it. */
export function allSettings(kinds: readonly JobKind[]): Settings {
  return Object.assign({}, runSettings(kinds.map(({ id }) => id)), ...kinds.map(({ settings }) => settings));
}
