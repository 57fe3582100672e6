import { describe, expect, it, test } from 'vitest';
import type { ErrorCode, SubmitError } from '../../shared/errors.ts';
import { explainGoogle, isGoogleCapacity } from '../../shared/google/errors.ts';
import type { Answer, HttpCall } from '../../shared/http/http.ts';
import type { Json } from '../../shared/json.ts';
import { explainDatabricks, isDatabricksCapacity } from '../../shared/services/databricks/errors.ts';
import { explainPrefect } from '../../shared/services/prefect/errors.ts';
import type { PrefectServer } from '../../shared/services/prefect/server.ts';
import { errorText, explainVercel, isVercelCapacity, missingFiles } from '../../shared/services/vercel/errors.ts';
import type { VercelTrust } from '../../shared/services/vercel/trust.ts';

function answer(status: number, body: Json): Answer {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return { kind: 'answer', status, contentType: 'application/json', text };
}

/** All that a person reads of an error, each part of which has to be there. */
function told({ code, message, explanation }: SubmitError): string {
  const { presented = [], expected = [], words = '', remedy, link } = explanation;
  expect(remedy.join('')).toMatch(/\S/);
  if (code !== 'unreadable-answer') {
    expect(expected.join('')).toMatch(/\S/);
    expect(link).toMatch(/^docs\/[a-z-]+\.md$/);
  }
  return [message, ...presented, ...expected, words, ...remedy].join('\n');
}

type Row = readonly [status: number, body: Json, code: ErrorCode, words: RegExp, notIn?: RegExp];

/** Rows with a name for each. */
function named<R extends readonly unknown[]>(rows: readonly R[]): readonly (readonly [name: string, row: R])[] {
  return rows.map((row) => [
    row
      .map((part) => (part instanceof RegExp ? '' : JSON.stringify(part)))
      .join(' ')
      .trim(),
    row,
  ]);
}

describe('a refusal of Google', () => {
  const ASKER = { identity: 'ci@acme-ml.iam.gserviceaccount.com', project: 'acme-ml', region: 'us-central1' };
  const CALL: HttpCall = { method: 'POST', url: 'https://us-central1-aiplatform.googleapis.com/v1/x' };
  const info = (more: Record<string, Json>) => ({
    error: {
      message: 'the words',
      details: [
        { '@type': 'type.googleapis.com/google.rpc.Help', reason: 'NOT_THIS' },
        { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', ...more },
      ],
    },
  });

  it.each(
    named<Row>([
      [401, { error: { message: 'the words' } }, 'credential-rejected', /does not accept the exchanged credential/],
      [
        403,
        info({ reason: 'SERVICE_DISABLED', metadata: { service: 'x.googleapis.com' } }),
        'permission-denied',
        /API x\.googleapis\.com is not enabled[\s\S]*services enable x\.googleapis\.com --project=acme-ml/,
      ],
      [
        403,
        info({ reason: 'SERVICE_DISABLED' }),
        'permission-denied',
        /API us-central1-aiplatform\.googleapis\.com is not enabled[\s\S]*services enable aiplatform\.googleapis\.com/,
      ],
      [
        403,
        info({ reason: 'IAM_PERMISSION_DENIED', metadata: { permission: 'aiplatform.customJobs.create' } }),
        'permission-denied',
        /the permission aiplatform\.customJobs\.create in[\s\S]*serviceAccount:ci@acme-ml/,
      ],
      [403, { error: { message: 'the words' } }, 'permission-denied', /lacks a permission in project acme-ml/],
      [
        400,
        {
          error: {
            message: 'You do not have permission to act as service_account: run@acme-ml.iam.gserviceaccount.com.',
          },
        },
        'act-as-denied',
        /jobs as run@acme-ml\.iam\.gserviceaccount\.com\n[\s\S]*add-iam-policy-binding run@acme-ml\.iam\.gserviceaccount\.com --role/,
      ],
      [429, { error: { message: 'The following quota metrics exceed quota limits: gpus' } }, 'quota-exceeded', /quota/],
      [429, { error: { message: 'slow down' } }, 'request-rejected', /refused the request \(429\)/],
      [404, { error: { message: 'gone' } }, 'not-found', /does not know/],
      [
        400,
        {
          error: {
            message: 'bad',
            details: [{ fieldViolations: [{ field: 'job_spec', description: 'is empty' }, {}] }],
          },
        },
        'request-rejected',
        /refused the request \(400\)[\s\S]*bad\njob_spec: is empty/,
      ],
      [500, 'oops', 'unreadable-answer', /500/],
    ]),
  )('%s', (_row, [status, body, code, words]) => {
    const error = explainGoogle(ASKER, CALL, answer(status, body));
    expect(error.code).toBe(code);
    expect(told(error)).toMatch(words);
    if (code !== 'unreadable-answer') expect(told(error)).toContain('project acme-ml, region us-central1');
  });

  it('with direct access, names the principals of the pool', () => {
    const asker = { ...ASKER, identity: 'principalSet://pool' };
    expect(told(explainGoogle(asker, CALL, answer(403, { error: { message: 'no' } })))).toContain(
      'PRINCIPAL_OF_THE_POOL',
    );
  });

  it.each([
    [429, 'quota metrics exceed', true],
    [429, 'custom_model_training_gpus', true],
    [429, '"@type":"QuotaFailure"', true],
    [429, 'slow down', false],
    [403, 'quota metrics exceed', false],
  ])('%i %s is a lack of capacity: %s', (status, text, capacity) =>
    expect(isGoogleCapacity(answer(status, text))).toBe(capacity),
  );
});

describe('a refusal of Databricks', () => {
  const CALL: HttpCall = { method: 'POST', url: 'https://dbc.cloud.databricks.com/api/2.2/jobs/runs/submit' };

  it.each(
    named<Row>([
      [401, { message: 'no' }, 'credential-rejected', /does not accept/],
      [403, { message: 'no' }, 'permission-denied', /lacks a permission/],
      [404, { message: 'no' }, 'not-found', /does not know/],
      [400, { message: 'Job 5 does not exist.' }, 'not-found', /does not know/],
      [400, { message: 'no', error_code: 'RESOURCE_DOES_NOT_EXIST' }, 'not-found', /RESOURCE_DOES_NOT_EXIST: no/],
      [400, { message: 'no', error_code: 'QUOTA_EXCEEDED' }, 'quota-exceeded', /limit/i],
      [429, { message: 'The limit of 1000 active runs is reached' }, 'quota-exceeded', /limit/i],
      [400, { message: 'no', error_code: 'INVALID_PARAMETER_VALUE' }, 'request-rejected', /\(400\)/],
      [400, { error_description: 'described' }, 'request-rejected', /described/],
      [400, { error: 'invalid' }, 'request-rejected', /invalid/],
      [400, { detail: 'detailed' }, 'request-rejected', /detailed/],
      [
        400,
        { message: 'no', details: [{ other: 1 }, { request_id: 'req-7' }] },
        'request-rejected',
        /request id req-7/,
      ],
      [502, '<html>', 'unreadable-answer', /502/],
      [400, { code: 1 }, 'unreadable-answer', /400/],
    ]),
  )('%s', (_row, [status, body, code, words]) => {
    const error = explainDatabricks('principal-7', CALL, answer(status, body));
    expect(error.code).toBe(code);
    expect(told(error)).toMatch(words);
    if (code === 'unreadable-answer') return;
    expect(error.explanation.presented).toEqual(
      expect.arrayContaining(['identity principal-7', 'request POST /api/2.2/jobs/runs/submit']),
    );
  });

  it('names a request id only where there is one', () => {
    expect(told(explainDatabricks('p', CALL, answer(400, { message: 'no' })))).not.toContain('request id');
  });

  it.each([
    [{ error_code: 'QUOTA_EXCEEDED' }, true],
    [{ message: 'the maximum number of runs' }, true],
    [{ message: 'limit of tasks' }, true],
    [{ message: 'too many requests' }, false],
  ])('%j is a lack of capacity: %s', (body, capacity) =>
    expect(isDatabricksCapacity(answer(429, body))).toBe(capacity),
  );
});

describe('a refusal of Prefect', () => {
  const CALL: HttpCall = { method: 'POST', url: 'https://api.prefect.cloud/api/x' };
  const CLOUD = { host: 'api.prefect.cloud', workspace: { account: 'a', workspace: 'w' } } as unknown as PrefectServer;
  const OWN = { host: 'prefect.acme.example', workspace: undefined } as unknown as PrefectServer;

  it.each(
    named<readonly [PrefectServer, ...Row]>([
      [CLOUD, 401, { detail: 'no' }, 'credential-rejected', /API key/, /AUTH_STRING|stands before/],
      [OWN, 401, { detail: 'no' }, 'credential-rejected', /AUTH_STRING/, /stands before|API key/],
      [OWN, 401, 'denied', 'credential-rejected', /^What stands before prefect\.acme\.example/],
      [CLOUD, 401, 'denied', 'credential-rejected', /^api\.prefect\.cloud/],
      [OWN, 403, { detail: 'Invalid CSRF token or client identifier.' }, 'request-rejected', /forged/],
      [CLOUD, 403, { detail: 'no' }, 'permission-denied', /role in the workspace/, /IAP/],
      [OWN, 403, { detail: 'no' }, 'permission-denied', /lacks a permission[\s\S]*IAP/],
      [OWN, 403, 'denied', 'permission-denied', /^What stands before/],
      [CLOUD, 404, { detail: 'gone' }, 'not-found', /workspace that the key/],
      [OWN, 404, { detail: 'gone' }, 'not-found', /address that is the API's own/, /workspace/],
      [OWN, 404, 'no page', 'unreadable-answer', /404/],
      [OWN, 422, 'no page', 'unreadable-answer', /422/],
      [CLOUD, 409, { detail: 'no' }, 'request-rejected', /do not fit/],
      [CLOUD, 400, { detail: 'Error hydrating flow run' }, 'request-rejected', /__prefect_kind/],
      [CLOUD, 400, { detail: 'no work queue' }, 'request-rejected', /Leave out «work-queue»/],
      [CLOUD, 422, { detail: 'no work queue' }, 'request-rejected', /\(422\)/, /Leave out/],
      [CLOUD, 422, { detail: 'hydrating' }, 'request-rejected', /\(422\)/, /__prefect_kind/],
      [CLOUD, 413, { detail: 'no' }, 'request-rejected', /5 MiB/],
      [
        CLOUD,
        422,
        { exception_message: 'Invalid', exception_detail: [{ loc: ['body', 0, 'name'], msg: 'is short' }, { odd: 1 }] },
        'request-rejected',
        /Invalid\nbody\.0\.name: is short\n\{"odd":1\}/,
      ],
      [CLOUD, 422, { detail: [{ loc: ['a'], msg: 'b' }] }, 'request-rejected', /^a: b$/m],
      [CLOUD, 422, { error: { message: 'inner' } }, 'request-rejected', /inner/],
    ]),
  )('%s', (_row, [server, status, body, code, words, notIn]) => {
    const error = explainPrefect(server, 'key of ci', CALL, answer(status, body));
    expect(error.code).toBe(code);
    expect(told(error)).toMatch(words);
    if (notIn !== undefined) expect(told(error)).not.toMatch(notIn);
    if (code === 'unreadable-answer') return;
    expect(error.explanation.presented).toEqual(['identity key of ci', 'request POST /api/x']);
  });
});

describe('a refusal of Vercel', () => {
  const IDENTITY = 'OIDC policy of team acme';
  const TRUST = { team: 'acme', project: 'edge' } as VercelTrust;
  const POST: HttpCall = { method: 'POST', url: 'https://api.vercel.com/v13/deployments?teamId=t' };
  const PROJECT: HttpCall = { method: 'GET', url: 'https://api.vercel.com/v9/projects/edge?teamId=t' };
  const error = (code: string, message = 'the words', more: Record<string, Json> = {}) => ({
    error: { code, message, ...more },
  });

  it.each(
    named<readonly [HttpCall, ...Row]>([
      [POST, 401, error('x'), 'credential-rejected', /does not accept the token/],
      [POST, 403, error('forbidden', 'no', { missingToken: true }), 'credential-rejected', /does not accept/],
      [POST, 403, error('forbidden', 'no', { invalidToken: true }), 'credential-rejected', /does not accept/],
      [POST, 403, error('forbidden', 'no', { saml: true }), 'permission-denied', /SAML/],
      [POST, 403, error('forbidden'), 'permission-denied', /may not do this in team acme/, /SAML/],
      [POST, 402, error('x'), 'quota-exceeded', /plan/],
      [POST, 429, error('builds_rate_limited'), 'quota-exceeded', /plan/],
      [PROJECT, 404, error('not_found'), 'not-found', /no project edge/],
      [POST, 404, error('not_found', 'Deployment not found'), 'not-found', /does not know the deployment/],
      [POST, 404, error('not_found', 'Nothing'), 'not-found', /in team acme/, /no project|know the deployment/],
      [POST, 413, error('x'), 'request-rejected', /size/],
      [POST, 409, error('x'), 'request-rejected', /\(409\)/],
      [
        POST,
        400,
        error('bad', 'wrong field', { field: 'name' }),
        'request-rejected',
        /bad: wrong field\n\{"field":"name"\}/,
      ],
      [POST, 400, { err: { message: 'only words' } }, 'request-rejected', /400: only words$/m],
      [POST, 500, {}, 'unreadable-answer', /500/],
      [POST, 500, { error: { code: '', message: '' } }, 'unreadable-answer', /500/],
      [POST, 400, error(''), 'request-rejected', /400: the words/],
      [POST, 400, { error: { code: 'lonely' } }, 'request-rejected', /lonely: /],
    ]),
  )('%s', (_row, [call, status, body, code, words, notIn]) => {
    const explained = explainVercel(TRUST, IDENTITY, call, answer(status, body));
    expect(explained.code).toBe(code);
    expect(told(explained)).toMatch(words);
    if (notIn !== undefined) expect(told(explained)).not.toMatch(notIn);
    if (code === 'unreadable-answer') return;
    const { host, pathname } = new URL(call.url);
    expect(explained.explanation.presented).toEqual([
      `${call.method} ${host}${pathname}`,
      'identity OIDC policy of team acme',
      'team acme',
      'project edge',
    ]);
  });

  it('says no more than its words where there is nothing more', () => {
    expect(explainVercel(TRUST, IDENTITY, POST, answer(400, error('bad', 'no'))).explanation.words).toBe('bad: no');
  });

  it.each([
    ['builds_rate_limited', true],
    ['api-deployments-free-per-day_limit_exceeded', true],
    ['payment_required', true],
    ['storage_quota_reached', true],
    ['rate_limited', false],
    ['not_builds_rate_limited', false],
    ['builds_rate_limited_not', false],
    ['', false],
  ])('%s is a lack of room: %s', (code, room) => expect(isVercelCapacity(answer(429, error(code)))).toBe(room));

  it.each([
    [400, error('missing_files', 'm', { missing: ['a', 1, 'b'] }), ['a', 'b']],
    [400, error('missing_files'), []],
    [400, error('other', 'm', { missing: ['a'] }), undefined],
    [409, error('missing_files', 'm', { missing: ['a'] }), undefined],
  ])('%i %j asks for %j', (status, body, shas) => expect(missingFiles(answer(status, body))).toEqual(shas));

  test.each([
    [{ e: { code: 'a', message: 'b' } }, 'a: b'],
    [{ e: { code: 'a' } }, 'a'],
    [{ e: { message: 'b', code: '' } }, 'b'],
    [{ e: {} }, undefined],
    [{}, undefined],
    [null, undefined],
  ])('the error in %j is %s', (source, text) => expect(errorText(source, 'e')).toBe(text));
});
