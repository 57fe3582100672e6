import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serve } from '../simulators/serve.ts';
import { type OpenBaoServer, startOpenBao } from './openbao-server.ts';

const REPOSITORY = '{aaaaaaaa-0000-4000-8000-000000000001}';
const ROLE = {
  user_claim: 'repositoryUuid',
  bound_audiences: ['https://bao.example.com'],
  bound_claims: { repositoryUuid: REPOSITORY },
  token_policies: ['ci'],
  token_ttl: 300,
};
let bao: OpenBaoServer;
let keys: Awaited<ReturnType<typeof generateKeyPair>>;

beforeAll(async () => {
  await promisify(execFile)('sh', [join(import.meta.dirname, 'install-openbao.sh')]);
  keys = await generateKeyPair('RS256');
  bao = await startOpenBao();
  await bao.writePolicy(
    'ci',
    'path "secret/data/prefect" { capabilities = ["read"] }\npath "kv1/*" { capabilities = ["read"] }',
  );
  await bao.enableKv('kv1', 1);
  await bao.writeSecret('secret', 2, 'prefect', { key: 'first' });
  await bao.writeSecret('secret', 2, 'prefect', { key: 'second' });
  await bao.writeSecret('kv1', 1, 'prefect', { key: 'only' });
}, 120_000);

afterAll(() => bao?.[Symbol.asyncDispose]());

function sign(issuer: string, claims: Record<string, unknown> = {}): Promise<string> {
  return new SignJWT({ repositoryUuid: REPOSITORY, ...claims })
    .setProtectedHeader({ alg: 'RS256', kid: 'a' })
    .setIssuer(issuer)
    .setSubject('step')
    .setAudience(['https://bao.example.com'])
    .setIssuedAt()
    .setExpirationTime('5m')
    .sign(keys.privateKey);
}

async function login(mount: string, jwt: string) {
  const { status, body } = await bao.call('POST', `auth/${mount}/login`, { role: 'ci', jwt }, '');
  return { status, body, token: (body as { auth?: { client_token: string } }).auth?.client_token ?? '' };
}

describe('a real OpenBao server', () => {
  it('takes a token signed by a static key, and gives what the role may read, until it is revoked', async () => {
    await bao.enableJwtAuth('static', {
      jwt_validation_pubkeys: [await exportSPKI(keys.publicKey)],
      bound_issuer: 'https://ci.example.com',
    });
    await bao.writeRole('static', 'ci', ROLE);
    const { token, ...answer } = await login('static', await sign('https://ci.example.com'));
    expect(answer).toMatchObject({
      status: 200,
      body: { auth: { lease_duration: 300, token_policies: ['ci', 'default'] } },
    });

    const read = (path: string) => bao.call('GET', path, undefined, token);
    expect((await read('secret/data/prefect')).body).toMatchObject({
      data: { data: { key: 'second' }, metadata: { version: 2 } },
    });
    expect((await read('secret/data/prefect?version=1')).body).toMatchObject({ data: { data: { key: 'first' } } });
    expect((await read('kv1/prefect')).body).toMatchObject({ data: { key: 'only' } });
    expect((await read('secret/data/other')).status).toBe(403);

    expect((await bao.call('POST', 'auth/token/revoke-self', undefined, token)).status).toBe(204);
    expect((await read('kv1/prefect')).status).toBe(403);
  });

  it('refuses the token of another repository, of another issuer, and an unknown role', async () => {
    const other = await login('static', await sign('https://ci.example.com', { repositoryUuid: '{other}' }));
    expect(other).toMatchObject({ status: 400, body: { errors: [expect.stringContaining('repositoryUuid')] } });
    expect(await login('static', await sign('https://elsewhere.example.com'))).toMatchObject({ status: 400 });
    const jwt = await sign('https://ci.example.com');
    expect(await bao.call('POST', 'auth/static/login', { role: 'none', jwt }, '')).toMatchObject({ status: 400 });
  });

  it('fetches the keys of an issuer by discovery, and from a JWKS address', async () => {
    const jwk = { ...(await exportJWK(keys.publicKey)), kid: 'a', alg: 'RS256', use: 'sig' };
    let url = '';
    const issuer = await serve(async (request) =>
      new URL(request.url).pathname === '/jwks'
        ? Response.json({ keys: [jwk] })
        : Response.json({ issuer: url, jwks_uri: `${url}/jwks`, id_token_signing_alg_values_supported: ['RS256'] }),
    );
    url = issuer.url;
    try {
      await bao.enableJwtAuth('discovery', { oidc_discovery_url: url });
      await bao.enableJwtAuth('jwks', { jwks_url: `${url}/jwks` });
      for (const mount of ['discovery', 'jwks']) {
        await bao.writeRole(mount, 'ci', ROLE);
        expect((await login(mount, await sign(url))).status).toBe(200);
      }
    } finally {
      await issuer.close();
    }
  });
});
