import { type Answer, answerJson, type HttpCall, unreadable } from '../../http/http.ts';
import type { ExchangeEnvironment } from '../../identity/exchange.ts';

import { textAt } from '../../json.ts';
import { Secret } from '../../secret.ts';
import { type BrokerSecret, defineBroker, type Reading } from '../broker.ts';
import { audienceFor, type PresentedToken, presentedToken } from '../presented-token.ts';
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
} from './sts.ts';

const NAME = /^[\w/+=.@-]{1,512}$/;
const ARN = /^arn:aws(?:-cn|-us-gov)?:secretsmanager:([a-z0-9-]+):\d{12}:secret:[\w/+=.@-]{1,512}$/;
const USUAL_AUDIENCE = 'sts.amazonaws.com';
/** Keys that are about to end are replaced. */
const MARGIN_MS = 60_000;

/** https://docs.aws.amazon.com/secretsmanager/latest/userguide/retrieving-secrets.html */
export const awsSecretsManager = defineBroker<AwsReference>({
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
  open: ({ values, context }) => {
    const role = values['aws-role'];
    if (role === undefined) return undefined;
    const audience = audienceFor(values, USUAL_AUDIENCE);
    const present = presentedToken(values, audience);
    const logins = new Map<string, Login>();
    return (reference) => {
      const region = reference.region ?? values['aws-region'] ?? '';
      const trust: AwsTrust = { role, region, audience, sessionName: sessionName(context) };
      const login = logins.get(region) ?? loginOnce(trust, present);
      logins.set(region, login);
      return awsSecret(trust, reference, login);
    };
  },
});

type Login = (environment: ExchangeEnvironment, signal: AbortSignal) => Promise<AwsKeys>;

/** Takes on the role, and again when its keys are about to end. */
function loginOnce(trust: AwsTrust, present: PresentedToken): Login {
  let kept: AwsKeys | undefined;
  return async (environment, signal) => {
    const { clock, conceal, http, log, subjectTokens } = environment;
    if (kept !== undefined && clock.now() < kept.expiresAt - MARGIN_MS) return kept;
    const subject = await present(environment, signal);
    const call = assumeRoleCall(trust, subject.token.reveal());
    const startedAt = clock.now();
    let answer = await http.persist(call, signal);
    let body = await stsAnswer(answer);
    if (answer.status === 200 && body === undefined) {
      // Of an answer in XML nobody else notices that it was cut on its way.
      answer = await http.persist(call, signal);
      body = await stsAnswer(answer);
    }
    const keys = answer.status === 200 ? readAwsKeys(body, startedAt) : undefined;
    if (keys === undefined) {
      const howToRequest = subjectTokens.howToRequest(trust.audience, 'secret-audience');
      throw explainAssumeRole(trust, subject, answer, body, howToRequest);
    }
    await conceal([keys.secretAccessKey, keys.sessionToken, keys.accessKeyId]);
    const minutes = Math.floor((keys.expiresAt - startedAt) / 60_000);
    log.info(
      `exchanged at ${awsHost('sts', trust.region)} for ${trust.role}, session ${trust.sessionName}, valid for ${minutes} min`,
    );
    kept = keys;
    return keys;
  };
}

function awsSecret(trust: AwsTrust, reference: AwsReference, login: Login): BrokerSecret {
  const { region } = trust;
  const call = getSecretCall(region, reference);
  return {
    title: `AWS Secrets Manager ${reference.id} in ${region}`,
    key: reference.key,
    calls: [
      assumeRoleCall(trust, '[redacted]'),
      { ...call, secretHeaders: { authorization: new Secret(''), 'x-amz-security-token': new Secret('') } },
    ],
    open: async (environment, signal) => {
      const { clock, http } = environment;
      // The library is read while the role is taken on.
      const loading = import('./signature.ts');
      const keys = await login(environment, signal);
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
export function readAwsSecret(url: string, answer: Answer): Reading {
  const body = answerJson(answer);
  const text = textAt(body, 'SecretString');
  const bytes = textAt(body, 'SecretBinary');
  const version = textAt(body, 'VersionId');
  if (text !== undefined) return { text, version };
  if (bytes === undefined) throw unreadable(url, answer);
  return { text: new TextDecoder().decode(Buffer.from(bytes, 'base64')), version };
}
