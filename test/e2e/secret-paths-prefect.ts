import type { RunLife } from '../simulators/prefect-run-life.ts';
import { PREFECT, prefectTenant } from '../simulators/prefect-tenant.ts';
import type { Handler } from '../simulators/serve.ts';
import { GOOGLE, providerName } from '../simulators/tenant.ts';
import type { World, WorldOptions } from '../simulators/world.ts';
import { DEPLOYMENT_UPDATE, FLOW_RUN, googleSecret } from './kinds.ts';
import { STRAY_TOKEN } from './leaks.ts';
import { always, type SecretPath } from './secret-paths.ts';
import type { Ci, StepSettings } from './step.ts';

const KEY = PREFECT.keys.service;
const NO_BROKER = { 'secret-from': undefined, 'workload-identity-provider': undefined };
const storedKey = { settings: () => ({ ...NO_BROKER, 'api-key': KEY }), secrets: [KEY] };
const onServer = (password: string): StepSettings => ({
  ...NO_BROKER,
  'api-url': PREFECT.serverApi,
  'auth-string': password,
});
const behindProxy = (ci: Ci): StepSettings => ({
  'secret-from': undefined,
  'api-url': PREFECT.iapApi,
  'workload-identity-provider': providerName(ci),
  'service-account': GOOGLE.trainer,
  'id-token-audience': PREFECT.iapAudience,
});
const updateOnServer = {
  kind: DEPLOYMENT_UPDATE,
  settings: () => ({ ...onServer(PREFECT.authString), 'pull-commit': false }),
};

/** The company's own server with another password. */
function withPassword(authString: string): () => WorldOptions {
  const { cloud, servers } = prefectTenant();
  return () => ({ prefect: { cloud, servers: servers.map((server) => ({ ...server, authString })) } });
}

function answering(host: string, handler: Handler): () => WorldOptions {
  return () => ({ hosts: { [host]: handler } });
}

async function quoted({ headers }: Request): Promise<string> {
  const names = ['authorization', 'proxy-authorization', 'prefect-csrf-token'];
  const sent = names.flatMap((name) => headers.get(name) ?? []);
  return `cannot use ${sent.join(' and ')}, which is ${sent.map((value) => Buffer.from(value.slice(6), 'base64')).join(' and ')}`;
}

/** A life whose every text holds the secrets, as of a program that prints its environment. */
export function tellingLife(secrets: readonly string[]): RunLife {
  const told = secrets.flatMap((secret) => [secret, `"${secret}"`, `user:${secret}@host`]).join(' ');
  return {
    scheduledMs: 0,
    pendingMs: 0,
    runningMs: 1_500,
    logs: secrets.map((secret, at) => ({
      atMs: at * 10,
      message: `PREFECT_API_KEY=${secret}\nlogin ${told}`,
      level: 40,
    })),
    artifacts: [
      { atMs: 20, type: 'markdown', key: 'environment', data: `# ${told}`, description: told },
      { atMs: 30, type: 'table', key: 'rows', data: JSON.stringify([{ key: told }]) },
    ],
    end: { kind: 'failed', message: `RuntimeError: cannot log in with ${told}` },
  };
}

/** Runs that print what opens the server. */
function telling(name: string, authString: string): SecretPath {
  const password = authString.slice(authString.indexOf(':') + 1);
  const secrets = [authString, password, Buffer.from(authString).toString('base64')];
  return {
    name,
    kind: FLOW_RUN,
    settings: () => onServer(authString),
    world: withPassword(authString),
    arrange: (world) => world.prefect.nextLife(tellingLife(secrets)),
    exit: 1,
    says: 'PREFECT_API_KEY=[redacted]',
    secrets,
  };
}

const cancelRequested = ({ prefect }: World) => {
  if (prefect.runs().some((run) => !run.cancelRequested)) throw new Error('a run goes on');
};

export const PREFECT_PATHS: readonly SecretPath[] = [
  { name: 'a flow run under a key of a broker', kind: FLOW_RUN, exit: 0, says: 'The job succeeded' },
  { name: 'a stored API key', kind: FLOW_RUN, ...storedKey, exit: 0, says: 'is a stored key' },
  {
    name: 'a stored user and password',
    ...updateOnServer,
    exit: 0,
    says: 'is a stored key',
    secrets: [PREFECT.authString],
  },
  {
    name: 'stored headers, and a password from a broker',
    kind: DEPLOYMENT_UPDATE,
    settings: () => ({
      'api-url': PREFECT.serverApi,
      'pull-commit': false,
      'secret-from': { 'auth-string': googleSecret('prefect-auth') },
      headers: { 'CF-Access-Client-Secret': 'simulated-proxy-secret-0123456789', 'X-Pin': 'pin 4711' },
    }),
    exit: 0,
    says: 'is a stored key',
    secrets: ['simulated-proxy-secret-0123456789', 'pin 4711'],
  },
  {
    name: "an ID token for a proxy before one's own server",
    kind: DEPLOYMENT_UPDATE,
    settings: (ci) => ({ ...behindProxy(ci), 'pull-commit': false }),
    exit: 0,
    says: 'ID token of',
  },
  {
    name: 'a flow run that prints its API key',
    kind: FLOW_RUN,
    exit: 1,
    says: 'PREFECT_API_KEY=[redacted]',
    arrange: (world) => world.prefect.nextLife(tellingLife([KEY])),
  },
  telling('a flow run that prints a short password', 'ci:hunter2'),
  telling('a flow run that prints a password of signs', 'ci:p(a$s^s*w+o[r\\d'),
  telling('a flow run that prints a password of dots', 'ci:one.two.three.four.five'),
  {
    name: 'a flow run that is cancelled',
    kind: FLOW_RUN,
    ...storedKey,
    exit: 143,
    says: 'was accepted',
    arrange: FLOW_RUN.hang,
    signal: 'SIGTERM',
    finally: cancelRequested,
  },
  {
    name: 'a flow run whose step is killed',
    kind: FLOW_RUN,
    exit: null,
    says: 'Running',
    arrange: FLOW_RUN.hang,
    signal: 'SIGKILL',
  },
  {
    name: 'a key that has expired',
    kind: FLOW_RUN,
    settings: () => ({ 'secret-from': { 'api-key': `${googleSecret('prefect-ci')}/versions/former` } }),
    exit: 3,
    says: 'credential-rejected',
  },
  {
    name: 'a key of a stranger',
    kind: FLOW_RUN,
    settings: () => ({ ...NO_BROKER, 'api-key': PREFECT.keys.outsider }),
    exit: 4,
    says: 'not-found',
  },
  {
    name: 'a wrong password',
    kind: FLOW_RUN,
    settings: () => onServer('ci:a-wrong-password'),
    exit: 3,
    says: 'credential-rejected',
    secrets: ['ci:a-wrong-password', 'a-wrong-password', Buffer.from('ci:a-wrong-password').toString('base64')],
  },
  {
    name: 'parameters that the flow does not take',
    kind: FLOW_RUN,
    settings: () => ({ parameters: { epochs: 'many', secret: KEY } }),
    exit: 2,
    says: 'invalid-settings',
  },
  {
    name: 'a token against forgery that is refused again and again',
    ...updateOnServer,
    world: answering(PREFECT.serverHost, async (request) =>
      new URL(request.url).pathname.endsWith('/csrf-token')
        ? Response.json({ token: STRAY_TOKEN, expiration: '2099-01-01T00:00:00Z' })
        : Response.json(
            { detail: `Invalid CSRF token or client identifier: ${await quoted(request)}` },
            { status: 403 },
          ),
    ),
    exit: 4,
    says: '[redacted]',
    secrets: [PREFECT.authString],
  },
  {
    name: 'a proxy that wants an ID token for somebody else',
    kind: FLOW_RUN,
    settings: (ci) => ({ ...behindProxy(ci), 'id-token-audience': 'other.apps.googleusercontent.com' }),
    exit: 3,
    says: 'The proxy in front of',
  },
  {
    name: 'a login page that repeats the ID token',
    kind: FLOW_RUN,
    settings: behindProxy,
    world: answering(
      PREFECT.iapHost,
      async (request) =>
        new Response(`<html><title>${await quoted(request)}</title></html>`, {
          status: 200,
          headers: { 'content-type': 'text/html' },
        }),
    ),
    exit: 4,
    says: 'unreadable-answer',
  },
  {
    name: 'an API that repeats the key',
    kind: FLOW_RUN,
    ...storedKey,
    world: answering(PREFECT.cloudHost, async (request) =>
      Response.json({ detail: [{ loc: ['header'], msg: await quoted(request), type: 'x' }] }, { status: 422 }),
    ),
    exit: 4,
    says: '[redacted]',
  },
  {
    name: "an API that repeats the password of one's own server",
    ...updateOnServer,
    world: answering(PREFECT.serverHost, async (request) =>
      Response.json({ exception_message: await quoted(request) }, { status: 401 }),
    ),
    exit: 3,
    says: '[redacted]',
    secrets: [PREFECT.authString],
  },
  {
    name: 'Prefect out of order',
    kind: FLOW_RUN,
    exit: 4,
    says: 'rate-limited',
    arrange: always('status-429', /api\.prefect\.cloud/),
  },
  {
    name: 'answers of Prefect and its broker that are cut short',
    kind: FLOW_RUN,
    exit: 0,
    says: 'The job succeeded',
    arrange: (world) => {
      for (const path of [/prefect-ci\/versions\/latest:access$/, /create_flow_run$/, /\/logs\/filter$/])
        world.fault({ kind: 'truncated', path, times: 1 });
    },
  },
];
