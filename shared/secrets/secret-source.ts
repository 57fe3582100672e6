import { SubmitError } from '../errors.ts';
import type { HttpCall } from '../http/http.ts';
import type { ExchangeEnvironment } from '../identity/exchange.ts';
import { isObject, type JsonObject, textAt, tryParseJson } from '../json.ts';
import { plainLine } from '../remote-text.ts';
import { Secret } from '../secret.ts';
import type { BrokerSecret, Reading } from './broker.ts';

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

export const GUIDE = 'docs/secrets.md';

/** A secret that stands in the CI's variables. It works, and every step with one says what to do instead. */
export function storedSecret(setting: string, value: Secret, spelled: string): SecretSource {
  let isTold = false;
  return {
    title: `a stored key (${spelled})`,
    calls: [],
    read: async ({ conceal, log }) => {
      if (isTold) return value;
      isTold = true;
      await conceal([value]);
      log.warning(
        `${spelled} is a stored key: whoever can read the CI's variables can use it, from anywhere, until it expires.`,
      );
      log.info(`  Keep it where this step's own identity opens it: ${setting} in secret-from; see ${GUIDE}.`);
      return value;
    },
  };
}

/** A secret that a broker keeps, read when it is needed. */
export function brokeredSecret(setting: string, secret: BrokerSecret): SecretSource {
  return {
    title: secret.title,
    calls: secret.calls,
    read: async (environment, signal) => {
      const reading = await secret.open(environment, signal);
      const value = new Secret(secretText(secret, reading));
      await environment.conceal([value]);
      const version = reading.version === undefined ? '' : `, version ${plainLine(reading.version, 80)}`;
      environment.log.info(`read ${setting}${version}, from ${secret.title}`);
      return value;
    },
  };
}

/**
 * What of a reading is the secret: all of it, or the member of its JSON that is meant, as one line of text.
 * @throws SubmitError `secret-unavailable`, which holds nothing of it.
 */
export function secretText({ title, key }: Pick<BrokerSecret, 'title' | 'key'>, { text }: Reading): string {
  const whole = key === undefined ? text : memberOf(title, key, text);
  // Shells and editors end what they write with a line feed, and no key ends with one.
  const line = withoutLineEnds(whole);
  const json = key === undefined ? tryParseJson(line) : undefined;
  // The other members are not for the service that gets this one, and no key is JSON itself.
  if (isObject(json))
    throw unusable(title, 'it holds several secrets in JSON', [`#KEY at the end of the reference, ${oneOf(json)}`]);
  if (line !== '' && !/[\x00-\x1f\x7f\ufffd]/.test(line)) return line;
  throw unusable(title, line === '' ? 'it is empty' : 'it is not one line of text', [
    'one line of text, as the service gave it',
  ]);
}

/**
 * The same secret, as a header can have it: fetched from a page or an editor, it may hold characters that no header can.
 * @throws SubmitError `secret-unavailable`, which holds nothing of it.
 */
export function headerText(title: string, value: Secret): Secret {
  if (/^[\t\x20-\x7e\x80-\xff]*$/.test(value.reveal())) return value;
  throw unusable(title, 'it has a character that no header can have', ['what the service gave, copied as it is']);
}

function withoutLineEnds(text: string): string {
  let line = text;
  while (line.endsWith('\n')) line = line.slice(0, line.endsWith('\r\n') ? -2 : -1);
  return line;
}

function memberOf(title: string, key: string, text: string): string {
  const json = tryParseJson(text);
  if (!isObject(json)) throw unusable(title, 'it is not a JSON object', [`a JSON object with the member ${key}`]);
  const member = textAt(json, key);
  if (member !== undefined) return member;
  throw unusable(title, `it has no text at ${key}`, [oneOf(json)]);
}

function oneOf(json: JsonObject): string {
  const names = Object.keys(json)
    .slice(0, 20)
    .map((name) => plainLine(name, 60));
  return `one of its members: ${names.join(', ') || 'it has none'}`;
}

function unusable(title: string, why: string, expected: readonly string[]): SubmitError {
  return new SubmitError('secret-unavailable', {
    happened: `${title} was read and cannot be used: ${why}`,
    expected,
    remedy: ['Correct the secret there (a new version), or the reference in «secret-from».'],
    link: GUIDE,
  });
}
