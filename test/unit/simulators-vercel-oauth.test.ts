import { expect, it } from 'vitest';
import { VERCEL, vercelTenant } from '../simulators/vercel-tenant.ts';
import { exchangeForm, vercelWorld } from './vercel-world.ts';

it('exchanges the token of a Bitbucket step and of a Buildkite job', async () => {
  const { exchange, bitbucketToken, buildkiteToken, tokens, liveTokens, issuedTokens } = await vercelWorld();
  for (const token of [await bitbucketToken(), await buildkiteToken()]) {
    expect(await exchange(token)).toMatchObject({
      status: 200,
      json: { access_token: expect.stringMatching(/^\w+$/), token_type: 'Bearer', expires_in: 3600 },
    });
  }
  expect((await exchange(await bitbucketToken(), { team_id_or_slug: VERCEL.team })).status).toBe(200);
  expect(tokens().map(({ policy }) => policy.policyId)).toEqual([
    VERCEL.policies.bitbucketMain,
    VERCEL.policies.buildkiteMain,
    VERCEL.policies.bitbucketMain,
  ]);
  expect(liveTokens().map(({ accessToken }) => accessToken)).toEqual(issuedTokens());
});

it('refuses what is no such exchange', async () => {
  const { exchange, bitbucketToken, ask, limitNext } = await vercelWorld();
  const token = await bitbucketToken();
  const refusals: [Record<string, string>, string][] = [
    [{ grant_type: 'client_credentials' }, 'unsupported_grant_type'],
    [{ subject_token_type: 'urn:ietf:params:oauth:token-type:jwt' }, 'invalid_request'],
    [{ requested_token_type: 'urn:ietf:params:oauth:token-type:id_token' }, 'invalid_request'],
    [{ client_id: 'cl_unknown' }, 'invalid_client'],
    [{ client_id: '' }, 'invalid_request'],
    [{ audience: VERCEL.audience }, 'invalid_request'],
    [{ team_id_or_slug: 'globex' }, 'unauthorized_client'],
    [{ team_id_or_slug: 'nobody' }, 'invalid_grant'],
    [{ policy_id: VERCEL.policies.buildkiteMain }, 'invalid_grant'],
    [{ subject_token: 'nonsense' }, 'invalid_grant'],
  ];
  for (const [changes, error] of refusals) {
    const { status, json } = await exchange(token, changes);
    expect({ status, error: json.error }).toEqual({ status: error === 'invalid_client' ? 401 : 400, error });
    expect(json.error_description).toEqual(expect.any(String));
  }
  const asJson = await ask('POST', '/login/oauth/token', { team: '', body: exchangeForm(token) });
  expect(asJson).toMatchObject({ status: 400, json: { error: 'invalid_request' } });
  expect((await ask('GET', '/login/oauth/token')).status).toBe(405);
  limitNext({ code: 'rate_limited', path: /^\/login\// });
  expect((await exchange(token)).status).toBe(429);
});

it('verifies the token, and all claims of a policy', async () => {
  const { exchange, bitbucketToken, buildkiteToken, pass } = await vercelWorld();
  const error = async (token: string) => (await exchange(token)).json.error_description;
  expect(await error(await bitbucketToken({}, 'unpublished'))).toContain('signature');
  expect(await error(await bitbucketToken({ aud: 'somebody else' }))).toContain('No OIDC federation policy');
  expect(await error(await bitbucketToken({ aud: VERCEL.audience }))).toBeUndefined();
  expect(await error(await bitbucketToken({ branchName: 'feature' }))).toContain('No OIDC federation policy');
  expect(await error(await bitbucketToken({ branchName: undefined }))).toContain('No OIDC federation policy');
  expect(await error(await buildkiteToken({ claims: [] }))).toContain('No OIDC federation policy');
  const old = await buildkiteToken({ lifetimeSeconds: 60 });
  pass(61_000);
  expect(await error(old)).toContain('expired');
});

it('asks which policy is meant where several match', async () => {
  const { exchange, bitbucketToken, tokens } = await vercelWorld();
  const token = await bitbucketToken({ deploymentEnvironmentUuid: VERCEL.productionEnvironmentUuid });
  expect(await exchange(token)).toMatchObject({
    status: 400,
    json: { error: 'invalid_request', error_description: expect.stringContaining('policy_id') },
  });
  expect((await exchange(token, { policy_id: VERCEL.policies.bitbucketProduction })).status).toBe(200);
  expect(tokens().map(({ policy }) => policy.policyId)).toEqual([VERCEL.policies.bitbucketProduction]);
});

it('takes a CI token once, and a list for no value, where it is set up so', async () => {
  const once = await vercelWorld({ singleUse: true });
  const token = await once.bitbucketToken();
  expect((await once.exchange(token)).status).toBe(200);
  expect(await once.exchange(token)).toMatchObject({ status: 400, json: { error: 'invalid_grant' } });
  const noLists = await vercelWorld({ listsMatchNoPolicy: true });
  expect((await noLists.exchange(await noLists.bitbucketToken())).status).toBe(400);
});

it('takes an asterisk for a wildcard only where it is marked', async () => {
  const { policies } = vercelTenant();
  const [first] = policies;
  if (first === undefined) throw new Error('no policy');
  const withBranch = (value: string, wildcards: boolean) => ({
    policies: [{ ...first, claims: [{ name: 'branchName', values: [{ value, wildcards }] }] }],
  });
  await expect(vercelWorld(withBranch('release/*', false))).rejects.toThrow('asterisk');
  const { exchange, bitbucketToken } = await vercelWorld(withBranch('release/*', true));
  expect((await exchange(await bitbucketToken({ branchName: 'release/1.x' }))).status).toBe(200);
  expect((await exchange(await bitbucketToken({ branchName: 'releases' }))).status).toBe(400);
  await expect(vercelWorld({ policies: [{ ...first, issuerUrl: `${first.issuerUrl}/` }] })).rejects.toThrow('slash');
});

it('revokes tokens, tells whether they are live, and lets them expire', async () => {
  const { ask, appToken, liveTokens, tokens, pass } = await vercelWorld();
  const form = (path: string, fields: Record<string, string>) =>
    ask('POST', `/login/oauth/token/${path}`, { team: '', body: new URLSearchParams(fields) });
  const [token, other] = [await appToken(), await appToken()];
  expect((await form('introspect', { token })).json).toEqual({
    active: true,
    client_id: VERCEL.cliClientId,
    client_name: 'Vercel CLI',
    team: { id: VERCEL.teamId, slug: VERCEL.team },
  });
  const revocation = { client_id: VERCEL.cliClientId, token, token_type_hint: 'access_token' };
  expect((await form('revoke', { ...revocation, client_id: VERCEL.turborepoClientId })).status).toBe(400);
  expect((await form('revoke', { token })).json.error).toBe('invalid_request');
  expect((await form('revoke', { ...revocation, token: 'unknown' })).status).toBe(200);
  expect((await form('revoke', revocation)).status).toBe(200);
  expect((await form('introspect', { token })).json).toEqual({ active: false });
  expect(await ask('GET', `/v9/projects/${VERCEL.projectId}`, { token })).toMatchObject({
    status: 403,
    json: { error: { code: 'forbidden', invalidToken: true } },
  });
  expect(liveTokens().map(({ accessToken }) => accessToken)).toEqual([other]);
  expect(tokens().map(({ revokedAt }) => revokedAt !== undefined)).toEqual([true, false]);
  pass(3_600_000);
  expect(liveTokens()).toEqual([]);
  expect((await ask('GET', `/v9/projects/${VERCEL.projectId}`, { token: other })).status).toBe(403);
});
