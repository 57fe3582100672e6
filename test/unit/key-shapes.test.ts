import { expect, test } from 'vitest';
import { KEY_SHAPES, looksLikeKey, withoutKeys } from '../../shared/host/key-shapes.ts';
import { showValue } from '../../shared/settings/settings.ts';

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

/** How keys begin, the characters that follow, and how many of them make a key. */
const SHAPES: readonly (readonly [beginnings: string, characters: string, least: number])[] = [
  ['dapi dkea dose', '0af', 16],
  ['pnu_ pnb_ gho_ ghp_ ghs_ ghu_ ghr_ github_pat_', 'aZ0_', 16],
  ['glpat- glptt- gldt- glrt- glcbt-', 'aZ0_-', 16],
  ['xoxa- xoxb- xoxz-', 'aZ0_-', 10],
  ['AKIA ASIA', 'A9', 12],
  ['ya29.', 'aZ0_.-', 10],
  ['AIza', 'aZ0_-', 20],
  ['vca_ vcp_ vck_ vcr_ vci_', 'aZ0_', 16],
  ['hvb. hvs. hvr.', 'aZ0_.-', 16],
  ['bkua_ bkct_ bkaj_ bkpa_ bkps_ bkpo_', 'aZ0_', 16],
  ['ATATT3x ATCTT3x ATBB', 'aZ0_', 16],
  ['sk-', 'aZ0_-', 20],
  ['npm_', 'aZ0', 20],
];

const characters = (some: string, count: number) => some.repeat(count).slice(0, count);
const keysIn = (text: string) => text.match(KEY_SHAPES) ?? [];

test.each(
  SHAPES.flatMap(([beginnings, ...more]) => beginnings.split(' ').map((beginning) => [beginning, ...more] as const)),
)('a key that begins with %s is found whole from its least length on', (beginning, some, least) => {
  for (const count of [least, least + 20]) {
    const key = `${beginning}${characters(some, count)}`;
    expect(keysIn(`"${key}", "${key}"`)).toEqual([key, key]);
  }
  expect(keysIn(`"${beginning}${characters(some, least - 1)}"`)).toEqual([]);
  expect(keysIn(`x${beginning}${characters(some, least)}`)).toEqual([]);
});

const TOKEN = `eyJ${characters('aZ0_-', 12)}`;

test.each([
  [TOKEN, TOKEN],
  [`x${TOKEN}.a_-0.Zb!`, `${TOKEN}.a_-0.Zb`],
  [`${TOKEN}..`, `${TOKEN}..`],
  [`dapi${'0'.repeat(16)}-12x`, `dapi${'0'.repeat(16)}-12`],
  [`dapi${'0'.repeat(16)}-x`, `dapi${'0'.repeat(16)}`],
  [
    '-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----\n',
    '-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----',
  ],
  ['-----BEGIN RSA PRIVATE KEY-----MII-----END RSA PRIVATE KEY-----', undefined],
  ['-----BEGIN RSA PRIVATE KEY-----MIIEv', undefined],
  ['git://a:b@host', 'a:b'],
  [`https://me:${'x'.repeat(500)}@host`, `me:${'x'.repeat(500)}`],
])('of %j the key is taken whole', (text, key) => expect(keysIn(text)).toEqual([key ?? text]));

test.each([
  `eyJ${characters('aZ0_-', 11)}`,
  '-----BEGIN PUBLIC KEY-----MII',
  'https://me@host:80/a@b',
  'https://host:80/path',
  'https://host/a:b@c',
  'a:b@host',
])('%s has no key in it', (text) => expect(keysIn(text)).toEqual([]));

test.each([
  ['sixteen digits and letters of each, of hexadecimal ones', `${'0'.repeat(16)}${'a'.repeat(16)}`, true],
  ['the same in capitals', `${'0'.repeat(16)}${'F'.repeat(16)}`, true],
  ['a digit at the end of letters', `${'a'.repeat(31)}0`, true],
  ['one digit fewer', `${'0'.repeat(16)}${'a'.repeat(15)}`, false],
  ['a letter before that is none', `z${'0'.repeat(16)}${'a'.repeat(16)}`, false],
  ['a letter after that is none', `${'0'.repeat(16)}${'a'.repeat(16)}z`, false],
  ['letters only', 'a'.repeat(40), false],
  ['digits only', '0'.repeat(40), false],
  ['small letters and digits that alternate', 'a1b2c3d4e5g6h7i8j9k0', true],
  ['capitals and digits that alternate', 'A1B2C3D4E5G6H7I8J9K0', true],
  ['fewer than twenty of them', 'a1b2c3d4e5g6h7i8j9k', false],
  ['all sorts that alternate', 'aB1aB1aB1-aB1aB1aB1aB', true],
  ['words with separators', 'a1-b2-c3-d4-e5-f6-g7-h8', false],
  ['letters of both sorts without a digit', 'aBcDeFgHiJkLmNoPqRsT', false],
  ['as many changes as it takes', 'aaaaaaaaaaaaaa1b1c1d', true],
  ['one change fewer', 'aaaaaaaaaaaaaaa1b1c1', false],
  ['an id of a project', 'prj_a1b2C3d4E5f6G7h8I9', false],
  ['an id of a project with more before', 'xprj_a1b2C3d4E5f6G7h8I9', true],
  ['an id of a project with more after', 'prj_a1b2C3d4E5f6G7h8I9/a', true],
])('%s: %s looks like a key: %s', (_what, word, isKey) => {
  expect(looksLikeKey(word)).toBe(isKey);
  expect(withoutKeys(`"${word}"`)).toBe(isKey ? '"[redacted]"' : `"${word}"`);
});
