import type { SubmitError } from '../../errors.ts';
import { type Answer, answerJson, unreadable } from '../../http/http.ts';
import { OR_ANOTHER_AUDIENCE, refusalError, refusals } from '../../http/refusal.ts';
import { likelyAudience } from '../../identity/subject-claims.ts';
import { describeToken, type SubjectToken } from '../../identity/subject-token.ts';
import { objectAt, textAt } from '../../json.ts';
import { tokenFacts } from '../presented-token.ts';
import { GUIDE } from '../secret-source.ts';
import type { AzureReference, AzureTrust } from './trust.ts';

const CREDENTIALS = 'az ad app federated-credential list --id {application}';
const VERSIONS = 'az keyvault secret list-versions --vault-name {vault} --name {name}';

/** https://learn.microsoft.com/entra/identity-platform/reference-error-codes */
export const ENTRA = refusals('Microsoft Entra', GUIDE, 'exchange-rejected', [
  {
    words: /AADSTS700212\b/,
    code: 'exchange-audience',
    happened: "No federated credential of the application has the token's audience",
    remedy: ['Compare it with the existing ones:', CREDENTIALS, ...OR_ANOTHER_AUDIENCE],
  },
  {
    words: /AADSTS70021[13]?\b/,
    code: 'exchange-policy',
    happened: 'No federated credential of application {application} has the issuer and the subject of this token',
    expected: ['one with exactly these, such as', '{federatedCredential}'],
    remedy: ['Compare with the existing ones, letter by letter:', CREDENTIALS],
  },
  { words: /AADSTS700024\b/, code: 'exchange-stale' },
  { words: /AADSTS(?:5001[36]|500137|700027|50027)\b/, code: 'exchange-signature' },
  {
    words: /AADSTS(?:700016|90002|900023)\b/,
    code: 'exchange-policy',
    happened: 'The tenant {tenant} has no application {application}, or does not exist',
    remedy: [
      'Correct «azure-tenant» and «azure-client-id» (the client id of the application, not its object id) by what these print:',
      'az account show --query tenantId',
      'az ad app show --id {application} --query appId',
    ],
  },
  { remedy: ["Compare the token with the application's federated credentials:", CREDENTIALS] },
]);

/** What a refusal of Microsoft Entra means, with the federated credential that would accept this token. */
export function explainEntra(
  trust: AzureTrust,
  subject: SubjectToken,
  url: string,
  answer: Answer,
  howToRequest: readonly string[],
): SubmitError {
  const body = answerJson(answer);
  const error = textAt(body, 'error');
  if (error === undefined) return unreadable(url, answer);
  const { tenant, clientId: application } = trust;
  const words = `${error}: ${textAt(body, 'error_description') ?? ''}`;
  const presented = [...describeToken(subject), `tenant ${tenant}`, `application ${application}`];
  return refusalError(ENTRA, {
    status: answer.status,
    words,
    presented,
    ...tokenFacts(trust, subject, howToRequest),
    tenant,
    application,
    federatedCredential: JSON.stringify(federatedCredential(trust, subject)),
  });
}

function federatedCredential({ audience }: AzureTrust, token: SubjectToken) {
  const { issuer, subject } = token;
  return { name: 'keyless-submit', issuer, subject, audiences: [likelyAudience([audience], token)] };
}

/** https://learn.microsoft.com/azure/key-vault/general/rest-error-codes */
export const KEY_VAULT = refusals('Azure Key Vault', GUIDE, 'secret-unavailable', [
  {
    words: /disabled|expired|not ?yet ?valid/i,
    happened: 'The version of {secret} is disabled, expired or not valid yet',
    remedy: ['Enable it, or name another one:', VERSIONS],
  },
  {
    status: [401],
    happened: 'The vault {vault} does not accept tokens of this tenant',
    remedy: [
      'Correct «azure-tenant», or the vault in «secret-from»; this prints its tenant:',
      'az keyvault show --name {vault} --query properties.tenantId',
    ],
  },
  {
    status: [403],
    words: /firewall|connection|network/i,
    happened: 'The network rules of the vault {vault} reject this machine',
    remedy: ["Allow the CI's addresses, or run the step on a machine inside the network."],
  },
  {
    status: [403],
    happened: 'Application {application} may not read secrets of {vault}',
    expected: [
      'the role Key Vault Secrets User on that one secret (or, in a vault with access policies, the permission get)',
    ],
    remedy: [
      'Grant it (a new grant can take a few minutes):',
      'az role assignment create --assignee {application} --role "Key Vault Secrets User" --scope "$(az keyvault show --name {vault} --query id --output tsv)/secrets/{name}"',
    ],
  },
  {
    status: [404],
    happened: 'The vault {vault} has no secret {name}, or not this version of it',
    remedy: ['Compare with what is there:', VERSIONS],
  },
  {},
]);

/** What a refusal of Key Vault means. */
export function explainAzureSecret(
  { clientId: application }: AzureTrust,
  { vault, name, version }: AzureReference,
  url: string,
  answer: Answer,
): SubmitError {
  const failure = objectAt(answerJson(answer), 'error');
  const code = textAt(failure, 'code');
  if (code === undefined || answer.status === 200) return unreadable(url, answer);
  const inner = textAt(objectAt(failure, 'innererror'), 'code') ?? '';
  const words = `${[code, inner].filter((part) => part !== '').join(' / ')}: ${textAt(failure, 'message') ?? ''}`;
  const presented = [
    `vault ${vault}`,
    `secret ${name}`,
    `version ${version ?? '(the current one)'}`,
    `application ${application}`,
  ];
  return refusalError(KEY_VAULT, {
    status: answer.status,
    words,
    presented,
    vault,
    name,
    secret: `${vault}/${name}`,
    application,
  });
}
