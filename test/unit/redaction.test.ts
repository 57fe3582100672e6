import { expect, test } from 'vitest';
import { bitbucketHost } from '../../pipe/bitbucket-host.ts';
import { checkoutFiles } from '../../shared/edge/checkout-files.ts';
import type { Host } from '../../shared/host/host.ts';
import { withRedaction } from '../../shared/host/redaction.ts';
import type { Report } from '../../shared/host/report.ts';
import { plainLine } from '../../shared/remote-text.ts';
import { Secret } from '../../shared/secret.ts';
import { recordingHost } from './recording-host.ts';

function redactedLog(report?: Host['report'], debug = false) {
  const printed: string[] = [];
  const files = checkoutFiles('/nonexistent');
  const host = bitbucketHost({
    env: {},
    settings: new Map([['debug', debug]]),
    files,
    write: (text) => printed.push(text),
  });
  return { host: withRedaction(report === undefined ? host : { ...host, report }), printed: () => printed.join('') };
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

test.each(['section', 'info', 'success', 'warning', 'error', 'debug', 'remote'] as const)(
  'what is printed as %s has no secret in it',
  async (outlet) => {
    const { host, printed } = redactedLog(undefined, true);
    await host.conceal([new Secret('hunter2')]);
    if (outlet === 'remote') host.log.remote(['it is', 'hunter2 here']);
    else if (outlet === 'section') host.log.section('result', 'it is hunter2 here');
    else host.log[outlet]('it is hunter2 here');
    expect(printed()).toContain('[redacted] here');
    expect(printed()).not.toContain('hunter2');
  },
);

test('a secret of many short parts is taken out as a whole', async () => {
  const { host, printed } = redactedLog();
  await host.conceal([new Secret('ab.cd:ef.gh-ij.kl.mn')]);
  host.log.info('it is ab.cd:ef.gh-ij.kl.mn here');
  expect(printed()).toContain('it is [redacted] here');
});

test.each([
  ['a space', 'Correct horse battery staple'],
  ['two spaces, where lines are made one', 'Correct horse  battery staple'],
  ['a comma', 'abcdefghijklmnopq,rest-of-the-secret'],
  ['a quote', 'abcdefghijklmnopq"rest-of-the-secret'],
  ['what looks like the beginning of a JSON Web Token', 'ab+eyJhbGciOiJSUzI1NiJ9+the/rest+of=it'],
  ['a short part before a long one', 'MySecretPass12.abcdefghijklmnopqrst'],
])('a secret with %s is taken out to its end, also when it is cut', async (_what, value) => {
  const { host, printed } = redactedLog();
  await host.conceal([new Secret(value)]);
  host.log.info(`whole: ${value} | ${plainLine(value)} |`);
  host.log.info(`cut: ${value.slice(0, -4)}…`);
  for (let at = 0; at + 6 <= value.length; at += 1) expect(printed()).not.toContain(value.slice(at, at + 6));
});

test('a secret is taken out as services quote it: in JSON, in an address, in a page', async () => {
  const { host, printed } = redactedLog();
  await host.conceal([new Secret('a"b<c>&/d e')]);
  const forms = [
    'a\\"b<c>&/d e',
    'a\\"b<c>&\\/d e',
    'a%22b%3Cc%3E%26%2Fd%20e',
    'a%22b%3Cc%3E%26%2Fd+e',
    'a&quot;b&lt;c&gt;&amp;/d e',
  ];
  host.log.info(forms.join(' | '));
  expect(printed().trim()).toBe(forms.map(() => '[redacted]').join(' | '));
});

test('a secret that begins another one leaves nothing of the longer', async () => {
  const { host, printed } = redactedLog();
  await host.conceal([new Secret('hunter2'), new Secret('hunter2-more')]);
  host.log.info('it is hunter2-more here');
  expect(printed()).toContain('it is [redacted] here');
});

test("a report's title, labels and addresses are looked at as well", async () => {
  const reports: unknown[] = [];
  const { host } = redactedLog(async (report) => void reports.push(report));
  await host.conceal([new Secret('hunter2')]);
  const url = 'https://example.com/?key=hunter2';
  const facts = [{ label: 'hunter2', value: '', url }];
  await host.report({ title: 'hunter2', state: 'failed', summary: '', url, facts }, 'key');
  expect(JSON.stringify(reports)).not.toContain('hunter2');
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

const SECRET = 'hunter2-hunter3';
const REPORT: Report = { title: 'title', state: 'failed', summary: 'summary', facts: [] };

/** A host behind a redaction that knows `SECRET`, with what the CI was told. */
async function knowing(changes: Partial<Host> = {}) {
  const concealed: string[][] = [];
  const recording = recordingHost({
    conceal: async (secrets) => void concealed.push(secrets.map((secret) => secret.reveal())),
    ...changes,
  });
  const host = withRedaction(recording.host);
  await host.conceal([new Secret(SECRET)]);
  return { ...recording, host, concealed };
}

test('the CI is told of each secret once', async () => {
  const { host, concealed } = await knowing();
  await host.conceal([new Secret(SECRET)]);
  await host.conceal([]);
  await host.conceal([new Secret(SECRET), new Secret('another-one')]);
  expect(concealed).toEqual([[SECRET], ['another-one']]);
});

test('the token of the CI is a secret as soon as there is one, and the CI knows it already', async () => {
  const token = 'aaaa1111bbbb2222cccc3333';
  const { subjectTokens } = recordingHost().host;
  const requests: unknown[] = [];
  const { host, lines, concealed } = await knowing({
    subjectTokens: {
      ...subjectTokens,
      getSubjectToken: async (request) => {
        requests.push(request);
        return new Secret(token);
      },
    },
  });
  const { signal } = new AbortController();
  const request = { audience: 'https://vercel.com/acme', signal };
  expect((await host.subjectTokens.getSubjectToken(request)).reveal()).toBe(token);
  expect(requests).toEqual([request]);
  expect(host.subjectTokens.howToRequest('x')).toEqual([]);
  host.log.info(`it is ${token} here`);
  expect(lines).toEqual(['info: it is [redacted] here']);
  expect(concealed).toEqual([[SECRET]]);
});

test('outputs have no secret in them, but for the id', async () => {
  const { host, outputs } = await knowing();
  expect(await host.publish({ id: SECRET, error: `it is ${SECRET}`, word: 'FAILED' }, 'final', 'key')).toEqual([
    'outputs.json',
  ]);
  expect(outputs()).toEqual({ id: SECRET, error: 'it is [redacted]', word: 'FAILED' });
});

test.each<[string, Report, Report]>([
  ['with nothing in it', REPORT, REPORT],
  [
    'with a secret everywhere',
    {
      ...REPORT,
      title: `a ${SECRET}`,
      summary: `b ${SECRET}`,
      url: `https://page.test/${SECRET}`,
      facts: [
        { label: `c ${SECRET}`, value: `d ${SECRET}`, url: `https://page.test/${SECRET}/e` },
        { label: 'c', value: 'd' },
      ],
      remote: [`f ${SECRET}`, '', 'g hunter2-', 'hunter3 h'],
    },
    {
      ...REPORT,
      title: 'a [redacted]',
      summary: 'b [redacted]',
      url: 'https://page.test/[redacted]',
      facts: [
        { label: 'c [redacted]', value: 'd [redacted]', url: 'https://page.test/[redacted]/e' },
        { label: 'c', value: 'd' },
      ],
      remote: ['f [redacted]', '', 'g [redacted] h'],
    },
  ],
  [
    'with as much text as is shown',
    { ...REPORT, remote: [`${'.'.repeat(39_000)}`, '-'.repeat(999)] },
    { ...REPORT, remote: [`${'.'.repeat(39_000)}`, '-'.repeat(999)] },
  ],
  [
    'with more text than is shown',
    { ...REPORT, remote: [`${'.'.repeat(20_000)}${'-'.repeat(20_001)}`] },
    { ...REPORT, remote: ['.'.repeat(20_000), '…', '-'.repeat(20_000)] },
  ],
])('a report %s', async (_what, report, shown) => {
  const { host, reports } = await knowing();
  await host.report(report, 'key');
  expect(reports).toEqual([shown]);
});

test.each<[string, readonly string[], readonly string[]]>([
  ['and what is printed after one', [`a ${SECRET}`, 'b', 'c'], ['a [redacted]', 'b', 'c']],
  ['and what begins in one line and ends in the next', ['a hunter2-hun', 'ter3 b'], ['a hunter2-hun', '[redacted] b']],
  ['over the lines in between', ['hunter2', '-', 'hun', 'ter3'], ['hunter2', '-', 'hun', '[redacted]']],
  [
    'over as many of them as a thousand characters',
    ['hunter2-', ' '.repeat(980), 'hunter3'],
    ['hunter2-', ' '.repeat(980), '[redacted]'],
  ],
  ['and no further', ['hunter2-', ' '.repeat(1_000), 'hunter3'], ['hunter2-', ' '.repeat(1_000), 'hunter3']],
])('a secret is taken out of one line %s', async (_what, given, printed) => {
  const { host, lines } = await knowing();
  for (const line of given) host.log.info(line);
  expect(lines).toEqual(printed.map((line) => `info: ${line}`));
});

test('of no lines of a service none are printed', async () => {
  const { host, lines } = await knowing();
  host.log.remote([]);
  host.log.remote(['', 'a']);
  expect(lines).toEqual(['remote: ', 'remote: a']);
});
