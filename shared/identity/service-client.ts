import type { SubmitError } from '../errors.ts';
import { type Answer, type Attempt, answerJson, type Http, type HttpCall, unreadable } from '../http/http.ts';
import type { Json } from '../json.ts';
import type { CredentialSource } from './credential.ts';

/** Requests to one service under one identity. */
export interface ServiceClient {
  /**
   * Reads: repeated until a definite answer comes.
   * @throws SubmitError what the service's refusal means, or that it cannot be used.
   */
  read(call: HttpCall, signal: AbortSignal): Promise<Json>;
  /**
   * Repeated until a definite answer comes, whatever it is: for requests that may be repeated.
   * @throws SubmitError when the service cannot be used.
   */
  persist(call: HttpCall, signal: AbortSignal): Promise<Answer>;
  /** One attempt at a request that must not be repeated blindly. A credential refused before its time is renewed once. */
  attempt(call: HttpCall, signal: AbortSignal): Promise<Attempt>;
}

/** Binds requests to a credential, and refusals to what they mean. */
export function createServiceClient(
  http: Http,
  credential: CredentialSource,
  explain: (call: HttpCall, answer: Answer) => SubmitError,
): ServiceClient {
  const withCredential = async <T extends Attempt>(
    call: HttpCall,
    signal: AbortSignal,
    send: (call: HttpCall, signal: AbortSignal) => Promise<T>,
  ): Promise<T> => {
    const first = await send({ ...call, secretHeaders: (await credential.get(signal)).headers }, signal);
    if (first.kind !== 'answer' || !(first.status === 401 || credential.isRefusal?.(first) === true)) return first;
    // It means that nothing was done, so the request may be sent again under a new credential.
    credential.renew(first);
    return send({ ...call, secretHeaders: (await credential.get(signal)).headers }, signal);
  };
  return {
    attempt: (call, signal) => withCredential(call, signal, http.once),
    persist: (call, signal) => withCredential(call, signal, http.persist),
    read: async (call, signal) => {
      const answer = await withCredential(call, signal, http.persist);
      if (answer.status < 200 || answer.status >= 300) throw explain(call, answer);
      const json = answerJson(answer);
      if (json === undefined) throw unreadable(call.url, answer);
      return json;
    },
  };
}
