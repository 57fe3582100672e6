import { expect, test } from 'vitest';
import type { GoogleOptions } from '../simulators/google.ts';
import { AUDIENCE, exchangeForm, type GoogleWorld, googleWorld, POOL, PROVIDER, START } from './google-world.ts';

const STS = 'sts.googleapis.com/v1/token';
const DAY = 24 * 3600;

test('an exchange gives a token that lives as long as the CI token, an hour at most', async () => {
  await using world = await googleWorld();
  const short = await world.post(STS, exchangeForm(await world.ciToken()));
  expect(short).toMatchObject({ status: 200, body: { token_type: 'Bearer', expires_in: 300 } });
  const long = await world.post(STS, exchangeForm(await world.ciToken({ exp: START / 1000 + 7200 })));
  expect(long.body.expires_in).toBe(3600);
  expect(world.exchanges()).toMatchObject([{ outcome: { identity: `principal://${POOL}/subject/bk:acme:train` } }, {}]);

  const last = async (seconds: number) =>
    world.post(STS, exchangeForm(await world.ciToken({ exp: START / 1000 + seconds })));
  expect((await last(2)).body).not.toHaveProperty('expires_in');
  expect(await last(1)).toMatchObject({ status: 500, body: { error: { status: 'INTERNAL' } } });
});

test('the JSON form has the same parameters in camel case', async () => {
  await using world = await googleWorld();
  const camel = (name: string) => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
  const form = exchangeForm(await world.ciToken());
  const body = Object.fromEntries([...form].map(([name, value]) => [camel(name), value]));
  expect((await world.post(STS, body)).status).toBe(200);
  expect((await world.post(STS, Object.fromEntries(form))).status).toBe(400);
  expect((await world.post(STS, form, 'any')).status).toBe(401);
});

const refusals: [string, string, RegExp, (world: GoogleWorld) => Promise<URLSearchParams>, Partial<GoogleOptions>?][] =
  [
    [
      'an audience with https:',
      'invalid_request',
      /full resource name of the Identity Provider/,
      async (w) => exchangeForm(await w.ciToken(), { audience: `https:${AUDIENCE}` }),
    ],
    [
      'an audience with the project id',
      'invalid_request',
      /full resource name/,
      async (w) => exchangeForm(await w.ciToken(), { audience: AUDIENCE.replace('123456', 'ml-prod') }),
    ],
    [
      'an unknown provider',
      'invalid_target',
      /pool or provider is disabled or deleted/,
      async (w) => exchangeForm(await w.ciToken(), { audience: AUDIENCE.replace('/buildkite', '/other') }),
    ],
    [
      'a disabled provider',
      'invalid_target',
      /disabled/,
      async (w) => exchangeForm(await w.ciToken()),
      {
        providers: [{ ...PROVIDER, disabled: true }],
      },
    ],
    ['no scope', 'invalid_request', /"scope"/, async (w) => exchangeForm(await w.ciToken(), { scope: '' })],
    [
      'another issuer',
      'invalid_grant',
      /issuer in ID Token https:\/\/evil\.example does not match the expected one in config: https:\/\/agent/,
      async (w) => exchangeForm(await w.ciToken({ iss: 'https://evil.example' })),
    ],
    [
      'another audience',
      'invalid_grant',
      /audience in ID Token \[https:\/\/buildkite\.com\/acme\] does not match/,
      async (w) => exchangeForm(await w.ciToken({ aud: 'https://buildkite.com/acme' })),
    ],
    [
      'no audience',
      'invalid_grant',
      /audience in ID Token \[\] does/,
      async (w) => exchangeForm(await w.ciToken({ aud: undefined })),
    ],
    [
      'the default audience where others are allowed',
      'invalid_grant',
      /does not match the expected audience/,
      async (w) => exchangeForm(await w.ciToken()),
      { providers: [{ ...PROVIDER, allowedAudiences: ['mine'] }] },
    ],
    [
      'an expired token',
      'invalid_grant',
      /ID Token issued at 1795248000 is stale to sign-in/,
      async (w) => exchangeForm(await w.ciToken({ iat: 1795248000, exp: START / 1000 - 61 })),
    ],
    ['a token without exp', 'invalid_grant', /stale/, async (w) => exchangeForm(await w.ciToken({ exp: undefined }))],
    [
      'a token of the future',
      'invalid_grant',
      /stale/,
      async (w) => exchangeForm(await w.ciToken({ iat: START / 1000 + 61 })),
    ],
    [
      'a token older than a day',
      'invalid_grant',
      /stale/,
      async (w) => exchangeForm(await w.ciToken({ iat: START / 1000 - DAY - 61 })),
    ],
    [
      'a wrong signature',
      'invalid_grant',
      /Unable to verify the ID Token signature/,
      async (w) => exchangeForm(await w.ciToken({}, { key: 'unpublished' })),
    ],
    [
      'an unknown key',
      'invalid_grant',
      /Error connecting to the given credential's issuer/,
      async (w) => exchangeForm(await w.ciToken({}, { kid: 'other' })),
    ],
    [
      'an issuer out of reach',
      'invalid_grant',
      /Error connecting/,
      async (w) => exchangeForm(await w.ciToken()),
      {
        outbound: () => Promise.reject(new Error('refused')),
      },
    ],
    ['no JWT', 'invalid_grant', /Unable to parse the ID Token/, async () => exchangeForm('a.b')],
    [
      'a foreign organization',
      'unauthorized_client',
      /rejected by the attribute condition/,
      async (w) => exchangeForm(await w.ciToken({ organization_slug: 'evil' })),
    ],
    [
      'a missing claim',
      'unauthorized_client',
      /Could not obtain a value for google\.subject/,
      async (w) => exchangeForm(await w.ciToken({ pipeline_slug: undefined })),
    ],
    [
      'a subject that is too long',
      'invalid_request',
      /google\.subject exceeds the 127 bytes limit/,
      async (w) => exchangeForm(await w.ciToken({ pipeline_slug: 'x'.repeat(120) })),
    ],
    [
      'a number as an attribute',
      'invalid_request',
      /'attribute\.build' must be of type STRING/,
      async (w) => exchangeForm(await w.ciToken()),
      {
        providers: [
          {
            ...PROVIDER,
            attributeMapping: { ...PROVIDER.attributeMapping, 'attribute.build': 'assertion.build_number' },
          },
        ],
      },
    ],
  ];

test.each(refusals)('the exchange refuses %s', async (_, error, description, form, options) => {
  await using world = await googleWorld(options);
  expect(await world.post(STS, await form(world))).toEqual({
    status: 400,
    body: { error, error_description: expect.stringMatching(description) },
  });
  expect(world.issuedTokens()).toEqual([]);
});

test('mappings are CEL, with the functions of the documentation', async () => {
  const attributeMapping = {
    'google.subject': "assertion.sub.extract('pipeline:{name}:') + '@' + assertion.sub.split(':')[1]",
    'attribute.build': 'string(assertion.build_number)',
    'attribute.tag': "has(assertion.build_tag) && assertion.build_tag != null ? assertion.build_tag : 'none'",
  };
  const attributeCondition =
    "google.subject.startsWith('train') && attribute.build in ['7'] && assertion.build_number == 7";
  await using world = await googleWorld({ providers: [{ ...PROVIDER, attributeMapping, attributeCondition }] });
  await world.post(STS, exchangeForm(await world.ciToken()));
  expect(world.exchanges()).toMatchObject([{ outcome: { identity: `principal://${POOL}/subject/train@acme` } }]);
  await expect(googleWorld({ providers: [{ ...PROVIDER, attributeCondition: 'assertion.' }] })).rejects.toThrow();
  await expect(googleWorld({ providers: [{ ...PROVIDER, attributeMapping: {} }] })).rejects.toThrow(/not mapped/);
});
