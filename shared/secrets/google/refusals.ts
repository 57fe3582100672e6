import { SubmitError } from '../../errors.ts';
import type { GoogleTrust } from '../../google/trust.ts';
import { type Answer, answerJson, unreadable } from '../../http/http.ts';
import { type JsonObject, listAt, objectAt, textAt } from '../../json.ts';
import { GUIDE } from '../secret-source.ts';
import type { GoogleReference } from './reference.ts';

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
