import { expect, test } from 'vitest';
import { HELD_SECRETS, VAULT, vaultTenant } from '../simulators/brokers-tenant.ts';
import { type Answer, type BrokersWorld, brokersWorld } from './brokers-world.ts';

const NAMESPACE = { 'x-vault-namespace': VAULT.namespace };

function login(at: BrokersWorld, mount: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  return at.ask(`${VAULT.host}/v1/auth/${mount}/login`, { method: 'POST', body: JSON.stringify(body), headers });
}

async function tokenOf(at: BrokersWorld, role = VAULT.role, headers = {}): Promise<string> {
  const { body } = await login(at, 'jwt', { role, jwt: await at.bitbucket(VAULT.audience) }, headers);
  return (body.auth as { client_token: string }).client_token;
}

function read(at: BrokersWorld, token: string, path: string, headers = {}): Promise<Answer> {
  return at.ask(`${VAULT.host}/v1/${path}`, { headers: { 'x-vault-token': token, ...headers } });
}

function revoke(at: BrokersWorld, token: string): Promise<Answer> {
  return at.ask(`${VAULT.host}/v1/auth/token/revoke-self`, { method: 'POST', headers: { 'x-vault-token': token } });
}

test('a CI token buys a Vault token that reads what the policies allow, until it is revoked', async () => {
  await using at = await brokersWorld();
  const { vault } = at.world.brokers;
  const { status, body } = await login(at, 'jwt-buildkite', { role: 'CI', jwt: await at.buildkite(VAULT.audience) });
  expect(status).toBe(200);
  expect(body.auth).toMatchObject({ policies: ['ci-secrets', 'default'], lease_duration: 600, num_uses: 0 });
  const token = (body.auth as { client_token: string }).client_token;
  expect(vault.issuedTokens()).toEqual([token]);

  const second = await read(at, token, 'secret/data/ci/prefect');
  expect(second.body.data).toEqual({
    data: { 'api-key': HELD_SECRETS.prefectKey, 'auth-string': HELD_SECRETS.prefectAuthString, port: 4200 },
    metadata: {
      created_time: '2026-06-01T09:00:00.000000000Z',
      custom_metadata: null,
      deletion_time: '',
      destroyed: false,
      version: 3,
    },
  });
  const former = await read(at, token, 'secret/data/ci/prefect?version=2');
  expect(former.body.data).toMatchObject({ data: { 'api-key': HELD_SECRETS.formerPrefectKey } });
  expect((await read(at, token, 'kv1/ci/prefect')).body.data).toEqual({ 'api-key': HELD_SECRETS.prefectKey });

  const deleted = await read(at, token, 'secret/data/ci/prefect?version=1');
  expect(deleted.status).toBe(404);
  expect(deleted.body.data).toMatchObject({ data: null, metadata: { version: 1, destroyed: false } });
  const missing = await read(at, token, 'secret/data/ci/nothing');
  expect([missing.status, missing.text]).toEqual([404, '{"errors":[]}']);

  expect(vault.liveTokens()).toHaveLength(1);
  expect((await revoke(at, token)).status).toBe(204);
  expect(vault.liveTokens()).toHaveLength(0);
  expect(vault.tokens()).toMatchObject([{ ended: 'revoked' }]);
  const after = await read(at, token, 'secret/data/ci/prefect');
  expect([after.status, after.text]).toEqual([403, expect.stringContaining('permission denied')]);
});

test('a login is refused for the reason that Vault gives', async () => {
  await using at = await brokersWorld();
  const { vault } = at.world.brokers;
  const refusal = async (mount: string, jwt: string, role = VAULT.role) => {
    const { status, body } = await login(at, mount, { role, jwt });
    return `${status} ${(body.errors as string[]).join()}`;
  };
  const good = await at.bitbucket(VAULT.audience);
  expect(await refusal('jwt', good, 'nobody')).toBe('400 role "nobody" could not be found');
  expect(await refusal('jwt', good, '')).toBe('400 missing role');
  expect(await refusal('jwt', '')).toBe('400 missing token');
  expect(await refusal('jwt', 'a.b.c')).toContain('400 error validating token: error verifying token signature');
  expect(await refusal('jwt', `${good.slice(0, -8)}AAAAAAAA`)).toContain('failed to verify id token signature');
  expect(await refusal('jwt-buildkite', good)).toContain('error verifying token signature');
  expect(await refusal('github', good)).toContain('403 permission denied');
  expect(await refusal('jwt', await at.bitbucket('https://other.example'))).toBe(
    '400 error validating token: invalid audience (aud) claim: audience claim does not match any expected audience',
  );
  const otherRepository = await at.world.bitbucketToken({
    audiences: [VAULT.audience],
    repositoryUuid: '{00000000-5b3a-4f6e-8c21-9a8b7c6d5e4f}',
  });
  expect(await refusal('jwt', otherRepository)).toBe(
    '400 error validating claims: claim "repositoryUuid" does not match any associated bound claim values',
  );
  at.clock.now += 3_600_000 + 61_000;
  expect(await refusal('jwt', good)).toBe(
    '400 error validating token: invalid expiration time (exp) claim: token is expired',
  );
  expect((await at.ask(`${VAULT.host}/v1/auth/jwt/login`)).status).toBe(405);
  const wrongType = await login(at, 'jwt', { role: 7, jwt: good });
  expect(wrongType.status).toBe(400);
  expect(vault.tokens()).toEqual([]);
});

test('a role without audiences refuses every token that has one, and claims must be there to be bound', async () => {
  const tenant = vaultTenant();
  const role = { userClaim: 'repositoryUuid', policies: [], tokenTtlSeconds: 60 };
  const audience = { boundAudiences: [VAULT.audience] };
  const roles = {
    open: role,
    unnamed: { ...role, ...audience, userClaim: 'nobody' },
    tagged: { ...role, ...audience, boundClaims: { tag: 'v1' } },
    exact: { ...role, ...audience, boundClaims: { branchName: 'ma*' } },
    glob: { ...role, ...audience, boundClaims: { branchName: ['release/*', 'ma*'] }, boundClaimsType: 'glob' as const },
  };
  const jwt = { issuer: tenant.namespaces['']?.auth.jwt?.issuer ?? '', roles };
  const vault = { ...tenant, namespaces: { '': { auth: { jwt }, kv: {}, policies: {} } } };
  await using at = await brokersWorld({ brokers: { vault } });
  const result = async (name: string) => {
    const { status, body } = await login(at, 'jwt', { role: name, jwt: await at.bitbucket(VAULT.audience) });
    return status === 200 ? 'in' : (body.errors as string[])[0];
  };
  expect(await result('open')).toBe('audience claim found in JWT but no audiences bound to the role');
  expect(await result('unnamed')).toBe('claim "nobody" not found in token');
  expect(await result('tagged')).toBe('error validating claims: claim "tag" is missing');
  expect(await result('exact')).toContain('claim "branchName" does not match');
  expect(await result('glob')).toBe('in');
});

test('a token reads nothing outside its policies, its namespace, its time and its uses', async () => {
  await using at = await brokersWorld();
  const token = await tokenOf(at);
  for (const path of ['secret/data/finance/erp', 'secret/ci/prefect', 'kv1/finance/erp', 'cubbyhole/a']) {
    const refused = await read(at, token, path);
    expect([path, refused.status, refused.text]).toEqual([path, 403, expect.stringContaining('permission denied')]);
  }
  const written = await at.ask(`${VAULT.host}/v1/secret/data/ci/prefect`, {
    method: 'POST',
    headers: { 'x-vault-token': token },
    body: '{"data":{}}',
  });
  expect(written.status).toBe(403);
  expect((await at.ask(`${VAULT.host}/v1/secret/data/ci/prefect`)).status).toBe(403);

  expect((await read(at, token, 'secret/data/ci/prefect', NAMESPACE)).status).toBe(403);
  const ofTeam = await tokenOf(at, VAULT.role, NAMESPACE);
  expect((await read(at, ofTeam, 'secret/data/ci/prefect')).status).toBe(403);
  const held = { data: { 'api-key': HELD_SECRETS.teamPrefectKey } };
  expect((await read(at, ofTeam, 'secret/data/ci/prefect', NAMESPACE)).body.data).toMatchObject(held);
  expect((await read(at, ofTeam, 'team/secret/data/ci/prefect')).body.data).toMatchObject(held);

  const once = await tokenOf(at, VAULT.singleUseRole);
  expect((await read(at, once, 'secret/data/ci/prefect')).status).toBe(200);
  expect((await revoke(at, once)).status).toBe(403);
  expect(at.world.brokers.vault.tokens().at(-1)).toMatchObject({ ended: 'used up' });

  at.clock.now += 600_000;
  expect((await read(at, token, 'secret/data/ci/prefect')).status).toBe(403);
  expect(at.world.brokers.vault.liveTokens()).toEqual([]);
});
