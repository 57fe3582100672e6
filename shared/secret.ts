const REDACTED = '[redacted]';

/**
 * A token that cannot be printed by accident: string conversion, JSON and `util.inspect` all show `[redacted]`.
 * `reveal` is called only where a header or a request body is written.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return REDACTED;
  }
}

/** Stands for a token in requests that are shown before there is one. */
export const PLACEHOLDER = new Secret(REDACTED);
