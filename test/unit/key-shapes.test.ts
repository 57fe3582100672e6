import { expect, test } from 'vitest';
import { looksLikeKey, withoutKeys } from '../../shared/key-shapes.ts';
import { showValue } from '../../shared/settings.ts';

const KEYS = [
  'eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2ln',
  'dapi0123456789abcdef0123456789abcdef-2',
  'dkea0123456789abcdef0123456789abcdef',
  'pnu_0123456789abcdefghij0123456789abcd',
  'pnb_0123456789abcdefghij0123456789abcd',
  'ghp_0123456789abcdefghij0123456789abcd',
  'github_pat_11ABCDEFG0123456789_abcdefghij',
  'glpat-0123456789abcdefghij',
  'sk-proj-0123456789abcdefghijABCDEFGHIJ',
  'xoxb-123456789012-abcdefghij',
  'ATATT3xFfGF0aB1cD2eF3gH4iJ5',
  'ATBBaB1cD2eF3gH4iJ5kL6mN7oP8',
  'AKIAIOSFODNN7EXAMPLE',
  'ya29.c.b0Aaekm1K0123456789',
  'vca_0123456789abcdefghijABCD',
  'hvs.CAESIJ0123456789abcdefghij',
  'hf_abcdefGHIJKLmnopqrSTUVWXyzABCDEFGH',
  'GOCSPX-abcdEFGHijkl0123MNOPqrst',
  'dckr_pat_abcdefGHIJ0123456789klmnopq',
  'xapp-1-A0123456789-1234567890-abcdef0123456789abcdef',
  'SG.abcdefghijklmnopqrstuv.abcdefghijklmnopqrstuvwxyz0123456789',
  'abc8Q~0123456789abcdefABCDEFghijklmnopqr',
  'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  'Zm9vYmFyMTIzNDU2Nzg5MGFiY2RlZg==',
  '0123456789abcdef0123456789abcdef',
  'https://me:hunter2@host.example/path',
  '-----BEGIN PRIVATE KEY-----\nMIIEvQ',
];

test.each(KEYS)('%s is not shown', (key) => {
  expect(looksLikeKey(key)).toBe(true);
  const secret = key.replace(/^https:\/\/(.*)@.*$/, '$1');
  expect(withoutKeys(`got ${key}, expected another`)).not.toContain(secret);
  expect(withoutKeys(`got ${key}, expected another`)).toMatch(/^got /);
  expect(showValue(key)).not.toContain(secret.slice(0, 12));
  expect(showValue({ nested: [key] })).not.toContain(secret);
});

test.each([
  'dbc-a1b2c3d4-e5f6.cloud.databricks.com',
  'adb-1234567890123456.7.azuredatabricks.net',
  '5f0f2d0a-7c1e-4b3e-9d57-3f6c2f1f7a10',
  'projects/123456789012/locations/global/workloadIdentityPools/ci-pool/providers/bitbucket',
  'trainer@acme-ml.iam.gserviceaccount.com',
  'https://api.prefect.cloud/api/accounts/5f0f2d0a-7c1e-4b3e-9d57-3f6c2f1f7a10/workspaces/5f0f2d0a-7c1e-4b3e-9d57-3f6c2f1f7a10',
  'training/NightlyTrainingJob2024.yaml',
  'us-docker.pkg.dev/acme-ml/images/train:1',
  'dpl_8KbfTVnhzJd3Qw2mXyZ9aBcD',
  '620143925716443620143925716443',
  'a value with several words, and more of them',
  'sk-learn',
  'us-docker.pkg.dev/acme-ml/images/sk-learn-training-with-gpus:latest',
  'ATCTTGACCATGATTACGCCAAGCTT',
  'ASIAPACIFICSOUTHEAST',
  'hf_trainer_with_gradient_checkpointing',
])('%s is shown', (text) => {
  expect(looksLikeKey(text)).toBe(false);
  expect(withoutKeys(text)).toBe(text);
});

test('how long a key was is told, so that what was pasted can be recognised', () => {
  expect(showValue('dapi0123456789abcdef0123456789abcdef')).toBe(
    '36 characters, not shown because they look like a key',
  );
});
