import { type Answer, answerJson, bearer, type HttpCall, unreadable } from '../../http/http.ts';
import { type Credential, type CredentialSource, cachedCredential } from '../../identity/credential.ts';
import type { ExchangeEnvironment } from '../../identity/exchange.ts';
import { lifetimeAt, tokenAt } from '../../identity/token-answer.ts';
import { textAt } from '../../json.ts';
import { Secret } from '../../secret.ts';
import { type BrokerSecret, defineBroker, type Reading } from '../broker.ts';
import { audienceFor, type PresentedToken, presentedToken } from '../presented-token.ts';
import { splitReference } from '../secret-reference.ts';
import { explainAzureSecret, explainEntra } from './refusals.ts';
import type { AzureReference, AzureTrust } from './trust.ts';

const NAME = /^([a-zA-Z][a-zA-Z0-9-]{1,22}[a-zA-Z0-9])\/([a-zA-Z0-9-]{1,127})(?:\/([0-9a-f]{32}))?$/;
const USUAL_AUDIENCE = 'api://AzureADTokenExchange';
const API_VERSION = '7.4';

/** https://learn.microsoft.com/rest/api/keyvault/secrets/get-secret/get-secret */
export const azureKeyVault = defineBroker<AzureReference>({
  word: 'azure',
  form: 'azure:VAULT/NAME[/VERSION][#JSON-KEY]',
  example: 'azure:acme-ci/prefect-api-key',
  needs: ['azure-tenant', 'azure-client-id'],
  takes: [],
  parse: parseAzureReference,
  check: (_references, { subjectTokens, faults }) => {
    const why = subjectTokens.changingSubject();
    if (why !== undefined)
      faults.add(
        'secret-from',
        `azure: cannot be used here. Azure compares the whole subject of the OIDC token, and ${why}`,
      );
  },
  open: ({ values }) => {
    const { 'azure-tenant': tenant, 'azure-client-id': clientId } = values;
    if (tenant === undefined || clientId === undefined) return undefined;
    const trust = { tenant, clientId, audience: audienceFor(values, USUAL_AUDIENCE) };
    const present = presentedToken(values, trust.audience);
    let credential: CredentialSource | undefined;
    const login = (environment: ExchangeEnvironment) => {
      credential ??= entraCredential(trust, present, environment);
      return credential;
    };
    return (reference) => azureSecret(trust, reference, login);
  },
});

function azureSecret(
  trust: AzureTrust,
  reference: AzureReference,
  login: (environment: ExchangeEnvironment) => CredentialSource,
): BrokerSecret {
  const call = getSecretCall(reference);
  return {
    title: `Azure Key Vault ${reference.vault}/${reference.name}`,
    key: reference.key,
    calls: [tokenCall(trust, '[redacted]'), { ...call, secretHeaders: bearer(new Secret('')) }],
    open: async (environment, signal) => {
      const secretHeaders = (await login(environment).get(signal)).headers;
      const answer = await environment.http.persist({ ...call, secretHeaders }, signal);
      const reading = readAzureSecret(answer);
      if (reading === undefined) throw explainAzureSecret(trust, reference, call.url, answer);
      return reading;
    },
  };
}

/** https://learn.microsoft.com/entra/workload-id/workload-identity-federation */
function entraCredential(
  trust: AzureTrust,
  present: PresentedToken,
  environment: ExchangeEnvironment,
): CredentialSource {
  const { clock, conceal, http, log, subjectTokens } = environment;
  const exchange = async (signal: AbortSignal): Promise<Credential> => {
    const subject = await present(environment, signal);
    const call = tokenCall(trust, subject.token.reveal());
    const startedAt = clock.now();
    const answer = await http.persist(call, signal);
    const body = answerJson(answer);
    const token = tokenAt(body, 'access_token');
    if (answer.status !== 200)
      throw explainEntra(
        trust,
        subject,
        call.url,
        answer,
        subjectTokens.howToRequest(trust.audience, 'secret-audience'),
      );
    if (token === undefined) throw unreadable(call.url, answer);
    await conceal([token]);
    const seconds = lifetimeAt(body, 'expires_in') ?? 0;
    log.info(
      `exchanged at ${new URL(call.url).host} for application ${trust.clientId}, valid for ${Math.floor(seconds / 60)} min`,
    );
    return { headers: bearer(token), expiresAt: startedAt + seconds * 1000 };
  };
  // Only CIs that give new tokens at any time have subjects that stay the same.
  return cachedCredential({ exchange, clock, log, subjectEndsAt: () => undefined, ownLifeMs: 0 });
}

/** The reference after `azure:`; undefined for anything that is not one. */
export function parseAzureReference(text: string): AzureReference | undefined {
  const parts = splitReference(text);
  const match = NAME.exec(parts?.place ?? '');
  if (parts === undefined || parts.choice !== undefined || match === null) return undefined;
  const [, vault = '', name = '', version] = match;
  return { vault, name, version, key: parts.key };
}

/** https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow#third-case-access-token-request-with-a-federated-credential */
export function tokenCall({ tenant, clientId }: AzureTrust, assertion: string): HttpCall {
  return {
    method: 'POST',
    url: `https://login.microsoftonline.com/${tenant}/oauth2/v2.0/token`,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({
      client_id: clientId,
      grant_type: 'client_credentials',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: assertion,
      scope: 'https://vault.azure.net/.default',
    }).toString(),
  };
}

/** https://learn.microsoft.com/rest/api/keyvault/secrets/get-secret/get-secret */
export function getSecretCall({ vault, name, version }: AzureReference): HttpCall {
  const path = version === undefined ? name : `${name}/${version}`;
  return {
    method: 'GET',
    url: `https://${vault.toLowerCase()}.vault.azure.net/secrets/${path}?api-version=${API_VERSION}`,
  };
}

/** The secret in an answer; undefined when it has none. */
export function readAzureSecret(answer: Answer): Reading | undefined {
  const body = answerJson(answer);
  const text = textAt(body, 'value');
  if (answer.status !== 200 || text === undefined) return undefined;
  return { text, version: /\/secrets\/[^/]+\/([^/]+)$/.exec(textAt(body, 'id') ?? '')?.[1] };
}
