import type { Caller } from './google-access-tokens.ts';
import { badRequest, errorInfo, googleError } from './google-error.ts';
import { allows, type Project } from './google-iam-policy.ts';
import type { Violation } from './protobuf-walker.ts';
import type { JobCollectionName } from './vertex-job-collections.ts';
import type { FieldFault } from './vertex-job-rules.ts';

export const VERTEX_SERVICE = 'aiplatform.googleapis.com';

/** A request that got past the host, the token and the project. */
export interface VertexCall {
  readonly request: Request;
  readonly caller: Caller;
  readonly project: Project;
  readonly location: string;
  readonly collection: JobCollectionName;
  /** `projects/{as it was sent}/locations/{location}` */
  readonly sentParent: string;
  readonly query: URLSearchParams;
}

/** A body that is not of the message's shape, as Google's JSON front end refuses it. */
export function payloadRefusal(violations: readonly Violation[]): Response | undefined {
  const payload = violations.filter(({ kind }) => kind === 'payload');
  if (payload.length === 0) return undefined;
  const message = payload.map(({ description }) => description).join('\n');
  return googleError('INVALID_ARGUMENT', message, [
    badRequest(payload.map(({ field, description }) => ({ field, description }))),
  ]);
}

/** Fields whose content the service itself refuses. */
export function fieldRefusal(faults: readonly FieldFault[]): Response | undefined {
  if (faults.length === 0) return undefined;
  const found = faults.map(
    ({ field, description }, index) => `\t${index + 1}.Field: ${field}; Message: ${description}`,
  );
  return googleError('INVALID_ARGUMENT', `List of found errors:${found.join('')}\t `);
}

/** The parameters that every method has, as far as clients send them (https://cloud.google.com/apis/docs/system-parameters). */
const SYSTEM_PARAMETERS = ['alt', '$alt', 'prettyPrint', '$prettyPrint'];

/** A query parameter that the method does not have. */
export function queryRefusal({ query }: VertexCall, known: readonly string[]): Response | undefined {
  const unknown = [...query.keys()].find((name) => ![...known, ...SYSTEM_PARAMETERS].includes(name));
  if (unknown === undefined) return undefined;
  const description =
    `Invalid JSON payload received. Unknown name "${unknown}": Cannot bind query parameter. ` +
    `Field '${unknown}' could not be found in request message.`;
  return googleError('INVALID_ARGUMENT', description, [badRequest([{ description }])]);
}

/** A permission on the jobs of the collection that the caller has not on the project. */
export function permissionRefusal(
  call: VertexCall,
  verb: 'cancel' | 'create' | 'get' | 'list',
  resource: string,
): Response | undefined {
  const permission = `aiplatform.${call.collection}.${verb}` as const;
  if (allows(call.project.bindings, call.caller, permission)) return undefined;
  return googleError(
    'PERMISSION_DENIED',
    `Permission '${permission}' denied on resource '//${VERTEX_SERVICE}/${resource}' (or it may not exist).`,
    [errorInfo('IAM_PERMISSION_DENIED', VERTEX_SERVICE, { permission, resource })],
  );
}

/** A project that does not exist, or does not use the service. */
export function unknownProject(project: string): Response {
  return googleError('PERMISSION_DENIED', `Permission denied on resource project ${project}.`, [
    errorInfo('CONSUMER_INVALID', 'googleapis.com', { consumer: `projects/${project}`, service: VERTEX_SERVICE }),
  ]);
}
