import { expect, test } from 'vitest';
import { EXIT } from '../../shared/errors.ts';
import type { FaultKind } from '../simulators/serve.ts';
import { DATABRICKS, GOOGLE } from '../simulators/tenant.ts';
import { breakRequests } from './breakable.ts';
import { createStage, runStep, type Step } from './harness.ts';
import { type Ci, type KindSample, RUN_SAMPLES } from './kind-samples.ts';
import { KILLED } from './process-life.ts';
import { MINUTE } from './remote-life.ts';
import { stagePool } from './stage-pool.ts';

const stages = stagePool();
type Retry = NonNullable<Step['retry']>;
const RETRIES: readonly (readonly [Ci, Retry])[] = [
  ['bitbucket', 'automatic'],
  ['buildkite', 'manual'],
  ['buildkite', 'automatic'],
];
/** For so long a list may not show a job that exists. */
const LISTED_AFTER_MS = 30_000;

const EACH_RETRY = RUN_SAMPLES.flatMap((sample) =>
  RETRIES.map(([ci, retry]) => [sample.id, retry, ci, sample] as const),
);
const UNCLEAR: readonly FaultKind[] = ['drop-after', 'late', 'truncated'];

test.each(RUN_SAMPLES.flatMap((sample) => UNCLEAR.map((fault) => [sample.id, fault, sample] as const)))(
  'a submission of %s that meets %s is not repeated because a list shows the job late',
  (id, fault, sample) =>
    stages.use(async (stage, build) => {
      const before = sample.jobs(stage.world).length;
      sample.script(stage.world, { runningMs: 5 * MINUTE, end: 'success', listedAfterMs: LISTED_AFTER_MS });
      breakRequests(stage.world, sample.targets.submission, { kind: fault, times: 1, lateMs: 1_000 });
      const timings = fault === 'late' ? { attemptMs: 500 } : {};
      const result = await runStep(stage, { kind: id, ci: 'buildkite', build, timings });
      expect(result.exitCode, result.log).toBe(EXIT.done);
      expect(sample.jobs(stage.world)).toHaveLength(before + 1);
    }),
);

test.each(EACH_RETRY)(
  'a re-run of %s (%s, %s) finds the run that the first left, though no list shows it yet',
  (id, retry, ci, sample) =>
    stages.use(async (stage, build) => {
      const before = sample.jobs(stage.world).length;
      sample.script(stage.world, { runningMs: 20 * MINUTE, end: 'success', listedAfterMs: LISTED_AFTER_MS });
      const left = await runStep(stage, { kind: id, ci, build, settings: { wait: false } });
      const again = await runStep(stage, { kind: id, ci, build, retry });
      expect(again.exitCode, again.log).toBe(EXIT.done);
      expect(again.outputs).toMatchObject({ id: left.outputs?.id, attempt: '1', result: 'succeeded' });
      expect(sample.jobs(stage.world)).toHaveLength(before + 1);
    }),
);

test.each(EACH_RETRY)(
  'a step that was killed before it read the response finds its %s again (%s re-run, %s)',
  (id, retry, ci, sample) =>
    stages.use(async (stage, build) => {
      const before = sample.jobs(stage.world).length;
      sample.script(stage.world, { runningMs: 20 * MINUTE, end: 'success', listedAfterMs: LISTED_AFTER_MS });
      const killed = await runStep(stage, { kind: id, ci, build, killedAfter: sample.targets.submission });
      expect(killed.exitCode, killed.log).toBe(KILLED);
      expect(sample.jobs(stage.world)).toHaveLength(before + 1);
      const again = await runStep(stage, { kind: id, ci, build, retry });
      expect(again.exitCode, again.log).toBe(EXIT.done);
      expect(again.outputs).toMatchObject({ id: sample.jobs(stage.world).at(-1)?.id, attempt: '1' });
      expect(sample.jobs(stage.world)).toHaveLength(before + 1);
    }),
);

const LISTED = RUN_SAMPLES.filter(({ targets }) => targets.lookUp !== undefined);

test.each(LISTED.map((sample) => [sample.id, sample] as const))(
  'a second run of %s that was killed is found by the third, though an earlier one is known',
  (id, sample) =>
    stages.use(async (stage, build) => {
      const step = { kind: id, ci: 'buildkite', build } as const;
      const before = sample.jobs(stage.world).length;
      sample.script(stage.world, { end: { cause: 'code' } });
      await runStep(stage, step);
      sample.script(stage.world, { runningMs: 20 * MINUTE, end: 'success', listedAfterMs: LISTED_AFTER_MS });
      const killed = await runStep(stage, { ...step, retry: 'manual', killedAfter: firstSubmission(sample) });
      expect(killed.exitCode, killed.log).toBe(KILLED);
      const third = await runStep(stage, { ...step, retry: 'manual', attempt: 3 });
      expect(third.exitCode, third.log).toBe(EXIT.done);
      expect(third.outputs).toMatchObject({ attempt: '2', id: sample.jobs(stage.world).at(-1)?.id });
      expect(sample.jobs(stage.world)).toHaveLength(before + 2);
    }),
);

/** In a re-run nothing has to be uploaded first. */
function firstSubmission({ targets: { submission } }: KindSample) {
  return { ...submission, skip: 0 };
}

test.each(LISTED.flatMap((sample) => RETRIES.map(([ci, retry]) => [sample.id, retry, ci, sample] as const)))(
  'where it stays unknown whether %s exists, nothing is submitted a second time (%s, %s)',
  (id, retry, ci, sample) =>
    stages.use(async (stage, build) => {
      const before = sample.jobs(stage.world).length;
      sample.script(stage.world, { runningMs: 20 * MINUTE, end: 'success', listedAfterMs: LISTED_AFTER_MS });
      await runStep(stage, { kind: id, ci, build, killedAfter: sample.targets.submission });
      const recover = breakRequests(stage.world, sample.targets.lookUp ?? sample.targets.status, {
        kind: 'status-503',
        times: 99,
      });
      const again = await runStep(stage, { kind: id, ci, build, retry });
      recover();
      expect(again.exitCode, again.log).toBe(EXIT.service);
      expect(sample.jobs(stage.world)).toHaveLength(before + 1);
    }),
);

const ENDLESS = [
  ['whose pages go on for ever', (page: number) => `page-${page}`, 'it has more than 100 pages', 100],
  ['whose page names itself as the next', () => 'again', 'page 2 names itself as the next page', 2],
] as const;

/** An API whose every list has a next page, and how many of its pages were asked for. */
function endlessLists(next: (page: number) => string, answer: (token: string) => object) {
  let asked = 0;
  const handler = async (request: Request): Promise<Response> => {
    if (request.method !== 'HEAD') asked += 1;
    return Response.json(answer(next(asked)));
  };
  return { handler, asked: () => asked };
}

test.each(ENDLESS)('a list of Vertex AI jobs %s is given up', async (_name, next, says, pages) => {
  const host = `${GOOGLE.region}-aiplatform.googleapis.com`;
  const { handler, asked } = endlessLists(next, (nextPageToken) => ({ customJobs: [], nextPageToken }));
  await using stage = await createStage({ hosts: { [host]: handler } });
  const result = await runStep(stage, { kind: 'vertex-custom-job', ci: 'bitbucket', retry: 'automatic' });
  expect(result.exitCode, result.log).toBe(EXIT.service);
  expect(result.log).toContain(`unreadable-answer: A list from ${host} cannot be read to its end: ${says}`);
  expect(asked()).toBe(pages);
});

test.each(ENDLESS)('a list of Vercel deployments %s is given up', async (name, _next, says, pages) => {
  let asked = 0;
  const answer = {
    status: 200,
    type: 'application/json',
    get text() {
      asked += 1;
      const next = 2_000_000_000_000 - (name.includes('itself') ? 0 : asked);
      return JSON.stringify({ deployments: [], pagination: { next } });
    },
  };
  await using stage = await createStage();
  stage.world.fault({ kind: 'answer', path: /\/v7\/deployments$/, times: 1_000, answer });
  const result = await runStep(stage, { kind: 'vercel-deployment', ci: 'bitbucket', retry: 'automatic' });
  expect(result.exitCode, result.log).toBe(EXIT.service);
  expect(result.log).toContain(`A list from api.vercel.com cannot be read to its end: ${says}`);
  expect(asked).toBe(pages);
  expect(stage.world.vercel.deployments()).toEqual([]);
});

test.each(ENDLESS)('a list of Databricks runs %s is given up', async (_name, next, says, pages) => {
  const { handler, asked } = endlessLists(next, (token) => ({ runs: [], next_page_token: token }));
  const token = async () => Response.json({ access_token: 'a-token-of-databricks', expires_in: 3600 });
  const host = async (request: Request) => (request.url.endsWith('/oidc/v1/token') ? token() : handler(request));
  await using stage = await createStage({ hosts: { [DATABRICKS.host]: host } });
  const settings = { attach: `key:${'0'.repeat(64)}`, spec: null };
  const result = await runStep(stage, { kind: 'databricks-submit-run', ci: 'buildkite', settings });
  expect(result.exitCode, result.log).toBe(EXIT.service);
  expect(result.log).toContain(`A list from ${DATABRICKS.host} cannot be read to its end: ${says}`);
  expect(asked()).toBe(pages);
});
