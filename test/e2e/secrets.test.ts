import { describe, expect, it } from 'vitest';
import { piecesOf } from './leaks.ts';
import { ENDS, TOKENS } from './secret-paths.ts';
import { EXCHANGES, SERVICES } from './secret-refusals.ts';
import { expectSecrecy, WITH_AND_WITHOUT_DEBUG } from './secret-steps.ts';

describe.concurrent('no token comes to light with', () => {
  it.each([...ENDS, ...TOKENS, ...EXCHANGES, ...SERVICES])('$name', (path) =>
    expectSecrecy(path, WITH_AND_WITHOUT_DEBUG),
  );
});

describe('the search for tokens', () => {
  const payload = Buffer.from(JSON.stringify({ sub: 'somebody', aud: 'something' })).toString('base64url');
  const token = `eyJhbGciOiJSUzI1NiJ9.${payload}.${'c2lnbmF0dXJl'.repeat(20)}`;

  it.each([
    ['whole', `Authorization: Bearer ${token}`],
    ['cut short', token.slice(0, 70)],
    ['without its beginning', token.slice(-36)],
    ['in the middle of Base64', Buffer.from(`{"subject_token":"${payload}.`).toString('base64')],
  ])('finds one that stands there %s', (_, text) => {
    expect(piecesOf(token).some((piece) => text.includes(piece))).toBe(true);
  });

  it('finds nothing where none is', () => {
    expect(piecesOf(token).some((piece) => `eyJhbGciOiJSUzI1NiJ9 somebody something`.includes(piece))).toBe(false);
  });
});
