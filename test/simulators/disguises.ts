/** How a service, a proxy or a library may quote a secret, by what it does to it. */
export const DISGUISES: Readonly<Record<string, (secret: string) => string>> = {
  'as it is': (secret) => secret,
  'with a colour in it': (secret) => inserted(secret, '\u001b[0m'),
  'with a colour in it, in JSON': (secret) => JSON.stringify(inserted(secret, '\u001b[0m')),
  'with a colour in it, in a string of Python': (secret) => inserted(secret, '\\x1b[0m'),
  'with a colour in it, in a string of a shell': (secret) => inserted(secret, '\\e[0m'),
  'with a colour in it, in octal digits': (secret) => inserted(secret, '\\033[0m'),
  'with a colour in it, percent-encoded': (secret) => encodeURIComponent(inserted(secret, '\u001b[0m')),
  'with zero-width characters in it, in a page': (secret) => inserted(secret, '&#8203;'),
  'with a link in it': (secret) => inserted(secret, '\u001b]8;;https://x.example\u0007'),
  'with a carriage return and a line feed in it': (secret) => inserted(secret, '\r\n'),
  'with zero-width characters in it': (secret) => inserted(secret, '\u200b\u2060\ufeff'),
  'with soft hyphens in it': (secret) => inserted(secret, '\u00ad'),
  'with its direction changed': (secret) => inserted(secret, '\u202d\u2066'),
  'with tag characters in it': (secret) => inserted(secret, '\u{e0020}\ufe0f'),
  'struck through': (secret) => [...secret].join('\u0336'),
  spaced: (secret) => [...secret].join(' '),
  'wrapped in lines of 76': (secret) => wrapped(secret, 76, '\n'),
  'wrapped in lines of 11, with a ruler': (secret) => wrapped(secret, 11, '\n  │ '),
  'wrapped in quotes': (secret) => wrapped(secret, 13, "'\n    '"),
  'in JSON': (secret) => JSON.stringify({ secret }),
  'in JSON with every character escaped': (secret) => escaped(secret),
  'in JSON in JSON': (secret) => JSON.stringify(JSON.stringify({ secret: escaped(secret) })),
  'in a string of Python': (secret) => each(secret, (code) => `\\x${code.toString(16).padStart(2, '0')}`),
  'in octal digits': (secret) => each(secret, (code) => `\\${code.toString(8).padStart(3, '0')}`),
  'percent-encoded': encodeURIComponent,
  'percent-encoded in small letters, everything': (secret) => percent(secret),
  'percent-encoded twice': (secret) => encodeURIComponent(percent(secret)),
  'in a form': (secret) => new URLSearchParams({ secret }).toString(),
  'in a page': (secret) => each(secret, (code) => `&#${code};`),
  'in base64': (secret) => base64(secret),
  'in base64, behind a name': (secret) => base64(`ci:${secret}`),
  'in base64, behind a longer name': (secret) => base64(`robo:${secret}`),
  'in base64 for addresses': (secret) => Buffer.from(secret).toString('base64url'),
  'in base64, wrapped': (secret) => wrapped(base64(`Basic ${secret}`), 76, '\r\n'),
  'in hexadecimal digits': (secret) => Buffer.from(secret).toString('hex'),
  'in large hexadecimal digits': (secret) => Buffer.from(secret).toString('hex').toUpperCase(),
  'without its first characters': (secret) => secret.slice(5),
  'without its last characters': (secret) => secret.slice(0, -5),
  'without either end, in base64': (secret) => base64(secret.slice(3, -3)),
};

function inserted(secret: string, between: string): string {
  return wrapped(secret, 7, between);
}

function wrapped(text: string, width: number, between: string): string {
  return (text.match(new RegExp(`.{1,${width}}`, 'gs')) ?? []).join(between);
}

function each(text: string, write: (code: number) => string): string {
  return [...text].map((character) => write(character.charCodeAt(0))).join('');
}

function escaped(text: string): string {
  return each(text, (code) => `\\u${code.toString(16).padStart(4, '0')}`);
}

function percent(text: string): string {
  return each(text, (code) => `%${code.toString(16).padStart(2, '0')}`);
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
