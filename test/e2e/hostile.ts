/** What nobody who prints text from outside may let through, and by what it is known if somebody does. */
export const HOSTILE_HOST = 'evil.example';

const LINE_STARTS = [
  '+++ :boom: INJECTED',
  '--- INJECTED',
  '~~~ INJECTED',
  '^^^ +++',
  '    +++ INJECTED',
  '# INJECTED',
];
const TERMINAL = [
  '\u001b[2J\u001b[1;1H\u001b[35mMAGENTA\u001b[0m\u001b[5mBLINK',
  '\u009b35mC1 MAGENTA',
  `\u001b]8;;https://${HOSTILE_HOST}/osc8\u0007OSC 8\u001b]8;;\u001b\\`,
  `\u001b]1339;url='https://${HOSTILE_HOST}/osc1339';content='click here'\u0007`,
  `\u001b]1338;url='https://${HOSTILE_HOST}/osc1338.png';alt='image'\u0007`,
  '\u001b]0;TITLE\u0007\u001bP+q544e\u001b\\\u001b(0\u0008\u0008\u0007',
  '\u202egnp.exe\u202c\u2066',
];
const MARKUP = [
  `<script src="https://${HOSTILE_HOST}/x.js"></script><img src=x onerror=alert(1)><h1>INJECTED</h1></code></pre></details>`,
  `[click](https://${HOSTILE_HOST}) ![image](https://${HOSTILE_HOST}/x.png) **bold** <https://${HOSTILE_HOST}>`,
  '| a | b |',
  '|---|---|',
  '```',
  ':boom: @everyone &lt;b&gt; &#60;b&#62;',
];
const SHELL = [`'; touch pwned; '`, '$(touch pwned) `touch pwned` "; touch pwned #', '\\', 'KEYLESS_INJECTED=1'];

/** Some lines of it, after a word that stands for the text as a whole. */
export function hostileText(word: string): string {
  return [
    word,
    ...LINE_STARTS,
    ...TERMINAL,
    ...MARKUP,
    ...SHELL,
    `${word} end\r+++ INJECTED after a carriage return`,
  ].join('\n');
}

/** The same where a line feed cannot be. */
export function hostileLine(word: string): string {
  return hostileText(word).replaceAll('\n', ' ');
}
