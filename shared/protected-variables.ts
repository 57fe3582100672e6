/** Variables that may not be copied into a job, since they may hold a credential of the CI or of the step. */
export interface ProtectedVariables {
  has(name: string, value?: string): boolean;
  /** Facts of the build, which are no secrets whatever they are called. */
  readonly facts?: ReadonlySet<string>;
  /** The variables in which the CI hands over the settings, whose names hold those of the settings. */
  readonly ofSettings?: RegExp;
}

/** An address with a login in it. */
const WITH_LOGIN = /\bhttps?:\/\/[^\s/?#]*@|:\/\/[^\s/?#@]*:[^\s/?#@]*@/i;

/**
 * The variables in a CI's own namespaces, but for the documented ones that say something about the build. What a CI adds one day, and what
 * its plugins and its administrators put there, is protected from the start.
 */
export function protectedBut(namespace: RegExp, facts: Iterable<string>): ProtectedVariables {
  const known = new Set(facts);
  return {
    facts: known,
    has: (name, value = '') => namespace.test(name) && (!known.has(name) || WITH_LOGIN.test(value)),
  };
}
