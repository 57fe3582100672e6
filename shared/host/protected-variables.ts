/** Variables that may not be copied into a job, since they may hold a credential of the CI or of the step. */
export interface ProtectedVariables {
  has(name: string, value?: string): boolean;
  /** Facts of the build, which are no secrets whatever they are called. */
  readonly facts?: ReadonlySet<string>;
  /** The variables in which the CI hands over the settings, whose names hold those of the settings. */
  readonly ofSettings?: RegExp;
}

// Each authority is looked at once: the time that this takes is in proportion to the text, which may be a commit message.
const LOGIN = /(?<web>\bhttps?)?:\/\/(?<login>[^\s/?#]*)@/gi;

/**
 * The variables in a CI's own namespaces, but for the documented ones that say something about the build: `facts` are their names
 * without `prefix`, with white space between. What a CI adds one day, and what its plugins and its administrators put there, is
 * protected from the start.
 */
export function protectedBut(namespace: RegExp, prefix: string, facts: string): ProtectedVariables {
  const known = new Set(
    facts
      .trim()
      .split(/\s+/)
      .map((name) => prefix + name),
  );
  return {
    facts: known,
    has: (name, value = '') => namespace.test(name) && (!known.has(name) || hasLogin(value)),
  };
}

/** Whether a text holds an address with a secret in it: over https the user alone may be one, elsewhere (`ssh://git@…`) it is none. */
function hasLogin(text: string): boolean {
  return [...text.matchAll(LOGIN)].some(({ groups = {} }) => groups.web !== undefined || groups.login?.includes(':'));
}
