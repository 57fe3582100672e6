import { expect, test } from 'vitest';
import { EXIT } from '../../shared/errors.ts';
import type { Json } from '../../shared/json.ts';
import { PREFECT, prefectTenant } from '../simulators/prefect-tenant.ts';
import { GOOGLE } from '../simulators/tenant.ts';
import { createStage, runStep, type Stage, type Step, sentTo } from './harness.ts';
import { sampleOf } from './kind-samples.ts';
import { MINUTE } from './remote-life.ts';
import { stagePool } from './stage-pool.ts';

const stages = stagePool();
const KIND = 'prefect-flow-run';
const secret = (name: string) => `google:projects/${GOOGLE.project}/secrets/${name}`;

function runFlow(stage: Stage, build: number, settings: Readonly<Record<string, Json>>, step: Partial<Step> = {}) {
  return runStep(stage, { kind: KIND, ci: 'buildkite', build, settings, ...step });
}

const OWN = { 'api-url': PREFECT.serverApi, 'secret-from': { 'auth-string': secret('prefect-auth') } };
const NO_BROKER = { 'secret-from': null, 'workload-identity-provider': null, 'service-account': null };
const IAP = { 'api-url': PREFECT.iapApi, 'secret-from': null, 'id-token-audience': PREFECT.iapAudience };

test('a server with a password and CSRF protection takes a run and its cancellation', () =>
  stages.use(async (stage, build) => {
    const { exitCode, log, outputs, requests, concealed } = await runFlow(stage, build, OWN);
    expect(exitCode, log).toBe(EXIT.done);
    expect(outputs?.url).toBe(`https://${PREFECT.serverHost}/runs/flow-run/${outputs?.id}`);
    const own = requests.filter(({ host }) => host === PREFECT.serverHost);
    expect(own[0]?.path).toMatch(/^\/api\/csrf-token\?client=/);
    for (const { headers } of own) expect(headers.get('authorization')).toMatch(/^Basic /);
    expect(concealed).toContain(own[0]?.headers.get('authorization')?.replace('Basic ', ''));

    const controller = new AbortController();
    stage.clock.after(MINUTE, () => controller.abort('SIGTERM'));
    stage.world.prefect.nextLife({ runningMs: 10 * MINUTE, end: { kind: 'completed' } });
    const cancelled = await runFlow(stage, build + 10_000, OWN, { signal: controller.signal });
    expect(cancelled.exitCode, cancelled.log).toBe(EXIT.terminated);
    expect(stage.world.prefect.runs().at(-1)).toMatchObject({ cancelRequested: true });
  }));

test('a wait of hours outlives the tokens against forgery', () =>
  stages.use(async (stage, build) => {
    stage.world.prefect.nextLife({ runningMs: 300 * MINUTE, end: { kind: 'completed' } });
    const { exitCode, log, requests } = await runFlow(stage, build, OWN);
    expect(exitCode, log).toBe(EXIT.done);
    expect(requests.filter(({ path }) => path.startsWith('/api/csrf-token')).length).toBeGreaterThan(1);
  }));

test("a proxy gets its ID token, beside the server's own password where that has one", async () => {
  await using plain = await createStage();
  const { exitCode, log, requests } = await runFlow(plain, 1, IAP);
  expect(exitCode, log).toBe(EXIT.done);
  expect(sentTo(requests, sampleOf(KIND).targets.secret)).toEqual([]);
  expect(log).toContain(`ID token of ${GOOGLE.trainer}`);

  await using guarded = await createStage({ prefect: prefectTenant({ iapAuthString: PREFECT.authString }) });
  const both = await runFlow(guarded, 1, { ...IAP, 'secret-from': OWN['secret-from'] });
  expect(both.exitCode, both.log).toBe(EXIT.done);
  const own = both.requests.filter(({ host }) => host === PREFECT.iapHost);
  for (const { headers } of own) {
    expect(headers.get('authorization')).toMatch(/^Basic /);
    expect(headers.get('proxy-authorization')).toMatch(/^Bearer ey/);
  }
});

test('a server without any protection needs no identity', async () => {
  const [server] = prefectTenant().servers;
  if (server === undefined) throw new Error('no server');
  const { authString: _password, ...open } = { ...server, csrf: false };
  await using stage = await createStage({ prefect: { servers: [open] } });
  const { exitCode, log, requests } = await runFlow(stage, 1, { 'api-url': PREFECT.serverApi, ...NO_BROKER });
  expect(exitCode, log).toBe(EXIT.done);
  expect(requests.filter(({ host }) => /google|oidc/.test(host))).toEqual([]);
  expect(log).toContain('Identity: nobody');
});

test('a stored key works, and the log says what is better', () =>
  stages.use(async (stage, build) => {
    const settings = { ...NO_BROKER, 'api-key': PREFECT.keys.service };
    const { exitCode, log } = await runFlow(stage, build, settings);
    expect(exitCode, log).toBe(EXIT.done);
    expect(log).toContain('api-key is a stored key');
  }));

const REFUSED: readonly (readonly [string, Readonly<Record<string, Json>>, number, readonly string[]])[] = [
  [
    'a key that has expired',
    { 'secret-from': { 'api-key': `${secret('prefect-ci')}/versions/2` } },
    EXIT.identity,
    ['credential-rejected: api.prefect.cloud does not accept', 'version 2', 'Invalid authentication credentials'],
  ],
  [
    'a key of a stranger',
    { ...NO_BROKER, 'api-key': PREFECT.keys.outsider },
    EXIT.service,
    ['not-found: ', 'no member of the workspace', 'it sees none'],
  ],
  [
    'a deployment that is not there',
    { deployment: 'train/prd' },
    EXIT.service,
    ['not-found: api.prefect.cloud has no deployment train/prd', 'prefect deployment ls'],
  ],
  [
    'a wrong password',
    { 'api-url': PREFECT.serverApi, ...NO_BROKER, 'auth-string': 'ci:wrong' },
    EXIT.identity,
    ['credential-rejected: prefect.acme.example does not accept', 'PREFECT_SERVER_API_AUTH_STRING', 'Unauthorized'],
  ],
  [
    'no password',
    { 'api-url': PREFECT.serverApi, ...NO_BROKER },
    EXIT.identity,
    ['credential-rejected', 'identity nobody'],
  ],
  [
    'another audience',
    { ...IAP, 'id-token-audience': 'other.apps.googleusercontent.com' },
    EXIT.identity,
    ['The proxy in front of prefect-iap.acme.example', 'id-token-audience'],
  ],
];

test.each(REFUSED)('%s is explained', (_what, settings, code, words) =>
  stages.use(async (stage, build) => {
    const { exitCode, log, requests } = await runFlow(stage, build, settings);
    expect(exitCode, log).toBe(code);
    for (const word of words) expect(log).toContain(word);
    expect(sentTo(requests, sampleOf(KIND).targets.submission)).toEqual([]);
  }),
);

const WRONG: readonly (readonly [string, Readonly<Record<string, Json>>, readonly string[]])[] = [
  [
    'the misspelt address',
    { 'api-url': PREFECT.cloudApi.replace('/accounts/', '/account/') },
    [`did you mean ${PREFECT.cloudApi}?`],
  ],
  [
    'the address of a page',
    { 'api-url': `https://app.prefect.cloud/account/${PREFECT.accountId}/workspace/${PREFECT.workspaceId}/dashboard` },
    [`did you mean ${PREFECT.cloudApi}?`],
  ],
  ['Cloud without a workspace', { 'api-url': 'https://api.prefect.cloud/api' }, ['accounts/ACCOUNT-ID/workspaces']],
  ['a page of an own server', { 'api-url': 'https://p.example/x/runs?a' }, ['without ? and #']],
  ['a server without /api', { 'api-url': 'https://p.example/x/runs' }, ['did you mean https://p.example/x/api?']],
  ['a server over plain http', { 'api-url': 'http://p.example/api' }, ['only https']],
  ['a password in the address', { 'api-url': 'https://u:p@p.example/api' }, ['use auth-string']],
  ['Cloud without a key', NO_BROKER, ['api-key: is required for Prefect Cloud']],
  ['Cloud with a password', { 'auth-string': 'a:b' }, ['auth-string: is for a server of your own']],
  [
    'key and password',
    { ...OWN, 'api-key': PREFECT.keys.service },
    ['auth-string: gives authorization a second value'],
  ],
  ['a header of our own', { ...OWN, headers: { 'User-Agent': 'x' } }, ['User-Agent is set by keyless-submit']],
  [
    'a header of no possible name',
    { ...OWN, 'secret-from': { ...OWN['secret-from'], 'headers.X Team': secret('prefect-ci') } },
    ['secret-from: headers.X Team is not the name of a header'],
  ],
  [
    "a header in the ID token's place",
    { ...IAP, headers: { Authorization: 'Basic YTpi', 'Proxy-Authorization': 'Basic YTpi' } },
    ['headers: Proxy-Authorization is where the ID token goes'],
  ],
  ['an ID token of nobody', { ...IAP, 'service-account': null }, ['service-account: is needed for id-token-audience']],
  ['no deployment', { deployment: null }, ['deployment: is required']],
  ['half a deployment', { deployment: 'prod' }, ['deployment: expected FLOW/DEPLOYMENT']],
  ['a time that is none', { 'scheduled-time': 'tomorrow' }, ['scheduled-time: expected a time such as']],
  [
    'fields of others in the spec',
    { spec: { idempotency_key: 'x', work_pool_name: 'x', paramters: {}, labels: { a: [] } } },
    ['idempotency_key is set by', 'work_pool_name belongs', 'did you mean parameters?', 'labels.a must be'],
  ],
];

test.each(WRONG)('%s is refused before anything is sent', (_what, settings, faults) =>
  stages.use(async (stage, build) => {
    const { exitCode, log, requests } = await runFlow(stage, build, settings);
    expect(exitCode, log).toBe(EXIT.settings);
    for (const fault of faults) expect(log).toContain(fault);
    expect(requests.filter(({ host }) => !/buildkite/.test(host))).toEqual([]);
  }),
);

test('what secret-from names for a header is sent in it', () =>
  stages.use(async (stage, build) => {
    const settings = {
      'api-url': PREFECT.serverApi,
      headers: { 'X-Team': 'vision' },
      'secret-from': { 'auth-string': secret('prefect-auth'), 'headers.X-Access': secret('prefect-ci') },
    };
    const { exitCode, log, requests } = await runFlow(stage, build, settings);
    expect(exitCode, log).toBe(EXIT.done);
    for (const { headers } of requests.filter(({ host }) => host === PREFECT.serverHost)) {
      expect(headers.get('x-team')).toBe('vision');
      expect(headers.get('x-access')).toBe(PREFECT.keys.service);
    }
  }));

test('a key with a character that no header can have is told at once', () =>
  stages.use(async (stage, build) => {
    const settings = { ...NO_BROKER, 'api-key': 'pnu_0123456789\u200babcdef' };
    const { exitCode, log, requests } = await runFlow(stage, build, settings);
    expect(exitCode, log).toBe(EXIT.identity);
    expect(log).toContain('secret-unavailable: a stored key (api-key) was read and cannot be used');
    expect(requests.filter(({ host }) => host === 'api.prefect.cloud')).toEqual([]);
  }));

test('dry-run shows the headers that every request has', () =>
  stages.use(async (stage, build) => {
    const settings = { ...OWN, ...NO_BROKER, headers: { 'CF-Access-Client-Id': 'a1b2c3d4' }, 'dry-run': true };
    const { exitCode, log, lines } = await runFlow(stage, build, settings);
    expect(exitCode, log).toBe(EXIT.done);
    const submission = lines.slice(lines.findIndex((line) => line.includes('/create_flow_run')));
    expect(submission).toContain('  │ cf-access-client-id: [redacted]');
    expect(submission).not.toContain('  │ authorization: [redacted]');
  }));
