import { urlPart } from '../../http/url-part.ts';
import { type Json, textAt } from '../../json.ts';
/** How a deployment is named: by its id, or by flow and name. */
export type DeploymentReference =
  | { readonly id: string }
  | { readonly flow: string; readonly name: string; readonly id?: never };

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Whether a text is an id as Prefect gives them. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/** The id at `name` of an answer, in small letters; undefined when there is none in its form. */
export function uuidAt(answer: Json | undefined, name: string): string | undefined {
  const text = textAt(answer, name);
  return text !== undefined && isUuid(text) ? text.toLowerCase() : undefined;
}

/** The deployment that `flow/deployment` or an id means; undefined when it is neither. */
export function readDeploymentReference(text: string): DeploymentReference | undefined {
  if (isUuid(text)) return { id: text.toLowerCase() };
  const [flow = '', name = '', ...more] = text.split('/');
  return more.length > 0 || [flow, name].some((part) => part.trim() === '' || /^\.\.?$/.test(part))
    ? undefined
    : { flow, name };
}

/** https://docs.prefect.io/v3/api-ref/rest-api/server/deployments/read-deployment-by-name */
export function deploymentPath(reference: DeploymentReference): string {
  return reference.id === undefined
    ? `/deployments/name/${urlPart(reference.flow)}/${urlPart(reference.name)}`
    : `/deployments/${reference.id}`;
}

/** A deployment as its users name it. */
export function nameOf(reference: DeploymentReference): string {
  return reference.id ?? `${reference.flow}/${reference.name}`;
}
