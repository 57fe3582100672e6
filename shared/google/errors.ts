import { type ErrorCode, SubmitError } from '../errors.ts';
import { type Answer, answerJson, type HttpCall, unreadable } from '../http/http.ts';
import { type Json, type JsonObject, listAt, objectAt, textAt } from '../json.ts';
import { plainLine } from '../remote-text.ts';

/** Who asks for what where, for explanations. */
export interface Asker {
  readonly identity: string;
  readonly project: string;
  readonly region: string;
}

/** The reason stands at the beginning of a message. */
const LONGEST_WORDS = 4_000;

const GUIDE = 'docs/vertex-ai.md';

/**
 * What a refusal of a Google API means, from its status and details.
 * https://cloud.google.com/apis/design/errors
 */
export function explainGoogle(asker: Asker, call: HttpCall, answer: Answer): SubmitError {
  const error = objectAt(answerJson(answer), 'error');
  const words = textAt(error, 'message');
  if (words === undefined) return unreadable(call.url, answer);
  const { host } = new URL(call.url);
  const where = `project ${asker.project}, region ${asker.region}`;
  const reject = (
    code: ErrorCode,
    happened: string,
    expected: readonly string[],
    remedy: readonly string[],
  ): SubmitError =>
    new SubmitError(code, {
      happened,
      presented: [`identity ${asker.identity}`, where],
      expected,
      words: [words, ...fieldViolations(error)].join('\n'),
      remedy,
      link: GUIDE,
    });

  if (answer.status === 401) {
    return reject(
      'credential-rejected',
      `${host} does not accept the exchanged credential`,
      ['a credential that is valid there'],
      ['Check «universe-domain», and that direct access (no «service-account») is supported by this API.'],
    );
  }
  if (answer.status === 403) {
    const { reason, permission, service } = errorInfo(error);
    if (reason === 'SERVICE_DISABLED') {
      return reject(
        'permission-denied',
        `The API ${service ?? host} is not enabled in the project`,
        ['an enabled API'],
        [`gcloud services enable ${service ?? 'aiplatform.googleapis.com'} --project=${asker.project}`],
      );
    }
    return reject(
      'permission-denied',
      `The identity lacks ${permission === undefined ? 'a permission' : `the permission ${permission}`} in project ${asker.project}`,
      [`${permission ?? 'the permission'}, as in roles/aiplatform.user`],
      [
        'Grant the role (a new grant takes a few minutes to be known):',
        `gcloud projects add-iam-policy-binding ${asker.project} --role=roles/aiplatform.user --member=${member(asker)}`,
      ],
    );
  }
  const actAs = /permission to act as service_account: ?([\w.+-]{1,200}@[\w-]{1,100}(?:\.[\w-]{1,100}){0,10})/.exec(
    words.slice(0, LONGEST_WORDS),
  );
  if (actAs !== null) {
    const account = plainLine(actAs[1] ?? '', 120);
    return reject(
      'act-as-denied',
      `The identity may not run jobs as ${account}`,
      [`roles/iam.serviceAccountUser on ${account}`],
      [
        `gcloud iam service-accounts add-iam-policy-binding ${account} --role=roles/iam.serviceAccountUser --member=${member(asker)}`,
      ],
    );
  }
  if (answer.status === 429 && isGoogleCapacity(answer)) {
    return reject(
      'quota-exceeded',
      `A quota of the project does not allow the job in ${asker.region}`,
      ['quota for the machines and accelerators of the spec'],
      [
        'Ask for more quota, for other machines, or for another region: https://console.cloud.google.com/iam-admin/quotas',
      ],
    );
  }
  if (answer.status === 404) {
    return reject(
      'not-found',
      `${host} does not know what was asked for`,
      ['an existing project, region and job'],
      ['Check «project», «region» and «attach».'],
    );
  }
  return reject(
    'request-rejected',
    `${host} refused the request (${answer.status})`,
    ['a request body as the API describes it'],
    ['Correct the spec: the words above name the field.'],
  );
}

/** Whether a 429 names a quota metric of capacity (GPUs, CPUs): waiting a few seconds does not help then. */
export function isGoogleCapacity(answer: Answer): boolean {
  return answer.status === 429 && /quota metrics exceed|custom_model_training|QuotaFailure/.test(answer.text);
}

/** Who a role is granted to: with direct access the principals of the pool, which the set-up page tells how to name. */
function member({ identity }: Asker): string {
  return identity.includes('@') ? `serviceAccount:${identity}` : 'PRINCIPAL_OF_THE_POOL';
}

function errorInfo(error: JsonObject): { reason?: string; permission?: string; service?: string } {
  const info = listAt(error, 'details').find(
    (detail) => textAt(detail, '@type')?.endsWith('google.rpc.ErrorInfo') === true,
  );
  const metadata = objectAt(info, 'metadata');
  return {
    ...optional('reason', textAt(info, 'reason')),
    ...optional('permission', textAt(metadata, 'permission')),
    ...optional('service', textAt(metadata, 'service')),
  };
}

function optional<K extends string>(key: K, value: string | undefined): { [P in K]?: string } {
  // They are shown within commands to copy.
  return (value === undefined || !/^[\w./-]{1,120}$/.test(value) ? {} : { [key]: value }) as { [P in K]?: string };
}

function fieldViolations(error: JsonObject): readonly string[] {
  return listAt(error, 'details').flatMap((detail: Json) =>
    listAt(detail, 'fieldViolations').map(
      (violation) => `${textAt(violation, 'field') ?? ''}: ${textAt(violation, 'description') ?? ''}`,
    ),
  );
}
