import { describe, expect, it } from 'vitest';
import type { Json } from '../../shared/json.ts';
import { addressOf, hasChecks, pageOf, readDeployment } from '../../shared/services/vercel/deployment-status.ts';

const read = (deployment: Json, checkRuns?: Json, skipDomain = false) =>
  readDeployment(deployment, { checkRuns, skipDomain });

describe('a deployment on its way', () => {
  it.each([
    ['QUEUED', 'queued'],
    ['INITIALIZING', 'queued'],
    ['ANALYZING', 'running'],
    ['BUILDING', 'running'],
    ['DEPLOYING', 'running'],
    ['WARMING', 'running'],
    ['toString', 'running'],
  ])('is in %s %s', (readyState, phase) => {
    const status = read({ readyState, readyStateReason: 'a moment\u001b[31m' });
    expect(status).toMatchObject({ phase, word: readyState, detail: 'a moment' });
    expect(status).not.toHaveProperty('failure');
  });

  it('is read by its older field, and else is queued', () => {
    expect(read({ status: 'BUILDING' })).toMatchObject({ phase: 'running', word: 'BUILDING' });
    expect(read({})).toMatchObject({ phase: 'queued', word: 'QUEUED', parts: [] });
    for (const name of ['detail', 'url', 'outputs', 'startedAt']) expect(read({})).not.toHaveProperty(name);
    expect(read({ readyState: 'BUILDING', readyStateReason: '' })).not.toHaveProperty('detail');
  });

  it('says when its build began, and where it is', () => {
    expect(
      read({ buildingAt: 5, url: 'edge-1.vercel.app', inspectorUrl: 'https://vercel.com/acme/edge/1' }),
    ).toMatchObject({
      startedAt: 5,
      url: 'https://vercel.com/acme/edge/1',
      outputs: { 'deployment-url': 'https://edge-1.vercel.app' },
    });
  });
});

const ready = (more: Record<string, Json>) => ({ readyState: 'READY', ...more });

describe('a deployment that is ready', () => {
  it.each([
    ['its domains are assigned', ready({ aliasAssigned: true }), false, { phase: 'succeeded' }],
    ['they were assigned at a time', ready({ aliasAssigned: 1_700_000_000_000 }), false, { phase: 'succeeded' }],
    [
      'they were assigned although a check failed',
      ready({ aliasAssigned: true, checksConclusion: 'failed' }),
      false,
      { phase: 'succeeded' },
    ],
    ['they are not assigned yet', ready({}), false, { phase: 'running', detail: 'assigning the domains' }],
    [
      'they could not be assigned',
      ready({ aliasError: { code: 'cert_missing', message: 'No certificate.' } }),
      false,
      {
        phase: 'failed',
        failure: { cause: 'code', message: expect.stringContaining('cert_missing: No certificate.') },
      },
    ],
    ['they are left alone', ready({}), true, { phase: 'succeeded', word: 'READY' }],
    ['it is staged', ready({ readySubstate: 'STAGED' }), true, { phase: 'succeeded', word: 'STAGED' }],
    ['it never gets any', ready({ autoAssignCustomDomains: false }), false, { phase: 'succeeded', word: 'READY' }],
    ['it may get some', ready({ autoAssignCustomDomains: true }), false, { phase: 'running' }],
    ['its checks are registered', ready({ checksState: 'registered' }), true, { phase: 'running', detail: /checks/ }],
    ['its checks run', ready({ checksState: 'running' }), true, { phase: 'running', detail: /checks/ }],
    ['its checks are over', ready({ checksState: 'completed' }), true, { phase: 'succeeded' }],
    [
      'what guards its domains runs',
      ready({ checks: { 'deployment-alias': { state: 'running' } } }),
      true,
      { phase: 'running', detail: /checks/ },
    ],
    [
      'what guards its domains is pending',
      ready({ checks: { 'deployment-alias': { state: 'pending' } } }),
      true,
      { phase: 'running', detail: /checks/ },
    ],
    [
      'what guards its domains succeeded',
      ready({ checks: { 'deployment-alias': { state: 'succeeded' } } }),
      true,
      { phase: 'succeeded' },
    ],
  ])('and %s', (_what, deployment, skipDomain, expected) => {
    const status = read(deployment, undefined, skipDomain);
    const { detail, ...rest } = { detail: undefined, ...expected };
    expect(status).toMatchObject(rest);
    if (detail !== undefined) expect(status.detail).toMatch(detail);
    if (expected.phase !== 'failed') expect(status).not.toHaveProperty('failure');
  });

  it.each([
    [{ checksConclusion: 'failed' }, undefined, 'conclusion failed'],
    [{ checksConclusion: 'canceled' }, undefined, 'conclusion canceled'],
    [{ checks: { 'deployment-alias': { state: 'failed' } } }, undefined, 'conclusion failed'],
    [
      { checksConclusion: 'failed' },
      {
        runs: [
          { name: 'speed', status: 'completed', conclusion: 'failed' },
          { name: 'links', status: 'completed', conclusion: 'succeeded' },
          { name: 'size', status: 'completed', conclusion: 'timeout' },
          { name: 'seo', status: 'completed', conclusion: 'canceled' },
        ],
      },
      'speed, size, seo',
    ],
  ])('but its checks did not pass: %j', (more, runs, words) => {
    const status = read(ready(more), runs, true);
    expect(status).toMatchObject({ phase: 'failed', failure: { cause: 'code' } });
    expect(status.failure?.message).toMatch(new RegExp(`: ${words}$`));
  });
});

it('its checks are its parts', () => {
  const runs = [
    { name: 'a', status: 'completed', conclusion: 'succeeded' },
    { name: 'b', status: 'completed', conclusion: 'failed' },
    { name: 'c', status: 'running' },
    { id: 'd', status: 'registered' },
    {},
  ];
  expect(read({ readyState: 'READY' }, { runs }).parts).toEqual([
    { name: 'a', phase: 'succeeded', word: 'succeeded' },
    { name: 'b', phase: 'failed', word: 'failed' },
    { name: 'c', phase: 'running', word: 'running' },
    { name: 'd', phase: 'queued', word: 'registered' },
    { name: 'check', phase: 'queued', word: 'queued' },
  ]);
});

describe('a deployment that ended otherwise', () => {
  it('was cancelled', () => {
    expect(read({ readyState: 'CANCELED', readyStateReason: 'by hand' })).toMatchObject({
      phase: 'cancelled',
      detail: 'by hand',
    });
  });

  it.each([
    ['INTERNAL_ERROR', 'infrastructure'],
    ['UNEXPECTED', 'infrastructure'],
    ['FUNCTION_SIZE_LIMIT', 'quota'],
    ['PAYMENT_REQUIRED', 'quota'],
    ['BUILD_TIMEDOUT', 'timeout'],
    ['BUILD_TIMED_OUT', 'timeout'],
    ['NOT_AUTHORIZED', 'permission'],
    ['BUILD_UTILS_SPAWN_1', 'code'],
    [undefined, 'code'],
  ])('failed with %s for %s', (errorCode, cause) => {
    const code = errorCode === undefined ? {} : { errorCode };
    expect(read({ readyState: 'ERROR', ...code }).failure?.cause).toBe(cause);
    expect(read({ readyState: 'UPLOAD_ERROR', ...code })).toMatchObject({ phase: 'failed', failure: { cause } });
  });

  it.each([
    [{ errorCode: 'X', errorMessage: 'it broke' }, 'X: it broke'],
    [{ errorCode: 'X', readyStateReason: 'for a reason' }, 'X: for a reason'],
    [{ errorMessage: 'it broke', errorStep: 'buildStep' }, 'In the step buildStep: it broke'],
    [{ errorCode: 'X', errorMessage: '', errorLink: 'https://vercel.com/why' }, 'X (https://vercel.com/why)'],
    [{}, expect.stringMatching(/^Vercel gives no reason/)],
  ])('tells why: %j', (more, message) => {
    expect(read({ readyState: 'ERROR', ...more }).failure?.message).toEqual(message);
  });

  it.each([
    [{ seatBlock: { blockCode: 'TEAM_ACCESS_REQUIRED' } }, /\(TEAM_ACCESS_REQUIRED\): .*author .*no access/],
    [{ seatBlock: { blockCode: 'COMMIT_AUTHOR_REQUIRED' } }, /\(COMMIT_AUTHOR_REQUIRED\): .*no author/],
    [{ seatBlock: { blockCode: 'NEW' }, readyStateReason: 'ask' }, /\(NEW\): ask\./],
    [{ seatBlock: { blockCode: 'toString' } }, /\(toString\): a seat/],
    [{ readyStateReason: 'ask' }, /deployment: ask$/],
    [{}, /deployment$/],
  ])('was blocked: %j', (more, words) => {
    const status = read({ readyState: 'BLOCKED', ...more });
    expect(status).toMatchObject({ phase: 'failed', failure: { cause: 'permission' } });
    expect(status.failure?.message).toMatch(words);
  });
});

it.each([
  [{ checks: {} }, true],
  [{ checksState: 'registered' }, true],
  [{ checks: null }, false],
  [{}, false],
  [null, false],
])('%j has checks: %s', (deployment, has) => expect(hasChecks(deployment)).toBe(has));

it.each([
  ['edge-1.vercel.app', 'https://edge-1.vercel.app'],
  ['https://edge-1.vercel.app', 'https://edge-1.vercel.app'],
  ['edge', undefined],
  ['', undefined],
  ['edge.vercel.app/path', undefined],
  ['edge.vercel.app:443', undefined],
  ['user@edge.vercel.app', undefined],
  ['http://edge.vercel.app', undefined],
  ['ed ge.vercel.app', undefined],
])('the address of %s is %s', (url, address) => expect(addressOf({ url })).toBe(address));

it.each([
  ['https://vercel.com/acme/edge/1', 'https://vercel.com/acme/edge/1'],
  ['http://vercel.com/acme/edge/1', 'https://e.vercel.app'],
  ['https://vercel.com/"><script>', 'https://e.vercel.app'],
  ['see https://vercel.com/1', 'https://e.vercel.app'],
])('the page of a deployment with %s is %s', (inspectorUrl, page) =>
  expect(pageOf({ inspectorUrl, url: 'e.vercel.app' })).toBe(page),
);
