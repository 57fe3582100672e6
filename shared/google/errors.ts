import type { SubmitError } from '../errors.ts';
import { type Answer, answerJson, type HttpCall, unreadable } from '../http/http.ts';
import { refusalError, refusals } from '../http/refusal.ts';
import { type Json, type JsonObject, listAt, objectAt, textAt } from '../json.ts';

const ACT_AS = /permission to act as service_account: ?([\w.+-]{1,200}@[\w-]{1,100}(?:\.[\w-]{1,100}){0,10})/;

/** What Vertex AI says. https://cloud.google.com/apis/design/errors */
export const VERTEX_AI = refusals('Vertex AI', 'docs/vertex-ai.md', 'request-rejected', [
  {
    status: [401],
    code: 'credential-rejected',
    remedy: ['Check «universe-domain», and that direct access (no «service-account») is supported by this API.'],
  },
  {
    status: [403],
    if: 'isDisabled',
    code: 'permission-denied',
    happened: 'The API {apiName} is not enabled in the project',
    remedy: ['Enable it:', 'gcloud services enable {apiName} --project={project}'],
  },
  {
    status: [403],
    code: 'permission-denied',
    happened: 'The identity lacks {permission} in project {project}',
    remedy: [
      'Grant the role (a new grant takes a few minutes to take effect):',
      'gcloud projects add-iam-policy-binding {project} --role=roles/aiplatform.user --member={member}',
    ],
  },
  {
    if: 'runtime',
    code: 'act-as-denied',
    happened: 'The identity may not run jobs as {runtime}',
    remedy: [
      'Grant the role on that account, even where both are the same account:',
      'gcloud iam service-accounts add-iam-policy-binding {runtime} --role=roles/iam.serviceAccountUser --member={member}',
    ],
  },
  {
    status: [429],
    if: 'isCapacity',
    code: 'quota-exceeded',
    happened: 'A quota of the project does not allow the job in {region}',
    remedy: [
      'Ask for more quota (in a new project it is often 0), for other machines, or for another region: https://console.cloud.google.com/iam-admin/quotas',
    ],
  },
  { status: [404], code: 'not-found', remedy: ['Check «project», «region» and «attach».'] },
  { remedy: ['Correct the spec: the words above name the field.'] },
]);

/** What a refusal of a Google API means, from its status and details. */
export function explainGoogle(
  { identity, project, region }: { readonly identity: string; readonly project: string; readonly region: string },
  call: HttpCall,
  answer: Answer,
): SubmitError {
  const error = objectAt(answerJson(answer), 'error');
  const message = textAt(error, 'message');
  if (message === undefined) return unreadable(call.url, answer);
  const { reason, permission, service = 'aiplatform.googleapis.com' } = errorInfo(error);
  return refusalError(VERTEX_AI, {
    status: answer.status,
    words: [message, ...fieldViolations(error)].join('\n'),
    presented: [`identity ${identity}`, `project ${project}, region ${region}`],
    service: new URL(call.url).host,
    project,
    region,
    apiName: service,
    permission: permission === undefined ? 'a permission' : `the permission ${permission}`,
    member: identity.includes('@') ? `serviceAccount:${identity}` : 'PRINCIPAL_OF_THE_POOL',
    runtime: ACT_AS.exec(message.slice(0, 4_000))?.[1],
    isDisabled: reason === 'SERVICE_DISABLED',
    isCapacity: isGoogleCapacity(answer),
  });
}

/** Whether a 429 names a quota metric of capacity (GPUs, CPUs): waiting a few seconds does not help then. */
export function isGoogleCapacity(answer: Answer): boolean {
  return answer.status === 429 && /quota metrics exceed|custom_model_training|QuotaFailure/.test(answer.text);
}

/** The machine-readable part of an error. https://cloud.google.com/apis/design/errors#error_info */
export function errorInfo(error: JsonObject) {
  const info = listAt(error, 'details').find(
    (detail) => textAt(detail, '@type')?.endsWith('google.rpc.ErrorInfo') === true,
  );
  const metadata = objectAt(info, 'metadata');
  // They are shown within commands to copy.
  const name = (text: string | undefined) => (/^[\w./-]{1,120}$/.test(text ?? '') ? text : undefined);
  return {
    reason: name(textAt(info, 'reason')),
    permission: name(textAt(metadata, 'permission')),
    service: name(textAt(metadata, 'service')),
  };
}

function fieldViolations(error: JsonObject): readonly string[] {
  return listAt(error, 'details').flatMap((detail: Json) =>
    listAt(detail, 'fieldViolations').map(
      (violation) => `${textAt(violation, 'field') ?? ''}: ${textAt(violation, 'description') ?? ''}`,
    ),
  );
}
