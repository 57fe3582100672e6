import { decodeJwt } from 'jose';
import { describe, expect, it } from 'vitest';
import {
  ACCOUNT_ID,
  ACCOUNTS,
  DEPLOYER,
  databricksWorld,
  exchangeForm,
  REPOSITORY,
  TRAINER,
  WORKSPACE,
} from './databricks-world.ts';

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

async function refusal(response: Response): Promise<{ status: number; error: string; description: string }> {
  const { error, error_description: description } = (await response.json()) as Record<string, string>;
  return { status: response.status, error: error ?? '', description: description ?? '' };
}

describe('token exchange', () => {
  it('gives the service principal a token for the life that the CI token has left, an hour at most', async () => {
    const world = await databricksWorld();
    const bitbucketToken = await world.bitbucketToken({ exp: world.now() / 1000 + 7200 });
    const response = await world.exchange(exchangeForm(bitbucketToken, DEPLOYER));
    const answer = (await response.json()) as Record<string, unknown>;
    expect(answer).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      scope: 'all-apis',
      expires_in: 3600,
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    });
    expect(world.resolve(String(answer.access_token))).toMatchObject({ principal: DEPLOYER, level: 'workspace' });

    const short = await world.buildkiteToken('databricks', 300);
    world.pass(60_000);
    const { expires_in } = (await (await world.exchange(exchangeForm(short, TRAINER))).json()) as {
      expires_in: number;
    };
    expect(expires_in).toBe(240);
    world.pass(240_000);
    expect(world.issued().map(({ accessToken }) => world.resolve(accessToken)?.principal)).toEqual([
      DEPLOYER,
      undefined,
    ]);
  });

  it('prints expires_in as a string where it is told to', async () => {
    const world = await databricksWorld({ expiresInAs: 'string' });
    const response = await world.exchange(exchangeForm(await world.bitbucketToken(), DEPLOYER));
    expect(await response.json()).toMatchObject({ expires_in: '3600' });
  });

  it('issues account tokens on the account console, which workspaces take too', async () => {
    const world = await databricksWorld();
    const response = await world.exchange(exchangeForm(await world.bitbucketToken(), DEPLOYER), ACCOUNTS);
    const { access_token } = (await response.json()) as { access_token: string };
    expect(world.resolve(access_token)?.level).toBe('account');
    const list = await world.ask(WORKSPACE, '/api/2.2/jobs/runs/list', {
      headers: { authorization: `Bearer ${access_token}` },
    });
    expect(list.status).toBe(200);
  });

  it('echoes the token where no policy matches, also if only the client id is missing', async () => {
    const world = await databricksWorld();
    const other = '{eeeeeeee-0000-4000-8000-000000000005}';
    const cases: readonly [string, string | undefined][] = [
      [await world.bitbucketToken(), undefined],
      [await world.bitbucketToken(), TRAINER],
      [await world.bitbucketToken({ repositoryUuid: other }), DEPLOYER],
      [await world.bitbucketToken({ repositoryUuid: REPOSITORY.slice(1, -1) }), DEPLOYER],
      [await world.bitbucketToken({ iss: 'https://issuer.example' }), DEPLOYER],
    ];
    for (const [token, clientId] of cases) {
      const { status, error, description } = await refusal(await world.exchange(exchangeForm(token, clientId)));
      expect([status, error]).toEqual([400, 'invalid_grant']);
      expect(description).toContain('TOKEN_INVALID (Ensure a valid federation policy has been configured).');
      const { iss, sub, aud } = decodeJwt(token);
      expect(description).toContain(`{issuer: '${iss}', subject: '${sub}', audience: '${[aud].flat().join(', ')}'}`);
    }
    expect(world.issued()).toEqual([]);
  });

  it('names the audience it expects: the account id where a policy lists none', async () => {
    const world = await databricksWorld();
    const bitbucket = await world.exchange(exchangeForm(await world.bitbucketToken({ aud: 'other' }), DEPLOYER));
    const { error, description } = await refusal(bitbucket);
    expect(error).toBe('invalid_grant');
    expect(description).toContain("TOKEN_AUDIENCE_INVALID (Token audience 'other' invalid)");
    expect(description).toContain(`audience: '${ACCOUNT_ID}'`);
    const buildkite = await world.exchange(exchangeForm(await world.buildkiteToken(ACCOUNT_ID), TRAINER));
    expect((await refusal(buildkite)).description).toContain("audience: 'databricks'");
  });

  it('takes an array of audiences when one of them is right', async () => {
    const world = await databricksWorld();
    const token = await world.bitbucketToken({ aud: ['elsewhere', ACCOUNT_ID] });
    expect((await world.exchange(exchangeForm(token, DEPLOYER))).status).toBe(200);
  });

  it('verifies signature and expiry', async () => {
    const world = await databricksWorld();
    const forged = await refusal(
      await world.exchange(exchangeForm(await world.bitbucketToken({}, 'unpublished'), DEPLOYER)),
    );
    expect(forged).toMatchObject({ status: 400, error: 'invalid_grant' });
    const late = await world.bitbucketToken();
    world.pass(3_600_001);
    expect((await world.exchange(exchangeForm(late, DEPLOYER))).status).toBe(400);
    expect((await world.exchange(exchangeForm('no-jwt', DEPLOYER))).status).toBe(400);
  });

  it('matches account-wide policies to user names, without a client id', async () => {
    const issuer = 'https://api.bitbucket.org/2.0/workspaces/acme/pipelines-config/identity/oidc';
    const world = await databricksWorld({ policies: [{ issuer, subjectClaim: 'email' }], users: ['ada@example.com'] });
    const known = await world.exchange(exchangeForm(await world.bitbucketToken({ email: 'ada@example.com' })));
    expect(known.status).toBe(200);
    expect(world.issued()[0]?.principal).toBe('ada@example.com');
    const stranger = await world.exchange(exchangeForm(await world.bitbucketToken({ email: 'eve@example.com' })));
    expect((await refusal(stranger)).error).toBe('invalid_grant');
  });

  const changed: readonly [string, (form: Record<string, string>) => RequestInit, string][] = [
    [
      'a JSON body',
      (form) => ({ headers: { 'content-type': 'application/json' }, body: JSON.stringify(form) }),
      'invalid_request',
    ],
    [
      'another content type',
      (form) => ({ headers: { 'content-type': 'text/plain' }, body: String(new URLSearchParams(form)) }),
      'invalid_request',
    ],
    [
      'an Authorization header',
      (form) => ({ headers: { ...FORM, authorization: 'Basic eDo=' }, body: new URLSearchParams(form) }),
      'invalid_request',
    ],
    ['an unknown parameter', (form) => ({ body: new URLSearchParams({ ...form, audience: 'x' }) }), 'invalid_request'],
    [
      'a duplicate parameter',
      (form) => ({ headers: FORM, body: `${new URLSearchParams(form)}&scope=sql` }),
      'invalid_request',
    ],
    [
      'a missing parameter',
      ({ subject_token_type: _, ...form }) => ({ body: new URLSearchParams(form) }),
      'invalid_request',
    ],
    [
      'another grant',
      (form) => ({ body: new URLSearchParams({ ...form, grant_type: 'client_credentials' }) }),
      'unsupported_grant_type',
    ],
    [
      'a client assertion',
      (form) => ({ body: new URLSearchParams({ ...form, grant_type: 'client_credentials', client_assertion: 'x' }) }),
      'invalid_client',
    ],
    [
      'another token type',
      (form) => ({
        body: new URLSearchParams({ ...form, subject_token_type: 'urn:ietf:params:oauth:token-type:id_token' }),
      }),
      'invalid_request',
    ],
    ['another scope', (form) => ({ body: new URLSearchParams({ ...form, scope: 'openid' }) }), 'invalid_scope'],
  ];
  it.each(changed)('refuses %s', async (_name, change, error) => {
    const world = await databricksWorld();
    const form = exchangeForm(await world.bitbucketToken(), DEPLOYER);
    const response = await world.ask(WORKSPACE, '/oidc/v1/token', { method: 'POST', ...change(form) });
    expect(response.status).toBeGreaterThanOrEqual(400);
    expect(response.status).toBeLessThan(500);
    expect((await refusal(response)).error).toBe(error);
  });

  it('refuses policies that the account console refuses', async () => {
    const policy = { clientId: DEPLOYER, issuer: 'https://issuer.example', subject: 's' };
    await expect(databricksWorld({ policies: [{ ...policy, issuer: 'http://issuer.example' }] })).rejects.toThrow(
      'https',
    );
    await expect(databricksWorld({ policies: [{ ...policy, subject: '' }] })).rejects.toThrow('no subject');
    await expect(databricksWorld({ policies: Array.from({ length: 21 }, () => policy) })).rejects.toThrow('20');
  });
});
