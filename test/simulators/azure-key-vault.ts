import type { AzureAccessToken } from './azure-login.ts';
import type { Handler } from './serve.ts';

export interface AzureSecretVersion {
  /** 32 hexadecimal digits. */
  readonly id: string;
  readonly value: string;
  readonly createdAt: number;
  readonly enabled?: boolean;
  readonly contentType?: string;
}

/** A key vault. Read at each request, so a test may change it. */
export interface AzureKeyVault {
  readonly name: string;
  /** The applications that may read its secrets. */
  readonly readers: readonly string[];
  /** The versions of each secret, the newest last. */
  readonly secrets: Readonly<Record<string, readonly AzureSecretVersion[]>>;
}

export interface AzureKeyVaultOptions {
  readonly tenantId: string;
  readonly vaults: readonly AzureKeyVault[];
  readonly tokens: () => readonly AzureAccessToken[];
  readonly now: () => number;
}

const RESOURCE = 'https://vault.azure.net';
const API_VERSIONS = ['7.0', '7.1', '7.2', '7.3', '7.4', '7.5', '7.6', '2025-07-01'];

/** Secrets of key vaults (https://learn.microsoft.com/rest/api/keyvault/secrets/get-secret/get-secret). */
export function azureKeyVaults(options: AzureKeyVaultOptions): { hosts: (host: string) => Handler | undefined } {
  return {
    hosts: (host) => {
      const vault = options.vaults.find(({ name }) => host === `${name}.vault.azure.net`);
      return vault === undefined ? undefined : async (request) => answer(request, vault, options);
    },
  };
}

function answer(request: Request, vault: AzureKeyVault, options: AzureKeyVaultOptions): Response {
  const caller = authenticate(request, options);
  if (caller instanceof Response) return caller;
  const url = new URL(request.url);
  const apiVersion = url.searchParams.get('api-version');
  if (apiVersion === null) return failure(400, 'BadParameter', 'api-version must be specified');
  if (!API_VERSIONS.includes(apiVersion)) {
    return failure(
      400,
      'BadParameter',
      `The specified version (${apiVersion}) is not recognized. Consider using the latest supported version (7.6).`,
    );
  }
  const [, name, id = ''] = /^\/secrets\/([^/]+)(?:\/([^/]*))?$/.exec(url.pathname) ?? [];
  if (name === undefined) return failure(404, 'NotFound', 'The requested resource was not found.');
  if (request.method !== 'GET') return failure(405, 'MethodNotAllowed', 'The method is not allowed for this resource.');
  if (!/^[0-9A-Za-z-]{1,127}$/.test(name)) {
    return failure(400, 'BadParameter', `The request URI contains an invalid name: ${name}`);
  }
  if (!vault.readers.includes(caller.clientId)) return forbidden(caller, vault, options);

  const versions = Object.hasOwn(vault.secrets, name) ? (vault.secrets[name] ?? []) : [];
  const version = id === '' ? versions.at(-1) : versions.find((each) => each.id === id);
  if (version === undefined) {
    const asked = id === '' ? name : `${name}/${id}`;
    return failure(
      404,
      'SecretNotFound',
      `A secret with (name/id) ${asked} was not found in this key vault. If you recently deleted this secret you may be able to recover it using the correct recovery command. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182`,
    );
  }
  if (version.enabled === false) {
    return failure(403, 'Forbidden', 'Operation get is not allowed on a disabled secret.', 'SecretDisabled');
  }
  const created = Math.floor(version.createdAt / 1000);
  return Response.json({
    value: version.value,
    ...(version.contentType === undefined ? {} : { contentType: version.contentType }),
    id: `https://${vault.name}.vault.azure.net/secrets/${name}/${version.id}`,
    attributes: {
      enabled: true,
      created,
      updated: created,
      recoveryLevel: 'Recoverable+Purgeable',
      recoverableDays: 90,
    },
    tags: {},
  });
}

function authenticate(request: Request, { tokens, tenantId, now }: AzureKeyVaultOptions): AzureAccessToken | Response {
  const challenge = `Bearer authorization="https://login.microsoftonline.com/${tenantId}", resource="${RESOURCE}"`;
  const refuse = (message: string, header = challenge) => {
    const response = failure(401, 'Unauthorized', message);
    response.headers.set('www-authenticate', header);
    return response;
  };
  const sent = /^Bearer (\S+)$/i.exec(request.headers.get('authorization') ?? '')?.[1];
  if (sent === undefined) return refuse('AKV10000: Request is missing a Bearer or PoP token.');
  const token = tokens().find((each) => each.token === sent);
  const invalid = `${challenge}, error="invalid_token"`;
  if (token === undefined) {
    return refuse('AKV10046: Unable to resolve the key used for signature validation.', invalid);
  }
  if (token.resource !== RESOURCE) {
    return refuse(`AKV10022: Invalid audience. Expected ${RESOURCE}, found: ${token.resource}.`, invalid);
  }
  if (token.expiresAt > now()) return token;
  return refuse("[BearerReadAccessTokenFailed] Error validating token: 'IDX10223'.", invalid);
}

function forbidden({ clientId }: AzureAccessToken, vault: AzureKeyVault, { tenantId }: AzureKeyVaultOptions): Response {
  return failure(
    403,
    'Forbidden',
    [
      'Caller is not authorized to perform action on resource.',
      'If role assignments, deny assignments or role definitions were changed recently, please observe propagation time.',
      `Caller: appid=${clientId};iss=https://sts.windows.net/${tenantId}/`,
      "Action: 'Microsoft.KeyVault/vaults/secrets/getSecret/action'",
      'Assignment: (not found)',
      "DecisionReason: 'DeniedWithNoValidRBAC' ",
      `Vault: ${vault.name};location=westeurope`,
    ].join('\r\n'),
    'ForbiddenByRbac',
  );
}

/** https://learn.microsoft.com/azure/key-vault/general/rest-error-codes */
function failure(status: number, code: string, message: string, inner?: string): Response {
  const innererror = inner === undefined ? {} : { innererror: { code: inner } };
  return Response.json({ error: { code, message, ...innererror } }, { status });
}
