import { describe, expect, it, test } from 'vitest';
import { readAuthorization, signatureMatches } from '../simulators/aws-signature.ts';
import { AWS, awsTenant, HELD_SECRETS } from '../simulators/brokers-tenant.ts';
import { type AwsCredentials, type SignOptions, signedInit } from './aws-signer.ts';
import { type Answer, type BrokersWorld, brokersWorld } from './brokers-world.ts';

const STS = `sts.${AWS.region}.amazonaws.com/`;

function form(token: string, changes: Record<string, string> = {}): URLSearchParams {
  return new URLSearchParams({
    Action: 'AssumeRoleWithWebIdentity',
    Version: '2011-06-15',
    RoleArn: AWS.roleArn,
    RoleSessionName: 'vision-42',
    WebIdentityToken: token,
    ...changes,
  });
}

function assume(at: BrokersWorld, body: URLSearchParams, headers: Record<string, string> = {}): Promise<Answer> {
  return at.ask(STS, { method: 'POST', body, headers });
}

function element({ text }: Answer, name: string): string {
  return new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1] ?? '';
}

async function credentials(at: BrokersWorld, changes: Record<string, string> = {}): Promise<AwsCredentials> {
  const answer = await assume(at, form(await at.bitbucket(AWS.audience), changes));
  return {
    accessKeyId: element(answer, 'AccessKeyId'),
    secretAccessKey: element(answer, 'SecretAccessKey'),
    sessionToken: element(answer, 'SessionToken'),
  };
}

function get(
  at: BrokersWorld,
  keys: AwsCredentials,
  body: unknown,
  options: Partial<SignOptions> = {},
): Promise<Answer> {
  const init = signedInit(JSON.stringify(body), keys, { at: at.clock.now, ...options });
  return at.ask(`secretsmanager.${options.region ?? AWS.region}.amazonaws.com/`, init);
}

describe('the published examples of Signature Version 4', () => {
  const signedWith = (signedHeaders: string, signature: string) =>
    readAuthorization(
      `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=${signedHeaders}, Signature=${signature}`,
    );
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  const cases: [string, string, string, Record<string, string>, string, string][] = [
    ['get-vanilla', 'GET', '', {}, '', '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
    ['post-vanilla', 'POST', '', {}, '', '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b'],
    [
      'query-order',
      'GET',
      'Param2=value2&Param1=value1',
      {},
      '',
      'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
    ],
    [
      'urlencoded',
      'POST',
      '',
      form,
      'Param1=value1',
      'ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a',
    ],
  ];
  it.each(cases)('%s', (_, method, query, more, body, signature) => {
    const headers = new Map(
      Object.entries({ host: 'example.amazonaws.com', 'x-amz-date': '20150830T123600Z', ...more }),
    );
    const authorization = signedWith([...headers.keys()].sort().join(';'), signature);
    if (authorization === undefined || 'missing' in authorization) throw new Error('the header was not read');
    const verify = (text: string) =>
      signatureMatches(
        { method, path: '/', query, headers, body: Buffer.from(text) },
        authorization,
        'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
      );
    expect(verify(body)).toBe(true);
    expect(verify(`${body} `)).toBe(false);
  });
});

test('a CI token gives credentials, in XML, which read secrets', async () => {
  await using at = await brokersWorld();
  const { aws } = at.world.brokers;
  for (const token of [
    await at.bitbucket(AWS.audience),
    await at.buildkite(AWS.audience),
    await at.buildkite(AWS.audience, { subjectClaim: 'pipeline_id' }),
  ]) {
    const answer = await assume(at, form(token, { DurationSeconds: '900' }), { accept: 'application/json' });
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/xml']);
    expect(element(answer, 'Expiration')).toBe('2026-11-21T08:15:00Z');
    expect(element(answer, 'Arn')).toBe('arn:aws:sts::111122223333:assumed-role/ci-secrets/vision-42');
  }
  const keys = await credentials(at);
  expect(aws.issuedTokens()).toEqual(expect.arrayContaining([keys.secretAccessKey, keys.sessionToken]));

  const current = await get(at, keys, { SecretId: 'ci/prefect' });
  expect(current.body).toEqual({
    ARN: 'arn:aws:secretsmanager:us-east-1:111122223333:secret:ci/prefect-a1B2c3',
    Name: 'ci/prefect',
    VersionId: '0d1e2f30-0000-4000-8000-000000000002',
    SecretString: HELD_SECRETS.prefectKey,
    VersionStages: ['AWSCURRENT'],
    CreatedDate: 1780304400,
  });
  for (const which of [{ VersionStage: 'AWSPREVIOUS' }, { VersionId: AWS.formerVersionId }]) {
    const former = await get(at, keys, { SecretId: String(current.body.ARN), ...which });
    expect(former.body.SecretString).toBe(HELD_SECRETS.formerPrefectKey);
  }
  const all = await get(at, keys, { SecretId: 'ci/all' });
  expect(JSON.parse(String(all.body.SecretString))).toMatchObject({ 'vercel-token': HELD_SECRETS.vercelToken });
  const binary = await get(at, keys, { SecretId: 'ci/binary' });
  expect(Buffer.from(String(binary.body.SecretBinary), 'base64').toString()).toBe(HELD_SECRETS.prefectKey);
  expect(aws.secretReads()).toHaveLength(5);
});

test('credentials come in JSON only where the service is told to heed the wish', async () => {
  await using at = await brokersWorld({ brokers: { aws: { ...awsTenant(), jsonAnswers: true } } });
  const token = await at.buildkite(AWS.audience);
  const { body } = await assume(at, form(token), { accept: 'application/json' });
  expect(body).toMatchObject({
    AssumeRoleWithWebIdentityResponse: {
      AssumeRoleWithWebIdentityResult: {
        Credentials: { AccessKeyId: expect.stringMatching(/^ASIA/), Expiration: 1795251600 },
      },
    },
  });
  const refused = await assume(at, form('a.b.c'), { accept: 'application/json' });
  expect(refused.body).toMatchObject({ Error: { Code: 'InvalidIdentityToken' } });
});

test('a role is not given to just anybody', async () => {
  await using at = await brokersWorld();
  const { aws } = at.world.brokers;
  const refusal = async (body: URLSearchParams) => {
    const answer = await assume(at, body);
    return `${answer.status} ${element(answer, 'Code')}: ${element(answer, 'Message')}`;
  };
  const good = await at.bitbucket(AWS.audience);
  const changed = (changes: Record<string, string>) => refusal(form(good, changes));
  expect(await changed({ RoleSessionName: 'a b' })).toContain('400 ValidationError: 1 validation error detected');
  expect(await changed({ RoleSessionName: 'a' })).toContain('greater than or equal to 2');
  expect(await changed({ RoleSessionName: 'a'.repeat(65) })).toContain('less than or equal to 64');
  expect(await changed({ DurationSeconds: '899' })).toContain('greater than or equal to 900');
  expect(await changed({ DurationSeconds: '3601' })).toContain('exceeds the MaxSessionDuration');
  expect(await changed({ Action: 'AssumeRole' })).toContain('400 InvalidAction');
  expect(await changed({ Version: '2010-01-01' })).toContain('400 InvalidAction');
  expect(await changed({ RoleArn: `${AWS.roleArn}x` })).toContain('403 AccessDenied: Not authorized');
  expect(await refusal(new URLSearchParams())).toContain('400 MissingAction');
  expect(await refusal(form('not-a-token'))).toContain('400 InvalidIdentityToken');
  expect(await refusal(form(`${good.slice(0, -8)}AAAAAAAA`))).toContain('400 InvalidIdentityToken');
  expect(await refusal(form(await at.bitbucket('other')))).toBe('400 InvalidIdentityToken: Incorrect token audience');
  const foreign = await at.world.issuers.buildkite.sign({ iss: 'https://evil.example', aud: AWS.audience });
  expect(await refusal(form(foreign))).toContain(
    'No OpenIDConnect provider found in your account for https://evil.example',
  );
  expect(await refusal(form(await at.buildkite(AWS.audience, { pipelineSlug: 'deploy' })))).toContain(
    '403 AccessDenied',
  );
  aws.refuseNext({ status: 403, code: 'IDPRejectedClaim', message: 'The identity provider rejected the claim.' });
  expect(await refusal(form(good))).toContain('403 IDPRejectedClaim');
  at.clock.now += 3_600_000;
  expect(await refusal(form(good))).toContain('400 ExpiredTokenException: Token expired: current date/time');
  expect(aws.sessions()).toEqual([]);
});

test('a request must be signed, and signed well', async () => {
  await using at = await brokersWorld();
  const keys = await credentials(at, { DurationSeconds: '900' });
  const wanted = { SecretId: 'ci/prefect' };
  const refusal = async (changes: Partial<AwsCredentials>, options: Partial<SignOptions> = {}) => {
    const { status, body } = await get(at, { ...keys, ...changes }, wanted, options);
    return `${status} ${body.__type}: ${body.message}`;
  };
  expect(await refusal({ secretAccessKey: 'wrong' })).toContain('400 InvalidSignatureException: The request signature');
  expect(await refusal({ accessKeyId: 'ASIAUNKNOWN' })).toContain('400 UnrecognizedClientException');
  expect(await refusal({ sessionToken: 'other' })).toContain('400 UnrecognizedClientException');
  expect(await refusal({}, { at: at.clock.now - 301_000 })).toContain('InvalidSignatureException: Signature expired');
  expect(await refusal({}, { at: at.clock.now + 301_000 })).toContain('Signature not yet current');
  expect(await refusal({}, { service: 'sts' })).toContain('InvalidSignatureException: Credential should be scoped');
  expect(await refusal({}, { unsigned: ['x-amz-target'] })).toContain('not signed: x-amz-target');
  expect(await refusal({}, { unsigned: ['host'] })).toContain("'Host' or ':authority' must be");
  const host = `secretsmanager.${AWS.region}.amazonaws.com/`;
  const init = signedInit(JSON.stringify(wanted), keys, { at: at.clock.now });
  const tampered = await at.ask(host, { ...init, body: JSON.stringify({ SecretId: 'ci/all' }) });
  expect(tampered.body.__type).toBe('InvalidSignatureException');
  const elsewhere = await at.ask('secretsmanager.eu-west-1.amazonaws.com/', init);
  expect(elsewhere.body.message).toContain('valid region');
  const { authorization: _, ...unsigned } = init.headers as Record<string, string>;
  expect((await at.ask(host, { ...init, headers: unsigned })).body.__type).toBe('MissingAuthenticationTokenException');
  at.clock.now += 900_000;
  expect(await refusal({})).toContain('400 ExpiredTokenException');
  expect(at.world.brokers.aws.secretReads()).toEqual([]);
});

test('secrets that are absent, forbidden, deleted or locked are refused by name', async () => {
  await using at = await brokersWorld();
  const keys = await credentials(at);
  const type = async (body: unknown) => {
    const answer = await get(at, keys, body);
    return [answer.status, answer.body.__type];
  };
  expect(await type({ SecretId: 'ci/nothing' })).toEqual([400, 'ResourceNotFoundException']);
  expect(await type({ SecretId: 'ci/prefect', VersionStage: 'AWSPENDING' })).toEqual([
    400,
    'ResourceNotFoundException',
  ]);
  expect(await type({ SecretId: 'ci/prefect', VersionId: 'x'.repeat(32) })).toEqual([400, 'ResourceNotFoundException']);
  expect(await type({ SecretId: 'ci/prefect', VersionId: '3' })).toEqual([400, 'ValidationException']);
  expect(await type({ SecretId: 'finance/erp' })).toEqual([400, 'AccessDeniedException']);
  expect(await type({ SecretId: 'finance/nothing' })).toEqual([400, 'AccessDeniedException']);
  expect(await type({ SecretId: 'ci/gone' })).toEqual([400, 'InvalidRequestException']);
  expect(await type({ SecretId: 'ci/locked' })).toEqual([400, 'DecryptionFailure']);
  expect(await type({ SecretId: 7 })).toEqual([400, 'SerializationException']);
  expect(await type({})).toEqual([400, 'ValidationException']);
  const other = await get(at, keys, { SecretId: 'ci/prefect' }, { region: 'eu-west-1' });
  expect(other.body.__type).toBe('AccessDeniedException');
});
