import type { OAuthError } from './vercel-errors.ts';

/** The parameters of an OAuth request: a form with the given names only, each once, and the required ones not empty. */
export async function readForm(
  request: Request,
  required: readonly string[],
  optional: readonly string[] = [],
): Promise<ReadonlyMap<string, string> | OAuthError> {
  const contentType = request.headers.get('content-type') ?? '';
  if (contentType.split(';')[0]?.trim().toLowerCase() !== 'application/x-www-form-urlencoded') {
    return invalidRequest('The request body must be application/x-www-form-urlencoded');
  }
  if (request.headers.has('authorization')) return invalidRequest('Public clients do not authenticate');
  const form = new URLSearchParams(await request.text());
  const names = [...form.keys()];
  const unknown = names.find((name) => ![...required, ...optional].includes(name));
  if (unknown !== undefined) return invalidRequest(`Unknown parameter: ${unknown}`);
  const repeated = names.find((name) => form.getAll(name).length > 1);
  if (repeated !== undefined) return invalidRequest(`Duplicate parameter: ${repeated}`);
  const missing = required.find((name) => (form.get(name) ?? '') === '');
  if (missing !== undefined) return invalidRequest(`Missing required parameter: ${missing}`);
  return new Map(form);
}

export function invalidRequest(description: string): OAuthError {
  return { status: 400, error: 'invalid_request', description };
}
