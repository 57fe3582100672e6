import { type Answer, answerJson, type HttpCall, unreadable } from '../../http/http.ts';
import type { CredentialSource } from '../../identity/credential.ts';
import type { ExchangeEnvironment } from '../../identity/exchange.ts';
import { exchangedCredential, type Held } from '../../identity/exchanged-credential.ts';
import { textAt } from '../../json.ts';
import { PLACEHOLDER } from '../../secret.ts';
import { type BrokerSecret, defineBroker, madeOnce, type Reading } from '../broker.ts';
import { audienceFor } from '../presented-token.ts';
import { splitReference } from '../secret-reference.ts';
import type { AwsReference } from './reference.ts';
import { explainAssumeRole, explainAwsSecret } from './refusals.ts';
import {
  type AwsKeys,
  type AwsTrust,
  assumeRoleCall,
  awsHost,
  isThrottled,
  readAwsKeys,
  sessionName,
  stsAnswer,
  unreadableSts,
} from './sts.ts';

const NAME = /^[\w/+=.@-]{1,512}$/;
const ARN = /^arn:aws(?:-cn|-us-gov)?:secretsmanager:([a-z0-9-]+):\d{12}:secret:[\w/+=.@-]{1,512}$/;
const USUAL_AUDIENCE = 'sts.amazonaws.com';

/** https://docs.aws.amazon.com/secretsmanager/latest/userguide/retrieving-secrets.html */
export const awsSecretsManager = defineBroker({
  word: 'aws',
  form: 'aws:NAME-OR-ARN[?version=ID|?stage=STAGE][#JSON-KEY]',
  example: 'aws:ci/prefect#api-key',
  needs: ['aws-role'],
  takes: ['aws-region'],
  parse: parseAwsReference,
  check: (references, { values, faults }) => {
    if (values['aws-region'] === undefined && references.some(({ region }) => region === undefined))
      faults.add('aws-region', 'is needed for a secret that is not given by its full ARN');
  },
  open: (values, context) => {
    const session = { role: values['aws-role'], sessionName: sessionName(context) };
    const logins = new Map<string, Login>();
    return (reference) => {
      const region = reference.region ?? values['aws-region'] ?? '';
      const trust: AwsTrust = { ...session, region, ...audienceFor(values, USUAL_AUDIENCE) };
      const login = logins.get(region) ?? madeOnce((environment) => roleCredential(trust, environment));
      logins.set(region, login);
      return awsSecret(trust, reference, login);
    };
  },
});

type Login = (environment: ExchangeEnvironment) => CredentialSource<Held<AwsKeys>>;

/** The keys of a role that is taken on. */
function roleCredential(trust: AwsTrust, environment: ExchangeEnvironment): ReturnType<Login> {
  const { audience, acceptsDefault, role } = trust;
  const host = awsHost('sts', trust.region);
  const { http, subjectTokens } = environment;
  return exchangedCredential(
    {
      demand: { audiences: [audience], acceptsDefault },
      call: (subjectToken) => assumeRoleCall(trust, subjectToken),
      send: async (call, _subject, signal) => {
        const answer = await http.persist(call, signal);
        // Of an answer in XML nobody else notices that it was cut on its way.
        const isCut = answer.status === 200 && (await stsAnswer(answer)) === undefined;
        return isCut ? http.persist(call, signal) : answer;
      },
      read: async (answer) => {
        const keys = readAwsKeys(await stsAnswer(answer));
        if (keys === undefined) throw unreadableSts(`https://${host}/`, answer);
        return keys;
      },
      describe: (life) => `exchanged at ${host} for ${role}, session ${trust.sessionName}, ${life}`,
      explain: async (subject, answer) => {
        const howToRequest = subjectTokens.howToRequest(audience, 'secret-audience');
        return explainAssumeRole(trust, subject, answer, await stsAnswer(answer), howToRequest);
      },
    },
    environment,
  );
}

function awsSecret(trust: AwsTrust, reference: AwsReference, login: Login): BrokerSecret {
  const { region } = trust;
  const call = getSecretCall(region, reference);
  return {
    title: `AWS Secrets Manager ${reference.id} in ${region}`,
    key: reference.key,
    calls: [
      assumeRoleCall(trust, PLACEHOLDER.reveal()),
      { ...call, secretHeaders: { authorization: PLACEHOLDER, 'x-amz-security-token': PLACEHOLDER } },
    ],
    open: async (environment, signal) => {
      const { clock, http } = environment;
      // The library is read while the role is taken on.
      const loading = import('./signature.ts');
      const keys = await login(environment).get(signal);
      const { signed } = await loading;
      const answer = await http.persist(
        await signed(call, { service: 'secretsmanager', region }, keys, clock.now()),
        signal,
      );
      if (answer.status !== 200) throw explainAwsSecret(trust, reference, call.url, answer);
      return readAwsSecret(call.url, answer);
    },
  };
}

/** The reference after `aws:`; undefined for anything that is not one. */
export function parseAwsReference(text: string): AwsReference | undefined {
  const parts = splitReference(text);
  if (parts === undefined) return undefined;
  const { place, choice, key } = parts;
  const arn = ARN.exec(place);
  if (arn === null && !NAME.test(place)) return undefined;
  const named = { id: place, region: arn?.[1], key };
  if (choice === undefined) return { ...named, version: undefined };
  if (choice.name === 'version') return { ...named, version: { VersionId: choice.value } };
  return choice.name === 'stage' ? { ...named, version: { VersionStage: choice.value } } : undefined;
}

/** https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html */
export function getSecretCall(region: string, { id, version }: AwsReference): HttpCall & { readonly body: string } {
  return {
    method: 'POST',
    url: `https://${awsHost('secretsmanager', region)}/`,
    isPassing: isThrottled,
    headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'secretsmanager.GetSecretValue' },
    body: JSON.stringify({ SecretId: id, ...version }),
  };
}

/**
 * The text of a secret, also of one that is kept as bytes.
 * @throws SubmitError `unreadable-answer`.
 */
function readAwsSecret(url: string, answer: Answer): Reading {
  const body = answerJson(answer);
  const text = textAt(body, 'SecretString');
  const bytes = textAt(body, 'SecretBinary');
  const version = textAt(body, 'VersionId');
  if (text !== undefined) return { text, version };
  if (bytes === undefined) throw unreadable(url, answer);
  return { text: new TextDecoder().decode(Buffer.from(bytes, 'base64')), version };
}
