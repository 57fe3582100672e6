import { describe, expect, it } from 'vitest';
import type { Json } from '../../shared/json.ts';
import {
  type ChangeMark,
  isRolledBack,
  isUnderWay,
  lastRequestAt,
  productionOf,
  readChange,
  requestOf,
} from '../../shared/services/vercel/production-status.ts';

const MARK: ChangeMark = {
  type: 'promote',
  deployment: 'dpl_new',
  before: 1_000,
  acceptedAt: 5_000,
  queued: false,
};

function project(request: Record<string, Json> | undefined, production = 'dpl_old') {
  return {
    targets: { production: { id: production } },
    ...(request === undefined ? {} : { lastAliasRequest: request }),
  };
}

const request = (more: Record<string, Json> = {}) => ({
  toDeploymentId: 'dpl_new',
  type: 'promote',
  requestedAt: 5_000,
  ...more,
});

describe('the request of a change', () => {
  it.each([
    ['the one that was made', request(), true],
    ['one without a type', { toDeploymentId: 'dpl_new', requestedAt: 5_000 }, true],
    ['one without a time', { toDeploymentId: 'dpl_new', type: 'promote' }, true],
    ['one that was there before', request({ requestedAt: 1_000 }), false],
    ['one made a moment after that', request({ requestedAt: 1_001 }), true],
    ['one of the other sort', request({ type: 'rollback' }), false],
    ['one to another deployment', request({ toDeploymentId: 'dpl_other' }), false],
    ['none', undefined, false],
  ])('is %s: %j', (_what, given, found) => {
    expect(requestOf(project(given), MARK)).toEqual(found ? given : undefined);
  });

  it('is any, where nothing is known of those before', () => {
    expect(requestOf(project(request({ requestedAt: 1 })), { ...MARK, before: undefined })).toBeDefined();
  });
});

describe('a change of production', () => {
  it.each([
    ['pending', 'queued', 'pending'],
    ['in-progress', 'running', 'in-progress'],
    ['succeeded', 'succeeded', 'succeeded'],
    ['failed', 'failed', 'failed'],
    ['skipped', 'failed', 'skipped'],
    ['hibernating', 'running', 'hibernating'],
  ])('whose request is %s is %s', (jobStatus, phase, word) => {
    const status = readChange(project(request({ jobStatus })), MARK);
    expect(status).toMatchObject({ phase, word, parts: [] });
    if (phase === 'failed')
      expect(status.failure).toMatchObject({ cause: 'code', message: expect.stringMatching(/\S/) });
    else expect(status).not.toHaveProperty('failure');
  });

  it('that is skipped since production is there already succeeded', () => {
    expect(readChange(project(request({ jobStatus: 'skipped' }), 'dpl_new'), MARK).phase).toBe('succeeded');
  });

  it.each(['promote', 'rollback'] as const)('that was skipped says what it was: %s', (type) => {
    const { failure } = readChange(project(request({ type, jobStatus: 'skipped' })), { ...MARK, type });
    expect(failure?.message).toContain(type === 'promote' ? 'promotion' : 'rollback');
  });

  it.each([
    ['production is there already', project(undefined, 'dpl_new'), MARK, { phase: 'succeeded', word: 'current' }],
    [
      'it has not begun',
      project(undefined),
      MARK,
      { phase: 'queued', word: 'requested', detail: /promotion is not begun/ },
    ],
    ['it waits', project(undefined), { ...MARK, queued: true }, { phase: 'queued', detail: /rolling release/ }],
    [
      'another came after it',
      project(request({ toDeploymentId: 'dpl_third', requestedAt: 6_001 })),
      MARK,
      { phase: 'failed', word: 'superseded' },
    ],
    [
      'another came within the second',
      project(request({ toDeploymentId: 'dpl_third', requestedAt: 6_000 })),
      MARK,
      { phase: 'queued' },
    ],
    [
      'it is not known when it was accepted',
      project(request({ toDeploymentId: 'dpl_third', requestedAt: 9_000 })),
      { ...MARK, acceptedAt: undefined },
      { phase: 'queued' },
    ],
    ['the other does not say when it came', project({ toDeploymentId: 'dpl_third' }), MARK, { phase: 'queued' }],
  ])('without a request: %s', (_what, given, mark, { phase, ...rest }) => {
    const status = readChange(given, mark);
    expect(status.phase).toBe(phase);
    if ('word' in rest) expect(status.word).toBe(rest.word);
    if ('detail' in rest) expect(status.detail).toMatch(rest.detail);
    if (phase === 'failed') expect(status.failure?.message).toContain('dpl_third');
  });
});

it.each([
  ['pending', true],
  ['in-progress', true],
  ['succeeded', false],
  ['failed', false],
])('a request that is %s is under way: %s', (jobStatus, under) =>
  expect(isUnderWay(project(request({ jobStatus })))).toBe(under),
);

it('a project says what it serves, when it was last asked, and whether it was rolled back', () => {
  expect(productionOf(project(undefined, 'dpl_x'))).toBe('dpl_x');
  expect(productionOf({})).toBeUndefined();
  expect(lastRequestAt(project(request()))).toBe(5_000);
  expect(lastRequestAt({})).toBeUndefined();
  expect([{ lastRollbackTarget: { id: 1 } }, { lastRollbackTarget: null }, {}, null].map(isRolledBack)).toEqual([
    true,
    false,
    false,
    false,
  ]);
});
