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

/** The values of settings of which `Need` are set. */
export type ValuesWith<Need extends keyof SecretValues> = SecretValues & {
  readonly [Name in Need]: NonNullable<SecretValues[Name]>;
};

/** Makes a broker of typed parts, so that the list of brokers needs no cast. */
export function defineBroker<Reference, Need extends keyof SecretValues>(broker: {
  readonly word: string;
  readonly form: string;
  readonly example: string;
  /** The settings without which it cannot be reached. */
  readonly needs: readonly Need[];
  readonly takes?: readonly (keyof SecretValues)[];
  parse(reference: string): Reference | undefined;
  /** Adds a fault for what does not fit together. */
  readonly check?: (references: readonly Reference[], binding: BrokerBinding) => void;
  /** What the secrets share, such as one login. */
  open(values: ValuesWith<Need>, context: CiContext): (reference: Reference) => BrokerSecret;
}): Broker {
  const { word, form, example, needs, takes = [], parse, check, open } = broker;
  const bind: Broker['bind'] = (references, binding) => {
    const { context, faults, values } = binding;
    const missing = needs.filter((need) => values[need] === undefined);
    for (const need of missing)
      faults.add(need, `is needed for the ${word}: references in ${faults.spell('secret-from')}`);
    const parsed = [...references].flatMap(([setting, text]) => {
      const reference = parse(text);
      // What is written is not shown: it may be the secret itself, put into the wrong place.
      if (reference === undefined)
        faults.add('secret-from', `${faults.spell(setting)}: expected ${form}, such as ${example}`);
      return reference === undefined ? [] : [[setting, reference] as const];
    });
    check?.(
      parsed.map(([, reference]) => reference),
      binding,
    );
    if (missing.length > 0) return new Map();
    const secretOf = open(values as ValuesWith<Need>, context);
    return new Map(parsed.map(([setting, reference]) => [setting, secretOf(reference)]));
  };
  return { word, form, example, uses: [...needs, ...takes], bind };
}

/** What is made for the first secret that is opened and serves the others too, such as a login. */
export function madeOnce<Made>(make: (environment: ExchangeEnvironment) => Made): typeof make {
  let made: Made | undefined;
  return (environment) => {
    made ??= make(environment);
    return made;
  };
}
