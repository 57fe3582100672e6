import type { AccessTokens } from './google-access-tokens.ts';
import { errorInfo, googleError, noSuchPath } from './google-error.ts';
import { allows, type Binding, type Project } from './google-iam-policy.ts';
import type { Handler } from './serve.ts';

/** One version of a secret; its number is its place in the list. */
export interface GoogleSecretVersion {
  readonly data: string | Uint8Array;
  /** Enabled by default. */
  readonly state?: 'DISABLED' | 'DESTROYED';
}

/** A secret with the policy on itself. Lists are read at each request, so a test may change them. */
export interface GoogleSecret {
  readonly project: string;
  readonly name: string;
  /** Of a regional secret. */
  readonly location?: string;
  readonly versions: readonly GoogleSecretVersion[];
  readonly aliases?: Readonly<Record<string, number>>;
  readonly bindings: readonly Binding[];
}

export interface GoogleSecretManagerOptions {
  readonly projects: readonly Project[];
  readonly secrets?: readonly GoogleSecret[];
  readonly tokens: AccessTokens;
}

/** One version that was read. */
export interface SecretAccess {
  readonly caller: string;
  readonly version: string;
}

export interface GoogleSecretManager {
  readonly handle: Handler;
  secretAccesses(): readonly SecretAccess[];
  /** The next answer's checksum is not that of its data. */
  spoilNextChecksum(): void;
}

const SERVICE = 'secretmanager.googleapis.com';
const ACCESS = 'secretmanager.versions.access';
const PATH =
  /^\/v1\/(projects\/([^/]+)(?:\/locations\/([^/]+))?\/secrets\/([A-Za-z0-9_-]{1,255})\/versions\/([^/:]+)):access$/;

/** Secret Manager (https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets.versions/access). */
export function googleSecretManager({
  projects,
  secrets = [],
  tokens,
}: GoogleSecretManagerOptions): GoogleSecretManager {
  const accesses: SecretAccess[] = [];
  let spoilt = false;

  const handle: Handler = async (request) => {
    const path = PATH.exec(decodeURIComponent(new URL(request.url).pathname));
    const [, resource = '', projectName = '', location, secretName = '', versionName = ''] = path ?? [];
    if (request.method !== 'GET' || path === null) return noSuchPath(request);
    const caller = tokens.authenticate(request, SERVICE);
    if (caller instanceof Response) return caller;
    const endpoint = endpointLocation(request.headers.get('x-simulated-host') ?? '');
    if (endpoint !== location) {
      const message = `The location ${location ?? 'global'} of the resource does not match the location ${endpoint ?? 'global'} of the endpoint.`;
      return googleError('INVALID_ARGUMENT', message);
    }

    const project = projects.find(({ id, number }) => id === projectName || number === projectName);
    const secret = secrets.find(
      (each) => each.project === project?.id && each.name === secretName && each.location === location,
    );
    const bindings = [...(project?.bindings ?? []), ...(secret?.bindings ?? [])];
    if (project === undefined || !allows(bindings, caller, ACCESS)) return denied(resource);
    const parent = ['projects', project.number, ...(location === undefined ? [] : ['locations', location])].join('/');
    const name = `${parent}/secrets/${secretName}`;
    if (secret === undefined || secret.versions.length === 0) {
      return googleError('NOT_FOUND', `Secret [${name}] not found or has no versions.`);
    }

    const number = versionNumber(secret, versionName);
    const version = number === undefined ? undefined : secret.versions[number - 1];
    if (version === undefined) {
      return googleError('NOT_FOUND', `Secret Version [${name}/versions/${versionName}] not found.`);
    }
    const versionResource = `${name}/versions/${number}`;
    if (version.state !== undefined) {
      return googleError('FAILED_PRECONDITION', `Secret Version [${versionResource}] is in ${version.state} state.`);
    }
    accesses.push({ caller: caller.identity, version: versionResource });
    const data = Buffer.from(version.data);
    const checksum = spoilt ? (crc32c(data) ^ 1) >>> 0 : crc32c(data);
    spoilt = false;
    return Response.json({
      name: versionResource,
      payload: { data: data.toString('base64'), dataCrc32c: String(checksum) },
    });
  };

  return {
    handle,
    secretAccesses: () => accesses,
    spoilNextChecksum: () => {
      spoilt = true;
    },
  };
}

/** The location of a regional endpoint; undefined for the global one. */
function endpointLocation(host: string): string | undefined {
  return /^secretmanager\.([a-z0-9-]+)\.rep\.googleapis\.com$/.exec(host)?.[1];
}

function versionNumber({ versions, aliases }: GoogleSecret, name: string): number | undefined {
  if (name === 'latest') return versions.length;
  if (/^[1-9]\d*$/.test(name)) return Number(name);
  return aliases !== undefined && Object.hasOwn(aliases, name) ? aliases[name] : undefined;
}

/** The same for a secret that does not exist. */
function denied(resource: string): Response {
  return googleError(
    'PERMISSION_DENIED',
    `Permission '${ACCESS}' denied for resource '${resource}' (or it may not exist).`,
    [errorInfo('IAM_PERMISSION_DENIED', 'iam.googleapis.com', { permission: ACCESS, resource })],
  );
}

/** The checksum of https://www.rfc-editor.org/rfc/rfc3720#appendix-B.4. */
function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}
