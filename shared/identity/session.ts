import type { SubmitError } from '../errors.ts';
import { type Answer, type Attempt, answerJson, type HttpCall, isSuccess, unreadable } from '../http/http.ts';
import type { Json } from '../json.ts';
import type { CredentialSource } from './credential.ts';
import type { ExchangeEnvironment } from './exchange.ts';

/** One service under one identity, until `signal` aborts, and what else the work with it takes. */
export interface Session extends ExchangeEnvironment {
  readonly signal: AbortSignal;
  /**
   * Reads: repeated until a definite answer comes.
   * @throws SubmitError what the service's refusal means, or that it cannot be used.
   */
  read(call: HttpCall): Promise<Json>;
  /**
   * Repeated until a definite answer comes, whatever it is: for requests that may be repeated.
   * @throws SubmitError when the service cannot be used.
   */
  persist(call: HttpCall): Promise<Answer>;
  /** One attempt at a request that must not be repeated blindly. A credential refused before its time is renewed once. */
  attempt(call: HttpCall): Promise<Attempt>;
  /** The same session until another signal aborts. */
  until(signal: AbortSignal): Session;
}

/** Binds requests to a credential, and refusals to what they mean. */
export function openSession(
  environment: ExchangeEnvironment,
  credential: CredentialSource,
  explain: (call: HttpCall, answer: Answer) => SubmitError,
  signal: AbortSignal,
): Session {
  const { http } = environment;
  const withCredential = async <T extends Attempt>(
    call: HttpCall,
    send: (call: HttpCall, signal: AbortSignal) => Promise<T>,
  ): Promise<T> => {
    const first = await send({ ...call, secretHeaders: (await credential.get(signal)).headers }, signal);
    if (first.kind !== 'answer' || !(first.status === 401 || credential.isRefusal?.(first) === true)) return first;
    // It means that nothing was done, so the request may be sent again under a new credential.
    credential.renew(first);
    return send({ ...call, secretHeaders: (await credential.get(signal)).headers }, signal);
  };
  return {
    ...environment,
    signal,
    attempt: (call) => withCredential(call, http.once),
    persist: (call) => withCredential(call, http.persist),
    read: async (call) => {
      const answer = await withCredential(call, http.persist);
      if (!isSuccess(answer)) throw explain(call, answer);
      const json = answerJson(answer);
      if (json === undefined) throw unreadable(call.url, answer);
      return json;
    },
    until: (other) => openSession(environment, credential, explain, other),
  };
}
