import type { CiContext } from '../host/ci-context.ts';
import type { SubjectTokenSource } from '../host/host.ts';
import type { HttpCall } from '../http/http.ts';
import type { ExchangeEnvironment } from '../identity/exchange.ts';
import type { Faults } from '../settings/settings.ts';
import type { SecretValues } from './broker-settings.ts';

/** What was read, untrusted: the broker says what it keeps, and whoever wrote it there may have written anything. */
export interface Reading {
  readonly text: string;
  /** The version that the broker says it gave, where it keeps several. */
  readonly version: string | undefined;
}

/** One secret at a broker. */
export interface BrokerSecret {
  /** The broker and the secret's name there. */
  readonly title: string;
  /** The member of the secret's JSON that is meant; undefined for the secret as a whole. */
  readonly key: string | undefined;
  /** The requests that get it, with placeholders for tokens. */
  readonly calls: readonly HttpCall[];
  /**
   * The secret as it is kept.
   * @throws SubmitError that names the link of the chain which refused.
   */
  open(environment: ExchangeEnvironment, signal: AbortSignal): Promise<Reading>;
}

/** What a broker may look at when it is bound. */
export interface BrokerBinding {
  readonly values: SecretValues;
  readonly context: CiContext;
  readonly subjectTokens: Pick<SubjectTokenSource, 'changingSubject'>;
  readonly faults: Faults;
}

/** A service that keeps secrets and opens them to the CI's own OIDC token. */
export interface Broker {
  /** The beginning of its references, before the colon. */
  readonly word: string;
  /** The form of its references. */
  readonly form: string;
  readonly example: string;
  /** The settings that it reads. */
  readonly uses: readonly (keyof SecretValues)[];
  /** The secrets that the references mean, by the settings that they are for; a fault for whatever does not fit. */
  bind(references: ReadonlyMap<string, string>, binding: BrokerBinding): ReadonlyMap<string, BrokerSecret>;
}

/** Makes a broker of typed parts, so that the list of brokers needs no cast. */
export function defineBroker<Reference>(broker: {
  readonly word: string;
  readonly form: string;
  readonly example: string;
  /** The settings without which it cannot be reached. */
  readonly needs: readonly (keyof SecretValues)[];
  readonly takes: readonly (keyof SecretValues)[];
  parse(reference: string): Reference | undefined;
  /** Adds a fault for what does not fit together. */
  check(references: readonly Reference[], binding: BrokerBinding): void;
  /** What the secrets share, such as one login. Undefined when a needed setting is missing. */
  open(binding: BrokerBinding): ((reference: Reference) => BrokerSecret) | undefined;
}): Broker {
  const { word, form, example, needs, takes } = broker;
  const bind: Broker['bind'] = (references, binding) => {
    const { faults, values } = binding;
    for (const need of needs) {
      if (values[need] === undefined)
        faults.add(need, `is needed for the ${word}: references in ${faults.spell('secret-from')}`);
    }
    const parsed = [...references].flatMap(([setting, text]) => {
      const reference = broker.parse(text);
      // What is written is not shown: it may be the secret itself, put into the wrong place.
      if (reference === undefined)
        faults.add('secret-from', `${faults.spell(setting)}: expected ${form}, such as ${example}`);
      return reference === undefined ? [] : [[setting, reference] as const];
    });
    broker.check(
      parsed.map(([, reference]) => reference),
      binding,
    );
    const secretOf = broker.open(binding);
    if (secretOf === undefined) return new Map();
    return new Map(parsed.map(([setting, reference]) => [setting, secretOf(reference)]));
  };
  return { ...broker, uses: [...needs, ...takes], bind };
}
