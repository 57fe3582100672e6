import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { invalidParameter, malformed, type Refusal } from './databricks-errors.ts';
import { parseInt64Json } from './databricks-int64.ts';
import { refuseRunNow, refuseSubmit } from './databricks-jobs-rules.ts';
import { cancelRequest, runNowRequest, submitRequest } from './databricks-jobs-schema.ts';

export type Json = Readonly<Record<string, unknown>>;

export interface TaskSpec extends Json {
  readonly task_key: string;
  readonly depends_on?: readonly { readonly task_key: string }[];
}

export interface GitSource extends Json {
  readonly git_provider?: string;
  readonly git_branch?: string;
  readonly git_commit?: string;
  readonly git_tag?: string;
}

export interface SubmitBody extends Json {
  readonly tasks: readonly TaskSpec[];
  readonly git_source?: GitSource;
  readonly run_name?: string;
  readonly idempotency_token?: string;
  readonly environments?: readonly { readonly environment_key: string }[];
  readonly access_control_list?: readonly Readonly<Record<string, string>>[];
}

export interface RunNowBody extends Json {
  readonly job_id: number | string;
  readonly job_parameters?: Readonly<Record<string, string>>;
  readonly idempotency_token?: string;
  readonly only?: readonly string[];
}

export interface CancelBody {
  readonly run_id: number | string;
}

export type Read<Body> = { readonly body: Body } | { readonly refusal: Refusal };

const ajv = new Ajv({ strict: true, allowUnionTypes: true });
const validSubmit = ajv.compile<SubmitBody>(submitRequest);
const validRunNow = ajv.compile<RunNowBody>(runNowRequest);
const validCancel = ajv.compile<CancelBody>(cancelRequest);

export const readSubmit = (text: string): Read<SubmitBody> => read(text, validSubmit, refuseSubmit);
export const readRunNow = (text: string): Read<RunNowBody> => read(text, validRunNow, refuseRunNow);
export const readCancel = (text: string): Read<CancelBody> => read(text, validCancel, () => undefined);

function read<Body>(
  text: string,
  valid: ValidateFunction<Body>,
  refuse: (body: Body) => Refusal | undefined,
): Read<Body> {
  const body = parsed(text);
  if (body === undefined) {
    return { refusal: malformed('Invalid JSON given in the body of the request - failed to parse given JSON') };
  }
  if (!valid(body)) return { refusal: refusalOf(valid.errors?.[0]) };
  const refusal = refuse(body);
  return refusal === undefined ? { body } : { refusal };
}

function parsed(text: string): unknown {
  try {
    return parseInt64Json(text);
  } catch {
    return undefined;
  }
}

function refusalOf(error: ErrorObject | undefined): Refusal {
  if (error === undefined) return malformed('Could not parse request object');
  const { keyword, params, message } = error;
  const field = fieldName(error.instancePath);
  switch (keyword) {
    case 'additionalProperties':
      return invalidParameter(`Unknown field: ${joined(field, params.additionalProperty)}`);
    case 'required':
      return invalidParameter(`Missing required field: ${joined(field, params.missingProperty)}`);
    case 'type':
      return malformed(`Could not parse request object: Expected ${params.type} for field ${field}`);
    case 'enum':
      return invalidParameter(`${field} must be one of: ${params.allowedValues.join(',')}`);
    default:
      return invalidParameter(`${field} ${message}`);
  }
}

/** `/tasks/0/run_if` as `tasks[0].run_if`. */
function fieldName(instancePath: string): string {
  return instancePath
    .split('/')
    .slice(1)
    .reduce((name, part) => (/^\d+$/.test(part) ? `${name}[${part}]` : joined(name, part)), '');
}

function joined(parent: string, name: unknown): string {
  return parent === '' ? String(name) : `${parent}.${name}`;
}
