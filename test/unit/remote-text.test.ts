import { describe, expect, it } from 'vitest';
import { buildkiteLog } from '../../buildkite-plugin/buildkite-log.ts';
import { bitbucketLog } from '../../pipe/bitbucket-log.ts';
import { escapeMarkup, plainLine, plainTail, plainText } from '../../shared/remote-text.ts';

const ESC = '\u001b';
const BEL = '\u0007';
const ST = `${ESC}\\`;

describe('text from outside', () => {
  it.each([
    ['a colour', `a${ESC}[1;31mb${ESC}[0m`, 'ab'],
    ['the cursor', `a${ESC}[2J${ESC}[Hb${ESC}[?25l`, 'ab'],
    ['a private sequence', `a${ESC}[>4;2mb${ESC}[!p`, 'ab'],
    ['a one-byte CSI', 'a\u009b31mb', 'ab'],
    ['a link, ended by BEL', `a${ESC}]8;;https://evil.example${BEL}b`, 'ab'],
    ['a link, ended by ST', `a${ESC}]8;;https://evil.example${ST}b`, 'ab'],
    ["Buildkite's own link and image", `a${ESC}]1339;url='https://evil.example'${BEL}b${ESC}]1338;url='x'${BEL}`, 'ab'],
    ['a one-byte OSC', 'a\u009d0;title\u009cb', 'ab'],
    ['a device control string', `a${ESC}Pq#0;2;0;0;0${ST}b`, 'ab'],
    ['an application program command (Buildkite time)', `a${ESC}_bk;t=1234${BEL}b`, 'ab'],
    ['a privacy message', `a${ESC}^secret${ST}b`, 'ab'],
    ['a start of string', `a${ESC}Xsecret${ST}b`, 'ab'],
    ['a two-character escape', `a${ESC}cb${ESC}(0c${ESC}7`, 'abc'],
    ['a lone escape at the end', `a${ESC}`, 'a'],
    ['a sequence cut off', `a${ESC}[31`, 'a'],
    ['C0 and C1', 'a\u0000\u0008\u000b\u001f\u007f\u0080\u0085\u009ab', 'ab'],
    ['the text direction', 'a\u202egnp.exe\u202c\u2066b\u2069\u200f', 'agnp.exeb'],
    ['a carriage return', 'progress 1\rprogress 2\r\nend', 'progress 1\nprogress 2\nend'],
    ['nothing', 'tab\there, line\nend, é, 漢字, 🚀', 'tab\there, line\nend, é, 漢字, 🚀'],
  ])('loses %s', (_what, text, plain) => expect(plainText(text)).toBe(plain));

  it('that begins a control string and never ends it loses that line at most', () => {
    expect(plainText(`before\n${ESC}]0;title\nValueError: the reason`)).toMatch(/^before\n.*\nValueError: the reason$/);
    expect(plainText(`before ${ESC}Pq\nValueError: the reason`)).toMatch(/^before .*\nValueError: the reason$/);
  });

  it('in which a quotation mark was decoded wrongly is not lost after it', () => {
    const quoted = Buffer.from('\u201dno such column\u201d\nTraceback').toString('latin1');
    expect(plainText(quoted)).toMatch(/no such column[\s\S]*Traceback$/);
  });

  it('cannot hide a control sequence inside another', () => {
    for (const text of [
      `${ESC}${ESC}[31m[31m`,
      `${ESC}[3${ESC}[31m1mx`,
      `\u009b\u009b31m`,
      `${ESC}]8;;${ESC}]8;;x${BEL}`,
    ]) {
      expect(plainText(plainText(text))).toBe(plainText(text));
      expect(plainText(text)).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
    }
  });

  it('takes time in proportion to its length', () => {
    const startedAt = performance.now();
    plainText(`${ESC}]`.repeat(500_000));
    plainText(`${ESC}[${'0;'.repeat(500_000)}`);
    expect(performance.now() - startedAt).toBeLessThan(3_000);
  });

  it('on one line is cut where it is too long', () => {
    expect(plainLine('  a\n\tb \r\n c ')).toBe('a b c');
    expect(plainLine('x'.repeat(600))).toBe(`${'x'.repeat(499)}…`);
    expect(plainLine(`${ESC}[31m`.repeat(400) + 'y'.repeat(50), 20).length).toBeLessThanOrEqual(20);
  });

  it('shows its end, and says that there was more', () => {
    expect(plainTail('a\nb\nc\n', 2)).toEqual(['… (earlier output left out)', 'b', 'c']);
    expect(plainTail('a\nb\n', 2)).toEqual(['a', 'b']);
    const long = plainTail('x'.repeat(9_000_000));
    expect(long[0]).toBe('… (earlier output left out)');
    expect(long.join('').length).toBeLessThan(9_000);
  });

  it('is no markup', () => {
    const escaped = escapeMarkup('<b onclick=\'x\'>&amp; [a](b) | `c` **d** # e ~~f~~ :rocket: @all "g"');
    expect(escaped).not.toMatch(/[<>"'`|*[\]()~:@]/);
    expect(escaped.replace(/&#\d+;/g, '')).not.toMatch(/[&#]/);
  });
});

describe('the logs', () => {
  it.each([
    ['Bitbucket', bitbucketLog],
    ['Buildkite', buildkiteLog],
  ])("of %s give no line of a service's the first column", (_ci, create) => {
    const chunks: string[] = [];
    const log = create((text) => void chunks.push(text), true);
    const evil = `--- :rocket: group\n+++ open\r^^^ +++\n~~~ quiet\n${ESC}]1339;url='https://evil.example'${BEL}`;
    log.remote([evil]);
    const text = chunks.join('');
    expect(text).not.toContain('\u001b]');
    expect(text.split('\n').filter((line) => /^(?:---|\+\+\+|\^\^\^|~~~)/.test(line))).toEqual([]);
  });
});
