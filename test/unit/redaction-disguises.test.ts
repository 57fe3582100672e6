import { expect, test } from 'vitest';
import { annotationBody } from '../../buildkite-plugin/annotation.ts';
import { buildkiteLog } from '../../buildkite-plugin/buildkite-log.ts';
import { bitbucketHost } from '../../pipe/bitbucket-host.ts';
import { bitbucketLog } from '../../pipe/bitbucket-log.ts';
import { reportBody } from '../../pipe/bitbucket-reports.ts';
import { checkoutFiles } from '../../shared/edge/checkout-files.ts';
import type { Host, Log } from '../../shared/host/host.ts';
import { withRedaction } from '../../shared/host/redaction.ts';
import type { Report } from '../../shared/host/report.ts';
import { Secret } from '../../shared/secret.ts';
import { DISGUISES } from '../simulators/disguises.ts';
import { joinedLines, longestShown } from './longest-shown.ts';

const SECRETS = {
  'a key': 'dapi0123456789abcdef0123456789abcdef',
  'a token with dots': 'ya29.c.b0Aaekm1K0123456789-abcdefgh_ijklmnop/QRST+UV==',
  'a token of the CI': `eyJhbGciOiJSUzI1NiJ9.${Buffer.from('{"iss":"https://ci.example","sub":"x"}').toString('base64url')}.c2lnbmF0dXJlLW9mLWEtdG9rZW4`,
  'a pass phrase': 'Correct horse battery staple & more',
  'a password of many signs': '%!:{tok-en}_0#1$2*(3)=4;5"6\'7<8>&9',
  'a password': 'hunter2-hunter3',
};

const KEY = 'a'.repeat(64);
const REPORT: Report = { title: 'title', state: 'failed', summary: 'summary', facts: [] };

/** A step's outlets by name: what is put into one comes out as its reader sees it. */
const OUTLETS: Readonly<Record<string, (host: Host, text: string) => unknown>> = {
  section: ({ log }, text) => log.section('result', text),
  info: ({ log }, text) => log.info(text),
  success: ({ log }, text) => log.success(text),
  warning: ({ log }, text) => log.warning(text),
  error: ({ log }, text) => log.error(text),
  debug: ({ log }, text) => log.debug(text),
  remote: ({ log }, text) => log.remote(text.split('\n')),
  link: ({ log }, text) => log.info(log.link(`https://page.test/${text}`)),
  'title of the report': (host, text) => host.report({ ...REPORT, title: text }, KEY),
  'summary of the report': (host, text) => host.report({ ...REPORT, summary: text }, KEY),
  'address of the report': (host, text) => host.report({ ...REPORT, url: `https://page.test/${text}` }, KEY),
  'facts of the report': (host, text) =>
    host.report({ ...REPORT, facts: [{ label: text, value: text, url: `https://page.test/${text}` }] }, KEY),
  'service in the report': (host, text) => host.report({ ...REPORT, remote: text.split('\n') }, KEY),
  outputs: (host, text) => host.publish({ error: text }, 'final', KEY),
};

/** A host whose outlets are all written into one text, as the CI shows them. */
function hostOf(createLog: (write: (text: string) => void, debug: boolean) => Log, show: (report: Report) => string) {
  const seen: string[] = [];
  const files = checkoutFiles('/nonexistent');
  const base = bitbucketHost({ env: {}, settings: new Map(), files, write: () => undefined });
  const host = withRedaction({
    ...base,
    log: createLog((text) => void seen.push(text), true),
    report: async (report) => void seen.push(show(report)),
    publish: async (outputs) => {
      seen.push(...Object.values(outputs));
      return [];
    },
  });
  return { host, seen: () => seen.join('') };
}

const HOSTS = {
  bitbucket: () => hostOf(bitbucketLog, (report) => textsIn(reportBody(report, 'x', 'x')).join('\n')),
  buildkite: () => hostOf(buildkiteLog, (report) => annotationBody(report)),
};

const cases = Object.keys(HOSTS).flatMap((ci) => Object.keys(OUTLETS).map((outlet) => [ci, outlet] as const));

test.each(cases)('on %s no secret comes out of the outlet %s, however it is disguised', async (ci, outlet) => {
  for (const [what, secret] of Object.entries(SECRETS)) {
    for (const [how, disguise] of Object.entries(DISGUISES)) {
      const { host, seen } = HOSTS[ci as keyof typeof HOSTS]();
      await host.conceal([new Secret(secret)]);
      const text = disguise(secret);
      await OUTLETS[outlet]?.(host, `xyzzy: ${text} :plugh`);
      expect(seen(), `${what}, ${how}`).toContain('xyz');
      const shown = longestShown(joinedLines(text), joinedLines(seen()));
      expect(shown, `${what}, ${how}: ${seen()}`).toBeLessThan(16);
    }
  }
});

const TOKEN = 'ya29abcDEF0123456789ghiJKLmnoPQR9876543210stuVWXyz';
const PREFIXES = ['', '10:02:03 INFO    ', '  2026-05-01T10:02:03.123Z [WARNING] ', '│ ', '> '];

test.each(PREFIXES)(
  'a secret that is split over looks at a log, each beginning with "%s", is not shown whole',
  async (prefix) => {
    for (const size of [1, 5, 9, 13, 15, 16, 20, 33]) {
      const { host, seen } = HOSTS.bitbucket();
      await host.conceal([new Secret(TOKEN)]);
      for (let at = 0; at < TOKEN.length; at += size) {
        host.log.remote([`${prefix}${TOKEN.slice(at, at + size)}`]);
        // What the step itself says in between comes from no job.
        host.log.info(' 1m 02s running');
      }
      const remote = seen()
        .split('\n')
        .filter((line) => line.includes('│'))
        .map((line) => joinedLines(line).replace(/^>|10:02:03INFO|2026-05-01T10:02:03.123Z\[WARNING\]/g, ''));
      expect(longestShown(TOKEN, remote.join('')), `pieces of ${size}: ${remote.join('|')}`).toBeLessThan(16);
    }
  },
);

test('lines that hold no secret stay the lines that they were', async () => {
  const { host, seen } = HOSTS.bitbucket();
  await host.conceal([new Secret(TOKEN)]);
  host.log.remote(['first', '', '  third', TOKEN, 'fifth']);
  expect(seen().replace(/\u001b\[\d+m/g, '')).toBe('  │ first\n  │ \n  │   third\n  │ [redacted]\n  │ fifth\n');
});

test('structured outputs are still JSON when something was taken out of them', async () => {
  for (const secret of [TOKEN, 'nabcdef0123456789abcdef0', `41bcdef0123456789abcdef0`, 'short-one']) {
    for (const disguise of Object.values(DISGUISES)) {
      const { host, seen } = HOSTS.bitbucket();
      await host.conceal([new Secret(secret)]);
      const tasks = [
        { result: `\n${secret.slice(1)}`, error: `\u0007A"\\${disguise(secret)}\\` },
        { result: disguise(disguise(secret)) },
      ];
      await host.publish({ tasks: JSON.stringify(tasks) }, 'final', KEY);
      expect(JSON.parse(seen())).toHaveLength(2);
      expect(longestShown(secret, seen())).toBeLessThan(Math.min(16, secret.length));
    }
  }
});

test('keys that are known by their shape are taken out, whoever learned of them', () => {
  const { host, seen } = HOSTS.bitbucket();
  const keys = [
    'eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2ln',
    'dapi0123456789abcdef0123456789abcdef',
    'pnu_0123456789abcdefghij0123456789abcd',
    'ghp_0123456789abcdefghij0123456789abcd',
    'AKIAIOSFODNN7EXAMPLE',
    'hvs.CAESIJ0123456789abcdefghij',
  ];
  host.log.remote([
    ...keys,
    'https://me:hunter2@host.example/path',
    '-----BEGIN PRIVATE KEY-----',
    'MIIEvQ',
    '-----END PRIVATE KEY-----',
  ]);
  for (const key of [...keys, 'hunter2', 'MIIEvQ']) expect(seen()).not.toContain(key);
  expect(seen()).toContain('@host.example/path');
});

function textsIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : [];
}

test('of a report whose text is longer than any shows, both ends are looked through', async () => {
  const { host, seen } = HOSTS.buildkite();
  await host.conceal([new Secret(TOKEN)]);
  await host.report({ ...REPORT, remote: [`${TOKEN} first ${'. '.repeat(200_000)} last ${TOKEN}`] }, KEY);
  expect(seen()).toContain('last');
  expect(longestShown(TOKEN, joinedLines(seen()))).toBeLessThan(16);
});

test('the id that a later step attaches by is handed on as it is', async () => {
  const { host, seen } = HOSTS.bitbucket();
  await host.conceal([new Secret('vca_0123456789abcdef0123')]);
  await host.publish({ id: 'dpl_0123456789abcdef', error: 'dpl_0123456789abcdef' }, 'final', KEY);
  expect(seen()).toBe('dpl_0123456789abcdefdpl[redacted]');
});
