import { type ErrorCode, SubmitError } from '../errors.ts';
import type { SubjectToken } from '../identity/subject-token.ts';
import { GUIDE } from './secret-source.ts';

/** One way in which a broker refuses a login, known by its words, and what it means. */
export interface LoginRefusal<Trust> {
  readonly matches: RegExp;
  readonly code: ErrorCode;
  happened(trust: Trust): string;
  expected(trust: Trust, subject: SubjectToken): readonly string[];
  remedy(trust: Trust, subject: SubjectToken, howToRequest: readonly string[]): readonly string[];
}

/** What a broker was shown, and what it said. */
export interface RefusedLogin<Trust> {
  readonly trust: Trust;
  readonly subject: SubjectToken;
  readonly presented: readonly string[];
  readonly words: string;
  readonly howToRequest: readonly string[];
}

/** The error that a refusal of the table stands for. */
export function explainLogin<Trust>(
  { code, happened, expected, remedy }: LoginRefusal<Trust>,
  { trust, subject, presented, words, howToRequest }: RefusedLogin<Trust>,
): SubmitError {
  return new SubmitError(code, {
    happened: happened(trust),
    presented,
    expected: expected(trust, subject),
    words,
    remedy: remedy(trust, subject, howToRequest),
    link: GUIDE,
  });
}
