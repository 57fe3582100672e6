import { SubmitError } from '../../errors.ts';
import { googleCredential } from '../../google/credential.ts';
import { type GoogleTrust, loginCalls } from '../../google/trust.ts';
import { jsonCall } from '../../http/calls.ts';
import { type Answer, answerJson, bearer, type HttpCall, unreadable } from '../../http/http.ts';
import { objectAt, textAt } from '../../json.ts';
import { PLACEHOLDER } from '../../secret.ts';
import { defineBroker, madeOnce, type Reading } from '../broker.ts';
import { secretGoogleTrust } from '../broker-settings.ts';
import { splitReference } from '../secret-reference.ts';
import { GUIDE } from '../secret-source.ts';
import { crc32c } from './crc32c.ts';
import type { GoogleReference } from './reference.ts';
import { explainGoogleSecret } from './refusals.ts';

const NAME =
  /^(projects\/(?:[a-z0-9.-]+:)?[a-z0-9-]{4,30}\/(?:locations\/([a-z0-9-]+)\/)?secrets\/[\w-]{1,255})(?:\/versions\/([\w-]{1,63}))?$/;

/** https://cloud.google.com/secret-manager/docs/access-secret-version */
export const googleSecretManager = defineBroker({
  word: 'google',
  form: 'google:projects/PROJECT[/locations/LOCATION]/secrets/SECRET[/versions/VERSION][#JSON-KEY]',
  example: 'google:projects/acme-ml/secrets/prefect-ci/versions/7',
  needs: ['workload-identity-provider'],
  takes: ['service-account'],
  parse: parseGoogleReference,
  open: (values) => {
    const trust = secretGoogleTrust(values['workload-identity-provider'], values);
    const login = madeOnce((environment) => googleCredential(trust, environment));
    return (reference) => {
      const call = accessCall(reference, trust);
      return {
        title: `Google Secret Manager ${reference.secret}`,
        key: reference.key,
        calls: [...loginCalls(trust), { ...call, secretHeaders: bearer(PLACEHOLDER) }],
        open: async (environment, signal) => {
          const { headers, subject } = await login(environment).get(signal);
          const answer = await environment.http.persist({ ...call, secretHeaders: headers }, signal);
          if (answer.status !== 200) throw explainGoogleSecret(reference, trust, subject, call.url, answer);
          return readGoogleSecret(reference, call.url, answer);
        },
      };
    };
  },
});

/** The reference after `google:`; undefined for anything that is not one. */
export function parseGoogleReference(text: string): GoogleReference | undefined {
  const parts = splitReference(text);
  const match = NAME.exec(parts?.place ?? '');
  if (parts === undefined || parts.choice !== undefined || match === null) return undefined;
  const [, secret = '', location, version = 'latest'] = match;
  return { secret, location, version, key: parts.key };
}

/** https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets.versions/access */
function accessCall({ secret, location, version }: GoogleReference, { universeDomain }: GoogleTrust): HttpCall {
  const host = location === undefined ? 'secretmanager' : `secretmanager.${location}.rep`;
  return jsonCall('GET', `https://${host}.${universeDomain}/v1/${secret}/versions/${version}:access`);
}

/**
 * The payload of an answer, checked against its checksum.
 * @throws SubmitError `secret-unavailable`, `unreadable-answer`.
 */
export function readGoogleSecret({ secret }: GoogleReference, url: string, answer: Answer): Reading {
  const body = answerJson(answer);
  const payload = objectAt(body, 'payload');
  const data = textAt(payload, 'data');
  if (data === undefined) throw unreadable(url, answer);
  const bytes = Buffer.from(data, 'base64');
  const checksum = textAt(payload, 'dataCrc32c');
  if (checksum !== undefined && checksum !== String(crc32c(bytes))) {
    throw new SubmitError('secret-unavailable', {
      happened: `Google Secret Manager ${secret} arrived damaged: its checksum is another one`,
      presented: [`${bytes.length} bytes`],
      expected: ['data whose CRC-32C is the one that came with it'],
      remedy: ['Start the step again; if it stays so, look at what stands between this machine and Google.'],
      link: GUIDE,
    });
  }
  return { text: new TextDecoder().decode(bytes), version: textAt(body, 'name')?.split('/').at(-1) };
}
