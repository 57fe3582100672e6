import { formCall } from '../../http/calls.ts';
import { answerJson, type HttpCall, isSuccess, unreadable } from '../../http/http.ts';
import type { CredentialSource } from '../../identity/credential.ts';
import type { ExchangeEnvironment } from '../../identity/exchange.ts';
import { exchangedCredential, readAccessToken } from '../../identity/exchanged-credential.ts';
import { isObject, objectAt, tryParseJson } from '../../json.ts';
import { plainLine } from '../../remote-text.ts';
import type { Secret } from '../../secret.ts';
import { explainVercelRejection } from './exchange-rejections.ts';
import type { VercelTrust } from './trust.ts';

/** The service's own command line tool, whose policies allow deployments. */
export const VERCEL_CLI_CLIENT = 'cl_HYyOPBNtFMfHhaUn9L4QPfTZz6TP47bp';
const TOKEN_ENDPOINT = 'https://api.vercel.com/login/oauth/token';

// A token is shown once and exchanged at once; each exchange gets a new one where the CI gives new ones.
const LIFETIME_SECONDS = 300;

/** The RFC 8693 token exchange under an OIDC federation policy. https://vercel.com/docs/oidc */
export function vercelExchangeCall(trust: VercelTrust, subjectToken: string): HttpCall {
  return formCall(TOKEN_ENDPOINT, {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    client_id: trust.clientId,
    subject_token: subjectToken,
    subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
    requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    team_id_or_slug: trust.team,
    policy_id: trust.policyId,
  });
}

/** Ends a token before its time (RFC 7009). */
function revocationCall({ clientId }: VercelTrust, token: string): HttpCall {
  return formCall(`${TOKEN_ENDPOINT}/revoke`, { client_id: clientId, token, token_type_hint: 'access_token' });
}

/** Credentials of a team's OIDC federation policy: short-lived, and revoked when the step ends. */
export function vercelCredential(trust: VercelTrust, environment: ExchangeEnvironment): CredentialSource {
  const { clock, http, log, subjectTokens } = environment;
  const { audience, acceptsDefault } = trust;
  /** The tokens that were not revoked; `endsAt` in ms, infinite where the service did not say. */
  let live: readonly { readonly token: Secret; readonly endsAt: number }[] = [];

  const credential = exchangedCredential(
    {
      demand: { audiences: [audience], acceptsDefault, lifetimeSeconds: LIFETIME_SECONDS },
      call: (subjectToken) => vercelExchangeCall(trust, subjectToken),
      read: readAccessToken,
      describe: (life) => `exchanged at api.vercel.com for team ${trust.team}, ${life}`,
      explain: (subject, answer) =>
        isObject(answerJson(answer))
          ? explainVercelRejection(trust, subject, answer, subjectTokens.howToRequest(audience))
          : unreadable(TOKEN_ENDPOINT, answer),
      issued: (given) => {
        const endsAt = given.expiresAt ?? Number.POSITIVE_INFINITY;
        live = [...live.filter((each) => each.endsAt > clock.now()), { token: given.token, endsAt }];
        return given;
      },
    },
    environment,
  );

  /** What can be ended must not outlive the step; that it could not be is no reason to fail it. */
  const release = async (signal: AbortSignal): Promise<void> => {
    const ending = live.filter(({ endsAt }) => endsAt > clock.now());
    live = [];
    for (const { token } of ending) {
      const result = await http.once(revocationCall(trust, token.reveal()), signal).catch(() => undefined);
      if (result?.kind === 'answer' && isSuccess(result)) continue;
      const why = result?.kind === 'answer' ? `it answered ${result.status}` : (result?.reason ?? 'no time was left');
      log.warning(`The Vercel token of this step could not be revoked (${plainLine(why, 160)}); it ends by itself.`);
    }
  };

  return { ...credential, isRefusal: isRefusedToken, release };
}

/** Whether a 403 is about the token, and not about what it may do. */
export function isRefusedToken({ status, text }: { readonly status: number; readonly text: string }): boolean {
  return status === 403 && text.includes('invalidToken') && objectAt(tryParseJson(text), 'error').invalidToken === true;
}
