import { type Answer, answerJson, type HttpCall, type SecretHeaders } from '../../http/http.ts';
import { urlPart } from '../../http/url-part.ts';
import { isObject, objectAt, stringifyJson, textAt } from '../../json.ts';
import type { Secret } from '../../secret.ts';
import type { Reading } from '../broker.ts';
import type { SecretValues } from '../broker-settings.ts';
import { audienceFor } from '../presented-token.ts';
import { splitReference } from '../secret-reference.ts';

/** Where a Vault is and how a CI job logs in there. */
export interface VaultTrust {
  readonly origin: string;
  readonly role: string;
  readonly authMount: string;
  readonly namespace: string | undefined;
  /** What the role expects in `aud`. */
  readonly audience: string;
  /** Of the key-value engine. */
  readonly hasVersions: boolean;
}

/** A field of a secret in a key-value engine. */
export interface VaultReference {
  readonly mount: string;
  readonly path: string;
  readonly field: string;
  readonly version: string | undefined;
}

/** The trust that the settings describe; undefined when one of them is missing. */
export function vaultTrust(values: SecretValues): VaultTrust | undefined {
  const { 'vault-address': address, 'vault-role': role } = values;
  if (address === undefined || role === undefined) return undefined;
  const { origin } = new URL(address);
  return {
    origin,
    role,
    audience: audienceFor(values, origin),
    authMount: values['vault-auth-mount'],
    namespace: values['vault-namespace'],
    hasVersions: values['vault-kv-version'] === '2',
  };
}

/**
 * The reference after `vault:`, `MOUNT/PATH[?version=N]#FIELD`; undefined for anything that is not one. A mount of several
 * segments ends with two slashes.
 */
export function parseVaultReference(text: string): VaultReference | undefined {
  const parts = splitReference(text);
  const [, mount = '', path = ''] =
    /^(.+?)\/\/(.+)$/.exec(parts?.place ?? '') ?? /^([^/]+)\/(.+)$/.exec(parts?.place ?? '') ?? [];
  const segments = [...mount.split('/'), ...path.split('/')];
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..')) return undefined;
  if (parts?.key === undefined) return undefined;
  const { choice, key } = parts;
  if (choice !== undefined && !(choice.name === 'version' && /^[1-9]\d*$/.test(choice.value))) return undefined;
  return { mount, path, field: key, version: choice?.value };
}

/** https://developer.hashicorp.com/vault/api-docs/auth/jwt#jwt-login */
export function loginCall(trust: VaultTrust, jwt: string): HttpCall {
  return {
    method: 'POST',
    url: `${trust.origin}/v1/auth/${trust.authMount}/login`,
    headers: { 'content-type': 'application/json', ...namespaceHeader(trust) },
    body: JSON.stringify({ role: trust.role, jwt }),
  };
}

/** https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2#read-secret-version */
export function readCall(trust: VaultTrust, reference: VaultReference): HttpCall {
  const version = reference.version === undefined ? '' : `?version=${reference.version}`;
  const path = apiPath(trust, reference).split('/').map(urlPart).join('/');
  return { method: 'GET', url: `${trust.origin}/v1/${path}${version}`, headers: namespaceHeader(trust) };
}

/** The path of a secret as policies name it. */
export function apiPath({ hasVersions }: VaultTrust, { mount, path }: VaultReference): string {
  return hasVersions ? `${mount}/data/${path}` : `${mount}/${path}`;
}

/** https://developer.hashicorp.com/vault/api-docs/auth/token#revoke-a-token-self */
export function revokeCall(trust: VaultTrust): HttpCall {
  return { method: 'POST', url: `${trust.origin}/v1/auth/token/revoke-self`, headers: namespaceHeader(trust) };
}

/** The header that Vault knows its callers by. */
export function tokenHeader(token: Secret): SecretHeaders {
  return { 'x-vault-token': token };
}

function namespaceHeader({ namespace }: VaultTrust): Record<string, string> {
  return namespace === undefined ? {} : { 'x-vault-namespace': namespace };
}

/** The fields of a secret as JSON text; undefined for an answer that holds none. */
export function readVaultSecret({ hasVersions }: VaultTrust, answer: Answer): Reading | undefined {
  const outer = objectAt(answerJson(answer), 'data');
  const fields = hasVersions ? outer.data : outer;
  if (!isObject(fields) || answer.status !== 200) return undefined;
  return {
    text: stringifyJson(fields),
    version: hasVersions ? textAt(objectAt(outer, 'metadata'), 'version') : undefined,
  };
}
