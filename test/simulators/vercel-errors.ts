/** An error of the REST API (https://vercel.com/docs/rest-api/errors). */
export function refusal(
  status: number,
  code: string,
  message: string,
  more: Readonly<Record<string, unknown>> = {},
): Response {
  return Response.json({ error: { code, message, ...more } }, { status });
}

export function badRequest(message: string): Response {
  return refusal(400, 'bad_request', message);
}

export function notFound(what: string): Response {
  return refusal(404, 'not_found', `${what} not found`);
}

export function forbidden(
  message = 'You do not have permission to access this resource.',
  more: Readonly<Record<string, unknown>> = {},
): Response {
  return refusal(403, 'forbidden', message, more);
}

/** An error of the OAuth endpoints (https://www.rfc-editor.org/rfc/rfc6749#section-5.2). */
export interface OAuthError {
  readonly status: number;
  readonly error: string;
  readonly description: string;
}

export function oauthRefusal({ status, error, description }: OAuthError): Response {
  return Response.json(
    { error, error_description: description },
    { status, headers: { 'cache-control': 'no-store', pragma: 'no-cache' } },
  );
}
