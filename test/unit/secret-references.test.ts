import { expect, test } from 'vitest';
import { parseAwsReference } from '../../shared/secrets/aws/secrets-manager.ts';
import { parseAzureReference } from '../../shared/secrets/azure/key-vault.ts';
import { parseGoogleReference } from '../../shared/secrets/google/secret-manager.ts';
import { parseVaultReference } from '../../shared/secrets/vault/requests.ts';

const ARN = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:ci/prefect-a1B2c3';

test.each([
  [
    'projects/p-1234/secrets/s',
    { secret: 'projects/p-1234/secrets/s', location: undefined, version: 'latest', key: undefined },
  ],
  [
    'projects/123456/secrets/s/versions/7',
    { secret: 'projects/123456/secrets/s', location: undefined, version: '7', key: undefined },
  ],
  [
    'projects/p-1234/secrets/s/versions/blue#api.key',
    { secret: 'projects/p-1234/secrets/s', location: undefined, version: 'blue', key: 'api.key' },
  ],
  [
    'projects/acme.example:p-1234/secrets/s',
    { secret: 'projects/acme.example:p-1234/secrets/s', location: undefined, version: 'latest', key: undefined },
  ],
  [
    'projects/p-1234/locations/europe-west4/secrets/s',
    {
      secret: 'projects/p-1234/locations/europe-west4/secrets/s',
      location: 'europe-west4',
      version: 'latest',
      key: undefined,
    },
  ],
])('google:%s', (text, reference) => {
  expect(parseGoogleReference(text)).toEqual(reference);
});

test.each([
  '',
  's',
  'projects/p-1234/secrets/',
  'projects/p-1234/secrets/s/versions/',
  'projects/../secrets/s',
  'projects/p-1234/secrets/s?version=1',
  'projects/p-1234/secrets/s#',
  'projects/p-1234/secrets/s s',
])('google:%s is none', (text) => {
  expect(parseGoogleReference(text)).toBeUndefined();
});

test.each([
  ['secret/ci/prefect#api-key', { mount: 'secret', path: 'ci/prefect', field: 'api-key', version: undefined }],
  ['secret/ci/prefect?version=12#api key', { mount: 'secret', path: 'ci/prefect', field: 'api key', version: '12' }],
  [
    'teams/vision/kv//ci/prefect#key',
    { mount: 'teams/vision/kv', path: 'ci/prefect', field: 'key', version: undefined },
  ],
])('vault:%s', (text, reference) => {
  expect(parseVaultReference(text)).toEqual(reference);
});

test.each([
  'secret/ci/prefect',
  'secret#key',
  '/secret/ci#key',
  '//ci/prefect#key',
  'secret/ci//x//y#key',
  'secret/ci/#key',
  'secret/../sys/seal#key',
  'secret/ci#key?version=1',
  'secret/ci?version=0#key',
  'secret/ci?stage=x#key',
])('vault:%s is none', (text) => {
  expect(parseVaultReference(text)).toBeUndefined();
});

test.each([
  ['ci/prefect', { id: 'ci/prefect', region: undefined, version: undefined, key: undefined }],
  [
    'ci/prefect?stage=AWSPREVIOUS#api-key',
    { id: 'ci/prefect', region: undefined, version: { VersionStage: 'AWSPREVIOUS' }, key: 'api-key' },
  ],
  [`${ARN}?version=0d1e`, { id: ARN, region: 'eu-central-1', version: { VersionId: '0d1e' }, key: undefined }],
])('aws:%s', (text, reference) => {
  expect(parseAwsReference(text)).toEqual(reference);
});

test.each([
  '',
  'arn:aws:s3:::bucket',
  'ci/prefect?',
  'ci/prefect?label=x',
  'ci/prefect?version=a&stage=b',
  'ci:prefect',
])('aws:%s is none', (text) => {
  expect(parseAwsReference(text)).toBeUndefined();
});

test.each([
  ['acme-ci/prefect', { vault: 'acme-ci', name: 'prefect', version: undefined, key: undefined }],
  [`acme-ci/prefect/${'0'.repeat(32)}#k`, { vault: 'acme-ci', name: 'prefect', version: '0'.repeat(32), key: 'k' }],
])('azure:%s', (text, reference) => {
  expect(parseAzureReference(text)).toEqual(reference);
});

test.each([
  'acme-ci',
  'acme.ci/prefect',
  'acme-ci/prefect/7',
  'https://acme-ci.vault.azure.net/secrets/prefect',
  'acme-ci/pre_fect',
])('azure:%s is none', (text) => {
  expect(parseAzureReference(text)).toBeUndefined();
});
