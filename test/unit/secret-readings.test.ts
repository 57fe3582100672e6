import { expect, test } from 'vitest';
import { SubmitError } from '../../shared/errors.ts';
import { readIdToken } from '../../shared/google/id-token.ts';
import type { Answer } from '../../shared/http/http.ts';
import { Secret } from '../../shared/secret.ts';
import { getSecretCall } from '../../shared/secrets/aws/secrets-manager.ts';
import { signed } from '../../shared/secrets/aws/signature.ts';
import { readAwsKeys, sessionName, stsAnswer, stsRefusal, unreadableSts } from '../../shared/secrets/aws/sts.ts';
import { xmlAsJson } from '../../shared/secrets/aws/xml-answer.ts';
import { crc32c } from '../../shared/secrets/google/crc32c.ts';
import { readGoogleSecret } from '../../shared/secrets/google/secret-manager.ts';
import { secretText } from '../../shared/secrets/secret-source.ts';

const answer = (text: string, status = 200, contentType = 'application/json'): Answer => ({
  kind: 'answer',
  status,
  contentType,
  text,
});
const bytes = (text: string) => new TextEncoder().encode(text);

// RFC 3720, appendix B.4, and the usual check value.
test.each([
  [bytes(''), 0],
  [bytes('123456789'), 0xe3069283],
  [new Uint8Array(32), 0x8a9136aa],
  [new Uint8Array(32).fill(0xff), 0x62a8ab43],
  [Uint8Array.from({ length: 32 }, (_none, index) => index), 0x46dd794e],
])('the CRC-32C of %j is %i', (data, sum) => {
  expect(crc32c(data)).toBe(sum);
});

const reference = { secret: 'projects/p-1234/secrets/s', location: undefined, version: 'latest', key: undefined };
const google = (payload: unknown) =>
  readGoogleSecret(
    reference,
    'https://sm.example/',
    answer(JSON.stringify({ name: `${reference.secret}/versions/7`, payload })),
  );

test('the payload of Google Secret Manager, with its checksum or without', () => {
  const data = Buffer.from('key').toString('base64');
  expect(google({ data, dataCrc32c: String(crc32c(bytes('key'))) })).toEqual({ text: 'key', version: '7' });
  expect(google({ data })).toEqual({ text: 'key', version: '7' });
  expect(() => google({ data, dataCrc32c: '1' })).toThrow('damaged');
  expect(() => google({})).toThrow(SubmitError);
});

const text = (given: string, key?: string) => secretText({ title: 'A', key }, { text: given, version: undefined });

test('a secret is one line of text', () => {
  expect(text('key')).toBe('key');
  expect(text('key\r\n\n')).toBe('key');
  expect(text('{"a":"key\\n","b":4200}', 'a')).toBe('key');
  expect(text('{"a":"key","b":4200}', 'b')).toBe('4200');
});

test.each([
  ['', undefined, 'it is empty'],
  ['\n', undefined, 'it is empty'],
  ['one\ntwo', undefined, 'not one line'],
  ['k\u0000y', undefined, 'not one line'],
  ['k\ufffdy', undefined, 'not one line'],
  ['{"a":"key-value"}\n', undefined, 'several secrets in JSON'],
  ['key-value', 'a', 'not a JSON object'],
  ['["key-value"]', '0', 'not a JSON object'],
  ['{"b":"key-value"}', 'a', 'no text at a'],
  ['{"a":{"b":"key-value"}}', 'a', 'no text at a'],
])('%j with key %s is refused and not shown', (given, key, why) => {
  let error: unknown;
  try {
    text(given, key);
  } catch (caught) {
    error = caught;
  }
  expect(error).toBeInstanceOf(SubmitError);
  expect((error as SubmitError).message).toContain(why);
  expect(JSON.stringify((error as SubmitError).explanation)).not.toContain('key-value');
});

const credentials = (expiration: string) =>
  `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult>
  <Credentials><SessionToken>token</SessionToken><SecretAccessKey>a/b+c=</SecretAccessKey><Expiration>${expiration}</Expiration><AccessKeyId>ASIA</AccessKeyId></Credentials>
  </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`;

test('the keys in an answer of STS, in XML and in JSON', async () => {
  const end = Date.parse('2026-11-21T09:00:00Z');
  const xml = readAwsKeys(await stsAnswer(answer(credentials('2026-11-21T09:00:00Z'), 200, 'text/xml')));
  expect(xml?.secretAccessKey.reveal()).toBe('a/b+c=');
  expect(xml?.expiresAt).toBe(end);
  const Credentials = { AccessKeyId: 'ASIA', SecretAccessKey: 'a/b+c=', SessionToken: 'token', Expiration: end / 1000 };
  const json = { AssumeRoleWithWebIdentityResponse: { AssumeRoleWithWebIdentityResult: { Credentials } } };
  expect(readAwsKeys(await stsAnswer(answer(JSON.stringify(json))))?.expiresAt).toBe(end);
  expect(readAwsKeys(xmlAsJson(credentials('never')))).toMatchObject({ expiresAt: undefined });
  expect(readAwsKeys({})).toBeUndefined();
});

test('the refusal in an answer of STS, in XML and in JSON', () => {
  const error = { Type: 'Sender', Code: 'AccessDenied', Message: "it's <no>" };
  const xml =
    '<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>it&apos;s &lt;no&gt;</Message></Error></ErrorResponse>';
  const refusal = { code: 'AccessDenied', message: "it's <no>" };
  expect(stsRefusal(xmlAsJson(xml))).toEqual(refusal);
  expect(stsRefusal({ Error: error })).toEqual(refusal);
  expect(stsRefusal(xmlAsJson('<html><body>no</body></html>'))).toBeUndefined();
  expect(stsRefusal(undefined)).toBeUndefined();
});

test('of an answer of STS that is cut, nothing is shown', async () => {
  const cut = answer(credentials('2026-11-21T09:00:00Z').slice(0, 300), 200, 'text/xml');
  expect(await stsAnswer(cut)).toBeUndefined();
  const { explanation } = unreadableSts('https://sts.example/', cut);
  expect(JSON.stringify(explanation)).not.toContain('a/b+c');
  expect(explanation.happened).toContain('cut short');
  expect(unreadableSts('https://sts.example/', answer('<html>Log in', 200, 'text/html')).message).toContain('HTML');
});

test('the name of a session says who is building, within the letters and the length that AWS allows', () => {
  const context = { repository: 'acme/vision', buildNumber: '42' } as Parameters<typeof sessionName>[0];
  expect(sessionName(context)).toBe('acme-vision-42');
  const long = sessionName({ ...context, repository: 'acmé team/'.repeat(20), buildNumber: '123456' });
  expect(long).toMatch(/^[\w+=,.@-]{2,64}$/);
  expect(long.endsWith('-123456')).toBe(true);
});

const SIGNATURE = '78b8ca0f9ceb7e3a42615278b896afdab04a0f1ddd81993ca5ab47c5ee1dacbd';

test('a signature is made for the time that is given, and shows no key', async () => {
  const keys = {
    accessKeyId: new Secret('ASIAEXAMPLE'),
    secretAccessKey: new Secret('wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'),
    sessionToken: new Secret('session-token'),
    expiresAt: 0,
  };
  const call = getSecretCall('us-east-1', { id: 'ci/prefect', region: undefined, version: undefined, key: undefined });
  const scope = { service: 'secretsmanager', region: 'us-east-1' };
  const request = await signed(call, scope, keys, Date.parse('2026-11-21T08:00:00.123Z'));
  expect(request.headers?.['x-amz-date']).toBe('20261121T080000Z');
  // The signature that AWS's own signer (@smithy/signature-v4) makes of the same request.
  expect(request.secretHeaders?.authorization?.reveal()).toBe(
    `AWS4-HMAC-SHA256 Credential=ASIAEXAMPLE/20261121/us-east-1/secretsmanager/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, Signature=${SIGNATURE}`,
  );
  expect(JSON.stringify(request)).not.toMatch(/session-token|Signature|EXAMPLE/);
});

test('the end of an ID token is the one that it names', () => {
  const token = `e30.${Buffer.from('{"exp":1000}').toString('base64url')}.c2ln`;
  expect(readIdToken(answer(JSON.stringify({ token })))?.expiresAt).toBe(1_000_000);
  expect(readIdToken(answer('{"token":"not one"}'))).toBeUndefined();
  expect(readIdToken(answer('{}'))).toBeUndefined();
});
