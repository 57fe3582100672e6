/** A parameter fault, in the words of the query protocol. */
export interface ParameterFault {
  readonly code: 'MissingAction' | 'InvalidAction' | 'ValidationError' | 'MissingParameter';
  readonly message: string;
}

export interface AssumeRequest {
  readonly roleArn: string;
  readonly sessionName: string;
  readonly token: string;
  readonly durationSeconds: number;
}

const VERSION = '2011-06-15';
const DEFAULT_SECONDS = 3600;
const MIN_SECONDS = 900;
const MAX_SECONDS = 43_200;

/** Reads the parameters of AssumeRoleWithWebIdentity (https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html). */
export async function readAssumeRequest(request: Request): Promise<AssumeRequest | ParameterFault> {
  const isForm = (request.headers.get('content-type') ?? '').startsWith('application/x-www-form-urlencoded');
  const form = new URLSearchParams(request.method === 'POST' && isForm ? await request.text() : '');
  const action = form.get('Action');
  if (action === null) {
    return {
      code: 'MissingAction',
      message: 'Action or operation is missing or empty. Use the Action parameter or the X-Amz-Target header.',
    };
  }
  if (action !== 'AssumeRoleWithWebIdentity' || form.get('Version') !== VERSION) {
    return {
      code: 'InvalidAction',
      message: `Could not find operation ${action} for version ${form.get('Version') ?? 'NO_VERSION_SPECIFIED'}`,
    };
  }
  const faults = [
    ...fieldFaults('roleArn', form.get('RoleArn'), { min: 20, max: 2048 }),
    ...fieldFaults('roleSessionName', form.get('RoleSessionName'), { min: 2, max: 64, pattern: '[\\w+=,.@-]*' }),
    ...fieldFaults('webIdentityToken', form.get('WebIdentityToken'), { min: 4, max: 20_000 }),
    ...durationFaults(form.get('DurationSeconds')),
  ];
  if (faults.length > 0) {
    const many = faults.length === 1 ? 'error' : 'errors';
    return {
      code: 'ValidationError',
      message: `${faults.length} validation ${many} detected: ${faults.join('; ')}`,
    };
  }
  return {
    roleArn: form.get('RoleArn') ?? '',
    sessionName: form.get('RoleSessionName') ?? '',
    token: form.get('WebIdentityToken') ?? '',
    durationSeconds: Number(form.get('DurationSeconds') ?? DEFAULT_SECONDS),
  };
}

function fieldFaults(
  name: string,
  value: string | null,
  { min, max, pattern }: { min: number; max: number; pattern?: string },
): string[] {
  const failed = (constraint: string) =>
    // A token is never repeated in an error.
    `Value ${value === null ? 'null' : name === 'webIdentityToken' ? '' : `'${value}' `}at '${name}' failed to satisfy constraint: Member must ${constraint}`;
  if (value === null) return [failed('not be null')];
  return [
    value.length < min ? failed(`have length greater than or equal to ${min}`) : '',
    value.length > max ? failed(`have length less than or equal to ${max}`) : '',
    pattern !== undefined && !new RegExp(`^${pattern}$`).test(value)
      ? failed(`satisfy regular expression pattern: ${pattern}`)
      : '',
  ].filter((fault) => fault !== '');
}

function durationFaults(value: string | null): string[] {
  if (value === null) return [];
  const at = `Value '${value}' at 'durationSeconds' failed to satisfy constraint: Member must`;
  if (!/^\d+$/.test(value)) return [`${at} be an integer`];
  if (Number(value) < MIN_SECONDS) return [`${at} have value greater than or equal to ${MIN_SECONDS}`];
  return Number(value) > MAX_SECONDS ? [`${at} have value less than or equal to ${MAX_SECONDS}`] : [];
}
