import { IdentityPoolClient } from 'google-auth-library';
import { expect, test } from 'vitest';
import { bitbucketClaims, bitbucketIssuer, buildkiteClaims } from '../simulators/oidc-issuer.ts';
import {
  AUDIENCE,
  errorMessage,
  exchangeForm,
  googleWorld,
  impersonation,
  JOB,
  POOL,
  SCOPE,
  START,
  SUBMITTER,
} from './google-world.ts';

const STS = 'sts.googleapis.com/v1/token';

test('an issuer publishes its keys at the paths of the real one', async () => {
  const { issuer, handle } = await bitbucketIssuer({ workspace: 'acme' });
  const path = '/2.0/workspaces/acme/pipelines-config/identity/oidc';
  expect(issuer).toBe(`https://api.bitbucket.org${path}`);
  const discovery = await handle(new Request(`http://localhost${path}/.well-known/openid-configuration`));
  expect(await discovery.json()).toMatchObject({ issuer, jwks_uri: `${issuer}/keys.json` });
  const keys = await handle(new Request(`http://localhost${path}/keys.json`));
  expect(await keys.json()).toMatchObject({ keys: [{ kty: 'RSA', alg: 'RS256', use: 'sig' }] });
  expect((await handle(new Request('http://localhost/keys.json'))).status).toBe(404);
});

test('claims have the documented shapes', () => {
  const bitbucket = { workspace: 'acme', workspaceUuid: 'w', repositoryUuid: '{r}', pipelineUuid: 'p', stepUuid: 's' };
  expect(bitbucketClaims({ ...bitbucket, now: START })).toMatchObject({
    aud: 'ari:cloud:bitbucket::workspace/w',
    sub: '{r}:{s}',
    exp: START / 1000 + 3600,
  });
  const deployment = { ...bitbucket, deploymentEnvironmentUuid: 'e', audiences: ['mine'], now: START };
  expect(bitbucketClaims(deployment)).toMatchObject({
    aud: ['ari:cloud:bitbucket::workspace/w', 'mine'],
    sub: '{r}:{e}:{s}',
    deploymentEnvironmentUuid: '{e}',
  });
  expect(() => bitbucketClaims({ ...deployment, audiences: ['x'.repeat(151)] })).toThrow(RangeError);

  const { audience: _, ...job } = JOB;
  expect(buildkiteClaims(job)).toMatchObject({
    aud: 'https://buildkite.com/acme',
    sub: `organization:acme:pipeline:train:ref:refs/heads/main:commit:${JOB.commit}:step:`,
    step_key: null,
    exp: START / 1000 + 300,
  });
  expect(buildkiteClaims(job)).not.toHaveProperty('pipeline_id');
  const asked = { ...job, ids: { pipeline_id: 'P', build_id: 'B' }, claims: ['build_id'], subjectClaim: 'pipeline_id' };
  expect(buildkiteClaims(asked)).toMatchObject({ sub: 'P', pipeline_id: 'P', build_id: 'B' });
  expect(() => buildkiteClaims({ ...job, lifetimeSeconds: 7201 })).toThrow(/7200/);
  expect(() => buildkiteClaims({ ...job, claims: ['creator'] })).toThrow(/not supported/);
});

test('a service account is impersonated by whom its policy names', async () => {
  await using world = await googleWorld();
  const token = await world.federatedToken();
  expect(await world.post(impersonation(SUBMITTER), { scope: [SCOPE], lifetime: '1800s' }, token)).toEqual({
    status: 200,
    body: { accessToken: expect.any(String), expireTime: '2026-11-21T08:30:00Z' },
  });
  const denied = {
    status: 403,
    body: {
      error: {
        code: 403,
        message: "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).",
        status: 'PERMISSION_DENIED',
        details: [
          {
            '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
            reason: 'IAM_PERMISSION_DENIED',
            domain: 'iam.googleapis.com',
            metadata: { permission: 'iam.serviceAccounts.getAccessToken' },
          },
        ],
      },
    },
  };
  expect(await world.post(impersonation('nobody@ml-prod.iam.gserviceaccount.com'), { scope: [SCOPE] }, token)).toEqual(
    denied,
  );
  const other = await world.post(STS, exchangeForm(await world.ciToken({ pipeline_slug: 'deploy' })));
  expect(await world.post(impersonation(SUBMITTER), { scope: [SCOPE] }, other.body.access_token)).toEqual(denied);

  const refusal = async (body: unknown) => errorMessage((await world.post(impersonation(SUBMITTER), body, token)).body);
  expect(await refusal({ scope: [SCOPE], scopes: [SCOPE] })).toBe(
    'Invalid JSON payload received. Unknown name "scopes": Cannot find field.',
  );
  expect(await refusal({})).toMatch(/Required field is not set/);
  expect(await refusal({ scope: [SCOPE], lifetime: 1800 })).toMatch(/duration must end with 's'/);
  expect(await refusal({ scope: [SCOPE], lifetime: '0s' })).toMatch(/lifetime/);
  expect(await refusal({ scope: [SCOPE], lifetime: '3601s' })).toMatch(
    /more than 1 hour.*allowServiceAccountCredentialLifetimeExtension/,
  );
  world.clock.now += 301_000;
  expect(await world.post(impersonation(SUBMITTER), { scope: [SCOPE] }, token)).toMatchObject({
    status: 401,
    body: { error: { status: 'UNAUTHENTICATED', details: [{ reason: 'ACCESS_TOKEN_EXPIRED' }] } },
  });
});

test('delegates need a chain of token creators', async () => {
  const [first, last] = ['first@p.iam.gserviceaccount.com', 'last@p.iam.gserviceaccount.com'];
  const pipeline = `principalSet://${POOL}/attribute.pipeline_slug/train`;
  const creator = 'roles/iam.serviceAccountTokenCreator';
  await using world = await googleWorld({
    serviceAccounts: [
      { email: first, bindings: [{ role: creator, member: pipeline }] },
      { email: last, bindings: [{ role: creator, member: `serviceAccount:${first}` }], lifetimeExtension: true },
    ],
  });
  const token = await world.federatedToken();
  const ask = (delegates: string[]) =>
    world.post(impersonation(last), { scope: [SCOPE], lifetime: '43200s', delegates }, token);
  expect((await ask([])).status).toBe(403);
  expect((await ask([`projects/-/serviceAccounts/${first}`])).status).toBe(200);
  expect(world.impersonations()).toMatchObject([{ serviceAccount: last, lifetimeSeconds: 43_200 }]);
});

test("Google's own client agrees", async () => {
  await using world = await googleWorld();
  const client = (token: () => Promise<string>, serviceAccount = SUBMITTER) =>
    new IdentityPoolClient({
      type: 'external_account',
      audience: AUDIENCE,
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      token_url: `${world.origin}/${STS}`,
      service_account_impersonation_url: `${world.origin}/${impersonation(serviceAccount)}`,
      subject_token_supplier: { getSubjectToken: token },
      scopes: [SCOPE],
    });
  const { token } = await client(() => world.ciToken()).getAccessToken();
  expect(world.issuedTokens().at(-1)).toBe(token);
  expect(world.impersonations()).toMatchObject([
    { caller: `principal://${POOL}/subject/bk:acme:train`, lifetimeSeconds: 3600 },
  ]);

  await expect(client(() => world.ciToken({ organization_slug: 'evil' })).getAccessToken()).rejects.toThrow(
    'Error code unauthorized_client: The given credential is rejected by the attribute condition.',
  );
  await expect(client(() => world.ciToken(), 'other@ml-prod.iam.gserviceaccount.com').getAccessToken()).rejects.toThrow(
    "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).",
  );
});
