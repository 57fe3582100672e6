import { request } from 'node:http';
import { describe, expect, it } from 'vitest';
import { prefectTenant } from '../simulators/prefect-tenant.ts';
import { serve } from '../simulators/serve.ts';
import { GOOD_ID_TOKEN, PREFECT, prefectWorld } from './prefect-world.ts';

const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
const basic = { authorization: `Basic ${Buffer.from(PREFECT.authString).toString('base64')}` };
const PROD = `/deployments/name/${PREFECT.flow}/prod`;

describe('Cloud', () => {
  it('takes the keys of users and service accounts, and no others', async () => {
    const { ask } = await prefectWorld();
    const status = async (headers: Record<string, string>) => {
      const { status, json } = await ask(`${PREFECT.cloudApi}${PROD}`, { headers });
      return [status, json.detail];
    };
    expect(await status(bearer(PREFECT.keys.service))).toEqual([200, undefined]);
    expect(await status(bearer(PREFECT.keys.user))).toEqual([200, undefined]);
    for (const headers of [{}, bearer('pnb_unknown'), bearer(PREFECT.keys.expired), basic]) {
      expect(await status(headers)).toEqual([401, 'Invalid authentication credentials']);
    }
  });

  it('hides workspaces from those who are not in them', async () => {
    const { ask } = await prefectWorld();
    const read = (key: string, path: string) => ask(`https://${PREFECT.cloudHost}${path}`, { headers: bearer(key) });
    const base = `/api/accounts/${PREFECT.accountId}/workspaces`;
    expect((await read(PREFECT.keys.outsider, `${base}/${PREFECT.workspaceId}${PROD}`)).status).toBe(404);
    expect((await read(PREFECT.keys.service, `${base}/${PREFECT.otherWorkspaceId}/health`)).status).toBe(404);
    expect((await read(PREFECT.keys.user, `${base}/${PREFECT.otherWorkspaceId}/health`)).status).toBe(200);
    const misspelt = `/api/account/${PREFECT.accountId}/workspace/${PREFECT.workspaceId}/health`;
    expect((await read(PREFECT.keys.service, misspelt)).status).toBe(404);
  });

  it('tells a key who it is and where it may work', async () => {
    const { ask } = await prefectWorld();
    const read = (key: string, path: string) =>
      ask(`https://${PREFECT.cloudHost}/api${path}`, { headers: bearer(key) });
    expect((await read(PREFECT.keys.service, '/me/')).json).toMatchObject({ handle: 'ci' });
    expect((await read(PREFECT.keys.outsider, '/me/workspaces')).json).toEqual([]);
    expect((await read(PREFECT.keys.service, '/me/workspaces')).json).toMatchObject([
      { account_handle: 'acme', workspace_id: PREFECT.workspaceId, workspace_handle: 'ml' },
    ]);
    expect((await read(PREFECT.keys.expired, '/me/')).status).toBe(401);
  });

  it('wants to know the length of a body, and no more than 5 MiB', async () => {
    const { hosts, api } = await prefectWorld();
    const handle = hosts(PREFECT.cloudHost);
    if (handle === undefined) throw new Error('no Cloud');
    await using server = { ...(await serve(handle)), [Symbol.asyncDispose]: () => server.close() };
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const path = `${PREFECT.cloudApi.slice(`https://${PREFECT.cloudHost}`.length)}/flow_runs/filter`;
      const headers = { ...bearer(PREFECT.keys.service), 'transfer-encoding': 'chunked' };
      const sent = request(`${server.url}${path}`, { method: 'POST', headers }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      sent.on('error', reject).end('{}');
    });
    expect(status).toBe(411);
    expect((await api('/flow_runs/filter', { padding: 'x'.repeat(5 * 1024 * 1024) })).status).toBe(413);
  });
});

describe('a self-hosted server', () => {
  const read = (path: string, headers: Record<string, string> = {}) => ({
    url: `${PREFECT.serverApi}${path}`,
    headers,
  });

  it('lets in who sends its auth string, and probes', async () => {
    const { ask } = await prefectWorld();
    const get = ({ url, headers }: ReturnType<typeof read>) => ask(url, { headers });
    expect((await get(read(PROD, basic))).status).toBe(200);
    for (const headers of [{}, { authorization: basic.authorization.toLowerCase() }, bearer(PREFECT.keys.service)]) {
      const { status, json } = await get(read(PROD, headers as Record<string, string>));
      expect([status, json]).toEqual([401, { exception_message: 'Unauthorized' }]);
    }
    expect((await get(read('/health'))).text).toBe('true');
    expect((await get(read('/ready'))).json).toEqual({ message: 'OK' });
    expect((await get(read('/version'))).status).toBe(401);
    expect((await get(read('/admin/version', basic))).text).toBe('"3.8.8"');
    expect((await get(read('/version', basic))).text).toBe('"0.8.4"');
    expect((await ask(`https://${PREFECT.serverHost}/runs`)).headers.get('content-type')).toContain('text/html');
  });

  it('protects changes with tokens that belong to a client and grow old', async () => {
    const { ask, pass } = await prefectWorld();
    const change = (headers: Record<string, string>) =>
      ask(`${PREFECT.serverApi}/flow_runs/filter`, { body: {}, headers: { ...basic, ...headers } });
    const token = async (client: string) =>
      (await ask(`${PREFECT.serverApi}/csrf-token?client=${client}`, { headers: basic })).json;
    const issued = await token('one');
    expect(issued).toMatchObject({ client: 'one', expiration: '2026-11-21T11:00:00Z' });
    const good = { 'prefect-csrf-token': String(issued.token), 'prefect-csrf-client': 'one' };
    expect((await change(good)).status).toBe(200);
    const refusals = [
      await change({}),
      await change({ 'prefect-csrf-token': String(issued.token) }),
      await change({ ...good, 'prefect-csrf-client': 'two' }),
    ];
    pass(3_600_000);
    refusals.push(await change(good));
    expect(refusals.map(({ status, json }) => [status, json.detail])).toEqual([
      [403, 'Missing CSRF token.'],
      [403, 'Missing client identifier.'],
      [403, 'Invalid CSRF token or client identifier.'],
      [403, 'Invalid CSRF token or client identifier.'],
    ]);
  });

  it('says where CSRF is off', async () => {
    const { ask, api } = await prefectWorld();
    const headers = bearer(GOOD_ID_TOKEN);
    const { status, json } = await ask(`${PREFECT.iapApi}/csrf-token?client=one`, { headers });
    expect([status, json]).toEqual([422, { detail: 'CSRF protection is disabled.' }]);
    expect((await api('/csrf-token?client=one')).status).toBe(404);
  });
});

describe('behind the proxy', () => {
  const url = `${PREFECT.iapApi}${PROD}`;

  it('needs a Google ID token in one of two headers', async () => {
    const { ask } = await prefectWorld();
    for (const header of ['authorization', 'proxy-authorization']) {
      expect((await ask(url, { headers: { [header]: `Bearer ${GOOD_ID_TOKEN}` } })).status).toBe(200);
      const bad = await ask(url, { headers: { [header]: 'Bearer a.b.c' } });
      expect([bad.status, bad.headers.get('content-type')]).toEqual([401, 'text/html; charset=UTF-8']);
    }
    const login = await ask(url);
    expect([login.status, login.headers.get('location')]).toEqual([302, expect.stringContaining(PREFECT.iapAudience)]);
    expect((await ask(`${PREFECT.iapApi}/health`)).status).toBe(302);
  });

  it('hands Authorization on to a server that has a password of its own', async () => {
    const { ask } = await prefectWorld(prefectTenant({ iapAuthString: PREFECT.authString }));
    const proxy = { 'proxy-authorization': `Bearer ${GOOD_ID_TOKEN}` };
    expect((await ask(url, { headers: { ...proxy, ...basic } })).status).toBe(200);
    expect((await ask(url, { headers: proxy })).json).toEqual({ exception_message: 'Unauthorized' });
    expect((await ask(url, { headers: bearer(GOOD_ID_TOKEN) })).status).toBe(401);
  });
});

describe('routes', () => {
  it('wants the slashes where they belong', async () => {
    const { api } = await prefectWorld();
    const run = `/deployments/${PREFECT.deployments.prod.id}/create_flow_run`;
    const answers = [await api('/flows', { name: 'x' }), await api('/deployments', {}), await api(`${run}/`, {})];
    expect(answers.map(({ status, headers }) => [status, headers.get('location')])).toEqual([
      [307, `${PREFECT.cloudApi}/flows/`],
      [307, `${PREFECT.cloudApi}/deployments/`],
      [307, `${PREFECT.cloudApi}${run}`],
    ]);
  });

  it('refuses unknown paths, wrong methods and bodies that are not JSON', async () => {
    const { api } = await prefectWorld();
    expect(await api('/nope')).toMatchObject({ status: 404, json: { detail: 'Not Found' } });
    expect(await api('/deployments/not-a-uuid')).toMatchObject({ status: 404, json: { detail: 'Not Found' } });
    expect(await api('/flow_runs/filter')).toMatchObject({ status: 405, json: { detail: 'Method Not Allowed' } });
    const text = await api('/flows/', '{"name":"x"}');
    expect([text.status, text.json.exception_message]).toEqual([422, 'Invalid request received.']);
  });

  it('checks the API version of a caller that gives one', async () => {
    const { ask } = await prefectWorld();
    const detail = async (version: string, path = PROD) => {
      const headers = { ...bearer(PREFECT.keys.service), 'x-prefect-api-version': version };
      const { status, json } = await ask(`${PREFECT.cloudApi}${path}`, { headers });
      return `${status} ${json.detail ?? ''}`;
    };
    expect(await detail('0.8.4')).toBe('200 ');
    expect(await detail('latest')).toMatch(/^400 Invalid X-PREFECT-API-VERSION header format/);
    expect(await detail('0.7.9')).toMatch(/^400 The request specified API version 0\.7\.9/);
    expect(await detail('latest', '/version')).toBe('200 ');
  });

  it('names its secrets for those who look for leaks', async () => {
    const { issuedTokens } = await prefectWorld();
    expect(issuedTokens()).toEqual(expect.arrayContaining([PREFECT.keys.service, PREFECT.authString]));
  });
});
