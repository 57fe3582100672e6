import { describe, expect, it } from 'vitest';
import {
  ACCOUNT_ID,
  ACCOUNTS,
  DEPLOYER,
  databricksWorld,
  exchangeForm,
  OUTSIDER,
  WORKSPACE,
  type World,
} from './databricks-world.ts';

describe('discovery', () => {
  const read = async (world: World, host: string, path: string) =>
    (await (await world.ask(host, path)).json()) as Record<string, unknown>;

  it('describes workspace and account console', async () => {
    const world = await databricksWorld();
    expect(await read(world, WORKSPACE, '/.well-known/databricks-config')).toMatchObject({
      oidc_endpoint: `https://${WORKSPACE}/oidc`,
      host_type: 'workspace',
      cloud: 'AWS',
      token_federation_default_oidc_audiences: [`https://${WORKSPACE}/oidc/v1/token`],
    });
    expect(await read(world, ACCOUNTS, '/.well-known/databricks-config')).toMatchObject({
      oidc_endpoint: `https://${ACCOUNTS}/oidc/accounts/{account_id}`,
      host_type: 'account',
      token_federation_default_oidc_audiences: [ACCOUNT_ID],
    });
    expect(await read(world, WORKSPACE, '/oidc/.well-known/oauth-authorization-server')).toMatchObject({
      token_endpoint: `https://${WORKSPACE}/oidc/v1/token`,
    });
    expect(
      await read(world, ACCOUNTS, `/oidc/accounts/${ACCOUNT_ID}/.well-known/oauth-authorization-server`),
    ).toMatchObject({ token_endpoint: `https://${ACCOUNTS}/oidc/accounts/${ACCOUNT_ID}/v1/token` });
    expect((await world.ask(ACCOUNTS, '/oidc/.well-known/oauth-authorization-server')).status).toBe(404);
    expect(world.hosts('dbc-other.cloud.databricks.com')).toBeUndefined();
  });

  it('brings up a login page on the account console, and on a unified host where no workspace is named', async () => {
    const world = await databricksWorld({ unified: true });
    const authorization = `Bearer ${((await (await world.exchange(exchangeForm(await world.bitbucketToken(), DEPLOYER), ACCOUNTS)).json()) as { access_token: string }).access_token}`;
    for (const host of [ACCOUNTS, WORKSPACE]) {
      const page = await world.ask(host, '/api/2.2/jobs/runs/list', { headers: { authorization } });
      expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    }
    const headers = { authorization, 'x-databricks-workspace-id': '7474650000001' };
    const list = await world.ask(WORKSPACE, '/api/2.2/jobs/runs/list', { headers });
    expect(await list.json()).toEqual({ runs: [], has_more: false });
    expect(await read(world, WORKSPACE, '/.well-known/databricks-config')).toMatchObject({ host_type: 'unified' });
  });
});

describe('access', () => {
  it('answers 401 without a good token and 403 without rights in the workspace', async () => {
    const world = await databricksWorld();
    const status = async (authorization?: string) => {
      const headers = authorization === undefined ? {} : { authorization };
      const response = await world.ask(WORKSPACE, '/api/2.2/jobs/runs/list', { headers });
      return [response.status, ((await response.json()) as { error_code: unknown }).error_code];
    };
    expect(await status()).toEqual([401, 401]);
    expect(await status('Bearer unknown')).toEqual([401, 'UNAUTHENTICATED']);
    expect(await status(`Bearer ${await world.accessToken(OUTSIDER)}`)).toEqual([403, 'PERMISSION_DENIED']);
  });

  it('answers 403 to an expired token where it is told to', async () => {
    const world = await databricksWorld({ badTokenStatus: 403 });
    const authorization = `Bearer ${await world.accessToken()}`;
    world.pass(3_600_000);
    const response = await world.ask(WORKSPACE, '/api/2.2/jobs/runs/list', { headers: { authorization } });
    expect([response.status, await response.json()]).toMatchObject([403, { message: 'Invalid access token.' }]);
  });
});
