/** An error as Vault words it (https://developer.hashicorp.com/vault/api-docs#error-response). */
export function vaultError(status: number, ...errors: string[]): Response {
  return Response.json({ errors }, { status });
}

/** The refusal of a request that the token's policies do not allow. */
export function permissionDenied(): Response {
  return vaultError(403, '1 error occurred:\n\t* permission denied\n\n');
}

/** The refusal of a token that is unknown, used up, revoked or expired. */
export function invalidToken(): Response {
  return vaultError(403, '2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n');
}

/** The frame around every successful answer. */
export function vaultAnswer(fields: Readonly<Record<string, unknown>>, status = 200): Response {
  return Response.json(
    {
      request_id: crypto.randomUUID(),
      lease_id: '',
      renewable: false,
      lease_duration: 0,
      data: null,
      wrap_info: null,
      warnings: null,
      auth: null,
      ...fields,
    },
    { status },
  );
}
