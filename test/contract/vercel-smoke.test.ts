import { expect, test } from 'vitest';
import { EXIT } from '../../shared/errors.ts';
import type { Json } from '../../shared/json.ts';
import type { DeploymentLife } from '../simulators/vercel-deployment-life.ts';
import { VERCEL } from '../simulators/vercel-tenant.ts';
import { createStage, runStep, type Stage, type Step } from './harness.ts';

const PASS = 'x-vercel-trusted-oidc-idp-token';
const VISITOR = { 'smoke-audience': VERCEL.visitorAudience };

function deploy(stage: Stage, settings: Readonly<Record<string, Json>>, step: Partial<Step> = {}) {
  return runStep(stage, {
    kind: 'vercel-deployment',
    ci: 'buildkite',
    settings: { 'smoke-path': '/api/health?deep=1', 'oidc-subject-claim': 'pipeline_id', ...settings },
    ...step,
  });
}

async function answered(page: DeploymentLife['page'], settings: Readonly<Record<string, Json>> = {}) {
  await using stage = await createStage();
  stage.world.vercel.nextLife(page === undefined ? {} : { page });
  const result = await deploy(stage, settings);
  return { ...result, asked: result.requests.filter(({ host }) => host.endsWith('.vercel.app')) };
}

test('what answers passes, asked at its own address without any token', async () => {
  const { exitCode, log, asked } = await answered({ status: 201 });
  expect(exitCode, log).toBe(EXIT.done);
  expect(asked.map(({ method, path }) => `${method} ${path}`)).toEqual(['GET /api/health?deep=1']);
  for (const name of ['authorization', PASS]) expect(asked[0]?.headers.get(name)).toBeNull();
});

test('what needs a moment is asked again', async () => {
  const { exitCode, asked } = await answered({ status: 503, times: 2 });
  expect(exitCode).toBe(EXIT.done);
  expect(asked).toHaveLength(3);
});

test('what answers wrongly fails the step', async () => {
  const { exitCode, log, outputs, asked } = await answered({ status: 500, body: 'boom' });
  expect(exitCode).toBe(EXIT.jobFailed);
  expect(asked).toHaveLength(5);
  expect(outputs).toMatchObject({
    failure: 'code',
    'deployment-url': expect.stringMatching(/^https:.*\.vercel\.app$/),
  });
  expect(log).toMatch(/GET https:\S+\/api\/health\?deep=1 answered 500; expected a status of 200 to 299/);
});

test('another status can be the one that is wanted', async () => {
  expect((await answered({ status: 307 }, { 'smoke-status': 307 })).exitCode).toBe(EXIT.done);
  expect((await answered({ status: 200 }, { 'smoke-status': '307' })).exitCode).toBe(EXIT.jobFailed);
});

test('a deployment that does not answer as it should is said to be served, where it is', async () => {
  const { log, lines } = await answered({ status: 500 });
  expect(lines, log).toContain(`  │ ${VERCEL.domain}`);
  expect(log).toContain('They lead to it already; vercel-rollback goes back to an earlier deployment.');
});

test.each(['bitbucket', 'buildkite'] as const)('a protected deployment lets the token of %s in', async (ci) => {
  await using stage = await createStage();
  stage.world.vercel.protect(VERCEL.projectId);
  const audiences = [VERCEL.audience, VERCEL.visitorAudience];
  const env = ci === 'bitbucket' ? { BITBUCKET_STEP_OIDC_TOKEN: await stage.world.bitbucketToken({ audiences }) } : {};
  const claim = ci === 'bitbucket' ? { 'oidc-subject-claim': null } : {};
  const { exitCode, log, requests } = await deploy(stage, { ...VISITOR, ...claim }, { ci, env });
  expect(exitCode, log).toBe(EXIT.done);
  const shown = requests.filter(({ headers }) => headers.get(PASS) !== null);
  expect(shown.map(({ host }) => host)).toEqual([expect.stringMatching(/^edge-.*\.vercel\.app$/)]);
  expect(shown[0]?.headers.get('authorization')).toBeNull();
});

test('a closed door is explained', async () => {
  await using stage = await createStage();
  stage.world.vercel.protect(VERCEL.projectId);
  const { exitCode, log, outputs } = await deploy(stage, {});
  expect(exitCode).toBe(EXIT.jobFailed);
  expect(outputs?.failure).toBe('permission');
  expect(log).toContain("set smoke-audience and make the CI one of the project's Trusted Sources");

  const stranger = await deploy(stage, { 'smoke-audience': 'https://elsewhere.example' }, { build: 43 });
  expect(stranger.exitCode).toBe(EXIT.jobFailed);
  expect(stranger.log).toContain("the project's Trusted Sources do not let this token in");
});

test('a token with another audience is not shown to anybody', async () => {
  await using stage = await createStage();
  const settings = { ...VISITOR, 'oidc-subject-claim': null };
  const { exitCode, log, requests } = await deploy(stage, settings, { ci: 'bitbucket' });
  expect(exitCode).toBe(EXIT.identity);
  expect(log).toContain('token-audience: ');
  expect(requests.some(({ headers }) => headers.get(PASS) !== null)).toBe(false);
});

test('settings of the smoke test need its path', async () => {
  await using stage = await createStage();
  const { exitCode, log } = await deploy(stage, { ...VISITOR, 'smoke-path': null, 'smoke-status': 200 });
  expect(exitCode).toBe(EXIT.settings);
  for (const name of ['smoke-audience', 'smoke-status']) expect(log).toContain(`${name}: needs smoke-path`);
});

test('on bitbucket, an audience that the step has no token for is told before anything is deployed', async () => {
  await using stage = await createStage();
  const audience = 'https://vercel.com/another';
  const { exitCode, log, requests } = await deploy(
    stage,
    { 'smoke-audience': audience, 'oidc-subject-claim': null },
    { ci: 'bitbucket' },
  );
  expect(exitCode, log).toBe(EXIT.identity);
  expect(log).toContain(`          - ${audience}`);
  expect(requests.filter(({ path }) => path.startsWith('/v13/deployments'))).toEqual([]);
});

/** The deployment as Vercel would show it, if its address were another. */
function shownAt(url: string) {
  const text = JSON.stringify({
    id: 'dpl_shown',
    url,
    readyState: 'READY',
    aliasAssigned: true,
    alias: [url],
    projectId: VERCEL.projectId,
  });
  return {
    kind: 'answer',
    method: 'GET',
    path: /\/v13\/deployments\//,
    times: 99,
    answer: { status: 200, type: 'application/json', text },
  } as const;
}

test.each(['deploy.evil.example', 'evilvercel.app', 'edge.vercel.app.evil.example', 'vercel.app'])(
  "the CI's token does not go to %s, which is not the deployment's",
  async (foreign) => {
    await using stage = await createStage();
    stage.world.fault(shownAt(foreign));
    const { exitCode, log, outputs, requests } = await deploy(stage, { ...VISITOR, aliases: null });
    expect(exitCode, log).toBe(EXIT.jobFailed);
    expect(outputs?.failure, log).toBe('permission');
    expect(log).toContain(`${foreign} was not asked`);
    expect(requests.filter(({ host }) => host === foreign)).toEqual([]);
    expect(requests.filter(({ headers }) => headers.get(PASS) !== null)).toEqual([]);
  },
);

test("the CI's token goes to a domain that the step itself asked for", async () => {
  await using stage = await createStage();
  const domain = 'pr-7.acme.example';
  stage.world.fault(shownAt(domain));
  // What is shown is ahead of what is there.
  const assigned = { status: 200, type: 'application/json', text: JSON.stringify({ alias: domain }) };
  stage.world.fault({ kind: 'answer', method: 'POST', path: /\/aliases$/, times: 1, answer: assigned });
  const { requests } = await deploy(stage, { ...VISITOR, aliases: [domain] });
  const shown = requests.filter(({ headers }) => headers.get(PASS) !== null);
  expect(new Set(shown.map(({ host }) => host))).toEqual(new Set([domain]));
});
