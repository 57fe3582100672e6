import { expect, test } from 'vitest';
import { EXIT } from '../../shared/errors.ts';
import { type Json, parseJson } from '../../shared/json.ts';
import { PREFECT, prefectTenant } from '../simulators/prefect-tenant.ts';
import { COMMIT, GOOGLE } from '../simulators/tenant.ts';
import { createStage, runStep, type Stage } from './harness.ts';
import { stagePool } from './stage-pool.ts';

const stages = stagePool();
const KIND = 'prefect-deployment-update';
const NOTHING = { 'pull-commit': null, image: null, 'job-variables': null, tags: null, version: null };
const CLONE = 'prefect.deployments.steps.git_clone';
const { prod, staging, served } = PREFECT.deployments;

const GIT_TOKEN = 'ATCTT3xFfGN0canaryOfTheRepository';
const OTHER_TOKEN = 'ghp_canaryOfTheOther';

async function update(stage: Stage, build: number, settings: Readonly<Record<string, Json>>, env = {}) {
  const before = stage.world.prefect.deploymentUpdates().length;
  const result = await runStep(stage, { kind: KIND, ci: 'buildkite', build, settings, env });
  const updates = stage.world.prefect.deploymentUpdates().slice(before);
  return { ...result, updates: updates.map(({ body }) => parseJson(body) as Record<string, unknown>) };
}

test('a deployment is pointed at the commit, and told what it was before', async () => {
  await using stage = await createStage();
  const { exitCode, log, outputs, updates } = await update(stage, 1, { version: null });
  expect(exitCode, log).toBe(EXIT.done);
  expect(updates).toHaveLength(1);
  expect(log).toContain(`commit: ${PREFECT.deployedCommit} → ${COMMIT}`);
  expect(log).toContain(`image: ${PREFECT.image} → registry.acme.example/train:${COMMIT.slice(0, 8)}`);
  expect(outputs).toMatchObject({
    id: prod.id,
    'deployment-name': prod.name,
    'deployment-commit': COMMIT,
    'previous-commit': PREFECT.deployedCommit,
    'deployment-version': COMMIT.slice(0, 8),
    'previous-version': 'stable',
    'deployment-image': `registry.acme.example/train:${COMMIT.slice(0, 8)}`,
    'previous-image': PREFECT.image,
    url: expect.stringMatching(new RegExp(`/deployments/deployment/${prod.id}$`)),
  });

  // The run that follows has the version, and a second build sees what the first one left.
  const run = await runStep(stage, { kind: 'prefect-flow-run', ci: 'buildkite', stepKey: 'run' });
  expect(run.outputs?.['deployment-version']).toBe(COMMIT.slice(0, 8));
  const again = await update(stage, 2, {});
  expect(again.outputs?.['previous-commit']).toBe(COMMIT);
});

test('a run of the step that is started again changes nothing more', async () => {
  await using stage = await createStage();
  const step = { kind: KIND, ci: 'bitbucket' } as const;
  const first = await runStep(stage, step);
  const second = await runStep(stage, { ...step, retry: 'manual' });
  expect(second.exitCode, second.log).toBe(EXIT.done);
  expect(stage.world.prefect.deploymentUpdates()).toHaveLength(1);
  expect(second.log).toContain('Nothing to do');
  expect(second.outputs?.id).toBe(first.outputs?.id);
});

test('a server of one’s own is not sent what only Cloud keeps', () =>
  stages.use(async (stage, build) => {
    const settings = {
      'api-url': PREFECT.serverApi,
      'secret-from': { 'auth-string': `google:projects/${GOOGLE.project}/secrets/prefect-auth` },
      parameters: { epochs: 3 },
      version: 'v7',
    };
    const { exitCode, log, updates } = await update(stage, build, settings);
    expect(exitCode, log).toBe(EXIT.done);
    expect(updates[0]).toMatchObject({ version: 'v7', parameters: { epochs: 3, mode: 'full' }, tags: ['ml', 'ci'] });
    expect(updates[0]).not.toHaveProperty('version_info');
  }));

/** Pull steps as deployments have them, by what becomes of them. */
const STEPS: readonly (readonly [string, readonly Json[], readonly Json[] | RegExp])[] = [
  [
    'a branch gives way to the commit',
    [
      { [CLONE]: { repository: 'git@bitbucket.org:acme/vision.git', branch: 'main', credentials: '{{ block }}' } },
      { 'prefect.deployments.steps.pip_install_requirements': { requirements_file: 'requirements.txt' } },
    ],
    [
      { [CLONE]: { repository: 'git@bitbucket.org:acme/vision.git', credentials: '{{ block }}', commit_sha: COMMIT } },
      { 'prefect.deployments.steps.pip_install_requirements': { requirements_file: 'requirements.txt' } },
    ],
  ],
  [
    'of several repositories only this one',
    [
      { [CLONE]: { id: 'lib', repository: 'https://github.com/acme/lib', branch: 'main' } },
      { [CLONE]: { repository: 'https://x-token-auth@bitbucket.org/acme/vision/', branch: 'main' } },
    ],
    [
      { [CLONE]: { id: 'lib', repository: 'https://github.com/acme/lib', branch: 'main' } },
      { [CLONE]: { repository: 'https://x-token-auth@bitbucket.org/acme/vision/', commit_sha: COMMIT } },
    ],
  ],
  [
    'a repository behind a template is taken for this one',
    [{ [CLONE]: { repository: '{{ prefect.variables.repository }}' } }],
    [{ [CLONE]: { repository: '{{ prefect.variables.repository }}', commit_sha: COMMIT } }],
  ],
  [
    'another repository',
    [{ [CLONE]: { repository: 'https://github.com/acme/lib' } }],
    /no git_clone step clones https:\/\/bitbucket\.org\/acme\/vision\S*; it has https:\/\/github\.com\/acme\/lib/,
  ],
  [
    'another repository, whose address has a token in it',
    [{ [CLONE]: { repository: `https://x-token-auth:${GIT_TOKEN}@bitbucket.org/acme/other.git?ref=1` } }],
    /no git_clone step clones \S+; it has https:\/\/bitbucket\.org\/acme\/other\.git$/m,
  ],
  [
    'this repository, with a token in its address and another beside it',
    [
      {
        [CLONE]: {
          repository: `https://x-token-auth:${GIT_TOKEN}@bitbucket.org/acme/vision.git`,
          access_token: OTHER_TOKEN,
        },
      },
    ],
    [
      {
        [CLONE]: {
          repository: `https://x-token-auth:${GIT_TOKEN}@bitbucket.org/acme/vision.git`,
          access_token: OTHER_TOKEN,
          commit_sha: COMMIT,
        },
      },
    ],
  ],
  [
    'no clone',
    [{ 'prefect.deployments.steps.set_working_directory': { directory: '/app' } }],
    /has no git_clone step among its pull steps; it has prefect\.deployments\.steps\.set_working_directory/,
  ],
];

test.each(STEPS)('pull steps: %s', async (_what, pullSteps, expected) => {
  const { cloud, ...rest } = prefectTenant();
  const workspaces = cloud.workspaces.map((workspace) => ({
    ...workspace,
    contents: {
      ...workspace.contents,
      deployments: workspace.contents.deployments.map((each) => (each.id === prod.id ? { ...each, pullSteps } : each)),
    },
  }));
  await using stage = await createStage({ prefect: { ...rest, cloud: { ...cloud, workspaces } } });
  const { exitCode, log, updates, concealed } = await update(stage, 1, {});
  for (const token of [GIT_TOKEN, OTHER_TOKEN]) {
    expect(log).not.toContain(token);
    if (JSON.stringify(pullSteps).includes(token)) expect(concealed).toContain(token);
  }
  if (expected instanceof RegExp) {
    expect(exitCode, log).toBe(EXIT.settings);
    expect(log).toMatch(expected);
    expect(updates).toEqual([]);
  } else {
    expect(exitCode, log).toBe(EXIT.done);
    expect(updates[0]?.pull_steps).toEqual(expected);
  }
});

test('what another build has changed since is told', async () => {
  await using stage = await createStage();
  // The other build comes in between the change and the look at it.
  let others = 0;
  const { prefect } = stage.world;
  const handler = prefect.hosts(PREFECT.cloudHost);
  if (handler === undefined) throw new Error('no Cloud');
  const overwrite = async () => {
    others += 1;
    await handler(
      new Request(`${PREFECT.cloudApi}/deployments/${prod.id}`, {
        method: 'PATCH',
        headers: {
          authorization: `Bearer ${PREFECT.keys.service}`,
          'content-type': 'application/json',
          'content-length': '19',
          'x-simulated-host': PREFECT.cloudHost,
        },
        body: '{"version":"other"}',
      }),
    );
  };
  stage.world.fault({ method: 'GET', path: new RegExp(`/deployments/${prod.id}$`), kind: 'status-503', times: 1 });
  const sleep = stage.clock.sleep;
  stage.clock.sleep = async (ms, signal) => {
    if (others === 0 && prefect.deploymentUpdates().length === 1) await overwrite();
    await sleep(ms, signal);
  };
  const { exitCode, log, outputs } = await update(stage, 1, {});
  expect(exitCode, log).toBe(EXIT.jobFailed);
  expect(log).toContain('the deployment differs now in version');
  expect(outputs).toMatchObject({ state: 'Overwritten', result: 'failed' });
});

const WRONG: readonly (readonly [string, Readonly<Record<string, Json>>, Readonly<Record<string, string>>, string])[] =
  [
    ['nothing to change', NOTHING, {}, 'pull-commit: nothing is to be changed'],
    ['a cut commit', {}, { BUILDKITE_COMMIT: '4f0c5b1d9a7e' }, 'pull-commit: needs the whole hash'],
    ['two images', { 'job-variables': { image: 'x' } }, {}, 'image: job-variables have an image of their own'],
    ['something to attach to', { attach: staging.id }, {}, 'attach: an update is over at once'],
    ['parameters that do not fit', { parameters: { epochs: 0 } }, {}, 'parameters.epochs: expected at least 1; got 0'],
    ['a deployment without pull steps', { deployment: served.id }, {}, 'has no git_clone step'],
  ];

test.each(WRONG)('%s: refused, and nothing is changed', (_what, settings, env, fault) =>
  stages.use(async (stage, build) => {
    const { exitCode, log, updates } = await update(stage, build, settings, env);
    expect(exitCode, log).toBe(EXIT.settings);
    expect(log).toContain(fault);
    expect(updates).toEqual([]);
  }),
);
