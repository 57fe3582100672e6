import { type ErrorCode, SubmitError } from '../errors.ts';
import { plainLine } from '../remote-text.ts';

/** What the user reads. `{name}` stands for a fact, «name» for a setting. */
interface Texts {
  readonly happened?: string;
  readonly expected?: readonly string[];
  readonly remedy?: readonly string[];
}

/** One way in which a service refuses: how it is known, and what it means. Texts that it leaves out are the default ones of the code. */
export interface Refusal extends Texts {
  /** The statuses that it can have; any without one. */
  readonly status?: readonly number[];
  /** A fact that has to be so. */
  readonly if?: string;
  /** What the service's words hold; anything without it. */
  readonly words?: RegExp;
  /** The table's, unless it says another. */
  readonly code?: ErrorCode;
}

/** What the refusals of one service, or of one part of it, have in common. The first entry that fits counts; the last one fits all. */
export interface Refusals {
  /** The service's name, where no fact `service` says it more exactly. */
  readonly service: string;
  /** The page of the documentation about it. */
  readonly link: string;
  readonly code: ErrorCode;
  readonly table: readonly Refusal[];
}

/** A table of refusals: the service's name, the page about it, the code of entries that say none, and the entries in their order. */
export function refusals(service: string, link: string, code: ErrorCode, table: readonly Refusal[]): Refusals {
  return { service, link, code, table };
}

/**
 * What the texts may name, untrusted. A line that is nothing but `{name}` takes a list, and a line with a fact that is not known is
 * left out.
 */
export type Facts = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** A refusal as it came. */
export interface Refused {
  readonly status: number;
  /** The service's own words, untrusted. */
  readonly words: string;
  readonly presented: readonly string[];
}

/** What services say alike. */
const DEFAULTS: Readonly<Partial<Record<ErrorCode, Texts>>> = {
  'exchange-audience': { happened: "{service} does not accept the token's audience" },
  'exchange-stale': {
    happened: '{service} says that the CI token has expired or is not valid yet',
    remedy: ['Retry the step for a new token, and check the clock of the machine that it runs on.'],
  },
  'exchange-signature': {
    happened: "{service} cannot verify the token's signature",
    remedy: ['Check that {service} can reach the issuer {issuer}, and retry the step.'],
  },
  'exchange-rejected': { happened: '{service} refused to exchange the token' },
  'credential-rejected': { happened: '{service} does not accept the credential' },
  'permission-denied': { happened: 'The identity lacks a permission in {service}' },
  'not-found': { happened: '{service}: not found (404)' },
  'request-rejected': {
    happened: '{service} refused the request ({status})',
    remedy: ['Correct the settings and the spec: the words above say what is wrong.'],
  },
  'secret-unavailable': {
    happened: '{service} refused to give {secret} ({status})',
    remedy: ['Check the reference in «secret-from».'],
  },
};

/** What to do about an audience that is not accepted, after the command that would accept it. */
export const OR_ANOTHER_AUDIENCE = [
  'or have the token made for an audience that is accepted:',
  '{tokenInstructions}',
] as const;

/** A reason stands at the beginning of the words. */
const LONGEST_WORDS = 4_000;

/** The error that a refusal stands for: the first entry that fits, with the facts in its texts. */
export function refusalError(refusals: Refusals, { presented, ...refused }: Refused & Facts): SubmitError {
  const known: Facts = { service: refusals.service, ...refused };
  const words = refused.words.slice(0, LONGEST_WORDS);
  const fits = (entry: Refusal): boolean =>
    (entry.status?.includes(refused.status) ?? true) &&
    (entry.if === undefined || Boolean(known[entry.if])) &&
    (entry.words?.test(words) ?? true);
  const { code, happened, expected, remedy } = textsOf(refusals, refusals.table.find(fits) ?? {});
  const lines = (texts: readonly string[]) => texts.flatMap((text) => fill(text, known));
  return new SubmitError(code, {
    happened: lines([happened]).join(''),
    presented,
    expected: lines(expected),
    words: refused.words,
    remedy: lines(remedy),
    link: refusals.link,
  });
}

/** The code and the texts of an entry, with placeholders. */
export function textsOf(refusals: Refusals, refusal: Refusal): Required<Texts> & { readonly code: ErrorCode } {
  const code = refusal.code ?? refusals.code;
  const { happened = '', expected = [], remedy = [] } = { ...DEFAULTS[code], ...refusal };
  return { code, happened, expected, remedy };
}

// Commands hold braces of other kinds, so only a plain word counts.
const FACT = /\{([a-zA-Z]+)\}/g;

/** A text with its facts, in one pass: a fact is never read for placeholders. */
function fill(text: string, facts: Facts): readonly string[] {
  const values = [...text.matchAll(FACT)].map(([, name = '']) => facts[name]);
  const [list] = values;
  if (Array.isArray(list) && /^\{\w+\}$/.test(text)) return list;
  if (values.includes(undefined)) return [];
  return [text.replace(FACT, (_placeholder, name: string) => plainLine(String(facts[name]), 2_000))];
}
