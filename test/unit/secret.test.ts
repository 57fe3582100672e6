import { inspect } from 'node:util';
import { expect, it } from 'vitest';
import { Secret } from '../../shared/secret.ts';

const secret = new Secret('s3cret');

it.each([
  ['as text', () => `${secret}`],
  ['joined', () => ['a', secret].join()],
  ['as JSON', () => JSON.stringify({ token: secret, list: [secret] })],
  ['inspected', () => inspect({ deep: { token: secret } }, { depth: 9, showHidden: true, getters: true })],
  ['thrown', () => String(new Error(`refused: ${secret}`))],
  ['by its members', () => JSON.stringify([Object.keys(secret), Object.values(secret), { ...secret }])],
])('a secret is not shown %s', (_how, show) => expect(show()).not.toContain('s3cret'));

it('a secret is shown where that is asked for', () => expect(secret.reveal()).toBe('s3cret'));
