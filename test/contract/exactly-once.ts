import { afterAll, describe, expect, test } from 'vitest';
import { ERROR_CATALOGUE, EXIT } from '../../shared/errors.ts';
import { FAULT_KINDS, type FaultKind } from '../simulators/serve.ts';
import { breakRequests } from './breakable.ts';
import { runStep, type Stage, type StepResult } from './harness.ts';
import type { Ci, KindSample, RemoteJob, Targets } from './kind-samples.ts';
import { stagePool } from './stage-pool.ts';

type RequestName = Exclude<keyof Targets, 'cancel'>;
/** With how long the job runs where the request never recovers: long enough to be active still when the first run of the step has given up. */
const REQUESTS: Readonly<Record<RequestName, number>> = {
  exchange: 2_000,
  impersonation: 2_000,
  secret: 2_000,
  preparation: 2_000,
  supply: 2_000,
  submission: 300_000,
  lookUp: 300_000,
  status: 900_000,
  completion: 2_000,
};
const NEVER_RECOVERS = 99;

interface Case {
  readonly sample: KindSample;
  readonly ci: Ci;
  readonly retry: 'manual' | 'automatic';
  readonly request: RequestName;
  readonly fault: FaultKind;
  readonly times: number;
}

/** Bitbucket starts a step again only when somebody asks for it. */
const RETRIES: readonly (readonly [Ci, Case['retry']])[] = [
  ['bitbucket', 'automatic'],
  ['buildkite', 'manual'],
  ['buildkite', 'automatic'],
];
/** What started the step again makes a difference once there may be a run. */
const BEFORE_THE_RUN: readonly RequestName[] = ['exchange', 'impersonation', 'secret', 'preparation', 'supply'];

function retriesOf(sample: KindSample, request: RequestName): typeof RETRIES {
  const makesNoDifference = sample.repeatable === true || BEFORE_THE_RUN.includes(request);
  return makesNoDifference ? RETRIES.slice(0, 2) : RETRIES;
}

function casesOf(sample: KindSample): readonly Case[] {
  const requests = Object.keys(REQUESTS) as RequestName[];
  return requests
    .filter((request) => sample.targets[request] !== undefined)
    .flatMap((request) =>
      FAULT_KINDS.flatMap((fault) =>
        [1, NEVER_RECOVERS].flatMap((times) =>
          retriesOf(sample, request).map(([ci, retry]): Case => ({ sample, ci, retry, request, fault, times })),
        ),
      ),
    );
}

/** An answer cut short looks whole to HTTP; where asking again is not certain to help, the step may end with an error. */
function isTakenAtItsWord({ fault, request }: Case): boolean {
  return fault === 'truncated' && request !== 'submission' && request !== 'status';
}

function runningMs({ request, times }: Case): number {
  return times === 1 ? 2_000 : REQUESTS[request];
}

function expectClearError(result: StepResult): void {
  expect([EXIT.identity, EXIT.service]).toContain(result.exitCode);
  const code = /✖ ([a-z-]+): \S/.exec(result.log)?.[1] ?? '';
  expect(Object.keys(ERROR_CATALOGUE)).toContain(code);
  expect(result.log).toMatch(/What to do:\n {4}\S/);
  expect(result.reportState).toMatch(/^(?:error|FAILED)$/);
}

/** The run is there, and what was to be done with it then could not be. */
function expectUnfinished(result: StepResult): void {
  expect(result.exitCode).toBe(EXIT.jobFailed);
  expect(result.outputs).toMatchObject({ result: 'failed', failure: 'infrastructure' });
  expect(result.log).toContain("the service's infrastructure failed; running it again may help");
  expect(result.reportState).toMatch(/^(?:error|FAILED)$/);
}

/** How long a request waits for its late answer. What must recover has to answer in time on a busy machine, too. */
function patienceMs({ times }: Pick<Case, 'times'>): number {
  return times === 1 ? 1_500 : 60;
}

function strike({ world }: Stage, { sample, request, fault, times }: Case): () => void {
  const target = sample.targets[request];
  if (target === undefined) throw new Error(`${sample.id} makes no such request`);
  // Only a submission without an answer is looked for.
  if (request === 'lookUp') breakRequests(world, sample.targets.submission, { kind: 'drop-after', times: 1 });
  // A service that never recovers is not worth asking every second.
  const retryAfterSeconds = times === 1 ? 1 : 20;
  return breakRequests(world, target, { kind: fault, times, retryAfterSeconds, lateMs: 2 * patienceMs({ times }) });
}

/** Every fault at every request of these kinds, and the step started again. The files that call it run side by side. */
export function testExactlyOnce(samples: readonly KindSample[]): void {
  const stages = stagePool();
  let cases = 0;
  afterAll(() => console.log(`exactly-once: ${cases} cases`));

  describe.concurrent('exactly once, whatever one request meets', () => {
    test.each(samples.flatMap(casesOf).map((each) => [nameOf(each), each] as const))('%s', (_name, each) =>
      stages.use(async (stage, build) => {
        const { sample, ci, retry, fault, times } = each;
        const step = { kind: sample.id, ci, build, timings: fault === 'late' ? { attemptMs: patienceMs(each) } : {} };
        const before = sample.jobs(stage.world).length;
        const jobs = (): readonly RemoteJob[] => sample.jobs(stage.world).slice(before);
        sample.script(stage.world, { queuedMs: 1_000, runningMs: runningMs(each), end: 'success' });

        const recover = strike(stage, each);
        const startedAt = stage.clock.now();
        const first = await runStep(stage, step);
        recover();
        const submitted = jobs();
        if (sample.repeatable === undefined) expect(submitted.length).toBeLessThanOrEqual(1);
        if (times === 1 && !isTakenAtItsWord(each)) expect(first.exitCode, first.log).toBe(EXIT.done);
        if (first.exitCode === EXIT.done) expect(submitted).not.toEqual([]);
        else if (each.request === 'completion') expectUnfinished(first);
        else expectClearError(first);

        if (submitted.length > 0) stage.clock.advance(startedAt + runningMs(each) - 2_000 - stage.clock.now());
        const second = await runStep(stage, { ...step, retry, timings: {} });
        expect(second.exitCode, second.log).toBe(EXIT.done);
        expect(second.outputs).toMatchObject({ result: 'succeeded', id: jobs().at(-1)?.id });
        cases += 1;
        if (sample.repeatable === true) {
          // However often it was asked for, it was the same change.
          expect(new Set(jobs().map(({ id, body }) => `${id} ${body}`)).size).toBe(1);
          return;
        }
        // What comes after the run does not make it another one.
        const runIsOver = first.exitCode === EXIT.done || each.request === 'completion';
        const submitsAnew = runIsOver && retry === 'manual';
        expect(jobs()).toHaveLength(submitsAnew ? 2 : 1);
        expect(second.outputs?.attempt).toBe(submitsAnew ? '2' : '1');
        expect(jobs().every(({ cancelled }) => !cancelled)).toBe(true);
      }),
    );
  });
}

function nameOf({ sample, ci, retry, request, fault, times }: Case): string {
  return `${sample.id}, ${request} meets ${fault} ${times === 1 ? 'once' : 'always'}, then ${retry} re-run on ${ci}`;
}
