import { SubmitError } from '../../errors.ts';
import { googleCredential } from '../../google/credential.ts';
import { type GoogleTrust, loginCalls } from '../../google/trust.ts';
import { type Answer, answerJson, bearer, type HttpCall, unreadable } from '../../http/http.ts';
import type { CredentialSource } from '../../identity/credential.ts';
import { type JsonObject, listAt, objectAt, textAt } from '../../json.ts';
import { Secret } from '../../secret.ts';
import { defineBroker, type Reading } from '../broker.ts';
import { secretGoogleTrust } from '../broker-settings.ts';
import { splitReference } from '../secret-reference.ts';
import { GUIDE } from '../secret-source.ts';
import { crc32c } from './crc32c.ts';

/** `projects/P/secrets/S` or `projects/P/locations/L/secrets/S`, with the version that is meant. */
export interface GoogleReference {
  readonly secret: string;
  readonly location: string | undefined;
  readonly version: string;
  readonly key: string | undefined;
}

const NAME =
  /^(projects\/(?:[a-z0-9.-]+:)?[a-z0-9-]{4,30}\/(?:locations\/([a-z0-9-]+)\/)?secrets\/[\w-]{1,255})(?:\/versions\/([\w-]{1,63}))?$/;

/** https://cloud.google.com/secret-manager/docs/access-secret-version */
export const googleSecretManager = defineBroker<GoogleReference>({
  word: 'google',
  form: 'google:projects/PROJECT[/locations/LOCATION]/secrets/SECRET[/versions/VERSION][#JSON-KEY]',
  example: 'google:projects/acme-ml/secrets/prefect-ci/versions/7',
  needs: ['workload-identity-provider'],
  takes: ['service-account'],
  parse: parseGoogleReference,
  check: () => undefined,
  open: ({ values }) => {
    const trust = secretGoogleTrust(values);
    if (trust === undefined) return undefined;
    let credential: CredentialSource | undefined;
    return (reference) => {
      const call = accessCall(reference, trust);
      return {
        title: `Google Secret Manager ${reference.secret}`,
        key: reference.key,
        calls: [...loginCalls(trust), { ...call, secretHeaders: bearer(new Secret('')) }],
        open: async (environment, signal) => {
          credential ??= googleCredential(trust, environment);
          const secretHeaders = (await credential.get(signal)).headers;
          const answer = await environment.http.persist({ ...call, secretHeaders }, signal);
          if (answer.status !== 200) throw explainGoogleSecret(reference, trust, call.url, answer);
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
export function accessCall({ secret, location, version }: GoogleReference, { universeDomain }: GoogleTrust): HttpCall {
  const host = location === undefined ? 'secretmanager' : `secretmanager.${location}.rep`;
  return { method: 'GET', url: `https://${host}.${universeDomain}/v1/${secret}/versions/${version}:access` };
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

/** What a refusal of Secret Manager means. https://cloud.google.com/secret-manager/docs/access-control */
export function explainGoogleSecret(
  { secret, version, location }: GoogleReference,
  trust: GoogleTrust,
  url: string,
  answer: Answer,
): SubmitError {
  const failure = objectAt(answerJson(answer), 'error');
  const words = textAt(failure, 'message');
  if (words === undefined) return unreadable(url, answer);
  const status = textAt(failure, 'status') ?? '';
  const identity = trust.serviceAccount ?? `the federated identity of ${trust.provider}`;
  const presented = [`secret ${secret}`, `version ${version}`, `identity ${identity}`];
  const [, project = '', name = ''] = /^projects\/([^/]+)\/.*secrets\/([^/]+)$/.exec(secret) ?? [];
  const flags = `${name} --project=${project}${location === undefined ? '' : ` --location=${location}`}`;
  const refused = (happened: string, expected: readonly string[], remedy: readonly string[]) =>
    new SubmitError('secret-unavailable', { happened, presented, expected, words, remedy, link: GUIDE });

  if (answer.status === 401) {
    return refused(
      'Google Secret Manager does not accept the exchanged credential',
      ['a token of a federated identity or service account that is still valid'],
      trust.serviceAccount === undefined
        ? ['Set «service-account» to act as an account that may read the secret.']
        : ['Start the step again; check that the account is not disabled.'],
    );
  }
  if (answer.status === 403 && reasons(failure).includes('SERVICE_DISABLED')) {
    return refused(
      `The Secret Manager API is not enabled in ${project}`,
      ['secretmanager.googleapis.com enabled there'],
      [`Enable it: gcloud services enable secretmanager.googleapis.com --project=${project}`],
    );
  }
  if (answer.status === 403) {
    return refused(
      `${identity} may not read ${secret}, or there is no such secret`,
      [
        'the permission secretmanager.versions.access, such as by roles/secretmanager.secretAccessor on this one secret',
      ],
      [
        'Check the name in «secret-from». If that is the one, grant it (a new grant takes a few minutes to be known):',
        `gcloud secrets add-iam-policy-binding ${flags} --role=roles/secretmanager.secretAccessor --member="${member(trust)}"`,
      ],
    );
  }
  if (answer.status === 404) {
    return refused(
      `Google Secret Manager has no ${secret} with a version ${version}`,
      [
        location === undefined
          ? 'a secret that is not kept in one location only (those are named with locations/LOCATION)'
          : `a secret in the location ${location}`,
        'a version that was added',
      ],
      ['Compare with what is there:', `gcloud secrets versions list ${flags}`],
    );
  }
  if (status === 'FAILED_PRECONDITION') {
    return refused(
      `Version ${version} of ${secret} is disabled or destroyed`,
      ['an enabled version'],
      ['Enable it, or name another one:', `gcloud secrets versions list ${flags}`],
    );
  }
  return refused(
    `Google Secret Manager refused to give ${secret} (${answer.status})`,
    [],
    ['Check the reference in «secret-from».'],
  );
}

function reasons(failure: JsonObject): readonly string[] {
  return listAt(failure, 'details').flatMap((detail) => textAt(detail, 'reason') ?? []);
}

function member({ provider, serviceAccount }: GoogleTrust): string {
  if (serviceAccount !== undefined) return `serviceAccount:${serviceAccount}`;
  const pool = provider.slice(0, provider.indexOf('/providers/'));
  return `principalSet://iam.googleapis.com/${pool}/attribute.ATTRIBUTE/VALUE`;
}
