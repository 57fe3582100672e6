import { describe, expect, it, test } from 'vitest';
import { annotationBody, annotationStyle } from '../../buildkite-plugin/annotation.ts';
import { buildkiteLog } from '../../buildkite-plugin/buildkite-log.ts';
import { bitbucketLog } from '../../pipe/bitbucket-log.ts';
import { reportBody } from '../../pipe/bitbucket-reports.ts';
import type { Log, Section } from '../../shared/host/host.ts';
import type { Report } from '../../shared/host/report.ts';

const ESC = '\u001b';

function printed(make: (write: (text: string) => void, debug: boolean) => Log, debug = true) {
  const chunks: string[] = [];
  return { log: make((text) => void chunks.push(text), debug), text: () => chunks.join('') };
}

describe.each([
  [
    'Bitbucket',
    bitbucketLog,
    {
      info: '  text\n',
      success: `${ESC}[32m✔ text${ESC}[0m\n`,
      warning: `${ESC}[33mWARNING: text${ESC}[0m\n`,
      error: `${ESC}[31m✖ text${ESC}[0m\n`,
      debug: `${ESC}[90mDEBUG: text${ESC}[0m\n`,
    },
  ],
  [
    'Buildkite',
    buildkiteLog,
    {
      info: '  text\n',
      success: `${ESC}[32m✔ text${ESC}[0m\n`,
      warning: `${ESC}[33m⚠ text${ESC}[0m\n`,
      error: `${ESC}[31m✖ text${ESC}[0m\n`,
      debug: `${ESC}[90m· text${ESC}[0m\n`,
    },
  ],
] as const)('the log of %s', (_ci, make, lines) => {
  const levels = ['info', 'success', 'warning', 'error', 'debug'] as const;

  it.each(levels)('has a line for %s, without control sequences of others', (level) => {
    const { log, text } = printed(make);
    log[level](`te${ESC}[31mxt${ESC}]0;title\u0007`);
    expect(text()).toBe(lines[level]);
  });

  it('says nothing for people who debug where they do not', () => {
    const { log, text } = printed(make, false);
    log.debug('text');
    expect(text()).toBe('');
  });

  it('sets the text of others apart, line by line', () => {
    const { log, text } = printed(make);
    log.remote([`one\n+++ two${ESC}[2J`, 'three']);
    const bar = `  ${ESC}[90m│${ESC}[0m`;
    expect(text()).toBe(`${bar} one\n${bar} +++ two\n${bar} three\n`);
  });
});

test.each(['identity', 'submit', 'wait', 'request', 'cancel', 'result', 'error'] as const)(
  'a section of Bitbucket on %s is a line of its own',
  (kind) => {
    const { log, text } = printed(bitbucketLog);
    log.section(kind, `Re${ESC}[0msult`);
    expect(text()).toBe(`\n${ESC}[1m${ESC}[34m▸ Result${ESC}[0m${ESC}[0m\n`);
  },
);

test('a link of Bitbucket is its address', () => {
  expect(printed(bitbucketLog).log.link('https://service.example')).toBe('https://service.example');
});

const SECTIONS: Readonly<Record<Section, string>> = {
  identity: '--- :closed_lock_with_key:',
  submit: '--- :rocket:',
  wait: '+++ :hourglass_flowing_sand:',
  request: '--- :mag:',
  cancel: '+++ :octagonal_sign:',
  result: '+++ :checkered_flag:',
  error: '+++ :x:',
};
const TITLES = [
  'Result',
  'Error',
  'Wait for the job',
  'Dry run',
  'The step was cancelled (SIGTERM)',
  '+++ Submit: job',
];

describe.each(Object.entries(SECTIONS) as [Section, string][])('a section of Buildkite on %s', (kind, group) => {
  it.each(TITLES)('is its own group, whatever its title says: %s', (title) => {
    const { log, text } = printed(buildkiteLog);
    log.section(kind, title);
    expect(text()).toBe(`${group} ${title}\n`);
  });

  it('has a title of one line, without control sequences', () => {
    const { log, text } = printed(buildkiteLog);
    log.section(kind, `two\nli${ESC}[31mnes`);
    expect(text()).toBe(`${group} two lines\n`);
  });
});

const linked = (url: string) => `${ESC}]1339;url='${url}';content='${url}'\u0007`;

test.each([
  ['https://a.example', linked('https://a.example')],
  ["https://a.example/';\\\n", linked('https://a.example/%27%3b%5c%0a')],
])('the link to %j of Buildkite', (url, expected) => {
  const { log } = printed(buildkiteLog);
  expect(log.link(url)).toBe(expected);
});

test('a line of Buildkite keeps its own links and no others', () => {
  const { log, text } = printed(buildkiteLog);
  const one = log.link('https://a.example');
  const two = log.link('https://b.example');
  log.info(`see ${one} and${ESC}[31m ${two}, not ${ESC}]8;;https://evil.example\u0007this`);
  expect(text()).toBe(`  see ${one} and ${two}, not this\n`);
});

const REPORT: Report = {
  title: 'Kind: <job>',
  state: 'passed',
  summary: 'a & b',
  facts: [
    { label: 'Commit', value: '0123' },
    { label: 'Page', value: 'open it', url: 'https://service.example/?a=1&b=2' },
    { label: 'Odd', value: 'script', url: 'javascript:alert(1)' },
  ],
};

describe('an annotation', () => {
  it.each([
    ['pending', 'info', ':hourglass_flowing_sand:'],
    ['passed', 'success', ':white_check_mark:'],
    ['failed', 'error', ':x:'],
  ] as const)('of what %s has the style %s', (state, style, emoji) => {
    expect(annotationStyle({ ...REPORT, state })).toBe(style);
    expect(annotationBody({ ...REPORT, state })).toContain(`<p>${emoji} `);
  });

  it('escapes all that is not ours, and links only to pages', () => {
    expect(annotationBody(REPORT)).toBe(
      '<p>:white_check_mark: <strong>Kind&#58; &#60;job&#62;</strong>: a &#38; b</p>\n' +
        '<table><tr><td>Commit</td><td><code>0123</code></td></tr>' +
        '<tr><td>Page</td><td><a href="https&#58;//service.example/?a=1&#38;b=2">open it</a></td></tr>' +
        '<tr><td>Odd</td><td><code>script</code></td></tr></table>\n',
    );
  });

  it.each([
    ['https://service.example/7', ' · <a href="https&#58;//service.example/7">open</a></p>'],
    ['http://service.example/7', ' · <a href="http&#58;//service.example/7">open</a></p>'],
    ['javascript:alert("https://x")', 'a &#38; b</p>'],
  ])('of %s ends in %s', (url, end) => expect(annotationBody({ ...REPORT, url })).toContain(end));

  it('holds what the service says, harmless and not too long', () => {
    const body = annotationBody({ ...REPORT, remote: [`one${ESC}[31m`, '<two>'] });
    expect(body).toContain('<pre><code>one&#10;&#60;two&#62;</code></pre></details>\n');
    const long = annotationBody({ ...REPORT, remote: ['a'.repeat(20_000), 'the end'] });
    expect(long.length).toBeLessThan(16_000);
    expect(long).toContain('a&#10;the end</code>');
    for (const remote of [[], [' '], ['', '']])
      expect(annotationBody({ ...REPORT, remote })).not.toContain('<details>');
  });
});

describe('a Code Insights report', () => {
  const body = (more: Partial<Report>) => reportBody({ ...REPORT, ...more }, 'keyless-submit', 'id-7');

  it.each([
    ['pending', 'PENDING'],
    ['passed', 'PASSED'],
    ['failed', 'FAILED'],
  ] as const)('of what %s has the result %s', (state, result) => {
    expect(body({ state })).toEqual({
      external_id: 'id-7',
      title: 'Kind: <job>',
      details: 'a & b',
      report_type: 'TEST',
      reporter: 'keyless-submit',
      result,
      data: [
        { title: 'Commit', type: 'TEXT', value: '0123' },
        { title: 'Page', type: 'TEXT', value: 'open it' },
        { title: 'Odd', type: 'TEXT', value: 'script' },
      ],
    });
  });

  it.each([
    ['https://service.example/7', { link: 'https://service.example/7' }],
    ['http://service.example/7', {}],
    ['see https://service.example/7', {}],
  ])('links to %s: %j', (url, expected) => {
    const { link } = body({ url });
    expect(link === undefined ? {} : { link }).toEqual(expected);
  });

  it("keeps within Bitbucket's limits", () => {
    const facts = Array.from({ length: 12 }, (_, index) => ({ label: `${index}${'l'.repeat(99)}`, value: '' }));
    const { data, details, title } = body({ facts, title: 't'.repeat(300), remote: [`x${ESC}[1m`, 'y'.repeat(3_000)] });
    expect(data).toHaveLength(10);
    for (const each of data as { title: string; value: string }[]) {
      expect(each.title.length).toBeLessThanOrEqual(60);
      expect(each.value).toBe('-');
    }
    expect(details).toMatch(/^a & b\n\nx\ny+$/);
    expect(details).toHaveLength(1_900);
    expect(String(title).length).toBeLessThanOrEqual(200);
  });
});
