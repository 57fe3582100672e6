import { plainLine } from '../remote-text.ts';
import { Secret } from '../secret.ts';
import { nearestName } from '../settings/nearest-name.ts';
import type { Broker, BrokerBinding } from './broker.ts';
import { type SecretValues, secretSettings } from './broker-settings.ts';
import { BROKERS } from './brokers.ts';
import { googleSecretManager } from './google/secret-manager.ts';
import { brokeredSecret, type SecretSource, storedSecret } from './secret-source.ts';

export { secretGoogleTrust, secretSettings } from './broker-settings.ts';

/**
 * Checks where the secret settings `names` get their values, in `values` themselves or by `secret-from`.
 * A kind's whole `Binding` can be given. `usedElsewhere` are broker settings that the kind also uses by itself in this run (such as
 * `workload-identity-provider` for a proxy); the others are faults when no reference needs them.
 * @returns where values come from, by setting, without those that are not set or for which a fault was added.
 */
export function bindSecrets(
  values: SecretValues & Readonly<Record<string, unknown>>,
  names: readonly string[],
  binding: Omit<BrokerBinding, 'values'>,
  usedElsewhere: readonly string[] = [],
): ReadonlyMap<string, SecretSource> {
  const { context, faults, subjectTokens } = binding;
  const sources = new Map<string, SecretSource>();
  for (const name of names) {
    const value = values[name];
    if (value instanceof Secret) sources.set(name, storedSecret(name, value, faults.spell(name)));
  }

  const references = new Map<Broker, Map<string, string>>();
  let isMistaken = false;
  for (const [written, reference] of Object.entries(values['secret-from'] ?? {})) {
    const name = names.find((known) => known === written || faults.spell(known) === written);
    const broker = BROKERS.find(({ word }) => reference.startsWith(`${word}:`));
    if (name === undefined) faults.add('secret-from', unknownName(written, names, faults.spell));
    else if (broker === undefined) faults.add('secret-from', `${faults.spell(name)}: ${unknownBroker(reference)}`);
    else if (sources.has(name))
      faults.add(name, `is set by itself and in ${faults.spell('secret-from')}; remove one of them`);
    isMistaken ||= name === undefined || broker === undefined;
    if (name === undefined || broker === undefined) continue;
    if ([...references.values()].some((others) => others.has(name)))
      faults.add(name, `is named twice in ${faults.spell('secret-from')}`);
    const own = references.get(broker) ?? new Map<string, string>();
    references.set(broker, own.set(name, reference.slice(broker.word.length + 1)));
  }

  const used = new Set(usedElsewhere);
  for (const [broker, own] of references) {
    for (const setting of [...broker.uses, 'secret-audience']) used.add(setting);
    const bound = broker.bind(own, { values, context, faults, subjectTokens });
    for (const [name, secret] of bound) sources.set(name, brokeredSecret(name, secret));
  }
  // Which broker a reference was meant for that is none, nobody knows.
  if (!isMistaken) refuseUnused(values, used, binding);
  const receivers = new Set([...references.keys()].map(({ word }) => word));
  // What a kind uses the audience for by itself is Google's trust.
  if (usedElsewhere.includes('secret-audience')) receivers.add(googleSecretManager.word);
  if (values['secret-audience'] !== undefined && receivers.size > 1)
    faults.add('secret-audience', 'is for one receiver of the token, and here there are several; remove it');
  return sources;
}

function unknownName(written: string, names: readonly string[], spell: (setting: string) => string): string {
  const nearest = nearestName(written, names);
  const known = names.map(spell).join(', ');
  // A name that is like none is not shown: it may be the secret itself, put into the wrong place.
  return nearest === undefined
    ? `names what is not a secret setting of this job; the secret settings are ${known}`
    : `${plainLine(written, 60)} is not a secret setting of this job; did you mean ${spell(nearest)}?`;
}

function unknownBroker(reference: string): string {
  const words = BROKERS.map(({ word }) => word);
  // Only a word before a colon is looked at, and nothing is shown: it may be the secret itself.
  const word = /^([a-z-]{2,12}):/i.exec(reference)?.[1];
  const nearest = word === undefined ? undefined : nearestName(word, words);
  const broker = BROKERS.find((known) => known.word === nearest);
  if (broker !== undefined) return `did you mean ${broker.word}:? Expected ${broker.form}, such as ${broker.example}`;
  const forms = BROKERS.map(({ example }) => example).join(' or ');
  return `expected a reference such as ${forms}; what is set is another thing, and is not shown`;
}

/** A setting that nothing reads is a mistake about what happens. Those with a default are always set. */
function refuseUnused(
  values: SecretValues,
  used: ReadonlySet<string>,
  { faults }: Pick<BrokerBinding, 'faults'>,
): void {
  for (const [name, setting] of Object.entries<{ default?: unknown }>(secretSettings)) {
    const isSet = values[name as keyof SecretValues] !== undefined && setting.default === undefined;
    if (!isSet || name === 'secret-from' || used.has(name)) continue;
    const broker = BROKERS.find(({ uses }) => uses.some((use) => use === name));
    const what = broker === undefined ? 'no secret is got from a broker' : `no ${broker.word}: reference stands`;
    faults.add(name, `is not used: ${what} in ${faults.spell('secret-from')}`, { about: ['secret-from'] });
  }
}
