import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { SubmitError } from '../../shared/errors.ts';
import { explainGoogle, VERTEX_AI } from '../../shared/google/errors.ts';
import {
  explainImpersonation,
  explainSts,
  GOOGLE_STS,
  IMPERSONATION,
} from '../../shared/google/exchange-rejections.ts';
import type { Answer } from '../../shared/http/http.ts';
import { type Refusals, textsOf } from '../../shared/http/refusal.ts';
import type { SubjectToken } from '../../shared/identity/subject-token.ts';
import type { Json } from '../../shared/json.ts';
import { Secret } from '../../shared/secret.ts';
import {
  ASSUME_ROLE,
  explainAssumeRole,
  explainAwsSecret,
  SECRETS_MANAGER,
} from '../../shared/secrets/aws/refusals.ts';
import { ENTRA, explainAzureSecret, explainEntra, KEY_VAULT } from '../../shared/secrets/azure/refusals.ts';
import { explainGoogleSecret, SECRET_MANAGER } from '../../shared/secrets/google/refusals.ts';
import { explainVaultLogin, explainVaultRead, VAULT_LOGIN, VAULT_READ } from '../../shared/secrets/vault/refusals.ts';
import { DATABRICKS, explainDatabricks } from '../../shared/services/databricks/errors.ts';
import { DATABRICKS_EXCHANGE, explainExchange } from '../../shared/services/databricks/exchange-rejections.ts';
import { explainPrefect, PREFECT } from '../../shared/services/prefect/errors.ts';
import type { PrefectServer } from '../../shared/services/prefect/server.ts';
import { explainVercel, VERCEL } from '../../shared/services/vercel/errors.ts';
import { explainVercelRejection, VERCEL_EXCHANGE } from '../../shared/services/vercel/exchange-rejections.ts';
import { REFUSALS } from '../../tools/generate-guides.ts';

const SHARED = join(import.meta.dirname, '../../shared');
const URL_CALLED = 'https://service.example/';
const INSTRUCTIONS = ['Ask for the audience https://service.example.'];
const SUBJECT: SubjectToken = {
  token: new Secret('the-token'),
  issuer: 'https://ci.example/oidc',
  subject: 'organization:acme:pipeline:vision',
  audiences: ['https://service.example'],
  expiresAt: 1_800_000_000_000,
  claims: { pipeline_id: '8f9a0b1c-2d3e-4f50-8617-28394a5b6c7d' },
};

function answer(status: number, body: Json): Answer {
  return { kind: 'answer', status, contentType: 'application/json', text: JSON.stringify(body) };
}

/** For each table what its users read of each entry, in the same order; several where no single refusal has all of its lines. */
const READ = new Map<Refusals, readonly (readonly SubmitError[])[]>();

function reads<Sample>(table: Refusals, explain: (sample: Sample) => SubmitError, samples: readonly Sample[]): void {
  READ.set(
    table,
    samples.map((sample) => [explain(sample)]),
  );
}

const GOOGLE_TRUST = {
  universeDomain: 'googleapis.com',
  provider: 'projects/1/locations/global/workloadIdentityPools/ci/providers/buildkite',
  demand: { audiences: ['https://service.example'], acceptsDefault: true },
  delegates: [],
  lifetimeSeconds: 3600,
  serviceAccount: undefined,
} as const;
const SERVICE_ACCOUNT = 'trainer@acme-ml.iam.gserviceaccount.com';

function googleError(message: string, reason: string, status = 'UNKNOWN'): Json {
  const info = { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason };
  return { error: { message, status, details: [info] } };
}

const STS = (words: string) =>
  explainSts(GOOGLE_TRUST, SUBJECT, answer(400, { error: 'invalid_grant', error_description: words }), INSTRUCTIONS);

reads(GOOGLE_STS, STS, [
  'Invalid value for "audience".',
  'invalid_target: the pool is deleted',
  'The audience in ID Token [x] does not match the expected audience.',
  'The issuer in ID Token x does not match the expected one.',
  'ID Token issued at 1 is stale to sign-in.',
  'Unable to verify the ID Token signature.',
  'The given credential is rejected by the attribute condition.',
  'The size of mapped attribute exceeds the 127 bytes limit.',
  'Could not obtain a value for google.subject from the given credential.',
  'something else',
]);

const DELEGATES = [`first@acme-ml.iam.gserviceaccount.com`];

reads(
  IMPERSONATION,
  ({ status, message = 'the words', reason = 'NONE', delegates = [] }) =>
    explainImpersonation(
      { ...GOOGLE_TRUST, serviceAccount: SERVICE_ACCOUNT, delegates },
      SUBJECT,
      URL_CALLED,
      answer(status, googleError(message, reason)),
    ),
  [
    { status: 400, message: 'The lifetime is too long.' },
    { status: 403, reason: 'SERVICE_DISABLED' },
    { status: 403, delegates: DELEGATES },
    { status: 400, delegates: DELEGATES },
  ] as readonly { status: number; message?: string; reason?: string; delegates?: readonly string[] }[],
);

reads<readonly [number, string, string?]>(
  VERTEX_AI,
  ([status, message, reason = 'NONE']) =>
    explainGoogle(
      { identity: SERVICE_ACCOUNT, project: 'acme-ml', region: 'us-central1' },
      { method: 'POST', url: 'https://us-central1-aiplatform.googleapis.com/v1/x' },
      answer(status, googleError(message, reason)),
    ),
  [
    [401, 'the words'],
    [403, 'the words', 'SERVICE_DISABLED'],
    [403, 'the words'],
    [400, `You do not have permission to act as service_account: ${SERVICE_ACCOUNT}`],
    [429, 'The following quota metrics exceed quota limits: gpus'],
    [404, 'the words'],
    [400, 'the words'],
  ],
);

reads(
  SECRET_MANAGER,
  ({ status, state, reason, serviceAccount }) =>
    explainGoogleSecret(
      { secret: 'projects/acme-ml/secrets/ci', version: '7', location: undefined, key: undefined },
      { ...GOOGLE_TRUST, serviceAccount },
      SUBJECT,
      URL_CALLED,
      answer(status, googleError('the words', reason, state)),
    ),
  [
    { status: 401, state: 'UNAUTHENTICATED', reason: 'INVALID', serviceAccount: SERVICE_ACCOUNT },
    { status: 401, state: 'UNAUTHENTICATED', reason: 'INVALID', serviceAccount: undefined },
    { status: 403, state: 'PERMISSION_DENIED', reason: 'SERVICE_DISABLED', serviceAccount: undefined },
    { status: 403, state: 'PERMISSION_DENIED', reason: 'IAM_PERMISSION_DENIED', serviceAccount: undefined },
    { status: 404, state: 'NOT_FOUND', reason: 'NONE', serviceAccount: undefined },
    { status: 400, state: 'FAILED_PRECONDITION', reason: 'NONE', serviceAccount: undefined },
    { status: 400, state: 'INVALID_ARGUMENT', reason: 'NONE', serviceAccount: undefined },
  ],
);

const VAULT = {
  origin: 'https://vault.acme.example',
  role: 'ci',
  authMount: 'jwt',
  namespace: undefined,
  hasVersions: true,
  audience: 'https://vault.acme.example',
  acceptsDefault: true,
} as const;

reads<readonly [number, string]>(
  VAULT_LOGIN,
  ([status, words]) => explainVaultLogin(VAULT, SUBJECT, answer(status, { errors: [words] }), INSTRUCTIONS),
  [
    [403, 'permission denied'],
    [400, 'role "ci" could not be found'],
    [400, 'error validating token: invalid audience (aud) claim'],
    [400, 'error validating token: invalid issuer (iss) claim'],
    [400, 'error validating claims: claim "pipeline_id" does not match any associated bound claim values'],
    [400, 'error validating token: token is expired'],
    [400, 'error verifying token signature: failed to verify id token signature'],
    [400, 'something else'],
  ],
);

reads<readonly [number, Json]>(
  VAULT_READ,
  ([status, body]) =>
    explainVaultRead(
      VAULT,
      { mount: 'secret', path: 'ci/prefect', version: undefined, field: 'api-key' },
      ['ci'],
      answer(status, body),
    ),
  [
    [403, { errors: ['permission denied'] }],
    [404, { data: { metadata: { version: 3, destroyed: true } } }],
    [404, { data: { metadata: { version: 3, destroyed: false } } }],
    [404, { errors: [] }],
    [400, { errors: ['something else'] }],
  ],
);

const AWS = {
  role: 'arn:aws:iam::111122223333:role/ci',
  region: 'eu-central-1',
  sessionName: 'acme-vision-7',
  audience: 'sts.amazonaws.com',
  acceptsDefault: true,
} as const;

reads<readonly [string, string]>(
  ASSUME_ROLE,
  ([Code, Message]) => {
    const body = { Error: { Code, Message } };
    return explainAssumeRole(AWS, SUBJECT, answer(400, body), body, INSTRUCTIONS);
  },
  [
    ['InvalidIdentityToken', 'Incorrect token audience'],
    ['InvalidIdentityToken', 'No OpenIDConnect provider found in your account for https://ci.example/oidc'],
    ['IDPCommunicationError', 'the words'],
    ['ExpiredTokenException', 'the words'],
    ['AccessDenied', 'the words'],
    ['RegionDisabledException', 'the words'],
    ['MalformedPolicyDocument', 'the words'],
  ],
);

reads(
  SECRETS_MANAGER,
  (type) =>
    explainAwsSecret(
      AWS,
      { id: 'ci/prefect', region: undefined, version: undefined, key: undefined },
      URL_CALLED,
      answer(400, { __type: type, Message: 'the words' }),
    ),
  [
    'ResourceNotFoundException',
    'AccessDeniedException',
    'InvalidRequestException',
    'DecryptionFailure',
    'InvalidSignatureException',
    'UnrecognizedClientException',
    'InternalServiceError',
  ],
);

const AZURE = {
  tenant: 'acme',
  clientId: 'app',
  audience: 'api://AzureADTokenExchange',
  acceptsDefault: true,
} as const;

reads(
  ENTRA,
  (code) => {
    const body = { error: 'invalid_client', error_description: `${code}: The words.` };
    return explainEntra(AZURE, SUBJECT, URL_CALLED, answer(400, body), INSTRUCTIONS);
  },
  ['AADSTS700212', 'AADSTS700213', 'AADSTS700024', 'AADSTS50013', 'AADSTS700016', 'AADSTS500011'],
);

reads<readonly [number, string, string]>(
  KEY_VAULT,
  ([status, code, message]) =>
    explainAzureSecret(
      AZURE,
      { vault: 'acme-ci', name: 'prefect', version: undefined, key: undefined },
      URL_CALLED,
      answer(status, { error: { code, message } }),
    ),
  [
    [403, 'Forbidden', 'Operation get is not allowed on a disabled secret.'],
    [401, 'Unauthorized', 'AKV10032: Invalid issuer.'],
    [403, 'Forbidden', 'Client address is not authorized and caller is not a trusted service: firewall.'],
    [403, 'Forbidden', 'Caller is not authorized to perform action on resource.'],
    [404, 'SecretNotFound', 'A secret with (name/id) prefect was not found in this key vault.'],
    [400, 'BadParameter', 'the words'],
  ],
);

const DATABRICKS_TRUST = {
  host: 'dbc.cloud.databricks.com',
  origin: 'https://dbc.cloud.databricks.com',
  workspaceId: undefined,
  clientId: 'app',
  audience: 'https://dbc.cloud.databricks.com/oidc/v1/token',
  acceptsDefault: true,
} as const;

reads(
  DATABRICKS_EXCHANGE,
  (words) => explainExchange(DATABRICKS_TRUST, SUBJECT, 'invalid_request', words, INSTRUCTIONS),
  ['TOKEN_AUDIENCE_INVALID', 'TOKEN_EXPIRED', 'TOKEN_INVALID', 'something else'],
);

reads<readonly [number, string]>(
  DATABRICKS,
  ([status, error_code]) =>
    explainDatabricks(
      'principal-7',
      { method: 'POST', url: 'https://dbc.cloud.databricks.com/api/2.2/jobs/runs/submit' },
      answer(status, { error_code, message: 'the words' }),
    ),
  [
    [401, 'UNAUTHENTICATED'],
    [403, 'PERMISSION_DENIED'],
    [404, 'RESOURCE_DOES_NOT_EXIST'],
    [400, 'QUOTA_EXCEEDED'],
    [400, 'INVALID_PARAMETER_VALUE'],
  ],
);

const CLOUD = { host: 'api.prefect.cloud', workspace: { account: 'a', workspace: 'w' } };
const OWN = { host: 'prefect.acme.example', workspace: undefined };

reads<readonly [typeof CLOUD | typeof OWN, number, Json]>(
  PREFECT,
  ([server, status, body]) =>
    explainPrefect(
      server as unknown as PrefectServer,
      'the key',
      { method: 'POST', url: 'https://api.prefect.cloud/api/x' },
      answer(status, body),
    ),
  [
    [CLOUD, 401, { detail: 'no' }],
    [OWN, 401, {}],
    [OWN, 401, { detail: 'no' }],
    [OWN, 403, { detail: 'Invalid CSRF token or client identifier.' }],
    [CLOUD, 403, { detail: 'no' }],
    [OWN, 403, {}],
    [OWN, 403, { detail: 'no' }],
    [CLOUD, 404, { detail: 'no' }],
    [OWN, 404, { detail: 'no' }],
    [CLOUD, 409, { detail: 'no' }],
    [CLOUD, 400, { detail: 'Error hydrating flow run' }],
    [CLOUD, 400, { detail: 'no work queue' }],
    [CLOUD, 413, { detail: 'no' }],
    [CLOUD, 422, { detail: 'no' }],
  ],
);

const VERCEL_TRUST = {
  team: 'acme',
  project: 'edge',
  clientId: 'cl_1',
  policyId: 'pol_1',
  audience: 'https://vercel.com/api/login/oauth/token',
  acceptsDefault: true,
} as const;

reads<readonly [string, string]>(
  VERCEL_EXCHANGE,
  ([error, error_description]) =>
    explainVercelRejection(VERCEL_TRUST, SUBJECT, answer(400, { error, error_description }), INSTRUCTIONS),
  [
    ['invalid_request', 'multiple policies match'],
    ['invalid_client', 'the words'],
    ['invalid_request', 'the token is expired'],
    ['invalid_request', 'the signature is wrong'],
    ['invalid_request', 'the team was not found'],
    ['invalid_grant', 'the words'],
    ['invalid_request', 'the words'],
  ],
);

reads<readonly [string, number, Readonly<Record<string, Json>>]>(
  VERCEL,
  ([path, status, more]) =>
    explainVercel(
      VERCEL_TRUST,
      'the policy',
      { method: 'POST', url: `https://api.vercel.com${path}` },
      answer(status, { error: { code: 'the_code', message: 'the words', ...more } }),
    ),
  [
    ['/v13/deployments', 401, {}],
    ['/v13/deployments', 403, { saml: true }],
    ['/v13/deployments', 403, {}],
    ['/v13/deployments', 402, {}],
    ['/v9/projects/edge', 404, {}],
    ['/v13/deployments', 404, { message: 'Deployment not found' }],
    ['/v13/files', 404, {}],
    ['/v2/files', 413, {}],
    ['/v13/deployments', 409, {}],
    ['/v13/deployments', 400, {}],
  ],
);

const PLACEHOLDER = /\{[a-zA-Z]+\}/;

/** What a line reads like, whatever its facts are. */
function pattern(line: string): RegExp {
  const literal = line.split(/\{[a-zA-Z]+\}/).map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return new RegExp(`^${literal.join('.+')}$`);
}

test('every table is in a guide and is walked here', async () => {
  const files = (await readdir(SHARED, { recursive: true })).filter((name) => name.endsWith('.ts'));
  const tables: unknown[] = [];
  for (const name of files) {
    const source = await readFile(join(SHARED, name), 'utf8');
    const names = [...source.matchAll(/^(?:export )?const (\w+) = refusals\(/gm)].map(([, table = '']) => table);
    if (names.length === 0) continue;
    const exported = (await import(join(SHARED, name))) as Readonly<Record<string, unknown>>;
    tables.push(...names.map((table) => exported[table] ?? `${name} does not export ${table}`));
  }
  expect(new Set(tables)).toEqual(new Set(REFUSALS));
  expect(new Set(READ.keys())).toEqual(new Set(REFUSALS));
});

describe.each([...READ].map(([refusals, read]) => [refusals.service, refusals.code, refusals, read] as const))(
  '%s (%s)',
  (_service, _code, refusals, read) => {
    test('only the last entry fits all', () => {
      expect(read).toHaveLength(refusals.table.length);
      const fitAll = refusals.table.map(({ status, words, if: fact }) => [status, words, fact].every((each) => !each));
      expect(fitAll.indexOf(true)).toBe(refusals.table.length - 1);
    });

    test.each(refusals.table.map((refusal, at) => [at, refusal.happened ?? refusal.code ?? 'other', refusal] as const))(
      'entry %i is reached, and all that it says is filled in: %s',
      (at, _happened, refusal) => {
        const { code, happened, expected, remedy } = textsOf(refusals, refusal);
        expect(remedy.length).toBeGreaterThan(0);
        const errors = read[at] ?? [];
        for (const error of errors) {
          expect(error.code).toBe(code);
          expect(error.message).toMatch(pattern(happened));
        }
        const lines = errors.flatMap(({ explanation }) => [...(explanation.expected ?? []), ...explanation.remedy]);
        // A line that is nothing but a fact reads like any other, so the lines are counted too.
        expect(lines.length).toBeGreaterThanOrEqual(expected.length + remedy.length);
        const patterns = [...expected, ...remedy].map(pattern);
        for (const each of patterns) expect(lines).toContainEqual(expect.stringMatching(each));
        for (const line of lines) {
          expect(line).not.toMatch(PLACEHOLDER);
          expect(
            patterns.some((each) => each.test(line)),
            line,
          ).toBe(true);
        }
      },
    );
  },
);
