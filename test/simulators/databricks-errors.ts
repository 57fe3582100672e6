/** Why a Databricks API turns a request down. */
export interface Refusal {
  readonly status: number;
  /** Some gateways give the HTTP status here instead of a word. */
  readonly errorCode: string | number;
  readonly message: string;
}

export function invalidParameter(message: string): Refusal {
  return { status: 400, errorCode: 'INVALID_PARAMETER_VALUE', message };
}

export function malformed(message: string): Refusal {
  return { status: 400, errorCode: 'MALFORMED_REQUEST', message };
}

export function permissionDenied(message: string): Refusal {
  return { status: 403, errorCode: 'PERMISSION_DENIED', message };
}

/** The error body that every workspace API shares (https://docs.databricks.com/api/account/errors). */
export function refusalResponse({ status, errorCode, message }: Refusal): Response {
  const requestInfo = {
    '@type': 'type.googleapis.com/google.rpc.RequestInfo',
    request_id: crypto.randomUUID(),
    serving_data: '',
  };
  return Response.json({ error_code: errorCode, message, details: [requestInfo] }, { status });
}

/** What answers where no workspace could be told from the request: the web application, with status 200. */
export function loginPage(): Response {
  const html =
    '<!doctype html><html><head><title>Databricks - Sign In</title></head><body><div id="login-page"></div></body></html>';
  return new Response(html, { status: 200, headers: { 'content-type': 'text/html; charset=utf-8' } });
}
