import { describe, expect, it } from 'vitest';
import { readingsOf, unescaped, withoutLineBeginnings } from '../../shared/host/reading.ts';
import { createSecretIndex } from '../../shared/host/secret-index.ts';

/** The text with what is found in it replaced by `#`. */
function hidden(secrets: readonly string[], text: string): string {
  const index = createSecretIndex();
  for (const secret of secrets) index.learn(secret);
  let shown = '';
  let done = 0;
  for (const { from, to } of index.find(text)) {
    expect(from).toBeGreaterThanOrEqual(done);
    shown += `${text.slice(done, from)}#`;
    done = to;
  }
  return shown + text.slice(done);
}

describe('a secret', () => {
  it.each<[string, string, string, string]>([
    ['of three characters is any word', 'abc', 'abc', 'abc'],
    ['of three that are seen is any word', 'a b c', 'a b c', 'a b c'],
    ['of four is found as it is', 'abcd', 'xabcdx abcd', 'x#x #'],
    ['of four is not found with spaces', 'abcd', 'ab cd', 'ab cd'],
    ['of four is not found in other letters', 'abcd', 'ABCD', 'ABCD'],
    ['of seven with spaces is found as it is', 'ab cd ef g', 'xab cd ef gx', 'x#x'],
    ['of seven is not found without its spaces', 'ab cd ef g', 'abcdefg', 'abcdefg'],
    ['of eight signs is found with white space', 'ab!cd/ef', 'x ab!\t c\nd/e f x', 'x # x'],
    ['of eight signs is not found in other letters', 'ab!cd/ef', 'AB!CD/EF', 'AB!CD/EF'],
    ['of eight signs is not found without them', 'ab!cd/ef', 'abcdef', 'abcdef'],
    ['of eleven letters is not found with punctuation', 'abcdefghijk', 'abcdef-ghijk', 'abcdef-ghijk'],
    ['of twelve letters is found with punctuation', 'abcdefghijkl', 'x abcdef-ghi.jkl x', 'x # x'],
    ['of twelve letters is found in other letters', 'abcdefghijkl', 'x ABCDEFghijkl x', 'x # x'],
    ['of twelve letters is found only whole', 'abcdefghijkl', 'abcdefghijk', 'abcdefghijk'],
    ['of thirty is found by any sixteen of them', 'abcdefghijklmnopqrstuvwxyz0123', '-efghijklmnopqrst-', '-#-'],
    ['of thirty is not found by fifteen', 'abcdefghijklmnopqrstuvwxyz0123', '-efghijklmnopqrs-', '-efghijklmnopqrs-'],
    ['of many signs is found by any sixteen', 'a!b?c/d%e&f(g)h=i,j;k:l', '- c/d%e&f(g)h=i,j;- ', '- #- '],
    ['of many letters is found by sixteen of its signs', 'ab-cd-ef-gh-ij-kl-mn-op-qr', '/cd-ef-gh-ij-kl-m/', '/#/'],
    ['of four is found in hexadecimal capitals', 'jkl?', 'x 6A6B6C3F x', 'x # x'],
    ['is found at the beginning, the end and in between', 'hunter22', 'hunter22 and hunter22', '# and #'],
    ['is found twice without a gap', 'hunter22', 'hunter22hunter22', '#'],
    ['that looks escaped is found without its escapes', 'pass%20word-and-more', 'pass word-and-more', '#'],
    ['that looks escaped twice is found without', 'pass%2520word-and-more', 'pass word-and-more', '#'],
    ['with half a character of its own is learned', 'hunter\ud800-hunter3', 'x hunter\ud800-hunter3 x', 'x # x'],
  ])('%s', (_what, secret, text, shown) => expect(hidden([secret], text)).toBe(shown));

  it('is found beside others, in order, and together with those that overlap it', () => {
    expect(hidden(['second22', 'first111'], 'a first111 b second22 c')).toBe('a # b # c');
    expect(hidden(['hunter2-a', '2-abcdefg'], 'x hunter2-abcdefg x')).toBe('x # x');
    expect(hidden(['hunter2-more', 'hunter2-'], 'x hunter2-more x')).toBe('x # x');
  });

  it.each([0, 1, 2, 3])('is found in base64 after %i other bytes, and in hexadecimal digits', (before) => {
    const secret = 'ÿ?ÿ>hunter2~~~hunter3ÿ?ÿ>';
    const bytes = Buffer.from(`${'x'.repeat(before)}${secret}yy`);
    for (const encoding of ['base64', 'base64url'] as const) {
      const shown = hidden([secret], bytes.toString(encoding));
      // At either end may stand a character that bytes of others have a part in.
      expect(shown, encoding).toMatch(/^[\w=+/-]{0,6}#[\w=+/-]{0,6}$/);
    }
    const hex = bytes.toString('hex');
    const around = [hex.slice(0, 2 * before), hex.slice(-4)] as const;
    expect(hidden([secret], hex)).toBe(around.join('#'));
    expect(hidden([secret], hex.toUpperCase())).toBe(around.join('#').toUpperCase());
  });

  it.each([
    ['0020', '0020'],
    ['00a0', '00a0'],
    ['0300', '036f'],
    ['2500', '257f'],
  ])('of signs is found with U+%s to U+%s inside', (...ends) => {
    for (const end of ends) {
      const inside = String.fromCharCode(Number.parseInt(end, 16));
      expect(hidden(['ab!cd/ef'], `ab!${inside}cd/ef`), end).toBe('#');
    }
  });

  it.each(['0021', '00a1', '02ff', '0370', '24ff', '2580'])('of signs is another one with U+%s inside', (point) => {
    const text = `ab!${String.fromCharCode(Number.parseInt(point, 16))}cd/ef`;
    expect(hidden(['ab!cd/ef'], text)).toBe(text);
  });

  it.each(['@', '[', '`', '{', '/', ':', '\u00bf', '\u0300', '\u036f', '\u2010', '\u2bff', '\ufffd'])(
    'of letters is found with %s inside',
    (inside) => expect(hidden(['azAZ09azAZ09'], `-azAZ09${inside}azAZ09-`)).toBe('-#-'),
  );

  it.each(['a', 'z', 'A', 'Z', '0', '9', '\u00c0', '\u02ff', '\u0370', '\u1fff', '\u2c00', '\uffef'])(
    'of letters is another one with %s inside',
    (inside) => {
      const text = `-azAZ09${inside}azAZ09-`;
      expect(hidden(['azAZ09azAZ09'], text)).toBe(text);
    },
  );

  it.each([
    ['in JSON', 'ab\\u0021cd\\/ef'],
    ['in JSON in JSON', 'ab\\\\u0021cd\\\\\\/ef'],
    ['in an address', 'ab%21cd%2Fef'],
    ['in a page', 'ab&#33;cd&#x2F;ef'],
    ['in colours', 'ab\u001b[1m!cd\u001b[0m/ef'],
    ['in a log', 'ab!\n10:02:03 INFO cd/ef'],
  ])('is found %s, and each escape whole', (_where, written) => {
    const expected = written.includes('INFO') ? `- ${written} -` : '- # -';
    expect(hidden(['ab!cd/ef'], `- ${written} -`)).toBe(expected);
    expect(hidden(['ab!cd/ef-ab!cd/ef'], `- ${written}-${written} -`)).toBe('- # -');
  });

  it('is not needed for what has the shape of a key', () => {
    expect(hidden([], 'a dapi0123456789abcdef b %64api0123456789abcdef c')).toBe('a # b # c');
    expect(hidden([], 'hunter2-hunter3')).toBe('hunter2-hunter3');
  });
});

describe('the readings of a text', () => {
  it.each<[string, readonly string[]]>([
    ['plain text', ['plain text']],
    ['a%20b', ['a%20b', 'a b']],
    ['a+b', ['a+b', 'a b']],
    ['%c3%a9%E2%82%AC%F0%9F%98%80', ['%c3%a9%E2%82%AC%F0%9F%98%80', 'é€😀']],
    ['%ff %C3. %e2.', ['%ff %C3. %e2.', 'ÿ Ã. â.']],
    ['\\u0041\\u{1F600}\\x41', ['\\u0041\\u{1F600}\\x41', 'A😀A']],
    ['\\u{110000}&#9999999;&#x110000;', ['\\u{110000}&#9999999;&#x110000;']],
    ['a\\nb\\tc\\"d\\/e\\0f', ['a\\nb\\tc\\"d\\/e\\0f', 'a b c"d/e f']],
    [
      '&amp;&LT;&gt;&quot;&apos;&nbsp;&#65;&#x41;&#X42;',
      ['&amp;&LT;&gt;&quot;&apos;&nbsp;&#65;&#x41;&#X42;', '&<>"\' AAB'],
    ],
    ['&other;', ['&other;']],
    ['%2520', ['%2520', '%20', ' ']],
    ['%2525252520', ['%2525252520', '%25252520', '%252520', '%2520']],
  ])('%j', (text, readings) => expect(readingsOf(text).map((reading) => reading.text)).toEqual(readings));

  it('are also those of what is shown, at each level', () => {
    const readings = readingsOf('a\u001b[1mb%1b[2mc\rd').map(({ text }) => text);
    expect(readings).toEqual(['a\u001b[1mb%1b[2mc\rd', 'a\u001b[1mb\u001b[2mc\rd', 'ab%1b[2mc\nd', 'abc\nd']);
  });

  it('know what each unit stands for', () => {
    const places = readingsOf('a%20b\u001b[1m%41').map(({ from, to }) => [[...from], [...to]]);
    expect(places).toEqual([
      [
        [0, 1, 1, 1, 4, 5, 6, 7, 8, 9, 9, 9],
        [1, 4, 4, 4, 5, 6, 7, 8, 9, 12, 12, 12],
      ],
      [
        [0, 1, 4, 5, 6, 7, 8, 9],
        [1, 4, 5, 6, 7, 8, 9, 12],
      ],
      [
        [0, 1, 1, 1, 4, 9, 9, 9],
        [1, 4, 4, 4, 5, 12, 12, 12],
      ],
      [
        [0, 1, 4, 9],
        [1, 4, 5, 12],
      ],
    ]);
  });

  it.each([
    ['a%20b&amp;c', 'a b&c'],
    ['%2520', '%20'],
    ['plain', 'plain'],
  ])('with one level of escapes undone: %s', (text, plain) => expect(unescaped(text)).toBe(plain));
});

describe('the beginning of a line of a log', () => {
  it.each([
    '',
    '   ',
    '> ',
    '│ ',
    '  | ',
    '### ',
    '10:02 ',
    '10:02:03 ',
    '10:02:03.123456789 ',
    '10:02:03,123 ',
    '[10:02:03] ',
    '2026-05-01 ',
    '2026/05/01 10:02:03 ',
    '2026-05-01T10:02:03Z ',
    '2026-05-01T10:02:03+02:00 ',
    '2026-05-01T10:02:03-0500 ',
    '  2026-05-01T10:02:03.123Z [WARNING] ',
    ...['TRACE', 'DEBUG', 'INFO', 'NOTICE', 'WARN', 'WARNING', 'ERROR', 'CRITICAL', 'FATAL'].map(
      (level) => `${level}: `,
    ),
    '(INFO) - ',
    '<ERROR>| ',
    'INFO:',
    '10:02:03 INFO    ',
  ])('is taken off: "%s"', (beginning) => {
    const [reading] = readingsOf(`${beginning}first\n${beginning}second`);
    expect(reading && withoutLineBeginnings(reading).text).toBe('first\nsecond');
  });

  it.each(['first', 'INFORMATION', 'a 10:02', 'x INFO y', '-----x', 'Z'])('is not there: "%s"', (line) => {
    const [reading] = readingsOf(line);
    expect(reading && withoutLineBeginnings(reading).text).toBe(line.replace(/^-{3}/, '').replace(/^Z$/, ''));
  });
});
