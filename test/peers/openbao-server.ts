import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, startProcess, untilReady } from './server-process.ts';

const BAO = join(import.meta.dirname, '../../build/peers/openbao/bao');

export interface BaoAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** Where the keys are that tokens are verified with: exactly one of the three. */
export type JwtKeys =
  | { readonly oidc_discovery_url: string }
  | { readonly jwks_url: string }
  | { readonly jwt_validation_pubkeys: readonly string[] };

export interface OpenBaoServer extends AsyncDisposable {
  /** What clients are given as VAULT_ADDR: `http://127.0.0.1:PORT`. */
  readonly url: string;
  readonly rootToken: string;
  /** What the server has written. */
  output(): string;
  /** One request below `/v1/`, with the root token unless another is given. */
  call(method: string, path: string, body?: unknown, token?: string): Promise<BaoAnswer>;
  /** https://openbao.org/api-docs/auth/jwt/#configure */
  enableJwtAuth(mount: string, config: JwtKeys & { readonly bound_issuer?: string }): Promise<void>;
  /** https://openbao.org/api-docs/auth/jwt/#create-role */
  writeRole(mount: string, name: string, role: Readonly<Record<string, unknown>>): Promise<void>;
  /** A policy in HCL or JSON: https://openbao.org/docs/concepts/policies/ */
  writePolicy(name: string, policy: string): Promise<void>;
  /** A secrets engine for key-value pairs; there is one of version 2 at `secret` from the start. */
  enableKv(mount: string, version: 1 | 2): Promise<void>;
  /** Writes a secret's next version, or with version 1 of the engine its only one. */
  writeSecret(mount: string, version: 1 | 2, path: string, values: Readonly<Record<string, unknown>>): Promise<void>;
}

/** A real OpenBao server that keeps all in memory (https://openbao.org/docs/concepts/dev-server/). */
export async function startOpenBao(): Promise<OpenBaoServer> {
  const folder = mkdtempSync(join(tmpdir(), 'openbao-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const rootToken = `root-${crypto.randomUUID()}`;
  const server = startProcess(
    BAO,
    [
      'server',
      '-dev',
      '-dev-no-store-token',
      `-dev-listen-address=127.0.0.1:${port}`,
      `-dev-root-token-id=${rootToken}`,
    ],
    { cwd: folder, env: { HOME: folder, PATH: process.env.PATH ?? '' } },
  );
  const dispose = async () => {
    await server.end();
    rmSync(folder, { recursive: true, force: true });
  };

  const call: OpenBaoServer['call'] = async (method, path, body, token = rootToken) => {
    const answer = await fetch(`${url}/v1/${path}`, {
      method,
      headers: { 'X-Vault-Token': token },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, body: text === '' ? undefined : JSON.parse(text) };
  };
  const write = async (path: string, body: unknown) => {
    const { status, body: answer } = await call('POST', path, body);
    if (status >= 300) {
      throw new Error(`${path}: ${status} ${JSON.stringify(answer)}`);
    }
  };

  try {
    // The engine at `secret` is mounted after the server has begun to answer.
    await untilReady('OpenBao', server, async () => (await call('GET', 'secret/config')).status === 200);
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    url,
    rootToken,
    output: server.output,
    call,
    enableJwtAuth: async (mount, config) => {
      await write(`sys/auth/${mount}`, { type: 'jwt' });
      await write(`auth/${mount}/config`, config);
    },
    writeRole: (mount, name, role) => write(`auth/${mount}/role/${name}`, { role_type: 'jwt', ...role }),
    writePolicy: (name, policy) => write(`sys/policies/acl/${name}`, { policy }),
    enableKv: async (mount, version) => {
      await write(`sys/mounts/${mount}`, { type: 'kv', options: { version: String(version) } });
    },
    writeSecret: (mount, version, path, values) =>
      version === 1 ? write(`${mount}/${path}`, values) : write(`${mount}/data/${path}`, { data: values }),
    [Symbol.asyncDispose]: dispose,
  };
}
