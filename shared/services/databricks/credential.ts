import { formCall } from '../../http/calls.ts';
import { type Answer, answerJson, type HttpCall, unreadable } from '../../http/http.ts';
import type { CredentialSource } from '../../identity/credential.ts';
import type { ExchangeEnvironment } from '../../identity/exchange.ts';
import { exchangedCredential, readAccessToken } from '../../identity/exchanged-credential.ts';
import { defined, textAt } from '../../json.ts';
import { explainExchange } from './exchange-rejections.ts';
import { type DatabricksTrust, principal } from './trust.ts';

// The exchanged token lives no longer than the token handed in, so a long-lived one is asked for where the CI lets us choose.
const LIFETIME_SECONDS = 3600;

/** The RFC 8693 token exchange. https://docs.databricks.com/aws/en/dev-tools/auth/oauth-federation-exchange */
export function exchangeCall(trust: DatabricksTrust, subjectToken: string): HttpCall {
  const fields = {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: subjectToken,
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    scope: 'all-apis',
    client_id: trust.clientId,
  };
  return formCall(`${trust.origin}/oidc/v1/token`, fields, workspaceHeader(trust));
}

/** What tells a host that serves several workspaces which one is meant. */
export function workspaceHeader({ workspaceId }: DatabricksTrust): Readonly<Record<string, string>> {
  return defined({ 'x-databricks-workspace-id': workspaceId });
}

/** Credentials of a Databricks service principal by workload identity federation. */
export function databricksCredential(trust: DatabricksTrust, environment: ExchangeEnvironment): CredentialSource {
  const { audience, acceptsDefault } = trust;
  return exchangedCredential(
    {
      demand: { audiences: [audience], acceptsDefault, lifetimeSeconds: LIFETIME_SECONDS },
      call: (subjectToken) => exchangeCall(trust, subjectToken),
      read: readAccessToken,
      describe: (life) => `exchanged at ${trust.host} for ${principal(trust)}, ${life}`,
      explain: (subject, answer) => {
        const words = errorWords(answer);
        if (words === undefined) return unreadable(trust.origin, answer);
        return explainExchange(trust, subject, ...words, environment.subjectTokens.howToRequest(audience));
      },
    },
    environment,
  );
}

/** The code and the description of a refusal, which OAuth and the workspace name differently; undefined for none of either. */
function errorWords(answer: Answer): readonly [error: string, description: string] | undefined {
  const body = answerJson(answer);
  if (body === undefined) return undefined;
  return [
    textAt(body, 'error') ?? textAt(body, 'errorCode') ?? `status ${answer.status}`,
    textAt(body, 'error_description') ?? textAt(body, 'errorSummary') ?? textAt(body, 'message') ?? '',
  ];
}
