import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { EXIT } from '../../shared/errors.ts';
import type { Json } from '../../shared/json.ts';
import { VERCEL } from '../simulators/vercel-tenant.ts';
import { breakRequests } from './breakable.ts';
import { createStage, runStep, type Stage, type StepResult } from './harness.ts';
import { CIS } from './kind-samples.ts';
import { EARLIER } from './vercel-samples.ts';
import type { VirtualClock } from './virtual-clock.ts';

const STAGING = { 'skip-domain': true, aliases: null };

function change(
  stage: Stage,
  type: 'promote' | 'rollback',
  settings: Readonly<Record<string, Json>>,
  checkout?: string,
) {
  return runStep(stage, { kind: `vercel-${type}`, ci: 'buildkite', settings, checkout, stepKey: type });
}

test.each(CIS)('on %s, one step deploys and another promotes what it made', async (ci) => {
  await using stage = await createStage();
  const { vercel } = stage.world;
  vercel.deployed(VERCEL.projectId);
  const made = await runStep(stage, { kind: 'vercel-deployment', ci, settings: STAGING, stepKey: 'deploy' });
  expect(made.exitCode, made.log).toBe(EXIT.done);
  expect(made.outputs).toMatchObject({ target: 'production', state: expect.stringMatching(/STAGED|READY/) });
  expect(vercel.productionOf(VERCEL.projectId)).not.toBe(made.outputs?.id);

  const deployment = ci === 'buildkite' ? 'step:deploy' : 'file:.keyless-submit/outputs.json';
  const promoted = await runStep(stage, {
    kind: 'vercel-promote',
    ci,
    settings: { deployment },
    stepKey: 'promote',
    checkout: made.checkout,
  });
  expect(promoted.exitCode, promoted.log).toBe(EXIT.done);
  expect(vercel.productionOf(VERCEL.projectId)).toBe(made.outputs?.id);
  expect(promoted.outputs).toMatchObject({
    production: made.outputs?.id,
    'deployment-url': made.outputs?.['deployment-url'],
  });
});

test.each([
  ['under way', { wait: false }, 30_000],
  ['done', {}, 100],
] as const)(
  'a change that another step asked for in the meantime is joined: %s',
  async (_what, settings, pendingMs) => {
    await using stage = await createStage();
    const { vercel } = stage.world;
    const deployment = vercel.deployed(VERCEL.projectId, { skipDomain: true });
    vercel.deployed(VERCEL.projectId);
    const target = { method: 'POST', path: /\/promote\// } as const;
    vercel.nextPromotion({ pendingMs });
    const recover = breakRequests(stage.world, target, { kind: 'status-429', times: 1, retryAfterSeconds: 1 });
    let other: Promise<StepResult> | undefined;
    // Between its look at the project and its request, this step has to wait, and the other has not.
    const clock: VirtualClock = {
      ...stage.clock,
      sleep: async (ms, signal) => {
        other ??= change(stage, 'promote', { ...settings, deployment });
        expect((await other).exitCode).toBe(EXIT.done);
        await stage.clock.sleep(ms, signal);
      },
    };
    const { exitCode, log, outputs } = await change({ ...stage, clock }, 'promote', { deployment });
    recover();
    expect(exitCode, log).toBe(EXIT.done);
    expect(log).toContain('The same change was asked for in the meantime');
    expect(outputs).toMatchObject({ id: deployment, result: 'succeeded' });
    expect(vercel.productionOf(VERCEL.projectId)).toBe(deployment);
  },
);

test('a deployment can be named by its address', async () => {
  await using stage = await createStage();
  const { vercel } = stage.world;
  const id = vercel.deployed(VERCEL.projectId, { skipDomain: true });
  const url = vercel.deployments().find((deployment) => deployment.id === id)?.url;
  const { exitCode, log, outputs } = await change(stage, 'promote', { deployment: `https://${url}/` });
  expect(exitCode, log).toBe(EXIT.done);
  expect(outputs?.id).toBe(id);
});

test('what is served already is not asked for again', async () => {
  await using stage = await createStage();
  const asked = () =>
    stage.world.vercel.received().filter(({ method, path }) => method === 'POST' && /rollback/.test(path));
  expect((await change(stage, 'rollback', {})).exitCode).toBe(EXIT.done);
  expect(asked()).toHaveLength(1);
  const { exitCode, log, outputs } = await change(stage, 'rollback', {});
  expect(exitCode, log).toBe(EXIT.done);
  expect(log).toContain(`Nothing to do: ${VERCEL.projectId}, ${EARLIER} is already as asked`);
  expect(outputs?.production).toBe(EARLIER);
  expect(asked()).toHaveLength(1);
});

test.each([
  ['promote', 'Deploy once with target production and skip-domain'],
  ['rollback', 'Name a deployment that production served before'],
] as const)('a preview is refused by %s, since it would be built again', async (type, advice) => {
  await using stage = await createStage();
  const { vercel } = stage.world;
  const preview = vercel.deployed(VERCEL.projectId, { target: 'preview' });
  const { exitCode, log } = await change(stage, type, { deployment: preview });
  expect(exitCode, log).toBe(EXIT.settings);
  expect(log).toContain('was not built for production, so Vercel would build it again');
  expect(log).toContain(advice);
  expect(vercel.received().filter(({ method, path }) => method === 'POST' && path.includes(`/${type}/`))).toEqual([]);
});

test.each(['promote', 'rollback'] as const)('domains that %s cannot move are named', async (type) => {
  await using stage = await createStage();
  stage.world.vercel.nextPromotion({ end: 'failed', failedAliases: [VERCEL.domain] });
  const { exitCode, log, lines, outputs } = await change(stage, type, {});
  expect(exitCode, log).toBe(EXIT.jobFailed);
  expect(outputs?.['failed-aliases']).toBe(JSON.stringify([VERCEL.domain]));
  expect(lines).toContain(`  │ ${VERCEL.domain}`);
});

test('a promotion behind a rolling release is waited for', async () => {
  await using stage = await createStage();
  stage.world.vercel.nextPromotion({ queued: true, pendingMs: 120_000 });
  const { exitCode, log } = await change(stage, 'promote', {});
  expect(exitCode, log).toBe(EXIT.done);
});

test('a promotion that is skipped did not happen', async () => {
  await using stage = await createStage();
  stage.world.vercel.nextPromotion({ end: 'skipped' });
  const { exitCode, log } = await change(stage, 'promote', {});
  expect(exitCode).toBe(EXIT.jobFailed);
  expect(log).toContain('Vercel skipped the promotion');
});

test.each([
  [
    'a step that deployed nothing',
    { deployment: 'step:nobody' },
    /not-found: The step nobody of this build left no deployment/,
  ],
  ['a deployment that is not there', { deployment: 'dpl_gone' }, /not-found: Vercel: deployment not found/],
  ['no deployment at all', { deployment: null }, /deployment: is required: a deployment's id/],
  ['what is no deployment', { deployment: 'latest' }, /deployment: expected a deployment's id/],
] as const)('%s is explained', async (_what, settings, words) => {
  await using stage = await createStage();
  const { exitCode, log } = await change(stage, 'promote', settings);
  expect([EXIT.settings, EXIT.service]).toContain(exitCode);
  expect(log).toMatch(words);
});

test('what production serves is not taken for done while it is on its way to another deployment', async () => {
  await using stage = await createStage();
  const { vercel } = stage.world;
  // Both samples put their deployments there first.
  for (const type of ['promote', 'rollback'] as const) await change(stage, type, { 'dry-run': true });
  const served = vercel.productionOf(VERCEL.projectId) ?? '';
  vercel.nextPromotion({ pendingMs: 0, runningMs: 600_000 });
  expect((await change(stage, 'promote', { wait: false })).exitCode).toBe(EXIT.done);
  const back = await change(stage, 'rollback', { deployment: served });
  expect(back.exitCode, back.log).toBe(EXIT.service);
  expect(back.log).toContain('retry the step when it is over');
});

test.each([
  ['is not there', undefined, 'deployment: outputs.json does not exist in the checkout'],
  [
    'was left by a step of another kind',
    '{"kind":"vertex-custom-job","id":"7"}',
    'deployment: outputs.json holds no deployment of vercel-deployment',
  ],
])('a file of outputs that %s is told with what else is wrong, before anything is sent', async (_what, text, words) => {
  await using stage = await createStage();
  if (text !== undefined) await writeFile(join(stage.directory, 'outputs.json'), text);
  const settings = { deployment: 'file:outputs.json', team: 'no team!' };
  const { exitCode, log } = await change(stage, 'promote', settings, stage.directory);
  expect(exitCode, log).toBe(EXIT.settings);
  expect(log).toContain(words);
  expect(log).toContain('team: expected');
  expect(stage.world.requests).toEqual([]);
});

test('after a rollback, what is deployed is kept from production, until something is promoted', async () => {
  await using stage = await createStage();
  const { vercel } = stage.world;
  const deployed = (build: number) =>
    runStep(stage, { kind: 'vercel-deployment', ci: 'buildkite', settings: { aliases: null }, build });
  const served = () => vercel.productionOf(VERCEL.projectId);

  const back = await change(stage, 'rollback', {});
  expect(back.exitCode, back.log).toBe(EXIT.done);
  expect(back.log).toContain('New deployments get none of the domains of production, until one is promoted');
  const kept = await deployed(1);
  expect(kept.exitCode, kept.log).toBe(EXIT.done);
  expect(kept.log).toContain('Production of edge was rolled back: this deployment gets none of its domains');
  expect(kept.log).toContain('none of production yet: vercel-promote points them at this deployment');
  expect(kept.outputs).toMatchObject({ state: 'STAGED' });
  expect(served()).toBe(EARLIER);

  // What is served already: promoting it ends the rollback all the same.
  const staying = await change(stage, 'promote', { deployment: EARLIER });
  expect(staying.log).not.toContain('Nothing to do');
  const promoted = await change(stage, 'promote', { deployment: kept.outputs?.id ?? '' });
  expect(promoted.exitCode, promoted.log).toBe(EXIT.done);
  expect(served()).toBe(kept.outputs?.id);
  const next = await deployed(2);
  expect(next.exitCode, next.log).toBe(EXIT.done);
  expect(next.log).not.toContain('rolled back');
  expect(next.lines).toContain(`  │ ${VERCEL.domain}`);
  expect(served()).toBe(next.outputs?.id);
});

test.each(['promote', 'rollback'] as const)('%s refuses the deployment of another project', async (type) => {
  await using stage = await createStage();
  const foreign = stage.world.vercel.deployed(VERCEL.otherProjectId);
  const { exitCode, log, requests } = await change(stage, type, { deployment: foreign, token: VERCEL.tokens.full });
  expect(exitCode, log).toBe(EXIT.settings);
  expect(log).toContain(`${foreign} belongs to another project`);
  expect(log).toContain(`project ${VERCEL.otherProjectId}`);
  expect(requests.filter(({ method, path }) => method === 'POST' && /\/(?:promote|rollback)\//.test(path))).toEqual([]);
});
