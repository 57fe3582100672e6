import { type ErrorCode, type Explanation, SubmitError } from '../errors.ts';

/**
 * One way in which a service refuses, and what it means. `{name}` in a text stands for a fact. A line that is nothing but `{name}`
 * takes a list, and a line with a fact that is not known is left out.
 */
export interface Refusal {
  /** The statuses that it can have; any without one. */
  readonly status?: readonly number[];
  /** What the service's words hold; anything without it. */
  readonly words?: RegExp;
  /** A fact that has to be known. */
  readonly if?: string;
  /** The table's, unless it says another. */
  readonly code?: ErrorCode;
  /** What is not said is the default text of the code. */
  readonly happened?: string;
  readonly expected?: readonly string[];
  readonly remedy?: readonly string[];
}

/** What the refusals of one service, or of one part of it, have in common. The first entry that fits counts; the last one fits all. */
export interface Refusals {
  /** The service's name in default texts. */
  readonly service: string;
  /** The page of the documentation about it. */
  readonly link: string;
  readonly code: ErrorCode;
  readonly table: readonly Refusal[];
}

/** What the texts may name; untrusted values are the caller's to make plain. */
export type Facts = Readonly<Record<string, string | readonly string[] | undefined>>;

/** A refusal as it came. */
export interface Refused {
  readonly status: number;
  /** The service's own words, untrusted. */
  readonly words: string;
  readonly presented: readonly string[];
}

type DefaultTexts = Required<Pick<Refusal, 'happened' | 'expected' | 'remedy'>>;

/** What services say alike. */
const DEFAULTS: Readonly<Partial<Record<ErrorCode, DefaultTexts>>> = {
  'exchange-stale': {
    happened: '{service} says that the CI token has expired or is not valid yet',
    expected: [],
    remedy: ['Retry the step for a new token, and check the clock of the machine that it runs on.'],
  },
  'exchange-signature': {
    happened: "{service} cannot verify the token's signature",
    expected: ['keys of {issuer}, reachable from {service}'],
    remedy: ['Retry the step. If it fails again, check the issuer in the trust.'],
  },
  'exchange-audience': {
    happened: "{service} does not accept the token's audience",
    expected: [],
    remedy: ['Add the audience to the trust, or have the token made for one that is there:', '{tokenInstructions}'],
  },
  'exchange-rejected': {
    happened: '{service} refused to exchange the token',
    expected: [],
    remedy: ['Compare the token with the trust that is configured.'],
  },
  'credential-rejected': {
    happened: '{service} does not accept the credential',
    expected: [],
    remedy: ['Retry the step. If it fails again, check what the credential is for.'],
  },
  'permission-denied': {
    happened: 'The identity lacks a permission in {service}',
    expected: [],
    remedy: ['Grant it the permission; a new grant can take a few minutes.'],
  },
  'not-found': { happened: '{service}: not found (404)', expected: [], remedy: ['Check what the settings name.'] },
  'quota-exceeded': {
    happened: 'A limit of {service} does not allow it',
    expected: [],
    remedy: ['Wait, or have the limit raised.'],
  },
  'request-rejected': {
    happened: '{service} refused the request ({status})',
    expected: [],
    remedy: ['Correct the settings and the spec: the words above say what is wrong.'],
  },
  'secret-unavailable': {
    happened: '{service} refused to give the secret ({status})',
    expected: [],
    remedy: ['Check the reference in «secret-from».'],
  },
};

/**
 * The error that a refusal stands for.
 * @param facts what the texts of the table name, besides `service` and `status`
 */
export function refusalError(refusals: Refusals, { status, words, presented }: Refused, facts: Facts): SubmitError {
  const known: Facts = { ...facts, service: refusals.service, status: String(status) };
  const refusal = refusals.table.find((each) => fits(each, status, words, known)) ?? {};
  const { code, happened, expected, remedy } = textsOf(refusals, refusal);
  const explanation: Explanation = {
    happened: fill(happened, known) ?? '',
    presented,
    expected: lines(expected, known),
    words,
    remedy: lines(remedy, known),
    link: refusals.link,
  };
  return new SubmitError(code, explanation);
}

/** The texts of an entry, with placeholders: its own, else the default ones of its code. */
export function textsOf(refusals: Refusals, refusal: Refusal): DefaultTexts & { readonly code: ErrorCode } {
  const code = refusal.code ?? refusals.code;
  const texts = DEFAULTS[code];
  return {
    code,
    happened: refusal.happened ?? texts?.happened ?? '{service} refused ({status})',
    expected: refusal.expected ?? texts?.expected ?? [],
    remedy: refusal.remedy ?? texts?.remedy ?? [],
  };
}

function fits(refusal: Refusal, status: number, words: string, facts: Facts): boolean {
  return (
    (refusal.status === undefined || refusal.status.includes(status)) &&
    (refusal.words === undefined || refusal.words.test(words)) &&
    (refusal.if === undefined || facts[refusal.if] !== undefined)
  );
}

// Commands hold braces of other kinds, so only a plain word counts.
const FACT = /\{([a-zA-Z]+)\}/g;

function lines(texts: readonly string[], facts: Facts): readonly string[] {
  return texts.flatMap((text) => {
    const whole = facts[/^\{([a-zA-Z]+)\}$/.exec(text)?.[1] ?? ''];
    if (Array.isArray(whole)) return whole;
    return fill(text, facts) ?? [];
  });
}

/** A text with its facts; undefined where one of them is not known. In one pass, so that a fact is never read for placeholders. */
function fill(text: string, facts: Facts): string | undefined {
  const names = [...text.matchAll(FACT)].map(([, name = '']) => name);
  if (names.some((name) => facts[name] === undefined)) return undefined;
  return text.replace(FACT, (_placeholder, name: string) => String(facts[name]));
}
