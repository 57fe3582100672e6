import { expect, test } from 'vitest';
import { bitbucketHost } from '../../pipe/bitbucket-host.ts';
import { checkoutFiles } from '../../shared/edge/node.ts';
import { withRedaction } from '../../shared/redaction.ts';
import { Secret } from '../../shared/secret.ts';

function redactedLog() {
  const printed: string[] = [];
  const files = checkoutFiles('/nonexistent');
  const host = bitbucketHost({ env: {}, settings: new Map(), files, write: (text) => printed.push(text) });
  return { host: withRedaction(host), printed: () => printed.join('') };
}

test.each([
  ['letters and digits', 'dapi0123456789abcdef0123456789abcdef'],
  ['dots, as Google has them', 'ya29.c.b0Aaekm1K0123456789abcdefghijklmnop'],
  ['signs at its beginning', '%!:{token}0123456789abcdefghij'],
  ['signs inside', 'abc:def%20!ghi$jkl0123456789mnop'],
])('a token with %s is taken out of what is printed, whole or cut', async (_what, token) => {
  const { host, printed } = redactedLog();
  await host.conceal([new Secret(token)]);
  host.log.info(`before ${token} after, and again "${token}"`);
  host.log.error(`cut: ${token.slice(0, -6)}`);
  expect(printed()).toContain('before ');
  expect(printed()).toContain(' after, and again ');
  // No 12 characters of it are left anywhere.
  for (let at = 0; at + 12 <= token.length; at += 1) expect(printed()).not.toContain(token.slice(at, at + 12));
});

test('a short secret is taken out as a whole, wherever it stands', async () => {
  const { host, printed } = redactedLog();
  await host.conceal([new Secret('hunter2')]);
  host.log.info('user:hunter2@host, then hunter2');
  expect(printed()).toContain('user:[redacted]@host, then [redacted]');
});

test('a secret of many short parts is taken out as a whole', async () => {
  const { host, printed } = redactedLog();
  await host.conceal([new Secret('ab.cd:ef.gh-ij.kl.mn')]);
  host.log.info('it is ab.cd:ef.gh-ij.kl.mn here');
  expect(printed()).toContain('it is [redacted] here');
});

test('what could be any word is left alone', async () => {
  const { host, printed } = redactedLog();
  await host.conceal([new Secret('a'), new Secret('the')]);
  host.log.info('that is the text');
  expect(printed()).toContain('that is the text');
});

test('other text stays as it is', async () => {
  const { host, printed } = redactedLog();
  await host.conceal([new Secret('dapi0123456789abcdef0123456789abcdef')]);
  host.log.info('projects/1/locations/us-central1/customJobs/4000000000000000000 dapi0123');
  expect(printed()).toContain('projects/1/locations/us-central1/customJobs/4000000000000000000 dapi0123');
});
