import { SubmitError } from '../../errors.ts';
import { type Answer, answerJson, unreadable } from '../../http/http.ts';
import { describeToken, type SubjectToken } from '../../identity/subject-token.ts';
import { objectAt, textAt } from '../../json.ts';
import { plainLine } from '../../remote-text.ts';
import { explainLogin, type LoginRefusal } from '../login-refusal.ts';
import { likelyAudience } from '../presented-token.ts';
import { GUIDE } from '../secret-source.ts';
import type { AzureReference, AzureTrust } from './trust.ts';

const list = ({ clientId }: AzureTrust): string => `az ad app federated-credential list --id ${clientId}`;

// https://learn.microsoft.com/entra/identity-platform/reference-error-codes
const REFUSALS: readonly LoginRefusal<AzureTrust>[] = [
  {
    matches: /AADSTS700212\b/,
    code: 'exchange-audience',
    happened: () => "No federated credential of the application has the token's audience",
    expected: (_trust, subject) => [`a federated credential with the audience ${subject.audiences.join(' or ')}`],
    remedy: (trust, _subject, howToRequest) => [
      'Compare with what is there:',
      list(trust),
      'or have the token made for an audience that is there:',
      ...howToRequest,
    ],
  },
  {
    matches: /AADSTS70021[13]?\b/,
    code: 'exchange-policy',
    happened: ({ clientId }) =>
      `No federated credential of application ${clientId} has the issuer and the subject of this token`,
    expected: (trust, subject) => [
      'one with exactly these, such as',
      plainLine(JSON.stringify(federatedCredential(trust, subject)), 1_000),
    ],
    remedy: (trust) => ['Compare with what is there, letter by letter:', list(trust)],
  },
  {
    matches: /AADSTS700024\b/,
    code: 'exchange-stale',
    happened: () => "Microsoft Entra regards the CI's token as expired or not valid yet",
    expected: () => ['a token whose iat, nbf and exp enclose the present'],
    remedy: () => ['Start the step again for a new token, and check the clock of the machine that it runs on.'],
  },
  {
    matches: /AADSTS(?:5001[36]|500137|700027|50027)\b/,
    code: 'exchange-signature',
    happened: () => 'Microsoft Entra cannot verify the token',
    expected: (_trust, subject) => [`keys of ${subject.issuer}, reachable from Microsoft Entra`],
    remedy: () => ['Start the step again; if it stays so, check the issuer of the federated credential.'],
  },
  {
    matches: /AADSTS(?:700016|90002|900023)\b/,
    code: 'exchange-policy',
    happened: ({ clientId, tenant }) => `The tenant ${tenant} has no application ${clientId}, or is no tenant`,
    expected: () => ["the application's client id (not its object id) and the tenant that it is in"],
    remedy: ({ clientId }) => [
      'Correct «azure-tenant» and «azure-client-id» by what these print:',
      'az account show --query tenantId',
      `az ad app show --id ${clientId} --query appId`,
    ],
  },
];

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
  const words = `${error}: ${textAt(body, 'error_description') ?? ''}`;
  const presented = [...describeToken(subject), `tenant ${trust.tenant}`, `application ${trust.clientId}`];
  const refusal = REFUSALS.find(({ matches }) => matches.test(words));
  if (refusal === undefined) {
    return new SubmitError('exchange-rejected', {
      happened: 'Microsoft Entra refused to exchange the token',
      presented,
      words,
      remedy: ["Compare the token with the application's federated credentials:", list(trust)],
      link: GUIDE,
    });
  }
  return explainLogin(refusal, { trust, subject, presented, words, howToRequest });
}

function federatedCredential({ audience }: AzureTrust, token: SubjectToken) {
  const { issuer, subject } = token;
  return { name: 'keyless-submit', issuer, subject, audiences: [likelyAudience(audience, token)] };
}

/** What a refusal of Key Vault means. https://learn.microsoft.com/azure/key-vault/general/rest-error-codes */
export function explainAzureSecret(
  { clientId }: AzureTrust,
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
    `application ${clientId}`,
  ];
  const refused = (happened: string, expected: readonly string[], remedy: readonly string[]) =>
    new SubmitError('secret-unavailable', { happened, presented, expected, words, remedy, link: GUIDE });
  const versions = `az keyvault secret list-versions --vault-name ${vault} --name ${name}`;
  if (/disabled|expired|not ?yet ?valid/i.test(`${inner} ${words}`)) {
    return refused(
      `The version of ${vault}/${name} is disabled, expired or not valid yet`,
      ['an enabled version within its dates'],
      ['Enable it, or name another one:', versions],
    );
  }
  if (answer.status === 401) {
    return refused(
      `The vault ${vault} does not accept tokens of this tenant`,
      ['a vault in the tenant of the application'],
      [
        'Correct «azure-tenant», or the vault in «secret-from»; this prints its tenant:',
        `az keyvault show --name ${vault} --query properties.tenantId`,
      ],
    );
  }
  if (answer.status === 403 && /firewall|connection|network/i.test(`${inner} ${words}`)) {
    return refused(
      `The network rules of the vault ${vault} do not let this machine in`,
      ['a machine whose address the vault allows'],
      ["Allow the CI's addresses, or run the step on a machine inside the network."],
    );
  }
  if (answer.status === 403) {
    return refused(
      `Application ${clientId} may not read secrets of ${vault}`,
      ['the role Key Vault Secrets User on that one secret (or, in a vault with access policies, the permission get)'],
      [
        'Grant it (a new grant takes a few minutes to be known):',
        `az role assignment create --assignee ${clientId} --role "Key Vault Secrets User" --scope "$(az keyvault show --name ${vault} --query id --output tsv)/secrets/${name}"`,
      ],
    );
  }
  if (answer.status === 404) {
    return refused(
      `The vault ${vault} has no secret ${name}${version === undefined ? '' : ` with the version ${version}`}`,
      ['a secret that was set and not deleted'],
      ['Compare with what is there:', versions],
    );
  }
  return refused(
    `Azure Key Vault refused to give ${vault}/${name} (${answer.status})`,
    [],
    ['Check the reference in «secret-from».'],
  );
}
