import type { Socket } from 'node:net';

/** Sends one character at a time, for ever. */
export function drip(socket: Socket, text: string): void {
  let at = 0;
  const timer = setInterval(() => socket.write(text[at++ % text.length] ?? ''), 20);
  socket.once('close', () => clearInterval(timer));
}

function repeat(socket: Socket, text: string): void {
  const timer = setInterval(() => socket.write(text), 5);
  socket.once('close', () => clearInterval(timer));
}

/** What no proper server does with a request, and what is said of it; some never end. */
export const ODD_ANSWERS: readonly [name: string, answer: (socket: Socket) => void, reason: RegExp | 'never ends'][] = [
  [
    'switches protocols',
    (socket) => socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n'),
    /answered 101/,
  ],
  ['switches to nothing', (socket) => socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n'), /answered 101/],
  ['hangs up', (socket) => socket.destroy(), /hang up/],
  ['ends without a word', (socket) => socket.end(), /hang up/],
  ['stops in the status line', (socket) => socket.end('HTTP/1.'), /hang up|Parse Error/],
  ['stops in a header', (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Len'), /hang up|aborted|closed|Parse Error/],
  ['speaks another protocol', (socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n'), /Parse Error/],
  [
    'sends less than it announced',
    (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"a":'),
    /aborted|closed/,
  ],
  [
    'breaks off a chunked body',
    (socket) => socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n'),
    /aborted|closed/,
  ],
  ['says nothing', () => undefined, 'never ends'],
  ['stops in a header and stays', (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Len'), 'never ends'],
  [
    'never ends its body',
    (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"a":'),
    'never ends',
  ],
  ['drips its header', (socket) => drip(socket, `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(1_000)}`), 'never ends'],
  [
    'drips its body',
    (socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n');
      drip(socket, ' ');
    },
    'never ends',
  ],
  ['announces for ever', (socket) => repeat(socket, 'HTTP/1.1 100 Continue\r\n\r\n'), 'never ends'],
  ['hints for ever', (socket) => repeat(socket, 'HTTP/1.1 103 Early Hints\r\n\r\n'), 'never ends'],
];
