import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createServer, getCACertificates, setDefaultCACertificates, type TlsOptions } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Network, network } from '../../shared/edge/network.ts';
import { SubmitError } from '../../shared/errors.ts';
import { type Attempt, bearer, createHttp, type HttpCall } from '../../shared/http/http.ts';
import { Secret } from '../../shared/secret.ts';
import { virtualClock } from '../contract/virtual-clock.ts';
import { createAuthority, selfSigned } from '../simulators/certificates.ts';
import { drip, ODD_ANSWERS } from '../simulators/odd-answers.ts';
import { rawServer } from '../simulators/raw-server.ts';
import { serve } from '../simulators/serve.ts';

const { signal } = new AbortController();
const ESTABLISHED = 'HTTP/1.1 200 Connection established\r\n\r\n';

/** One request to `url` in the given environment; a short deadline, since most of these never end by themselves. */
async function ask(
  url: string,
  env: Readonly<Record<string, string>> = {},
  { attemptMs = 5_000, signal: given = signal }: { attemptMs?: number; signal?: AbortSignal } = {},
): Promise<Attempt & { readonly tookMs: number }> {
  const http = createHttp(network(env).transport, virtualClock(), { attemptMs, budgetMs: 0 });
  const call: HttpCall = { method: 'POST', url, body: '{}', secretHeaders: bearer(new Secret('the-secret-token')) };
  const startedAt = performance.now();
  const attempt = await http.once(call, given);
  return { ...attempt, tookMs: performance.now() - startedAt };
}

/** A server that answers each connection as told, until the test ends. */
async function listening(answer: (socket: Socket, first: string) => void) {
  const server = await rawServer(answer);
  onTestFinished(() => server[Symbol.asyncDispose]());
  return server;
}

/** Waits until the client let go of all of a server's connections. */
async function released(server: { open(): number }): Promise<void> {
  const deadline = performance.now() + 2_000;
  while (server.open() > 0 && performance.now() < deadline) await sleep(10);
  expect(server.open()).toBe(0);
}

describe('a server that', () => {
  it.each(ODD_ANSWERS)('%s gives no answer, and the connection is let go', async (_name, answer, reason) => {
    const server = await listening(answer);
    const attempt = await ask(`http://127.0.0.1:${server.port}/x`, {}, { attemptMs: 300 });
    const expected = reason === 'never ends' ? /^no answer within 0.3 s$/ : reason;
    expect(attempt).toMatchObject({ kind: 'lost', sent: true, reason: expect.stringMatching(expected) });
    expect(attempt.tookMs).toBeLessThan(2_000);
    await released(server);
  });
});

/** How a proxy leaves a tunnel unfinished. */
const STUCK_PROXIES: readonly [string, (socket: Socket) => void][] = [
  ['never answers CONNECT', () => undefined],
  ['stops in the middle of its answer', (socket) => socket.write('HTTP/1.1 200 Conn')],
  ['opens the tunnel and says nothing', (socket) => socket.write(ESTABLISHED)],
  ['drips its answer', (socket) => drip(socket, `HTTP/1.1 200 ${'x'.repeat(1_000)}`)],
];

describe('a cancelled step is not held up by', () => {
  it.each(ODD_ANSWERS.filter(([, , reason]) => reason === 'never ends'))('a server that %s', async (_name, answer) => {
    const server = await listening(answer);
    const controller = new AbortController();
    const asked = ask(`http://127.0.0.1:${server.port}/x`, {}, { signal: controller.signal });
    await sleep(150);
    controller.abort('SIGTERM');
    const at = performance.now();
    await expect(asked).rejects.toBe('SIGTERM');
    expect(performance.now() - at).toBeLessThan(500);
    await released(server);
  });

  it.each(STUCK_PROXIES)('a proxy that %s', async (_name, answer) => {
    const proxy = await listening(answer);
    const controller = new AbortController();
    const env = { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` };
    const asked = ask('https://service.example/x', env, { signal: controller.signal });
    await sleep(150);
    expect(proxy.received).toHaveLength(1);
    controller.abort('SIGTERM');
    const at = performance.now();
    await expect(asked).rejects.toBe('SIGTERM');
    expect(performance.now() - at).toBeLessThan(500);
    await released(proxy);
  });
});

describe('an attempt ends with its deadline at', () => {
  it.each(STUCK_PROXIES)('a proxy that %s', async (_name, answer) => {
    const proxy = await listening(answer);
    const env = { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` };
    const attempt = await ask('https://service.example/x', env, { attemptMs: 300 });
    expect(attempt).toMatchObject({ kind: 'lost', reason: 'no answer within 0.3 s' });
    expect(attempt.tookMs).toBeLessThan(2_000);
    await released(proxy);
  });
});

describe('a proxy that fails for now', () => {
  it.each([
    ['breaks the connection', (socket: Socket) => void socket.destroy()],
    ['opens the tunnel and hangs up', (socket: Socket) => void socket.end(ESTABLISHED)],
    ['answers 502', (socket: Socket) => void socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n')],
    ['answers 429', (socket: Socket) => void socket.end('HTTP/1.1 429 Too Many Requests\r\n\r\n')],
  ])('and %s may be asked again, and nothing was sent', async (_name, answer) => {
    const proxy = await listening(answer);
    const attempt = await ask('https://service.example/x', { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` });
    expect(attempt).toMatchObject({ kind: 'lost', sent: false });
    expect(attempt).not.toHaveProperty('obstacle');
  });
});

describe('a proxy that refuses', () => {
  it.each([
    ['http://127.0.0.1', 407, 'without a login', /Put the proxy's login into HTTPS_PROXY: http:\/\/USER:PASSWORD@/],
    ['http://me:pass%20w0rd@127.0.0.1', 407, 'with a login', /Correct the user and password in HTTPS_PROXY/],
    ['http://127.0.0.1', 403, 'without a login', /allow connections to service\.example.*NO_PROXY/],
    ['http://127.0.0.1', 405, 'without a login', /allow connections to service\.example/],
  ])('%s with %i is reported at once', async (address, status, login, remedy) => {
    const proxy = await listening((socket) => socket.end(`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\n\r\n`));
    const attempt = await ask('https://service.example/x', { HTTPS_PROXY: `${address}:${proxy.port}` });
    expect(attempt).toMatchObject({ kind: 'lost', sent: false, obstacle: { patienceMs: 0 } });
    const { obstacle } = attempt as Extract<Attempt, { kind: 'lost' }>;
    expect(obstacle?.presented).toEqual([`HTTPS_PROXY: http://127.0.0.1:${proxy.port} ${login}`]);
    expect(obstacle?.remedy.join(' ')).toMatch(remedy);
    expect(JSON.stringify(attempt)).not.toMatch(/w0rd|the-secret-token/);
    // The login goes to the proxy alone, the token not even there.
    expect(proxy.received).toHaveLength(1);
    expect(proxy.received[0]).not.toContain('the-secret-token');
  });

  it('with a login in lower case and a user alone is shown what it was given', async () => {
    const proxy = await listening((socket) => socket.end('HTTP/1.1 407 No\r\n\r\n'));
    const attempt = await ask('https://service.example/x', { https_proxy: `http://me@127.0.0.1:${proxy.port}` });
    expect(attempt).toMatchObject({
      obstacle: { presented: [`https_proxy: http://127.0.0.1:${proxy.port} with a login`] },
    });
  });
});

describe('a proxy that repeats the login that it was sent', () => {
  it.each([
    'HTTP/1.1 407 LOGIN',
    'HTTP/1.1 403 LOGIN',
    'HTTP/1.1 502 LOGIN',
    'HTTP/1.1 LOGIN',
    'LOGIN',
    'HTTP/1.1 200LOGIN',
  ])('in the line %s is not quoted', async (line) => {
    const proxy = await listening((socket, first) => {
      const login = /^proxy-authorization: *(.*)$/im.exec(first)?.[1] ?? '';
      socket.end(`${line.replace('LOGIN', login)}\r\n\r\n`);
    });
    const env = { HTTPS_PROXY: `http://me:pass-w0rd-of-mine@127.0.0.1:${proxy.port}` };
    const attempt = await ask('https://service.example/x', env);
    expect(proxy.received.join('')).toContain('Basic ');
    expect(attempt).toMatchObject({ reason: expect.stringContaining('the proxy opened no tunnel') });
    expect(JSON.stringify(attempt)).not.toMatch(/Basic|bWU6|pass-w0rd/);
  });
});

describe('loopback never goes through a proxy:', () => {
  const variables = ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY'];
  it.each([
    'http://127.0.0.1',
    'http://localhost',
    'http://127.1',
    'http://2130706433',
    'http://0x7f.0.0.1',
    'http://LOCALHOST',
    'http://127.0.0.1.',
  ])('%s', async (origin) => {
    const proxy = await listening((socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}'));
    const seen: string[] = [];
    const server = await serve(async (request) => {
      seen.push(request.headers.get('authorization') ?? '');
      return Response.json({ direct: true });
    });
    onTestFinished(() => server.close());
    const address = `http://127.0.0.1:${proxy.port}`;
    const env = Object.fromEntries(['NODE_USE_ENV_PROXY', ...variables].map((name) => [name, address]));
    const attempt = await ask(`${origin}:${new URL(server.url).port}/x`, env);
    expect(attempt).toMatchObject({ kind: 'answer', text: '{"direct":true}' });
    expect(seen).toEqual(['Bearer the-secret-token']);
    expect(proxy.received).toEqual([]);
  });

  it.each(['127.0.0.1', 'localhost', '[::1]', '127.8.8.8'])('https://%s', async (host) => {
    const proxy = await listening((socket) => socket.end('HTTP/1.1 403 No\r\n\r\n'));
    const attempt = await ask(`https://${host}:1/x`, { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` });
    expect(attempt).toMatchObject({ kind: 'lost', sent: false, reason: expect.stringContaining('ECONNREFUSED') });
    expect(proxy.received).toEqual([]);
  });

  it.each(['http://[::ffff:127.0.0.1]', 'http://0.0.0.0', 'http://[::]', 'http://localhost.', 'http://10.0.0.1'])(
    'plain http to %s is refused',
    async (origin) => {
      const proxy = await listening((socket) => socket.destroy());
      await expect(ask(`${origin}:8080/x`, { HTTP_PROXY: `http://127.0.0.1:${proxy.port}` })).rejects.toThrow(
        /refusing to send/,
      );
      expect(proxy.received).toEqual([]);
    },
  );

  it('and neither does a host that NO_PROXY names', async () => {
    const proxy = await listening((socket) => socket.end('HTTP/1.1 403 No\r\n\r\n'));
    const env = { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`, NO_PROXY: 'other.example,.invalid' };
    expect(await ask('https://service.invalid/x', env)).toMatchObject({ reason: expect.stringContaining('ENOTFOUND') });
    expect(proxy.received).toEqual([]);
  });
});

const authority = createAuthority();
const trusted = createAuthority('Trusted authority');
setDefaultCACertificates([...getCACertificates(), trusted.cert]);
const ours = ['127.0.0.1'];

/** What is wrong with a TLS server, the code that Node has for it, and what helps. */
const UNFIT_SERVERS: readonly [string, TlsOptions, string, RegExp][] = [
  ['has a certificate of an unknown CA', authority.issue({ names: ours }), 'UNABLE_TO_', /NODE_EXTRA_CA_CERTS/],
  ['has a certificate of its own', selfSigned(ours), 'DEPTH_ZERO_SELF_SIGNED_CERT', /NODE_EXTRA_CA_CERTS/],
  [
    'sends its unknown CA along',
    (({ key, cert }) => ({ key, cert: cert + authority.cert }))(authority.issue({ names: ours })),
    'SELF_SIGNED_CERT_IN_CHAIN',
    /NODE_EXTRA_CA_CERTS/,
  ],
  ['has an expired certificate', trusted.issue({ names: ours, days: [-2, -1] }), 'CERT_HAS_EXPIRED', /clock.*renewed/],
  ['has a future certificate', trusted.issue({ names: ours, days: [1, 2] }), 'CERT_NOT_YET_VALID', /clock/],
  [
    'has a certificate for another host',
    trusted.issue({ names: ['other.example', '127.0.0.2'] }),
    'ERR_TLS_CERT_ALTNAME_INVALID',
    /right host name/,
  ],
  ['speaks only TLS 1.1', { ...selfSigned(ours), ...oldTls() }, 'EPROTO', /Check host and port/],
];

function oldTls(): TlsOptions {
  return { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' };
}

async function tlsServer(options: TlsOptions) {
  let received = 0;
  const server = createServer(options, (socket) => {
    socket.on('error', () => undefined);
    socket.on('data', () => {
      received += 1;
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}');
    });
  });
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  return { port: typeof address === 'object' ? address?.port : undefined, received: () => received };
}

describe('a TLS server that', () => {
  it.each(UNFIT_SERVERS)('%s is reported at once, and was sent nothing', async (_name, options, code, remedy) => {
    const server = await tlsServer(options);
    const attempt = await ask(`https://127.0.0.1:${server.port}/x`);
    expect(attempt).toMatchObject({
      kind: 'lost',
      sent: false,
      reason: expect.stringContaining(code),
      obstacle: { patienceMs: 0 },
    });
    const { obstacle } = attempt as Extract<Attempt, { kind: 'lost' }>;
    expect(obstacle?.remedy.join('\n')).toMatch(remedy);
    expect(server.received()).toBe(0);
  });

  it('has a certificate of a trusted CA is sent the request', async () => {
    const server = await tlsServer(trusted.issue({ names: ours }));
    expect(await ask(`https://127.0.0.1:${server.port}/x`)).toMatchObject({ kind: 'answer', status: 200 });
    expect(server.received()).toBe(1);
  });

  it('wants a certificate of the client is reported at once', async () => {
    const options = { ...trusted.issue({ names: ours }), requestCert: true, ca: authority.cert };
    const server = await tlsServer(options);
    const attempt = await ask(`https://127.0.0.1:${server.port}/x`);
    expect(attempt).toMatchObject({ kind: 'lost', obstacle: { patienceMs: 0 } });
    expect(server.received()).toBe(0);
  });

  it('is none is reported at once', async () => {
    const server = await listening((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    const attempt = await ask(`https://127.0.0.1:${server.port}/x`);
    expect(attempt).toMatchObject({
      kind: 'lost',
      sent: false,
      reason: 'TLS: wrong version number (EPROTO)',
      obstacle: { patienceMs: 0 },
    });
  });
});

describe('a host name that does not resolve', () => {
  it('is asked for again only for a short while', async () => {
    const attempt = await ask('https://nowhere.invalid/x');
    expect(attempt).toMatchObject({
      kind: 'lost',
      sent: false,
      obstacle: { patienceMs: 10_000, remedy: [expect.stringContaining('spelling of nowhere.invalid')] },
    });
  });

  it('may be that of the proxy', async () => {
    const attempt = await ask('https://service.example/x', { HTTPS_PROXY: 'http://nowhere.invalid:3128' });
    expect(attempt).toMatchObject({ obstacle: { remedy: [expect.stringContaining('Check HTTPS_PROXY')] } });
  });
});

function refusal(env: Readonly<Record<string, string>>): SubmitError {
  try {
    network(env);
  } catch (error) {
    if (error instanceof SubmitError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('what cannot be meant is refused before anything is sent:', () => {
  it.each([
    'not a url',
    'http://',
    'proxy.example:8080',
    '127.0.0.1:99999',
    'socks5://user:p4ssword@127.0.0.1:1080',
    'ftp://127.0.0.1',
    'http://user:p4ssword%zz@127.0.0.1:1',
    'http://user:p4ssword%@127.0.0.1:1',
    'http://user:p4ssword@:8080',
    'http://user:p4ss/word@127.0.0.1:8080',
  ])('HTTPS_PROXY=%s', (address) => {
    for (const name of ['HTTPS_PROXY', 'https_proxy']) {
      const error = refusal({ [name]: address });
      expect(error).toMatchObject({ code: 'invalid-settings', exitCode: 2 });
      expect(error.message).toContain(name);
      expect(JSON.stringify(error.explanation)).not.toMatch(/p4ss/);
    }
  });

  it('NODE_TLS_REJECT_UNAUTHORIZED=0, with the right way', () => {
    const error = refusal({ NODE_TLS_REJECT_UNAUTHORIZED: '0' });
    expect(error).toMatchObject({ code: 'invalid-settings', exitCode: 2 });
    expect(error.message).toContain('NODE_TLS_REJECT_UNAUTHORIZED');
    expect(error.explanation.remedy.join('\n')).toContain('NODE_EXTRA_CA_CERTS');
  });

  it.each(['1', ''])('but not NODE_TLS_REJECT_UNAUTHORIZED=%j, which verifies', (value) => {
    expect(network({ NODE_TLS_REJECT_UNAUTHORIZED: value }).warnings).toEqual([]);
  });
});

describe('a proxy that is set', () => {
  const warnings = (env: Readonly<Record<string, string>>, used: boolean): Network['warnings'] =>
    network(env, () => used).warnings;

  it.each(['HTTPS_PROXY', 'https_proxy'])('as %s is reported where this Node cannot use it', (name) => {
    const env = { [name]: 'http://user:p4ssword@proxy.example:3128' };
    expect(warnings(env, true)).toEqual([]);
    const [warning, ...more] = warnings(env, false);
    expect(warning).toContain(`${name} is set, but Node ${process.versions.node} cannot use it`);
    expect(warning).not.toContain('p4ss');
    expect(more).toEqual([]);
  });

  it('as ALL_PROXY alone is reported, since no Node uses it', () => {
    expect(warnings({ ALL_PROXY: 'http://proxy.example:3128' }, true)).toEqual([
      'ALL_PROXY is not used; set HTTPS_PROXY if the services are behind a proxy',
    ]);
    expect(warnings({ ALL_PROXY: 'http://a:1', HTTPS_PROXY: 'http://a:1' }, true)).toEqual([]);
  });

  it('is used by the Node that the project pins', () => {
    expect(network({ HTTPS_PROXY: 'http://proxy.example:3128' }).warnings).toEqual([]);
  });
});
