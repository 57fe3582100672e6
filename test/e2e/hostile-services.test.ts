import { describe, expect, it } from 'vitest';
import { AWS, AZURE, VAULT } from '../simulators/brokers-tenant.ts';
import type { RunLife } from '../simulators/prefect-run-life.ts';
import { PREFECT } from '../simulators/prefect-tenant.ts';
import { VERCEL } from '../simulators/vercel-tenant.ts';
import { createWorld, type World } from '../simulators/world.ts';
import { expectHarmless, outputsOf } from './harmless.ts';
import { HOSTILE_HOST, hostileLine, hostileText } from './hostile.ts';
import { long, MEGABYTE, runHandingOn } from './hostile-step.ts';
import { DEPLOY, DEPLOYMENT_UPDATE, FLOW_RUN, PROMOTE } from './kinds.ts';
import { readable } from './log-text.ts';
import { withKeyFrom } from './secret-paths-brokers.ts';
import { CIS, type Ci } from './step.ts';

const HOSTILE = hostileText('x');
const QUICK = { scheduledMs: 0, pendingMs: 0, runningMs: 1_500 };

/** Texts in JSON, wherever `TEXT` stands. */
function filled(body: unknown, text: string): string {
  return JSON.stringify(body).replaceAll('"TEXT"', JSON.stringify(text));
}

async function end(ci: Ci, kind: Parameters<typeof runHandingOn>[1], world: World, more = {}) {
  kind.setUp?.(world);
  const ended = await runHandingOn(ci, kind, world, more);
  expectHarmless(ci, ended, world);
  expect(ended.output.length).toBeLessThan(150_000);
  return ended;
}

const LIVES: readonly (readonly [string, RunLife, number])[] = [
  [
    'log lines and a message that want to be more than text',
    {
      ...QUICK,
      logs: [
        { atMs: 0, message: long('the line', MEGABYTE), name: HOSTILE, level: 40 },
        ...Array.from({ length: 60 }, (_, at) => ({ atMs: at + 1, message: HOSTILE, level: 50 })),
      ],
      end: { kind: 'failed', message: long('the message', MEGABYTE) },
    },
    1,
  ],
  [
    'states that want to be more than text',
    { ...QUICK, end: { kind: 'state', type: 'CRASHED', name: HOSTILE, message: HOSTILE } },
    1,
  ],
  [
    'artifacts that want to be more than text',
    {
      ...QUICK,
      artifacts: [
        { atMs: 0, type: 'markdown', key: 'big', data: long('the report', 5 * MEGABYTE), description: HOSTILE },
        { atMs: 1, type: 'table', key: 'rows', data: JSON.stringify([{ [HOSTILE]: HOSTILE, '<b>': '|---|' }]) },
        { atMs: 2, type: 'link', key: 'link', data: `[click](javascript:alert(1)) https://${HOSTILE_HOST}/${HOSTILE}` },
        { atMs: 3, type: 'image', key: 'image', data: `https://${HOSTILE_HOST}/${HOSTILE}.png` },
        { atMs: 4, type: 'progress', key: 'progress', data: HOSTILE },
        { atMs: 5, type: HOSTILE, key: 'odd', data: { [HOSTILE]: HOSTILE } },
      ],
      end: { kind: 'completed', message: HOSTILE },
    },
    0,
  ],
];

describe.concurrent.each(CIS)('on %s', (ci) => {
  it.each(LIVES)('a flow run has %s', async (_, life, exit) => {
    await using world = await createWorld();
    world.prefect.nextLife(life);
    const settings = { 'run-name': hostileLine('the name'), tags: [HOSTILE], labels: { team: HOSTILE } };
    const ended = await end(ci, FLOW_RUN, world, { settings });
    expect(ended.exitCode, ended.output).toBe(exit);
    expect(outputsOf(ci, ended, world)).toMatchObject({ result: exit === 0 ? 'succeeded' : 'failed' });
  });

  it('a build has logs and an error that want to be more than text', async () => {
    await using world = await createWorld();
    world.vercel.nextLife({
      queuedMs: 0,
      buildingMs: 1_500,
      between: [{ state: HOSTILE, ms: 1_500 }],
      logs: [...Array.from({ length: 50 }, () => HOSTILE), long('the output', 2 * MEGABYTE)],
      end: { kind: 'error', step: long('the step', MEGABYTE), code: HOSTILE, message: hostileText('the error') },
    });
    const ended = await end(ci, DEPLOY, world);
    expect(ended.exitCode, ended.output).toBe(1);
    for (const word of ['the output end', 'the error end']) expect(readable(ended.output)).toContain(word);
  });

  it.each([
    ['domains that cannot be assigned', { kind: 'aliasError', code: HOSTILE, message: long('the words', MEGABYTE) }],
    ['a state', { kind: 'state', state: HOSTILE }],
  ] as const)('a deployment has %s that want to be more than text', async (_, last) => {
    await using world = await createWorld();
    world.vercel.nextLife({ queuedMs: 0, buildingMs: 0, end: last });
    const ended = await end(ci, DEPLOY, world, {
      settings: { timeout: '4s', target: 'production' },
      checkout: PRODUCTION,
    });
    expect([1, 5], ended.output).toContain(ended.exitCode);
  });

  it('a deployment has addresses, checks and names that want to be more than text', async () => {
    const shown = {
      id: 'dpl_0123456789abcdef',
      url: `${HOSTILE_HOST}/'$(touch pwned)${HOSTILE}`,
      inspectorUrl: `javascript:alert(1)//${HOSTILE}`,
      readyState: 'READY',
      alias: [HOSTILE, `${HOSTILE_HOST}"><b>`],
      aliasAssigned: true,
      name: HOSTILE,
      target: HOSTILE,
      checksConclusion: HOSTILE,
      readyStateReason: HOSTILE,
      customEnvironment: { slug: HOSTILE },
      aliasWarning: { code: HOSTILE, message: HOSTILE, link: HOSTILE, action: HOSTILE },
    };
    const hosts = { 'api.vercel.com': apiAnswering((path) => (path.startsWith('/v9/') ? PROJECT : shown)) };
    await using world = await createWorld({ hosts });
    const ended = await end(ci, DEPLOY, world);
    expect([0, 1, 4], ended.output).toContain(ended.exitCode);
    expect(outputsOf(ci, ended, world)).toMatchObject({ id: 'dpl_0123456789abcdef' });
  });

  it('a promotion fails for domains that want to be more than text', async () => {
    await using world = await createWorld();
    world.vercel.nextPromotion({ pendingMs: 0, runningMs: 0, end: 'failed', failedAliases: [VERCEL.domain] });
    const ended = await end(ci, PROMOTE, world);
    expect(ended.exitCode, ended.output).toBe(1);
  });

  const refusals = [
    [
      'Prefect',
      PREFECT.cloudHost,
      FLOW_RUN,
      422,
      { detail: [{ loc: ['TEXT'], msg: 'TEXT', type: 'TEXT', input: 'TEXT' }] },
    ],
    ['Prefect', PREFECT.cloudHost, DEPLOYMENT_UPDATE, 403, { detail: 'TEXT' }],
    ['Prefect', PREFECT.cloudHost, FLOW_RUN, 404, { exception_message: 'TEXT', exception_detail: ['TEXT'] }],
    ['a page in the place of Prefect', PREFECT.cloudHost, FLOW_RUN, 200, 'TEXT'],
    ["Vercel's token endpoint", 'api.vercel.com', DEPLOY, 400, { error: 'TEXT', error_description: 'TEXT' }],
    [
      "Vercel's token endpoint",
      'api.vercel.com',
      PROMOTE,
      401,
      { message: 'several policies TEXT', error: { code: 'TEXT' } },
    ],
  ] as const;
  it.each(refusals)(
    '%s refuses with words that want to be more than text (%#)',
    async (_, host, kind, status, body) => {
      const text = filled(body, long('the words', 50_000));
      await using world = await createWorld({ hosts: { [host]: async () => new Response(text, { status }) } });
      const ended = await end(ci, kind, world);
      expect([3, 4], ended.output).toContain(ended.exitCode);
    },
  );

  it("Vercel's API refuses with words that want to be more than text", async () => {
    const refusal = filled(
      { error: { code: 'TEXT', message: 'TEXT', domain: 'TEXT', TEXT: 'TEXT' } },
      long('x', 50_000),
    );
    const hosts = { 'api.vercel.com': apiAnswering(() => refusal, 400) };
    await using world = await createWorld({ hosts });
    const ended = await end(ci, DEPLOY, world);
    expect(ended.exitCode, ended.output).toBe(4);
  });

  const words = {
    errors: ['TEXT', 'TEXT'],
    error: { code: 403, message: 'TEXT', status: 'TEXT', innererror: { code: 'TEXT' } },
    error_description: 'TEXT',
    __type: 'TEXT',
    Message: 'TEXT',
  };
  const brokers = [
    ['secretmanager.googleapis.com', withKeyFrom('google', 'projects/acme-ml/secrets/prefect-ci')],
    [VAULT.host, withKeyFrom('vault', 'secret/ci/prefect#api-key')],
    [`secretsmanager.${AWS.region}.amazonaws.com`, withKeyFrom('aws', 'ci/prefect')],
    ...(ci === 'buildkite'
      ? ([[`${AZURE.vault}.vault.azure.net`, withKeyFrom('azure', `${AZURE.vault}/prefect-ci`)]] as const)
      : []),
  ] as const;
  it.each(brokers)('%s refuses with words that want to be more than text', async (host, { kind, settings }) => {
    const text = filled(words, long('the words', 50_000));
    await using world = await createWorld({ hosts: { [host]: async () => new Response(text, { status: 403 }) } });
    const ended = await end(ci, kind, world, { settings: settings?.(ci) });
    expect(ended.exitCode, ended.output).toBe(3);
  });

  it('Vault has policies, versions and members that want to be more than text', async () => {
    const auth = { client_token: 'hvs.a-token-of-vault-0123456789', policies: [HOSTILE, HOSTILE] };
    const data = { data: { [HOSTILE]: HOSTILE }, metadata: { version: HOSTILE } };
    const hosts = {
      [VAULT.host]: async (request: Request) =>
        Response.json(new URL(request.url).pathname.endsWith('/login') ? { auth } : { data }),
    };
    await using world = await createWorld({ hosts });
    const { kind, settings } = withKeyFrom('vault', 'secret/ci/prefect#api-key');
    const ended = await end(ci, kind, world, { settings: settings?.(ci) });
    expect(ended.exitCode, ended.output).toBe(3);
  });
});

const PRODUCTION = { '.vercel/output/builds.json': '{"target":"production"}' };
const PROJECT = { id: VERCEL.projectId, name: HOSTILE };

/** The token endpoint as it is documented, and any other answer to the rest. */
function apiAnswering(answer: (path: string) => unknown, status = 200) {
  return async (request: Request) => {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith('/login/'))
      return Response.json({ access_token: 'vca_0123456789abcdef0123', token_type: 'Bearer', expires_in: 3600 });
    const body = answer(pathname);
    return new Response(typeof body === 'string' ? body : JSON.stringify(body), { status });
  };
}
