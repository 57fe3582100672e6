import { randomUUID } from 'node:crypto';
import type { SubmitError } from '../../errors.ts';
import { jsonCall } from '../../http/calls.ts';
import { type Answer, answerJson, type HttpCall, unreadable } from '../../http/http.ts';
import { urlPart } from '../../http/url-part.ts';
import { type Credential, type CredentialSource, cachedCredential } from '../../identity/credential.ts';
import type { ExchangeEnvironment } from '../../identity/exchange.ts';
import { tokenAt } from '../../identity/token-answer.ts';
import { textAt } from '../../json.ts';
import { Secret } from '../../secret.ts';

/** https://docs.prefect.io/v3/advanced/security-settings#cross-site-request-forgery-csrf */
export function csrfCall(base: string, client: string): HttpCall {
  return jsonCall('GET', `${base}/csrf-token?client=${urlPart(client)}`);
}

/**
 * The token against forged requests that a server of one's own may want with everything that changes something. It is asked
 * for with the headers of `caller`, so that asking tells at once whether these are accepted.
 */
export function csrfCredential(
  base: string,
  caller: CredentialSource,
  { clock, conceal, http, log }: ExchangeEnvironment,
  explain: (call: HttpCall, answer: Answer) => SubmitError,
): CredentialSource {
  const client = randomUUID();
  const exchange = async (signal: AbortSignal): Promise<Credential> => {
    const call = csrfCall(base, client);
    const answer = await http.persist({ ...call, secretHeaders: (await caller.get(signal)).headers }, signal);
    const body = answerJson(answer);
    // Switched off, or a server from before there was such a thing.
    if (body !== undefined && (answer.status === 422 || answer.status === 404))
      return { headers: {}, expiresAt: Number.POSITIVE_INFINITY };
    const value = tokenAt(body, 'token');
    if (answer.status !== 200) throw explain(call, answer);
    if (value === undefined) throw unreadable(call.url, answer);
    await conceal([value]);
    const expiresAt = Date.parse(textAt(body, 'expiration') ?? '');
    return {
      headers: { 'prefect-csrf-token': value, 'prefect-csrf-client': new Secret(client) },
      expiresAt: Number.isNaN(expiresAt) ? clock.now() + DEFAULT_LIFE_MS : expiresAt,
    };
  };
  return {
    ...cachedCredential({ exchange, clock, log }),
    isRefusal: isCsrfRefusal,
  };
}

/** What the server's tokens live by default. */
const DEFAULT_LIFE_MS = 3_600_000;

/** Whether a request was refused for its token against forgery only. */
export function isCsrfRefusal(answer: Answer): boolean {
  return (
    answer.status === 403 &&
    /CSRF token|client identifier/i.test(textAt(answerJson(answer), 'detail')?.slice(0, 200) ?? '')
  );
}
