import { expect, test } from 'vitest';
import { EXIT } from '../../shared/errors.ts';
import type { FederationPolicy } from '../simulators/vercel-policies.ts';
import { VERCEL, vercelTenant } from '../simulators/vercel-tenant.ts';
import { breakRequests } from './breakable.ts';
import { createStage, runStep, type Stage, type Step } from './harness.ts';

const KIND = 'vercel-deployment';
const REVOCATION = { method: 'POST', path: /^\/api\.vercel\.com\/login\/oauth\/token\/revoke$/ } as const;

function deploy(stage: Stage, step: Partial<Step> = {}) {
  return runStep(stage, { kind: KIND, ci: 'buildkite', ...step });
}

test('no token outlives its step, whatever became of it', async () => {
  await using stage = await createStage();
  const { vercel } = stage.world;
  expect((await deploy(stage)).exitCode).toBe(EXIT.done);
  vercel.nextLife({ end: { kind: 'error', step: 'buildStep', code: 'X', message: 'broken' } });
  expect((await deploy(stage, { build: 43 })).exitCode).toBe(EXIT.jobFailed);
  expect((await deploy(stage, { build: 44, settings: { project: 'nowhere' } })).exitCode).not.toBe(EXIT.done);
  vercel.nextLife({ end: { kind: 'hang' } });
  const cancelled = new AbortController();
  const during = vercel.deployments().length;
  const watching = deploy(stage, { build: 45, signal: cancelled.signal });
  while (vercel.deployments().length === during) await new Promise((resolve) => setTimeout(resolve, 5));
  cancelled.abort('SIGTERM');
  expect((await watching).exitCode).toBe(EXIT.terminated);
  expect(vercel.issuedTokens()).toHaveLength(4);
  expect(vercel.liveTokens()).toEqual([]);
});

test('a token that cannot be revoked is a warning, and not a failure', async () => {
  await using stage = await createStage();
  breakRequests(stage.world, REVOCATION, { kind: 'status-500', times: 9 });
  const { exitCode, log } = await deploy(stage);
  expect(exitCode).toBe(EXIT.done);
  expect(log).toContain('The Vercel token of this step could not be revoked (it answered 500); it ends by itself.');
});

async function refused(
  policies: (given: readonly FederationPolicy[]) => readonly FederationPolicy[],
  step: Partial<Step> = {},
) {
  const { policies: given } = vercelTenant();
  await using stage = await createStage({ vercel: { policies: policies(given) } });
  const result = await deploy(stage, step);
  expect(stage.world.vercel.received().filter(({ path }) => !path.startsWith('/login/'))).toEqual([]);
  return result;
}

test.each([
  ['by its id', VERCEL.projectId, { projectIds: [VERCEL.projectId] }],
  ['by name', VERCEL.project, undefined],
])('without a policy, the one that would do for a project %s is shown', async (_how, project, limit) => {
  const { exitCode, log } = await refused(() => [], { settings: { project } });
  expect(exitCode).toBe(EXIT.identity);
  expect(log).toContain('exchange-policy: No OIDC policy of team team_acme accepts this token');
  const shown = /such as (\{.*\})/.exec(log)?.[1] ?? '';
  const { clientId, issuerUrl, name, claims, permissions, resources } = JSON.parse(shown);
  const policy: FederationPolicy = {
    policyId: 'pol_shown',
    teamId: VERCEL.teamId,
    clientId,
    issuerUrl,
    name,
    claims,
    permissions,
    ...resources,
  };
  expect(resources).toEqual(limit);
  expect(log.includes('add "resources":{"projectIds":["prj_…"]}')).toBe(limit === undefined);
  await using stage = await createStage({ vercel: { policies: [policy] } });
  const { exitCode: again, log: story } = await deploy(stage, { settings: { project } });
  expect(again, story).toBe(EXIT.done);
});

test('where several policies match, policy-id chooses', async () => {
  const twice = (given: readonly FederationPolicy[]) => [
    ...given,
    ...given.flatMap((policy) =>
      policy.policyId === VERCEL.policies.buildkiteMain ? [{ ...policy, policyId: 'pol_22222222-twin' }] : [],
    ),
  ];
  const { exitCode, log } = await refused(twice);
  expect(exitCode).toBe(EXIT.identity);
  expect(log).toContain('exchange-policy: Several OIDC policies of team team_acme accept this token');
  expect(log).toContain('Set policy-id to the policy of this pipeline');

  const { policies } = vercelTenant();
  await using stage = await createStage({ vercel: { policies: twice(policies) } });
  const chosen = await deploy(stage, { settings: { 'policy-id': VERCEL.policies.buildkiteMain } });
  expect(chosen.exitCode, chosen.log).toBe(EXIT.done);
});

test('a team that may not exchange is pointed at the other way', async () => {
  const { exitCode, log } = await refused((same) => same, { settings: { team: 'globex' } });
  expect(exitCode).toBe(EXIT.identity);
  expect(log).toContain('exchange-policy: Team globex cannot exchange tokens for the client');
  expect(log).toContain('keep a token of the project in a secret broker: token in secret-from');
});

test('a team that there is not is told so', async () => {
  const { exitCode, log } = await refused((same) => same, { settings: { team: 'nobody' } });
  expect(exitCode).toBe(EXIT.identity);
  expect(log).toMatch(/exchange-(?:rejected|policy): /);
});

test('a stored token is used instead of an exchange, with a warning', async () => {
  await using stage = await createStage();
  const { exitCode, log, concealed, requests } = await deploy(stage, { settings: { token: VERCEL.tokens.project } });
  expect(exitCode, log).toBe(EXIT.done);
  expect(log).toContain('token is a stored key');
  expect(concealed).toContain(VERCEL.tokens.project);
  expect(log).not.toContain(VERCEL.tokens.project);
  expect(requests.filter(({ path }) => path.startsWith('/login/'))).toEqual([]);
});

test.each([
  ['an expired token', { token: VERCEL.tokens.expired }, /credential-rejected: Vercel does not accept the token/],
  ['a token of another project', { token: VERCEL.tokens.otherProject }, /(?:permission-denied|not-found): /],
  ['a team of others', { token: VERCEL.tokens.project, team: 'globex' }, /(?:permission-denied|not-found): /],
  ['a team that demands SAML', { token: VERCEL.tokens.full, team: VERCEL.guardedTeam }, /demands a sign-in by SAML/],
])('%s is explained', async (_what, settings, words) => {
  await using stage = await createStage();
  const { exitCode, log } = await deploy(stage, { settings });
  expect([EXIT.identity, EXIT.service], log).toContain(exitCode);
  expect(log).toMatch(words);
});

test('what is for the exchange is refused beside a token', async () => {
  await using stage = await createStage();
  const settings = { token: VERCEL.tokens.project, 'policy-id': VERCEL.policies.buildkiteMain };
  const { exitCode, log } = await deploy(stage, { settings });
  expect(exitCode).toBe(EXIT.settings);
  expect(log).toContain("policy-id: is for the exchange of the CI's token, and token takes its place");
});
