import type { Agent } from 'node:http';
import type { Duplex } from 'node:stream';
import { SubmitError } from '../errors.ts';
import { isLoopback, isTransient, type Obstacle, type Transport, type TransportFault } from '../http/http.ts';
import { defined } from '../json.ts';
import { plainLine } from '../remote-text.ts';
import { showValue } from '../settings/settings.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** How public addresses are reached. */
export interface Network {
  readonly transport: Transport;
  /** What the user should know of how requests go, before the first one does. */
  readonly warnings: readonly string[];
}

/** How long a connection may take, tunnel and TLS handshake included. */
const CONNECT_MS = 15_000;
/** How long a connection is kept for the next request, as Node's own agents do. */
const IDLE_MS = 5_000;
/** A name that does not resolve is most likely wrong, but DNS may have just hiccuped. */
const UNKNOWN_HOST_MS = 10_000;
const DOCUMENTATION = 'docs/network.md';
/** What waiting does not help against. */
const LASTING = { patienceMs: 0, link: DOCUMENTATION };

/**
 * The network as the environment describes it: `https_proxy`, `no_proxy` and their capitals are honoured, and with
 * `KEYLESS_SUBMIT_SIMULATORS=http://127.0.0.1:PORT` every `https://HOST/PATH` is asked as `http://127.0.0.1:PORT/HOST/PATH`.
 * Only loopback is accepted there, so that no variable can send tokens away.
 * @throws SubmitError `invalid-settings` for an address that is no such proxy or simulator, and where certificates are not verified.
 */
export function network(env: Env, agentsUseProxies = nodeUsesProxies): Network {
  requireVerification(env);
  const proxy = proxyOf(env);
  const transport = createTransport(env, proxy);
  const simulators = env.KEYLESS_SUBMIT_SIMULATORS;
  if (simulators === undefined || simulators === '')
    return { transport, warnings: proxyWarnings(env, proxy, agentsUseProxies) };
  const base = URL.parse(simulators);
  if (base === null || base.protocol !== 'http:' || !isLoopback(base.hostname)) {
    throw new SubmitError('invalid-settings', {
      happened: 'KEYLESS_SUBMIT_SIMULATORS is not an address of simulators; nothing was sent',
      presented: [`KEYLESS_SUBMIT_SIMULATORS: ${showValue(simulators)}`],
      expected: ['an http:// address on loopback, such as http://127.0.0.1:8700'],
      remedy: ['Correct the variable, or remove it to use the real services.'],
    });
  }
  const reach = (address: string): string => {
    const target = new URL(address);
    return target.protocol === 'https:' ? `${base.origin}/${target.host}${target.pathname}${target.search}` : address;
  };
  return {
    transport: (address, request) => transport(reach(address), request),
    warnings: [`Simulators: every https request goes to ${base.origin}, none to a real service`],
  };
}

/** https://nodejs.org/api/cli.html#node_tls_reject_unauthorizedvalue */
function requireVerification({ NODE_TLS_REJECT_UNAUTHORIZED: verification }: Env): void {
  if (verification !== '0') return;
  throw new SubmitError('invalid-settings', {
    happened:
      'NODE_TLS_REJECT_UNAUTHORIZED=0 turns off the verification of certificates, so anyone on the network could read the tokens; nothing was sent',
    presented: ['NODE_TLS_REJECT_UNAUTHORIZED=0'],
    expected: ['certificates that are verified'],
    remedy: ['Remove the variable.', ...CUSTOM_AUTHORITY],
    link: DOCUMENTATION,
  });
}

const CUSTOM_AUTHORITY = [
  'If a proxy inspects the traffic, or the host has a certificate of a private CA, set NODE_EXTRA_CA_CERTS to the path of a PEM file with the certificate of that CA:',
  "- Buildkite: in the agent's environment, such as its `environment` hook",
  '- Bitbucket: among the variables of the pipe, with a file that lies in the checkout',
] as const;

interface Proxy {
  readonly variable: string;
  readonly url: URL;
  /** What Node's agents read. */
  readonly env: { readonly HTTPS_PROXY: string; readonly NO_PROXY?: string };
}

/** The proxy for https, by the rules of curl: lower case comes first. Plain http goes to loopback only, and never through a proxy. */
function proxyOf(env: Env): Proxy | undefined {
  const variable = ['https_proxy', 'HTTPS_PROXY'].find((name) => env[name]);
  if (variable === undefined) return undefined;
  const url = URL.parse(env[variable] ?? '');
  if (url === null || !/^https?:$/.test(url.protocol) || !isDecodable(url.username) || !isDecodable(url.password)) {
    throw new SubmitError('invalid-settings', {
      happened: `${variable} is not the address of an HTTP proxy; nothing was sent`,
      presented: [
        `${variable}: ${url === null ? 'no URL' : plainLine(url.protocol, 20)} (not shown whole: it may hold a password)`,
      ],
      expected: ['http://HOST:PORT or http://USER:PASSWORD@HOST:PORT'],
      remedy: [
        'Correct the variable. Characters such as @, :, /, # and % in the user or the password must be percent-encoded.',
        'If the services can be reached without a proxy, remove it.',
      ],
      link: DOCUMENTATION,
    });
  }
  const exceptions = env.no_proxy || env.NO_PROXY;
  return { variable, url, env: { HTTPS_PROXY: url.href, ...defined({ NO_PROXY: exceptions || undefined }) } };
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** Agents know `proxyEnv` since Node 22.21 and 24.5, which brought this flag too. */
function nodeUsesProxies(): boolean {
  return process.allowedNodeEnvironmentFlags.has('--use-env-proxy');
}

function proxyWarnings(env: Env, proxy: Proxy | undefined, agentsUseProxies: () => boolean): readonly string[] {
  if (proxy === undefined) {
    const other = ['all_proxy', 'ALL_PROXY'].find((name) => env[name]);
    return other === undefined ? [] : [`${other} is not used; set HTTPS_PROXY if the services are behind a proxy`];
  }
  if (agentsUseProxies()) return [];
  return [
    `${proxy.variable} is set, but Node ${process.versions.node} cannot use it: requests go out directly. Use Node 22.21, 24.5 or newer`,
  ];
}

/** An agent, and the socket that it opened for the request just made: until tunnel and handshake are done, the request has none. */
interface Dialer {
  readonly agent: Agent;
  takeOpened(): Duplex | null | undefined;
}

function createDialer(secure: boolean, proxyEnv: Proxy['env'] | undefined): Dialer {
  const { Agent: Agents } = process.getBuiltinModule(secure ? 'node:https' : 'node:http');
  const agent = new Agents({
    keepAlive: true,
    scheduling: 'lifo',
    timeout: IDLE_MS,
    ...defined({ proxyEnv }),
  });
  const connect = agent.createConnection.bind(agent);
  let opened: Duplex | null | undefined;
  agent.createConnection = (...given) => {
    opened = connect(...given);
    return opened;
  };
  return {
    agent,
    takeOpened: () => {
      const socket = opened;
      opened = undefined;
      return socket;
    },
  };
}

/**
 * Requests by Node's own client, over connections that are kept. `fetch` would do, but loading it takes longer than all the
 * rest of the start; so would an import of these modules, which reads all of their names, or NODE_USE_ENV_PROXY.
 */
function createTransport(env: Env, proxy: Proxy | undefined): Transport {
  const dialers = new Map<string, Dialer>();
  const dialerFor = ({ protocol, hostname }: URL): Dialer => {
    const secure = protocol === 'https:';
    const proxyEnv = secure && !isLoopback(hostname) ? proxy?.env : undefined;
    const key = `${protocol} ${proxyEnv === undefined ? 'direct' : 'proxied'}`;
    const dialer = dialers.get(key) ?? createDialer(secure, proxyEnv);
    dialers.set(key, dialer);
    return dialer;
  };

  return (address, { method, headers, body, signal }) =>
    new Promise((resolve, reject) => {
      const url = new URL(address);
      const { agent, takeOpened } = dialerFor(url);
      const { request } = process.getBuiltinModule(url.protocol === 'https:' ? 'node:https' : 'node:http');
      let connected = false;
      const outgoing = request(url, { method, headers: headers ?? {}, agent, signal, timeout: CONNECT_MS });
      const opened = takeOpened();

      const fail = (error: unknown) => reject(faultOf(error, { connected, url, proxy, env }));
      // A request without a socket cannot be destroyed, so what it waits for is.
      const giveUp = (error: unknown) => {
        fail(error);
        outgoing.destroy();
        opened?.destroy();
      };
      const abort = () => giveUp(signal.reason);
      const timer = setTimeout(() => giveUp(new Error(`no connection within ${CONNECT_MS / 1000} s`)), CONNECT_MS);
      const stopWaiting = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', abort);
      };
      signal.addEventListener('abort', abort);
      const ready = () => {
        connected = true;
        stopWaiting();
      };
      outgoing.once('socket', (socket) => {
        const handshaking = 'secureConnecting' in socket && socket.secureConnecting === true;
        if (outgoing.reusedSocket || !(socket.connecting || handshaking)) ready();
        else socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', ready);
      });
      const refuseSwitch = (status: number | undefined, socket: Duplex) => {
        socket.destroy();
        fail(new Error(`it answered ${status}, a switch of protocols that was not requested`));
      };
      outgoing.once('response', (incoming) => {
        const { statusCode = 0 } = incoming;
        // Without an Upgrade header it counts as a response.
        if (statusCode < 200) return refuseSwitch(statusCode, incoming.socket);
        const get = (name: string) => {
          const value = incoming.headers[name];
          return value === undefined ? null : String(value);
        };
        resolve({ status: statusCode, headers: { get }, body: incoming });
      });
      outgoing.once('upgrade', ({ statusCode }, socket) => refuseSwitch(statusCode, socket));
      outgoing.on('error', fail);
      outgoing.once('close', () => {
        stopWaiting();
        fail(new Error('the connection was closed before an answer came'));
      });
      if (body === undefined || typeof body === 'string') outgoing.end(body);
      else {
        // Both sides would wait for the rest of a body that is shorter than announced.
        Object.assign(outgoing, { strictContentLength: true });
        // As fast as the other side reads, so that a large body never fills the memory.
        process.getBuiltinModule('node:stream/promises').pipeline(body, outgoing).catch(fail);
      }
    });
}

interface Circumstances {
  /** Whether the request could be written. */
  readonly connected: boolean;
  readonly url: URL;
  readonly proxy: Proxy | undefined;
  readonly env: Env;
}

function faultOf(error: unknown, circumstances: Circumstances): Error & TransportFault {
  const given: Error & NodeFault = error instanceof Error ? error : new Error('the request failed');
  const obstacle = obstacleOf(given, circumstances);
  const code = given.code === undefined ? '' : ` (${given.code})`;
  return Object.assign(new Error(`${plainLine(wordsOf(given), 160)}${code}`), {
    unsent: !circumstances.connected,
    ...defined({ obstacle }),
  });
}

interface NodeFault {
  readonly code?: string;
  /** What a proxy answered to CONNECT. */
  readonly statusCode?: number;
  /** The name that could not be resolved. */
  readonly hostname?: string;
}

/** A fault's words, without OpenSSL's file and line, without advice that is for Node's own users, and without what a proxy said. */
function wordsOf({ message, code, statusCode }: Error & NodeFault): string {
  // Node quotes the proxy's whole status line, in which a proxy may repeat the login that it was sent.
  if (code === 'ERR_PROXY_TUNNEL')
    return `the proxy opened no tunnel${statusCode === undefined ? '' : `: it answered ${statusCode}`}`;
  const reason = /:SSL routines:[^:]*:([^:]+)/.exec(message)?.[1];
  return reason === undefined ? message.replace(/; if the root CA is installed locally,.*/s, '') : `TLS: ${reason}`;
}

/** https://nodejs.org/api/tls.html#x509-certificate-error-codes */
const CERTIFICATE_FAULT =
  /^(?:CERT_|CRL_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|ERROR_IN_C|INVALID_CA$|INVALID_PURPOSE$|PATH_LENGTH_|HOSTNAME_MISMATCH$|UNSPECIFIED$|ERR_TLS_CERT_)/;
/** The codes of a server that requires, or does not accept, a client certificate: in TLS 1.3 after the handshake. */
const CLIENT_CERTIFICATE_FAULT = /^ERR_SSL_\w*(?:CERTIFICATE|UNKNOWN_CA)/;

/** What does not go away by itself, of the faults that Node reports. */
function obstacleOf(
  { code = '', statusCode, hostname }: NodeFault,
  { connected, url, proxy, env }: Circumstances,
): Obstacle | undefined {
  const host = url.hostname;
  if (CERTIFICATE_FAULT.test(code)) return certificateObstacle(code, host, env);
  if (CLIENT_CERTIFICATE_FAULT.test(code) || (!connected && /^(?:EPROTO$|ERR_SSL_)/.test(code))) {
    return {
      ...LASTING,
      presented: [`what answers at ${url.host}`],
      expected: ['a server that speaks TLS 1.2 or newer and requires no client certificate'],
      remedy: [`Check host and port, and whether something between here and ${host} breaks the connection.`],
    };
  }
  if (code === 'ERR_PROXY_TUNNEL' && proxy !== undefined && statusCode !== undefined && statusCode < 500)
    return isTransient(statusCode) ? undefined : proxyObstacle(statusCode, url, proxy);
  if (code === 'ENOTFOUND') {
    const remedy =
      hostname === undefined || hostname === host
        ? `Check the spelling of ${host}. If it is right, this machine's DNS does not know it; where only a proxy does, set HTTPS_PROXY.`
        : `Check ${proxy?.variable ?? 'HTTPS_PROXY'}: the name of its host cannot be resolved.`;
    return {
      patienceMs: UNKNOWN_HOST_MS,
      presented: [plainLine(hostname ?? host, 253)],
      expected: ['a host name that can be resolved'],
      remedy: [remedy],
      link: DOCUMENTATION,
    };
  }
  return undefined;
}

function certificateObstacle(code: string, host: string, { NODE_EXTRA_CA_CERTS: authorities }: Env): Obstacle {
  const remedy =
    code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID'
      ? `Check this machine's clock. If it is right, the certificate of ${host} (or of a proxy in between) must be renewed.`
      : code === 'ERR_TLS_CERT_ALTNAME_INVALID' || code === 'HOSTNAME_MISMATCH'
        ? `Check that ${host} is the right host name: the server that answers there has a certificate for another one.`
        : undefined;
  return {
    ...LASTING,
    presented: [
      `the certificate of ${host}: ${code}`,
      `NODE_EXTRA_CA_CERTS: ${authorities ? plainLine(authorities, 200) : 'not set'}`,
    ],
    expected: [`a valid certificate for ${host}, issued by a CA that this machine trusts`],
    remedy: remedy === undefined ? CUSTOM_AUTHORITY : [remedy],
  };
}

function proxyObstacle(status: number, { host, hostname }: URL, { variable, url }: Proxy): Obstacle {
  const login = url.username !== '' || url.password !== '';
  const remedy =
    status !== 407
      ? [
          `Have the proxy allow connections to ${host}. If it can be reached without the proxy, add ${hostname} to NO_PROXY.`,
        ]
      : [
          login
            ? `Correct the user and password in ${variable}.`
            : `Put the proxy's login into ${variable}: http://USER:PASSWORD@HOST:PORT`,
          'Percent-encode characters such as @, :, /, # and %, and keep the value in a secret variable.',
        ];
  return {
    ...LASTING,
    presented: [`${variable}: ${url.protocol}//${url.host} ${login ? 'with' : 'without'} a login`],
    expected: [status === 407 ? 'a login that the proxy accepts' : `a proxy that connects to ${host}`],
    remedy,
  };
}
