import type { SubmitError } from '../errors.ts';
import { type Answer, answerJson, bearer, type HttpCall, type SecretHeaders, unreadable } from '../http/http.ts';
import { Secret } from '../secret.ts';
import { type CredentialSource, cachedCredential, type Expiring } from './credential.ts';
import type { ExchangeEnvironment } from './exchange.ts';
import { getSubjectToken, logToken, type SubjectToken, type SubjectTokenDemand } from './subject-token.ts';
import { lifetimeAt, tokenAt } from './token-answer.ts';

/** What a service issued. Every member that is a `Secret` is concealed before anything is done with it. */
export interface Issued {
  /** Milliseconds since the epoch; undefined where the service does not say. */
  readonly expiresAt: number | undefined;
}

/** An access token, and the header that carries it. */
export interface AccessToken extends Issued {
  readonly token: Secret;
  readonly headers: SecretHeaders;
}

/** How the CI's token becomes something that one service knows its callers by. */
interface TokenExchange<Given extends Issued> {
  readonly demand: SubjectTokenDemand;
  /** The exchange of `subjectToken`. */
  call(subjectToken: string): HttpCall;
  /** Sends that call; left out where `http.persist` does. */
  readonly send?: (call: HttpCall, subject: SubjectToken, signal: AbortSignal) => Promise<Answer>;
  /** What a success gives, received in answer to a request of `sentAt` (in ms); undefined when it gives nothing. */
  read(answer: Answer, sentAt: number): Given | undefined | Promise<Given | undefined>;
  /** What any other status means. */
  explain(subject: SubjectToken, answer: Answer): SubmitError | Promise<SubmitError>;
  /** Keeps what was issued, or exchanges it further. */
  readonly issued?: (given: Given, subject: SubjectToken, signal: AbortSignal) => Given | Promise<Given>;
  /** Where it was exchanged and for whom, for the log; `life` tells how long it is valid. */
  describe(life: string, given: Given): string;
  /** How long it lives whatever is left of the subject token, in ms; left out where it ends with that. */
  readonly ownLifeMs?: number | undefined;
}

/** What was issued for which token, with its end: where the service does not say, the subject token's own is safe to assume. */
export type Held<Given extends Issued> = Given & Expiring & { readonly subject: SubjectToken };

/** A credential that is exchanged for the CI's token, and again shortly before it ends. */
export function exchangedCredential<Given extends Issued>(
  exchange: TokenExchange<Given>,
  environment: ExchangeEnvironment,
): CredentialSource<Held<Given>> {
  const { clock, log } = environment;
  return cachedCredential({ ...tokenExchange(exchange, environment), clock, log, ownLifeMs: exchange.ownLifeMs });
}

/**
 * Exchanges the CI's token each time it is asked. Nothing is logged or used before it is concealed; who presents the token, and
 * what it was exchanged for, is logged the first time.
 */
export function tokenExchange<Given extends Issued>(
  { demand, call, send, read, explain, issued, describe }: TokenExchange<Given>,
  { clock, conceal, http, log, subjectTokens }: ExchangeEnvironment,
): { exchange(signal: AbortSignal): Promise<Held<Given>>; subjectEndsAt(): number | undefined } {
  let subjectEndsAt: number | undefined;
  let isPresented = false;
  let isTold = false;
  const concealed = async (given: Given): Promise<Given> => {
    await conceal(Object.values(given).filter((member) => member instanceof Secret));
    return given;
  };
  return {
    subjectEndsAt: () => subjectEndsAt,
    exchange: async (signal) => {
      const subject = await getSubjectToken(subjectTokens, demand, clock, signal);
      if (!subjectTokens.renewable) subjectEndsAt = subject.expiresAt;
      await conceal([subject.token]);
      if (!isPresented) logToken(log, subject);
      isPresented = true;
      const request = call(subject.token.reveal());
      const sentAt = clock.now();
      const answer = await (send === undefined ? http.persist(request, signal) : send(request, subject, signal));
      if (answer.status !== 200) throw await explain(subject, answer);
      const first = await read(answer, sentAt);
      if (first === undefined) throw unreadable(request.url, answer);
      await concealed(first);
      const given = issued === undefined ? first : await concealed(await issued(first, subject, signal));
      const expiresAt = given.expiresAt ?? subject.expiresAt;
      if (!isTold) log.info(describe(`valid for ${Math.floor((expiresAt - sentAt) / 60_000)} min`, given));
      isTold = true;
      return { ...given, expiresAt, subject };
    },
  };
}

/** The token of a successful answer, with its end. https://datatracker.ietf.org/doc/html/rfc8693#section-2.2.1 */
export function readAccessToken(answer: Answer, sentAt: number): AccessToken | undefined {
  const body = answerJson(answer);
  const token = tokenAt(body, 'access_token');
  const seconds = lifetimeAt(body, 'expires_in');
  const expiresAt = seconds === undefined ? undefined : sentAt + seconds * 1000;
  return token === undefined ? undefined : accessToken(token, expiresAt);
}

/** A token that is carried as a bearer's, with its end in ms where the service says it. */
export function accessToken(token: Secret, expiresAt: number | undefined): AccessToken {
  return { token, headers: bearer(token), expiresAt };
}
