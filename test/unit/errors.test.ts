import { constants } from 'node:os';
import { expect, it } from 'vitest';
import { describeFault } from '../../shared/edge/node.ts';
import {
  CANCEL_SIGNALS,
  ERROR_CATALOGUE,
  type ErrorCode,
  EXIT,
  EXIT_MEANINGS,
  exitCodeOf,
  SubmitError,
} from '../../shared/errors.ts';

it('every exit code has a meaning, and none that Buildkite gives another meaning', () => {
  expect([...EXIT_MEANINGS.keys()].toSorted()).toEqual(Object.values(EXIT).toSorted());
  for (const code of Object.values(EXIT)) expect([94, 125, 126, 127, 255]).not.toContain(code);
});

it.each(Object.entries(ERROR_CATALOGUE))(
  '%s ends with a code of its own kind and says what it means',
  (name, { exit, meaning }) => {
    expect(name).toMatch(/^[a-z]+(?:-[a-z]+)+$/);
    expect([EXIT.settings, EXIT.identity, EXIT.service, EXIT.deadline, EXIT.cancelledElsewhere]).toContain(exit);
    expect(meaning).toMatch(/\S.*\.$/);
    const error = new SubmitError(name as ErrorCode, { happened: 'It happened', remedy: [] });
    expect([error.exitCode, error.message, error.cause]).toEqual([exit, 'It happened', undefined]);
  },
);

it.each(['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGTERM'] as const)(
  '%s ends a step as a shell would',
  (name) => {
    expect(CANCEL_SIGNALS).toContain(name);
    // The user's signals have other numbers on macOS, where the codes are Linux's all the same.
    const number = { ...constants.signals, SIGUSR1: 10, SIGUSR2: 12 }[name];
    expect(exitCodeOf(AbortSignal.abort(name))).toBe(128 + number);
  },
);

it('a cancellation for another reason ends as one by SIGTERM does', () => {
  expect(exitCodeOf(AbortSignal.abort())).toBe(143);
});

it('a fault of the program is told without anything that could be a token', () => {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const token = `${part({ alg: 'RS256', kid: crypto.randomUUID() })}.${part({ sub: 'x'.repeat(40) })}.${'c2ln'.repeat(20)}`;
  const told = describeFault(new Error(`failed with ${token}, then ya29.c.${'Zm9v'.repeat(20)}`));
  expect(told).toContain('Error: failed with [redacted], then ya29.c.[redacted]');
  expect(told).not.toMatch(/eyJ|c2ln|Zm9v/);
  expect(describeFault(token)).not.toContain('eyJ');
});

it.each([
  ['split by a colour', 'dapi0123\u001b[0m456789abcdef'],
  ['of small parts', 'ab+cd/ef+gh/ij+kl/mn=='],
  ['percent-encoded', '%64%61%70%69%30%31%32%33'],
  ['that looks like a place in the program', '\n    at dapi0123456789abcdef'],
])('a fault of the program is told without a token %s, and with where it happened', (_what, token) => {
  const told = describeFault(new TypeError(`failed with ${token}`));
  expect(told).toMatch(/^TypeError: failed with\s+(?:at )?\[redacted\]\n {4}at .*errors\.test\.ts/);
  expect(told).not.toContain(token.replace('\u001b[0m', '').trim());
});
