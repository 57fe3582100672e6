/** An error of the token endpoint (https://www.rfc-editor.org/rfc/rfc6749#section-5.2). */
export interface TokenRefusal {
  readonly status: number;
  readonly error: string;
  readonly description: string;
}

export interface Exchange {
  readonly subjectToken: string;
  readonly clientId: string | undefined;
  readonly scope: string;
}

const REQUIRED = ['grant_type', 'subject_token', 'subject_token_type', 'scope'] as const;
const KNOWN: readonly string[] = [...REQUIRED, 'client_id'];
const SCOPES = ['all-apis', 'sql'];

/** Reads a token exchange: a form with exactly the documented parameters and no client authentication. */
export async function readExchange(request: Request): Promise<Exchange | TokenRefusal> {
  if (request.headers.has('authorization')) return invalidRequest('The request must not carry an Authorization header');
  const contentType = request.headers.get('content-type') ?? '';
  if (contentType.split(';')[0]?.trim().toLowerCase() !== 'application/x-www-form-urlencoded') {
    return invalidRequest('The request body must be application/x-www-form-urlencoded');
  }
  if (new URL(request.url).search !== '') return invalidRequest('Parameters belong in the body');
  const form = new URLSearchParams(await request.text());
  return refuseGrant(form) ?? refuseParameters(form) ?? read(form);
}

function refuseGrant(form: URLSearchParams): TokenRefusal | undefined {
  const grant = form.get('grant_type');
  if (grant === null) return invalidRequest('Missing parameter: grant_type');
  if (grant === 'client_credentials' && form.has('client_assertion')) {
    return {
      status: 401,
      error: 'invalid_client',
      description:
        "Invalid private key JWT authentication: The client identifier doesn't match the client assertion subject",
    };
  }
  if (grant === 'urn:ietf:params:oauth:grant-type:token-exchange') return undefined;
  return { status: 400, error: 'unsupported_grant_type', description: `Unsupported grant type: ${grant}` };
}

function refuseParameters(form: URLSearchParams): TokenRefusal | undefined {
  const names = [...form.keys()];
  const unknown = names.find((name) => !KNOWN.includes(name));
  if (unknown !== undefined) return invalidRequest(`Unknown parameter: ${unknown}`);
  const repeated = names.find((name) => form.getAll(name).length > 1);
  if (repeated !== undefined) return invalidRequest(`Duplicate parameter: ${repeated}`);
  const missing = REQUIRED.find((name) => (form.get(name) ?? '') === '');
  if (missing !== undefined) return invalidRequest(`Missing parameter: ${missing}`);
  if (form.get('client_id') === '') return invalidRequest('Empty parameter: client_id');
  const type = form.get('subject_token_type');
  if (type !== 'urn:ietf:params:oauth:token-type:jwt') return invalidRequest(`Unsupported subject_token_type: ${type}`);
  const scope = form.get('scope') ?? '';
  if (SCOPES.includes(scope)) return undefined;
  return { status: 400, error: 'invalid_scope', description: `Unsupported scope: ${scope}` };
}

function read(form: URLSearchParams): Exchange {
  return {
    subjectToken: form.get('subject_token') ?? '',
    clientId: form.get('client_id') ?? undefined,
    scope: form.get('scope') ?? '',
  };
}

function invalidRequest(description: string): TokenRefusal {
  return { status: 400, error: 'invalid_request', description };
}
