/** One line of a request that did not validate: what pydantic says about it (https://docs.pydantic.dev/latest/errors/validation_errors/). */
export interface Violation {
  readonly type: string;
  readonly loc: readonly (string | number)[];
  readonly msg: string;
  readonly input: unknown;
  readonly ctx?: Readonly<Record<string, unknown>>;
}

/** A business error: the API's `{"detail": …}`. */
export function detail(status: number, text: string): Response {
  return Response.json({ detail: text }, { status });
}

/** An error that the server's own handlers write. */
export function exceptionMessage(status: number, text: string): Response {
  return Response.json({ exception_message: text }, { status });
}

/** A request of the wrong shape, answered with the body that came. */
export function invalidRequest(violations: readonly Violation[], requestBody: unknown): Response {
  const body = {
    exception_message: 'Invalid request received.',
    exception_detail: violations,
    request_body: requestBody,
  };
  return Response.json(body, { status: 422 });
}
