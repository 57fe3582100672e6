import type { SubmitError } from '../../errors.ts';
import { errorInfo } from '../../google/errors.ts';
import { poolPrincipals } from '../../google/exchange-rejections.ts';
import type { GoogleTrust } from '../../google/trust.ts';
import { type Answer, answerJson, unreadable } from '../../http/http.ts';
import { refusalError, refusals } from '../../http/refusal.ts';
import type { SubjectToken } from '../../identity/subject-token.ts';
import { objectAt, textAt } from '../../json.ts';
import { GUIDE } from '../secret-source.ts';
import type { GoogleReference } from './reference.ts';

const REJECTED = '{service} does not accept the exchanged credential';
const VERSIONS = 'gcloud secrets versions list {name} {flags}';

/** https://cloud.google.com/secret-manager/docs/access-control */
export const SECRET_MANAGER = refusals('Google Secret Manager', GUIDE, 'secret-unavailable', [
  {
    status: [401],
    if: 'serviceAccount',
    happened: REJECTED,
    remedy: ['Retry the step. If it fails again, check that {serviceAccount} is not disabled.'],
  },
  {
    status: [401],
    happened: REJECTED,
    remedy: ['Set «service-account» to act as an account that may read the secret.'],
  },
  {
    status: [403],
    if: 'isDisabled',
    happened: 'The Secret Manager API is not enabled in {project}',
    remedy: ['Enable it:', 'gcloud services enable secretmanager.googleapis.com --project={project}'],
  },
  {
    status: [403],
    happened: '{identity} may not read {secret}, or there is no such secret',
    expected: [
      'the permission secretmanager.versions.access, such as by roles/secretmanager.secretAccessor on this one secret',
    ],
    remedy: [
      'Check the name in «secret-from». If it is right, grant the role (a new grant can take a few minutes):',
      'gcloud secrets add-iam-policy-binding {name} {flags} --role=roles/secretmanager.secretAccessor --member="{member}"',
    ],
  },
  {
    status: [404],
    happened: '{service} has no {secret} with a version {version}',
    remedy: [
      'Compare with what is there (a secret that is kept in one location has locations/LOCATION in its name):',
      VERSIONS,
    ],
  },
  {
    if: 'isUnusable',
    happened: 'Version {version} of {secret} is disabled or destroyed',
    remedy: ['Enable it, or name another one:', VERSIONS],
  },
  {},
]);

/** What a refusal of Secret Manager means. */
export function explainGoogleSecret(
  { secret, version, location }: GoogleReference,
  trust: GoogleTrust,
  subject: SubjectToken,
  url: string,
  answer: Answer,
): SubmitError {
  const failure = objectAt(answerJson(answer), 'error');
  const words = textAt(failure, 'message');
  if (words === undefined) return unreadable(url, answer);
  const { serviceAccount, provider } = trust;
  const identity = serviceAccount ?? `the federated identity of ${provider}`;
  const presented = [`secret ${secret}`, `version ${version}`, `identity ${identity}`];
  const [, project = '', , name = ''] = /^projects\/([^/]+)\/(locations\/[^/]+\/)?secrets\/([^/]+)$/.exec(secret) ?? [];
  return refusalError(SECRET_MANAGER, {
    status: answer.status,
    words,
    presented,
    serviceAccount,
    identity,
    member: serviceAccount === undefined ? poolPrincipals(trust, subject) : `serviceAccount:${serviceAccount}`,
    secret,
    version,
    project,
    name,
    flags: `--project=${project}${location === undefined ? '' : ` --location=${location}`}`,
    isDisabled: errorInfo(failure).reason === 'SERVICE_DISABLED',
    isUnusable: textAt(failure, 'status') === 'FAILED_PRECONDITION',
  });
}
