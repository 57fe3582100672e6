/** The statuses of google.rpc.Code that these services answer with, and their HTTP numbers (https://cloud.google.com/apis/design/errors). */
const HTTP_STATUS = {
  INVALID_ARGUMENT: 400,
  FAILED_PRECONDITION: 400,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  NOT_FOUND: 404,
  RESOURCE_EXHAUSTED: 429,
  INTERNAL: 500,
  UNIMPLEMENTED: 501,
} as const;

/** An error body as Google's APIs write it: google.rpc.Status under `error`. */
export function googleError(
  status: keyof typeof HTTP_STATUS,
  message: string,
  details: readonly Record<string, unknown>[] = [],
): Response {
  const code = HTTP_STATUS[status];
  const error = { code, message, status, ...(details.length === 0 ? {} : { details }) };
  return Response.json({ error }, { status: code });
}

/** A google.rpc.ErrorInfo detail. */
export function errorInfo(reason: string, domain: string, metadata: Record<string, string>): Record<string, unknown> {
  return { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason, domain, metadata };
}

/** A google.rpc.BadRequest detail. */
export function badRequest(
  fieldViolations: readonly { field?: string; description: string }[],
): Record<string, unknown> {
  return { '@type': 'type.googleapis.com/google.rpc.BadRequest', fieldViolations };
}

/** What Google's front end answers where no API method has that path. */
export function noSuchPath(request: Request): Response {
  const path = new URL(request.url).pathname.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return new Response(
    `<!DOCTYPE html><title>Error 404 (Not Found)!!1</title><p>The requested URL <code>${path}</code> was not found on this server.`,
    { status: 404, headers: { 'content-type': 'text/html; charset=UTF-8' } },
  );
}

/** Reads a JSON object body; anything else is the refusal to send. */
export async function jsonBody(request: Request): Promise<{ body: unknown; text: string } | Response> {
  const text = await request.text();
  try {
    return { body: text === '' ? {} : JSON.parse(text), text };
  } catch (error) {
    return googleError('INVALID_ARGUMENT', `Invalid JSON payload received. ${(error as Error).message}`);
  }
}
