import { formCall, jsonCall } from '../../http/calls.ts';
import { type Answer, answerJson, bearer, type HttpCall } from '../../http/http.ts';
import type { CredentialSource } from '../../identity/credential.ts';
import type { ExchangeEnvironment } from '../../identity/exchange.ts';
import { exchangedCredential, readAccessToken } from '../../identity/exchanged-credential.ts';
import { textAt } from '../../json.ts';
import { PLACEHOLDER } from '../../secret.ts';
import { defineBroker, madeOnce, type Reading } from '../broker.ts';
import { audienceFor } from '../presented-token.ts';
import { splitReference } from '../secret-reference.ts';
import { explainAzureSecret, explainEntra } from './refusals.ts';
import type { AzureReference, AzureTrust } from './trust.ts';

const NAME = /^([a-zA-Z][a-zA-Z0-9-]{1,22}[a-zA-Z0-9])\/([a-zA-Z0-9-]{1,127})(?:\/([0-9a-f]{32}))?$/;
const USUAL_AUDIENCE = 'api://AzureADTokenExchange';
const ENTRA_HOST = 'login.microsoftonline.com';
const API_VERSION = '7.4';

/** https://learn.microsoft.com/rest/api/keyvault/secrets/get-secret/get-secret */
export const azureKeyVault = defineBroker({
  word: 'azure',
  form: 'azure:VAULT/NAME[/VERSION][#JSON-KEY]',
  example: 'azure:acme-ci/prefect-api-key',
  needs: ['azure-tenant', 'azure-client-id'],
  parse: parseAzureReference,
  check: (_references, { subjectTokens, faults }) => {
    const why = subjectTokens.changingSubject();
    if (why !== undefined)
      faults.add(
        'secret-from',
        `azure: cannot be used here. Azure compares the whole subject of the OIDC token, and ${why}`,
      );
  },
  open: (values) => {
    const { 'azure-tenant': tenant, 'azure-client-id': clientId } = values;
    const trust = { tenant, clientId, ...audienceFor(values, USUAL_AUDIENCE) };
    const login = madeOnce((environment) => entraCredential(trust, environment));
    return (reference) => {
      const call = getSecretCall(reference);
      return {
        title: `Azure Key Vault ${reference.vault}/${reference.name}`,
        key: reference.key,
        calls: [tokenCall(trust, PLACEHOLDER.reveal()), { ...call, secretHeaders: bearer(PLACEHOLDER) }],
        open: async (environment, signal) => {
          const secretHeaders = (await login(environment).get(signal)).headers;
          const answer = await environment.http.persist({ ...call, secretHeaders }, signal);
          const reading = readAzureSecret(answer);
          if (reading === undefined) throw explainAzureSecret(trust, reference, call.url, answer);
          return reading;
        },
      };
    };
  },
});

/** https://learn.microsoft.com/entra/workload-id/workload-identity-federation */
function entraCredential(trust: AzureTrust, environment: ExchangeEnvironment): CredentialSource {
  const { audience, acceptsDefault } = trust;
  const howToRequest = () => environment.subjectTokens.howToRequest(audience, 'secret-audience');
  return exchangedCredential(
    {
      demand: { audiences: [audience], acceptsDefault },
      call: (subjectToken) => tokenCall(trust, subjectToken),
      read: readAccessToken,
      describe: (life) => `exchanged at ${ENTRA_HOST} for application ${trust.clientId}, ${life}`,
      explain: (subject, answer) => explainEntra(trust, subject, `https://${ENTRA_HOST}/`, answer, howToRequest()),
    },
    environment,
  );
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
function tokenCall({ tenant, clientId }: AzureTrust, assertion: string): HttpCall {
  return formCall(`https://${ENTRA_HOST}/${tenant}/oauth2/v2.0/token`, {
    client_id: clientId,
    grant_type: 'client_credentials',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
    scope: 'https://vault.azure.net/.default',
  });
}

/** https://learn.microsoft.com/rest/api/keyvault/secrets/get-secret/get-secret */
function getSecretCall({ vault, name, version }: AzureReference): HttpCall {
  const path = version === undefined ? name : `${name}/${version}`;
  return jsonCall('GET', `https://${vault.toLowerCase()}.vault.azure.net/secrets/${path}?api-version=${API_VERSION}`);
}

/** The secret in an answer; undefined when it has none. */
function readAzureSecret(answer: Answer): Reading | undefined {
  const body = answerJson(answer);
  const text = textAt(body, 'value');
  if (answer.status !== 200 || text === undefined) return undefined;
  return { text, version: /\/secrets\/[^/]+\/([^/]+)$/.exec(textAt(body, 'id') ?? '')?.[1] };
}
