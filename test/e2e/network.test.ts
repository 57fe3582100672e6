import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createAuthority } from '../simulators/certificates.ts';
import { inspectingProxy } from '../simulators/inspecting-proxy.ts';
import { type RawServer, rawServer } from '../simulators/raw-server.ts';
import { createWorld, type World } from '../simulators/world.ts';
import { temporaryFolder } from './folders.ts';
import { SUBMIT_RUN, VERTEX } from './kinds.ts';
import { readable } from './log-text.ts';
import { pluginStep } from './plugin.ts';
import type { Env } from './process.ts';
import { CIS, type Ci, type StartedStep, startStep, stepIn } from './step.ts';

const PASSWORD = 'pr0xy-p4ssword';
const authority = createAuthority();
const authorityFile = join(temporaryFolder('authority', { 'ca.pem': authority.cert }).path, 'ca.pem');
const certificate = authority.issue({ names: ['*.googleapis.com'] });

/** Starts a step of a Vertex AI job. Without simulators it asks for the services by their own names. */
async function start(ci: Ci, world: World, env: Env): Promise<StartedStep> {
  return startStep(ci, { ...(await stepIn(world)), settings: VERTEX.settings(ci), checkout: VERTEX.checkout, env });
}

async function run(ci: Ci, world: World, env: Env) {
  using step = await start(ci, world, env);
  const ended = await step.finish();
  return { ...ended, text: readable(ended.output) };
}

function through(proxy: RawServer): Env {
  return {
    KEYLESS_SUBMIT_SIMULATORS: undefined,
    DOCKER_HOST: 'tcp://127.0.0.1:2375',
    HTTPS_PROXY: `http://me:${PASSWORD}@127.0.0.1:${proxy.port}`,
  };
}

/** Requests that went to the services themselves. */
function toServices(world: World): number {
  return world.requests.filter(({ host }) => host.endsWith('googleapis.com')).length;
}

describe.concurrent.each(CIS)('behind a proxy on %s', (ci) => {
  it('a step goes through it, and trusts the CA that NODE_EXTRA_CA_CERTS names', async () => {
    await using world = await createWorld();
    await using proxy = await inspectingProxy(world.url, certificate);
    const { exitCode, output } = await run(ci, world, { ...through(proxy), NODE_EXTRA_CA_CERTS: authorityFile });
    expect(exitCode, output).toBe(0);
    expect(VERTEX.submitted(world)).toBe(1);
    const login = Buffer.from(`me:${PASSWORD}`).toString('base64');
    expect(proxy.received.length).toBeGreaterThan(1);
    for (const first of proxy.received) expect(first).toMatch(new RegExp(`^CONNECT [\\s\\S]*: Basic ${login}\r\n`));
    expect(output).not.toContain(PASSWORD);
  });

  it('a CA that is not trusted is reported at once, with what to do', async () => {
    await using world = await createWorld();
    await using proxy = await inspectingProxy(world.url, certificate);
    const { exitCode, text } = await run(ci, world, through(proxy));
    expect(exitCode, text).toBe(4);
    expect(text).toMatch(/sts\.googleapis\.com cannot be used: .*\(UNABLE_TO_\w+\) \(1 attempt\)/);
    expect(text).toContain('NODE_EXTRA_CA_CERTS: not set');
    expect(text).toMatch(/set NODE_EXTRA_CA_CERTS to the path of a PEM file[\s\S]*- Buildkite: [\s\S]*- Bitbucket: /);
    expect(text).toContain('/docs/network.md');
    expect(toServices(world)).toBe(0);
  });

  it('a login that it wants is reported at once, and never shown', async () => {
    await using world = await createWorld();
    const refuse = () => 'HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n';
    await using proxy = await inspectingProxy(world.url, certificate, refuse);
    const { exitCode, text } = await run(ci, world, through(proxy));
    expect(exitCode, text).toBe(4);
    expect(text).toMatch(/407.*\(1 attempt\)[\s\S]*Correct the user and password in HTTPS_PROXY/);
    expect(text).not.toContain(PASSWORD);
  });

  it('that broke since the exchange, nothing is submitted and the reason is reported at once', async () => {
    await using world = await createWorld();
    const admits = (connect: string) =>
      connect.includes('aiplatform') ? 'HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n' : undefined;
    await using proxy = await inspectingProxy(world.url, certificate, admits);
    const env = { ...through(proxy), NODE_EXTRA_CA_CERTS: authorityFile };
    const { exitCode, text } = await run(ci, world, env);
    expect(exitCode, text).toBe(4);
    expect(text).toMatch(/service-unavailable: \S+aiplatform\S+ cannot be used: .*407.*\(1 attempt\)/);
    expect(VERTEX.submitted(world)).toBe(0);
  });

  it.each([
    ['never answers CONNECT', ''],
    ['opens the tunnel and says nothing', 'HTTP/1.1 200 Connection established\r\n\r\n'],
  ])('that %s, a cancelled step ends all the same', async (_name, answer) => {
    await using world = await createWorld();
    await using proxy = await rawServer((socket) => void socket.write(answer));
    using step = await start(ci, world, through(proxy));
    const { running } = step;
    await expect.poll(() => proxy.received.length, { timeout: 20_000 }).toBeGreaterThan(0);
    const at = performance.now();
    running.signal('SIGTERM');
    const ended = await running.ended;
    expect(performance.now() - at).toBeLessThan(9_000);
    expect(ended.exitCode, ended.output).toBe(143);
    expect(ended.output).toContain('cancelled before anything was submitted');
  });

  it('that is malformed, nothing is sent', async () => {
    await using world = await createWorld();
    const { exitCode, text } = await run(ci, world, { HTTPS_PROXY: `socks5://me:${PASSWORD}@127.0.0.1:1080` });
    expect(exitCode, text).toBe(2);
    expect(text).toContain('HTTPS_PROXY is not the address of an HTTP proxy; nothing was sent');
    expect(text).not.toContain(PASSWORD);
    expect(toServices(world)).toBe(0);
  });

  it('loopback is asked directly, also for reports, whatever Node itself is told', async () => {
    await using world = await createWorld();
    await using proxy = await rawServer((socket) => void socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}'));
    const address = `http://127.0.0.1:${proxy.port}`;
    const names = ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy'];
    const env = { NODE_USE_ENV_PROXY: '1', ...Object.fromEntries(names.map((name) => [name, address])) };
    const { exitCode, output } = await run(ci, world, env);
    expect(exitCode, output).toBe(0);
    expect(proxy.received).toEqual([]);
    if (ci === 'bitbucket') expect(world.reports.reports()).toMatchObject([{ current: { result: 'PASSED' } }]);
  });
});

describe.concurrent.each(CIS)('on %s', (ci) => {
  it('certificates are verified, or nothing is sent', async () => {
    await using world = await createWorld();
    const { exitCode, text } = await run(ci, world, { NODE_TLS_REJECT_UNAUTHORIZED: '0' });
    expect(exitCode, text).toBe(2);
    expect(text).toMatch(/NODE_TLS_REJECT_UNAUTHORIZED=0[\s\S]*nothing was sent[\s\S]*NODE_EXTRA_CA_CERTS/);
    expect(toServices(world)).toBe(0);
  });

  it('an answer that leaves HTTP is no end of the wait', async () => {
    await using world = await createWorld();
    world.fault({ kind: 'switching-protocols', method: 'GET', path: /\/customJobs\/\d+$/, times: 1 });
    const { exitCode, output } = await run(ci, world, {});
    expect(exitCode, output).toBe(0);
    expect(output).toContain('The job succeeded');
  });
});

it('the pre-exit hook warns where certificates are not verified, and sends nothing', async () => {
  await using world = await createWorld();
  SUBMIT_RUN.hang(world);
  const options = { simulators: world.url, config: SUBMIT_RUN.settings('buildkite'), checkout: SUBMIT_RUN.checkout };
  using step = await pluginStep(options);
  const running = step.command();
  await running.printed(/running {3}\S/);
  running.signal('SIGKILL');
  await running.ended;
  using later = await pluginStep({
    ...options,
    env: { TMPDIR: join(step.folder, 'tmp'), NODE_TLS_REJECT_UNAUTHORIZED: '0' },
  });
  const requests = world.requests.length;
  const { exitCode, output } = await later.preExit();
  expect(exitCode, output).toBe(0);
  expect(readable(output)).toMatch(/may still be running: NODE_TLS_REJECT_UNAUTHORIZED=0/);
  // The killed step may have asked for the state a last time, and its agent have handed on what it was told.
  const sent = world.requests
    .slice(requests)
    .filter(({ method, host }) => method !== 'GET' && host !== 'agent-edge.buildkite.com');
  expect(sent.map(({ host, path }) => `${host}${path}`)).toEqual([]);
});
