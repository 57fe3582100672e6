import { expect, test } from 'vitest';
import { AZURE, HELD_SECRETS } from '../simulators/brokers-tenant.ts';
import { type Answer, type BrokersWorld, brokersWorld } from './brokers-world.ts';

const SCOPE = 'https://vault.azure.net/.default';

function login(
  at: BrokersWorld,
  assertion: string,
  changes: Record<string, string> = {},
  tenant = AZURE.tenantId,
): Promise<Answer> {
  const fields = {
    client_id: AZURE.clientId,
    grant_type: 'client_credentials',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
    scope: SCOPE,
    ...changes,
  };
  const sent = Object.entries(fields).filter(([, value]) => value !== '');
  return at.ask(`login.microsoftonline.com/${tenant}/oauth2/v2.0/token`, {
    method: 'POST',
    body: new URLSearchParams(sent),
  });
}

function assertion(at: BrokersWorld): Promise<string> {
  return at.buildkite(AZURE.audience, { subjectClaim: 'pipeline_id' });
}

async function tokenOf(at: BrokersWorld, changes: Record<string, string> = {}): Promise<string> {
  return String((await login(at, await assertion(at), changes)).body.access_token);
}

function read(at: BrokersWorld, token: string, path: string, version = '7.4'): Promise<Answer> {
  const query = version === '' ? '' : `?api-version=${version}`;
  return at.ask(`${AZURE.vault}.vault.azure.net/secrets/${path}${query}`, {
    headers: { authorization: `Bearer ${token}` },
  });
}

test('a Buildkite token with a lasting subject gives an access token, which reads secrets', async () => {
  await using at = await brokersWorld();
  const { azure } = at.world.brokers;
  const { status, body } = await login(at, await assertion(at));
  expect([status, body]).toEqual([
    200,
    { token_type: 'Bearer', expires_in: 3599, ext_expires_in: 3599, access_token: expect.any(String) },
  ]);
  const token = String(body.access_token);
  expect(azure.issuedTokens()).toEqual([token]);
  for (const path of ['prefect-ci', 'prefect-ci/']) {
    expect((await read(at, token, path)).body).toEqual({
      value: HELD_SECRETS.prefectKey,
      id: 'https://acme-ci.vault.azure.net/secrets/prefect-ci/00000000000040008000000000000002',
      attributes: expect.objectContaining({ enabled: true }),
      tags: {},
    });
  }
  const former = await read(at, token, `prefect-ci/${AZURE.formerVersion}`, '2025-07-01');
  expect(former.body.value).toBe(HELD_SECRETS.formerPrefectKey);
});

test('no other token matches the federated credential', async () => {
  await using at = await brokersWorld();
  const refusal = async (token: string, changes: Record<string, string> = {}, tenant?: string) => {
    const { status, body } = await login(at, token, changes, tenant);
    return `${status} ${body.error} ${String(body.error_description).split(':')[0]}`;
  };
  const good = await assertion(at);
  expect(await refusal(await at.buildkite(AZURE.audience))).toBe('401 invalid_client AADSTS700213');
  expect(await refusal(await at.bitbucket(AZURE.audience))).toBe('401 invalid_client AADSTS700211');
  const other = await at.buildkite('api://other', { subjectClaim: 'pipeline_id' });
  expect(await refusal(other)).toBe('401 invalid_client AADSTS700212');
  expect(await refusal(`${good.slice(0, -8)}AAAAAAAA`)).toBe('401 invalid_client AADSTS700027');
  expect(await refusal('garbage')).toBe('401 invalid_client AADSTS50027');
  expect(await refusal('')).toBe('401 invalid_client AADSTS7000218');
  expect(await refusal(good, {}, 'globex.onmicrosoft.com')).toBe('400 invalid_request AADSTS90002');
  expect(await refusal(good, { client_id: 'nobody' })).toBe('400 unauthorized_client AADSTS700016');
  expect(await refusal(good, { grant_type: '' })).toBe('400 invalid_request AADSTS900144');
  expect(await refusal(good, { grant_type: 'password' })).toBe('400 unsupported_grant_type AADSTS70003');
  expect(await refusal(good, { scope: 'https://vault.azure.net' })).toBe('400 invalid_scope AADSTS1002012');
  expect(await refusal(good, { scope: 'https://x.example/.default' })).toBe('400 invalid_resource AADSTS500011');
  const full = await login(at, await at.buildkite(AZURE.audience));
  expect(full.body).toMatchObject({ error_codes: [700213], timestamp: '2026-11-21 08:00:00Z' });
  at.clock.now += 300_000;
  expect(await refusal(good)).toBe('401 invalid_client AADSTS700024');
  expect(at.world.brokers.azure.tokens()).toEqual([]);
});

test('a vault wants its own token, a reader, a known version and an enabled secret', async () => {
  await using at = await brokersWorld();
  const token = await tokenOf(at);
  const refusal = async (given: string, path: string, version?: string) => {
    const { status, body } = await read(at, given, path, version);
    return `${status} ${(body.error as { code: string }).code}`;
  };
  const anonymous = await at.ask(`${AZURE.vault}.vault.azure.net/secrets/prefect-ci?api-version=7.4`);
  expect(anonymous.status).toBe(401);
  expect(anonymous.headers.get('www-authenticate')).toBe(
    `Bearer authorization="https://login.microsoftonline.com/${AZURE.tenantId}", resource="https://vault.azure.net"`,
  );
  expect(await refusal('foreign', 'prefect-ci')).toBe('401 Unauthorized');
  const ofManagement = await tokenOf(at, { scope: 'https://management.azure.com/.default' });
  expect(await refusal(ofManagement, 'prefect-ci')).toBe('401 Unauthorized');
  expect(await refusal(await tokenOf(at, { client_id: AZURE.outsiderId }), 'prefect-ci')).toBe('403 Forbidden');
  expect(await refusal(token, 'nothing')).toBe('404 SecretNotFound');
  expect(await refusal(token, `prefect-ci/${'0'.repeat(32)}`)).toBe('404 SecretNotFound');
  expect(await refusal(token, 'prefect-ci', '')).toBe('400 BadParameter');
  expect(await refusal(token, 'prefect-ci', '6.0')).toBe('400 BadParameter');
  expect(await refusal(token, 'prefect_ci')).toBe('400 BadParameter');
  expect((await read(at, token, 'paused')).body.error).toMatchObject({
    code: 'Forbidden',
    innererror: { code: 'SecretDisabled' },
  });
  expect((await at.ask('other.vault.azure.net/secrets/prefect-ci?api-version=7.4')).status).toBe(502);
  at.clock.now += 3_600_000;
  expect(await refusal(token, 'prefect-ci')).toBe('401 Unauthorized');
});
