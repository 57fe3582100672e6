import { vaultAnswer, vaultError } from './vault-answers.ts';

type Values = Readonly<Record<string, unknown>>;

/** A version of a secret in an engine of version 2; its number is its place in the list. */
export interface VaultSecretVersion {
  readonly data: Values;
  readonly createdAt: number;
  readonly deletedAt?: number;
  readonly destroyed?: boolean;
}

/** A key/value engine, its secrets by path. Read at each request, so a test may change them. */
export type VaultKv =
  | { readonly version: 1; readonly secrets: Readonly<Record<string, Values>> }
  | { readonly version: 2; readonly secrets: Readonly<Record<string, readonly VaultSecretVersion[]>> };

const DEFAULT_LEASE_SECONDS = 2_764_800;

/** Answers a read below a key/value mount; the path begins after the mount's. */
export function readKv(mount: VaultKv, path: string, query: URLSearchParams): Response {
  return mount.version === 1 ? readFirst(mount.secrets, path) : readSecond(mount.secrets, path, query);
}

/** https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v1#read-secret */
function readFirst(secrets: Readonly<Record<string, Values>>, path: string): Response {
  const data = Object.hasOwn(secrets, path) ? secrets[path] : undefined;
  if (data === undefined) return vaultError(404);
  return vaultAnswer({ lease_duration: DEFAULT_LEASE_SECONDS, data, mount_type: 'kv' });
}

/** https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2#read-secret-version */
function readSecond(
  secrets: Readonly<Record<string, readonly VaultSecretVersion[]>>,
  path: string,
  query: URLSearchParams,
): Response {
  if (!path.startsWith('data/')) {
    const warning =
      'Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use. ' +
      "If using the Vault CLI, use 'vault kv get' for this operation.";
    return vaultAnswer({ warnings: [warning] }, 404);
  }
  const asked = query.get('version') ?? '0';
  if (!/^\d+$/.test(asked)) return vaultError(400, `error converting input ${asked} for field "version"`);
  const name = path.slice('data/'.length);
  const versions = Object.hasOwn(secrets, name) ? (secrets[name] ?? []) : [];
  const number = asked === '0' ? versions.length : Number(asked);
  const version = versions[number - 1];
  if (version === undefined) return vaultError(404);
  const { data, createdAt, deletedAt, destroyed = false } = version;
  const gone = destroyed || deletedAt !== undefined;
  const metadata = {
    created_time: timestamp(createdAt),
    custom_metadata: null,
    deletion_time: deletedAt === undefined ? '' : timestamp(deletedAt),
    destroyed,
    version: number,
  };
  return vaultAnswer({ data: { data: gone ? null : data, metadata }, mount_type: 'kv' }, gone ? 404 : 200);
}

/** To the nanosecond, as Vault prints it. */
function timestamp(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace('Z', '000000Z');
}
