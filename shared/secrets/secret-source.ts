import type { HttpCall } from '../http.ts';
import type { ExchangeEnvironment } from '../identity/exchange.ts';
import type { Secret } from '../secret.ts';

/** Where a secret setting's value comes from. */
export interface SecretSource {
  /** For people: the broker and the secret's name there, or that it is a stored one. Never the value. */
  readonly title: string;
  /** The requests that get it, with placeholders for tokens, for `dry-run`. */
  readonly calls: readonly HttpCall[];
  /**
   * The value, concealed from the CI's log. Prints the version that was read.
   * @throws SubmitError that names the link of the chain which refused: what it was shown, and what it wanted.
   */
  read(environment: ExchangeEnvironment, signal: AbortSignal): Promise<Secret>;
}

const GUIDE = 'docs/secrets.md';

/** A secret that stands in the CI's variables. It works, and every use of it says what to do instead. */
export function storedSecret(setting: string, value: Secret, spelled: string): SecretSource {
  return {
    title: `a stored key (${spelled})`,
    calls: [],
    read: async ({ conceal, log }) => {
      await conceal([value]);
      log.warning(
        `${spelled} is a stored key: whoever can read the CI's variables can use it, from anywhere, until it expires.`,
      );
      log.info(`  Keep it where this step's own identity opens it: ${setting} in secret-from; see ${GUIDE}.`);
      return value;
    },
  };
}
