import { decodeJwt } from 'jose';
import { expect, test } from 'vitest';
import { HELD_SECRETS } from '../simulators/brokers-tenant.ts';
import { GOOGLE } from '../simulators/tenant.ts';
import { type Answer, type BrokersWorld, brokersWorld } from './brokers-world.ts';

const HOST = 'secretmanager.googleapis.com';
const NUMBERED = `projects/${GOOGLE.projectNumber}`;
const IAP = '123456789012-iap.apps.googleusercontent.com';

function bearer(token: string, init: RequestInit = {}): RequestInit {
  return { ...init, headers: { authorization: `Bearer ${token}` } };
}

function access(at: BrokersWorld, token: string, name: string, host = HOST): Promise<Answer> {
  return at.ask(`${host}/v1/projects/${name}:access`, bearer(token));
}

function value({ body }: Answer): string {
  return Buffer.from((body.payload as { data: string }).data, 'base64').toString();
}

function idToken(at: BrokersWorld, token: string, body: unknown, account = GOOGLE.trainer): Promise<Answer> {
  const path = `v1/projects/-/serviceAccounts/${account}:generateIdToken`;
  return at.ask(`iamcredentials.googleapis.com/${path}`, bearer(token, { method: 'POST', body: JSON.stringify(body) }));
}

test('a version is read by number, alias or as the latest, with the checksum of its bytes', async () => {
  await using at = await brokersWorld();
  const token = await at.googleToken('bitbucket');
  const latest = await access(at, token, 'acme-ml/secrets/prefect-ci/versions/latest');
  expect(latest.status).toBe(200);
  expect(latest.body).toEqual({
    name: `${NUMBERED}/secrets/prefect-ci/versions/3`,
    payload: { data: expect.any(String), dataCrc32c: expect.stringMatching(/^\d+$/) },
  });
  expect(value(latest)).toBe(HELD_SECRETS.prefectKey);
  for (const version of ['2', 'former']) {
    const former = await access(at, token, `${GOOGLE.projectNumber}/secrets/prefect-ci/versions/${version}`);
    expect(value(former)).toBe(HELD_SECRETS.formerPrefectKey);
    expect(former.body.name).toBe(`${NUMBERED}/secrets/prefect-ci/versions/2`);
  }
  expect(at.world.google.secretAccesses().map(({ version }) => version.slice(-1))).toEqual(['3', '2', '2']);

  at.world.google.spoilNextChecksum();
  const checksum = ({ body }: Answer) => (body.payload as { dataCrc32c: string }).dataCrc32c;
  const name = 'acme-ml/secrets/prefect-ci/versions/latest';
  expect(checksum(await access(at, token, name))).not.toBe(checksum(latest));
  expect(checksum(await access(at, token, name))).toBe(checksum(latest));
});

test('the checksum is the Castagnoli one', async () => {
  const secret = {
    project: GOOGLE.project,
    name: 'check',
    versions: [{ data: '123456789' }],
    bindings: [{ role: 'roles/secretmanager.secretAccessor' as const, member: `serviceAccount:${GOOGLE.trainer}` }],
  };
  await using at = await brokersWorld({ google: { secrets: [secret] } });
  const impersonated = await at.ask(
    `iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/${GOOGLE.trainer}:generateAccessToken`,
    bearer(await at.googleToken('buildkite'), {
      method: 'POST',
      body: JSON.stringify({ scope: ['https://www.googleapis.com/auth/cloud-platform'] }),
    }),
  );
  const token = String(impersonated.body.accessToken);
  const { body } = await access(at, token, 'acme-ml/secrets/check/versions/1');
  expect(body.payload).toEqual({ data: 'MTIzNDU2Nzg5', dataCrc32c: String(0xe3069283) });
  // The federated identity itself has no grant on this secret.
  expect((await access(at, await at.googleToken('buildkite'), 'acme-ml/secrets/check/versions/1')).status).toBe(403);
});

test('what is absent, forbidden or withdrawn is refused in the words of Google', async () => {
  await using at = await brokersWorld();
  const token = await at.googleToken('buildkite');
  const refusal = async (name: string, host = HOST) => (await access(at, token, name, host)).body.error;
  expect(await refusal('acme-ml/secrets/prefect-ci/versions/1')).toEqual({
    code: 400,
    message: `Secret Version [${NUMBERED}/secrets/prefect-ci/versions/1] is in DESTROYED state.`,
    status: 'FAILED_PRECONDITION',
  });
  expect(await refusal('acme-ml/secrets/paused/versions/latest')).toMatchObject({
    status: 'FAILED_PRECONDITION',
    message: expect.stringContaining('DISABLED'),
  });
  expect(await refusal('acme-ml/secrets/prefect-ci/versions/9')).toMatchObject({ code: 404, status: 'NOT_FOUND' });
  expect(await refusal('acme-ml/secrets/prefect-ci/versions/toString')).toMatchObject({ code: 404 });
  for (const name of [
    'acme-ml/secrets/finance/versions/1',
    'acme-ml/secrets/nope/versions/1',
    'other/secrets/a/versions/1',
  ]) {
    expect(await refusal(name)).toMatchObject({
      code: 403,
      status: 'PERMISSION_DENIED',
      message: `Permission 'secretmanager.versions.access' denied for resource 'projects/${name}' (or it may not exist).`,
    });
  }
  const regional = 'secretmanager.us-central1.rep.googleapis.com';
  expect(await refusal('acme-ml/secrets/prefect-ci/versions/1', regional)).toMatchObject({ code: 400 });
  expect(await refusal('acme-ml/locations/us-central1/secrets/prefect-ci/versions/1')).toMatchObject({ code: 400 });
  const found = await access(at, token, 'acme-ml/locations/us-central1/secrets/prefect-ci/versions/latest', regional);
  expect(found.body.name).toBe(`${NUMBERED}/locations/us-central1/secrets/prefect-ci/versions/1`);

  const anonymous = await at.ask(`${HOST}/v1/projects/acme-ml/secrets/prefect-ci/versions/latest:access`);
  expect(anonymous.body.error).toMatchObject({ code: 401, status: 'UNAUTHENTICATED' });
  at.clock.now += 3_600_000;
  expect(await refusal('acme-ml/secrets/prefect-ci/versions/latest')).toMatchObject({ code: 401 });
});

test('an ID token of the service account proves itself to the audience that it is for', async () => {
  await using at = await brokersWorld();
  const { google } = at.world;
  const token = await at.googleToken('bitbucket');
  const { status, body } = await idToken(at, token, { audience: IAP, includeEmail: true });
  expect(status).toBe(200);
  const made = String(body.token);
  expect(decodeJwt(made)).toEqual({
    iss: 'https://accounts.google.com',
    aud: IAP,
    azp: '104857600000000000001',
    sub: '104857600000000000001',
    email: GOOGLE.trainer,
    email_verified: true,
    iat: at.clock.now / 1000,
    exp: at.clock.now / 1000 + 3600,
  });
  expect(google.issuedTokens()).toContain(made);
  expect(await google.verifyIdToken(made, IAP)).toBe(true);
  expect(await google.verifyIdToken(made, 'another')).toBe(false);
  expect(await google.verifyIdToken(`${made.slice(0, -8)}AAAAAAAA`, IAP)).toBe(false);
  expect(await google.verifyIdToken(token, IAP)).toBe(false);
  expect(await google.verifyIdToken(await at.bitbucket(IAP), IAP)).toBe(false);
  at.clock.now += 3_600_000;
  expect(await google.verifyIdToken(made, IAP)).toBe(false);
});

test('an ID token needs an audience and the permission', async () => {
  await using at = await brokersWorld();
  const token = await at.googleToken('bitbucket');
  const error = async (body: unknown, account?: string) => (await idToken(at, token, body, account)).body.error;
  expect(await error({})).toMatchObject({ code: 400, status: 'INVALID_ARGUMENT' });
  expect(await error({ audience: '' })).toMatchObject({ code: 400, status: 'INVALID_ARGUMENT' });
  expect(await error({ audience: IAP, email: true })).toMatchObject({ code: 400, status: 'INVALID_ARGUMENT' });
  expect(await error({ audience: IAP }, GOOGLE.runtime)).toMatchObject({
    code: 403,
    message: "Permission 'iam.serviceAccounts.getOpenIdToken' denied on resource (or it may not exist).",
  });
  const plain = await idToken(at, token, { audience: IAP });
  expect(decodeJwt(String(plain.body.token))).not.toHaveProperty('email');
});
