import type { Json } from '../json.ts';
import { collectFaults, type Faults, parseSettings, type Settings, type SettingValues } from './settings.ts';

/** What can still be looked at where some settings are wrong by themselves. */
interface RemainingSettings<S extends Settings> {
  readonly values: SettingValues<S>;
  /** Takes the faults of the others, and none that may come of a wrong one. */
  readonly faults: Faults;
}

/**
 * The settings that are right, so that what is wrong between them is told together with the ones that are wrong by themselves.
 * A wrong one is left out; where it is required, its example stands for it.
 */
export function remainingSettings<S extends Settings>(
  settings: S,
  given: ReadonlyMap<string, Json>,
  faults: Faults,
): RemainingSettings<S> | undefined {
  const remaining = new Map(given);
  const wrong = new Set<string>();
  for (const [name, setting] of Object.entries(settings)) {
    if (parseSettings({ [name]: setting }, given, collectFaults(faults.spell)) !== undefined) continue;
    wrong.add(name);
    if (setting.required) remaining.set(name, setting.example);
    else remaining.delete(name);
  }
  const values = parseSettings(settings, remaining, faults);
  return values === undefined ? undefined : { values, faults: without(wrong, faults) };
}

function without(wrong: ReadonlySet<string>, { add, messages, spell }: Faults): Faults {
  return {
    spell,
    messages,
    add: (subject, problem, { about } = { about: [] }) => {
      if (![subject, ...about].some((name) => typeof name === 'string' && wrong.has(name))) add(subject, problem);
    },
  };
}
