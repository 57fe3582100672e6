import { expect, test } from 'vitest';
import { EXIT } from '../../shared/errors.ts';
import { COMMIT } from '../simulators/tenant.ts';
import type { DeploymentLife } from '../simulators/vercel-deployment-life.ts';
import { VERCEL } from '../simulators/vercel-tenant.ts';
import { breakRequests } from './breakable.ts';
import { createStage, runStep, type Stage, type Step } from './harness.ts';
import { CIS } from './kind-samples.ts';
import { MINUTE } from './remote-life.ts';
import { stagePool } from './stage-pool.ts';

const stages = stagePool();

async function deploy(stage: Stage, build: number, life: DeploymentLife, step: Partial<Step> = {}) {
  stage.world.vercel.nextLife(life);
  const result = await runStep(stage, { kind: 'vercel-deployment', ci: 'buildkite', build, ...step });
  return { ...result, deployment: stage.world.vercel.deployments().at(-1) };
}

test.each([
  [
    'TEAM_ACCESS_REQUIRED',
    { kind: 'blocked', blockCode: 'TEAM_ACCESS_REQUIRED' },
    'permission',
    'the author of the commit has no access to the team',
  ],
  [
    'COMMIT_AUTHOR_REQUIRED',
    { kind: 'blocked', blockCode: 'COMMIT_AUTHOR_REQUIRED' },
    'permission',
    'the deployment names no author of the commit',
  ],
  [
    'a domain that cannot be assigned',
    { kind: 'aliasError', code: 'cert_missing', message: 'No certificate.' },
    'code',
    'The domains could not be assigned: cert_missing: No certificate.',
  ],
  ['checks that fail', { kind: 'checksFailed' }, 'code', 'The checks did not pass, so the domains are not assigned'],
  [
    'a build that fails',
    { kind: 'error', step: 'buildStep', code: 'FUNCTION_TOO_LARGE', message: 'It has 260 MB.' },
    'code',
    'In the step buildStep: FUNCTION_TOO_LARGE: It has 260 MB.',
  ],
  [
    'a fault of the service',
    { kind: 'error', step: 'deployStep', code: 'INTERNAL_ERROR', message: 'Sorry.' },
    'infrastructure',
    'In the step deployStep: INTERNAL_ERROR: Sorry.',
  ],
] as const)('%s is told', (_what, end, cause, words) =>
  stages.use(async (stage, build) => {
    const { exitCode, log, outputs } = await deploy(stage, build, { end });
    expect(exitCode, log).toBe(EXIT.jobFailed);
    expect(outputs).toMatchObject({ result: 'failed', failure: cause, error: expect.stringContaining(words) });
    expect(log).toContain(words);
  }),
);

test.each(['text', 'payload'] as const)(
  'the end of a failed build is shown, wherever its events have the %s',
  (logTextIn) =>
    stages.use(async (stage, build) => {
      const logs = ['Installing', 'Compiling api/hello', 'error: no handler \u001b[31mfound\u001b[0m'];
      const end = { kind: 'error', step: 'buildStep', code: 'X', message: 'broken' } as const;
      const { lines } = await deploy(stage, build, { logs, logTextIn, end });
      const shown = lines.flatMap((line) => (line.startsWith('  │ ') ? [line.slice(4)] : []));
      expect(lines).toContain('  End of the build log:');
      const from = shown.indexOf('Installing');
      expect(shown.slice(from, from + 3)).toEqual(['Installing', 'Compiling api/hello', 'error: no handler found']);
    }),
);

test('words of tomorrow count as running', () =>
  stages.use(async (stage, build) => {
    const { exitCode, log } = await deploy(stage, build, { between: [{ state: 'WARMING', ms: 5_000 }] });
    expect(exitCode).toBe(EXIT.done);
    expect(log).toMatch(/running {3}WARMING/);
  }));

test('it is not live before its domains are assigned', () =>
  stages.use(async (stage, build) => {
    const { lines, outputs } = await deploy(stage, build, { aliasMs: 60_000 });
    const ready = lines.findIndex((line) => line.includes('running   READY · assigning the domains'));
    expect(ready).toBeGreaterThan(0);
    expect(lines.findIndex((line) => line.includes('succeeded READY'))).toBeGreaterThan(ready);
    expect(JSON.parse(outputs?.aliases ?? '')).toEqual(expect.arrayContaining([VERCEL.domain, 'www.acme.example']));
  }));

test('a build for production is not deployed as a preview', () =>
  stages.use(async (stage, build) => {
    const { exitCode, log } = await runStep(stage, {
      kind: 'vercel-deployment',
      ci: 'buildkite',
      build,
      settings: { target: 'preview' },
    });
    expect(exitCode).toBe(EXIT.settings);
    expect(log).toContain('target: the build was made for production and would be deployed to preview');
  }));

test('a deployment shows commit and branch or tag, and never an author or HEAD', async () => {
  await using stage = await createStage();
  const settings = { set: null };
  const onBranch = await deploy(stage, 1, {}, { settings });
  const git = JSON.parse(onBranch.deployment?.json ?? '').gitMetadata;
  expect(git).toEqual({
    remoteUrl: 'https://bitbucket.org/acme/vision.git',
    commitSha: COMMIT,
    commitRef: 'main',
  });
  const tag = { BUILDKITE_TAG: 'v1.2.0', BUILDKITE_BRANCH: 'v1.2.0' };
  const onTag = await deploy(stage, 2, {}, { settings, env: tag });
  expect(JSON.parse(onTag.deployment?.json ?? '').gitMetadata.commitRef).toBe('v1.2.0');
  const without = await deploy(stage, 3, {}, { settings: { ...settings, 'git-metadata': false } });
  expect(JSON.parse(without.deployment?.json ?? '')).not.toHaveProperty('gitMetadata');
});

test('a limit that ends soon is waited for, and a plan that has no room is not', async () => {
  await using stage = await createStage();
  stage.world.vercel.limitNext({ code: 'rate_limited', resetInMs: 45_000 });
  const before = stage.clock.now();
  const waited = await deploy(stage, 1, {});
  expect(waited.exitCode, waited.log).toBe(EXIT.done);
  expect(stage.clock.now() - before).toBeGreaterThanOrEqual(45_000);
  expect(stage.world.vercel.deployments()).toHaveLength(1);

  stage.world.vercel.limitNext({ code: 'builds_rate_limited', resetInMs: 45_000 });
  const refused = await deploy(stage, 2, {});
  expect(refused.exitCode).toBe(EXIT.service);
  expect(refused.log).toContain("quota-exceeded: A limit of the team's plan does not allow it");
  expect(stage.world.vercel.deployments()).toHaveLength(1);
});

test('domains that cannot be assigned fail the step and are named', async () => {
  await using stage = await createStage();
  const settings = { aliases: ['www.acme.example', VERCEL.domainWithoutCertificate, 'edge.globex.example'] };
  const { exitCode, log, outputs, deployment } = await deploy(stage, 1, {}, { settings });
  expect(exitCode).toBe(EXIT.jobFailed);
  expect(log).toContain(`The deployment is ready, but not under ${VERCEL.domainWithoutCertificate}: cert_missing`);
  expect(outputs?.error).toContain('edge.globex.example');
  expect(deployment?.aliases).toContain('www.acme.example');
});

test('a deployment that is ready keeps its outputs where its domain cannot be assigned', () =>
  stages.use(async (stage, build) => {
    const target = { method: 'POST', path: /\/v2\/deployments\/[^/]+\/aliases$/ } as const;
    const recover = breakRequests(stage.world, target, { kind: 'status-503', times: 99 });
    const step = { settings: { aliases: ['pr-7.acme.example'] } };
    const { exitCode, log, outputs, deployment } = await deploy(stage, build, { end: { kind: 'ready' } }, step);
    recover();
    expect(exitCode, log).toBe(EXIT.jobFailed);
    expect(outputs).toMatchObject({ id: deployment?.id, result: 'failed', failure: 'infrastructure' });
    expect(outputs?.['deployment-url']).toMatch(/^https:/);
    expect(log).not.toContain('keeps running');
  }));

test.each([
  ['alias_in_use', EXIT.jobFailed],
  ['conflict', EXIT.done],
])('a domain that meets a conflict named %s ends the step with %i', (code, exit) =>
  stages.use(async (stage, build) => {
    const target = { method: 'POST', path: /\/v2\/deployments\/[^/]+\/aliases$/ } as const;
    const text = JSON.stringify({ error: { code, message: 'The domain is at another deployment, or at this one.' } });
    const answer = { status: 409, type: 'application/json', text };
    const recover = breakRequests(stage.world, target, { kind: 'answer', times: 99, answer });
    const step = { settings: { aliases: ['pr-7.acme.example'] } };
    const { exitCode, log } = await deploy(stage, build, {}, step);
    recover();
    expect(exitCode, log).toBe(exit);
    expect(log).toContain(exit === EXIT.done ? 'pr-7.acme.example points at' : `not under pr-7.acme.example: ${code}`);
  }),
);

test.each(CIS)('on %s a timeout that is set holds, be it the one that others have by default', (ci) =>
  stages.use(async (stage, build) => {
    const life = { buildingMs: 50 * MINUTE, end: { kind: 'ready' } } as const;
    const { exitCode, log } = await deploy(stage, build, life, { ci, settings: { timeout: '24h' } });
    expect(exitCode, log).toBe(EXIT.done);
  }),
);

test.each(CIS)('on %s a deployment that is not waited for can be found by its address', (ci) =>
  stages.use(async (stage, build) => {
    const life = { end: { kind: 'ready' } } as const;
    const { exitCode, log, outputs, deployment } = await deploy(stage, build, life, { ci, settings: { wait: false } });
    expect(exitCode, log).toBe(EXIT.done);
    expect(outputs).toMatchObject({
      id: deployment?.id,
      result: 'submitted',
      url: expect.stringMatching(/^https:\/\/vercel\.com\//),
      'deployment-url': `https://${deployment?.url}`,
    });
    expect(log).toContain(`deployment-url: https://${deployment?.url}`);
  }),
);

test('a deployment that is not waited for is handed out without its address where that cannot be read', () =>
  stages.use(async (stage, build) => {
    const recover = breakRequests(
      stage.world,
      { method: 'GET', path: /\/v13\/deployments\// },
      { kind: 'status-503', times: 99 },
    );
    const { exitCode, log, outputs, deployment } = await deploy(stage, build, {}, { settings: { wait: false } });
    recover();
    expect(exitCode, log).toBe(EXIT.done);
    expect(outputs).toMatchObject({ id: deployment?.id, result: 'submitted' });
    expect(log).toContain("Could not look up the job's URL");
  }));

test('a deployment that a step stops waiting for is handed out with its address', () =>
  stages.use(async (stage, build) => {
    const settings = { timeout: '1m', 'on-cancel': 'detach' };
    const life = { buildingMs: 20 * MINUTE, end: { kind: 'ready' } } as const;
    const { exitCode, log, outputs, deployment } = await deploy(stage, build, life, { settings });
    expect(exitCode, log).toBe(EXIT.deadline);
    expect(outputs).toMatchObject({ result: 'unfinished', 'deployment-url': `https://${deployment?.url}` });
  }));
