import { jsonCall } from '../../http/calls.ts';
import { type Answer, answerJson, type HttpCall, type SecretHeaders } from '../../http/http.ts';
import { urlPart } from '../../http/url-part.ts';
import { defined, isObject, objectAt, stringifyJson, textAt } from '../../json.ts';
import type { Secret } from '../../secret.ts';
import type { Reading, ValuesWith } from '../broker.ts';
import { audienceFor, type BrokerAudience } from '../presented-token.ts';
import { splitReference } from '../secret-reference.ts';

/** Where a Vault is and how a CI job logs in there. */
export interface VaultTrust extends BrokerAudience {
  readonly origin: string;
  readonly role: string;
  readonly authMount: string;
  readonly namespace: string | undefined;
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

/** The trust that the settings describe. */
export function vaultTrust(values: ValuesWith<'vault-address' | 'vault-role'>): VaultTrust {
  const { origin } = new URL(values['vault-address']);
  return {
    origin,
    role: values['vault-role'],
    ...audienceFor(values, origin),
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
  const url = `${trust.origin}/v1/auth/${trust.authMount}/login`;
  return jsonCall('POST', url, { role: trust.role, jwt }, namespaceHeader(trust));
}

/** https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2#read-secret-version */
export function readCall(trust: VaultTrust, reference: VaultReference): HttpCall {
  const version = reference.version === undefined ? '' : `?version=${reference.version}`;
  const path = apiPath(trust, reference).split('/').map(urlPart).join('/');
  return jsonCall('GET', `${trust.origin}/v1/${path}${version}`, undefined, namespaceHeader(trust));
}

/** The path of a secret as policies name it. */
export function apiPath({ hasVersions }: VaultTrust, { mount, path }: VaultReference): string {
  return hasVersions ? `${mount}/data/${path}` : `${mount}/${path}`;
}

/** https://developer.hashicorp.com/vault/api-docs/auth/token#revoke-a-token-self */
export function revokeCall(trust: VaultTrust): HttpCall {
  return jsonCall('POST', `${trust.origin}/v1/auth/token/revoke-self`, undefined, namespaceHeader(trust));
}

/** The header that Vault knows its callers by. */
export function tokenHeader(token: Secret): SecretHeaders {
  return { 'x-vault-token': token };
}

function namespaceHeader({ namespace }: VaultTrust): Readonly<Record<string, string>> {
  return defined({ 'x-vault-namespace': namespace });
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
