import { expect, test } from 'vitest';
import { EXIT } from '../../shared/errors.ts';
import type { Fault } from '../simulators/serve.ts';
import { breakRequests } from './breakable.ts';
import { runStep, type Stage, type StepResult } from './harness.ts';
import { CIS, type Ci, type KindSample, RUN_SAMPLES } from './kind-samples.ts';
import { HOUR, MINUTE } from './remote-life.ts';
import { stagePool } from './stage-pool.ts';

const stages = stagePool();
const SAMPLES_AND_CIS = RUN_SAMPLES.flatMap((sample) => CIS.map((ci) => [sample.id, ci, sample] as const));

type Outage = Pick<Fault, 'kind'> & Partial<Fault>;

/** What a service or a gateway answers while it is out of reach. */
const OUTAGES: readonly (readonly [string, Outage])[] = [
  ['answers 503', { kind: 'status-503' }],
  ['limits the rate', { kind: 'status-429', retryAfterSeconds: 20 }],
  ['drops connections', { kind: 'drop-before' }],
  ['shows a page', { kind: 'answer', answer: { status: 200, type: 'text/html', text: '<h1>Maintenance</h1>' } }],
  ['redirects', { kind: 'answer', answer: { status: 302, type: 'text/html', text: '' } }],
];

/** Breaks every look at the job from one moment of the wait to another. */
function breakBetween(
  { world, clock }: Stage,
  { targets }: KindSample,
  outage: Outage,
  from: number,
  to: number,
): void {
  clock.after(from, () => {
    const recover = breakRequests(world, targets.status, { times: 999, ...outage });
    clock.after(to - from, recover);
  });
}

interface Wait {
  readonly ci: Ci;
  readonly sample: KindSample;
  readonly build: number;
  readonly outages: readonly (readonly [from: number, to: number])[];
  readonly outage: Outage;
}

function waitThrough(stage: Stage, { ci, sample, build, outages, outage }: Wait): Promise<StepResult> {
  sample.script(stage.world, { runningMs: 50 * MINUTE, end: 'success' });
  for (const [from, to] of outages) breakBetween(stage, sample, outage, from, to);
  // Some kinds would give up sooner by themselves.
  return runStep(stage, { kind: sample.id, ci, build, settings: { timeout: '23h' } });
}

const warnings = ({ lines }: StepResult) => lines.filter((line) => line.includes('lost contact, still trying'));

test.each(
  SAMPLES_AND_CIS.flatMap(([id, ci, sample]) =>
    // What is done about an outage does not depend on the CI.
    OUTAGES.slice(0, ci === 'buildkite' ? undefined : 1).map(
      ([what, outage]) => [id, ci, what, { sample, outage }] as const,
    ),
  ),
)('%s on %s is waited for through five minutes in which the service %s', (_id, ci, _what, { sample, outage }) =>
  stages.use(async (stage, build) => {
    const wait = { ci, sample, build, outage, outages: [[30 * MINUTE, 35 * MINUTE]] } as const;
    const result = await waitThrough(stage, wait);
    expect(result.exitCode, result.log).toBe(EXIT.done);
    expect(result.outputs).toMatchObject({ result: 'succeeded' });
    expect(warnings(result)).toHaveLength(1);
  }),
);

test.each(SAMPLES_AND_CIS)(
  'two outages are told of, and do not add up, while %s on %s is waited for',
  (_id, ci, sample) =>
    stages.use(async (stage, build) => {
      const outages = [
        [15 * MINUTE, 22 * MINUTE],
        [25 * MINUTE, 32 * MINUTE],
      ] as const;
      const result = await waitThrough(stage, { ci, sample, build, outage: { kind: 'status-503' }, outages });
      expect(result.exitCode, result.log).toBe(EXIT.done);
      expect(warnings(result)).toHaveLength(2);
    }),
);

test.each(SAMPLES_AND_CIS)('a service that stays away ends the wait for %s on %s, but not the job', (_id, ci, sample) =>
  stages.use(async (stage, build) => {
    const before = sample.jobs(stage.world).length;
    const startedAt = stage.clock.now();
    const outages = [[20 * MINUTE, 20 * HOUR]] as const;
    const result = await waitThrough(stage, { ci, sample, build, outage: { kind: 'status-503' }, outages });
    expect(result.exitCode, result.log).toBe(EXIT.service);
    expect(result.log).toContain('service-unavailable: ');
    const waited = stage.clock.now() - startedAt;
    expect(waited).toBeGreaterThan(30 * MINUTE);
    expect(waited).toBeLessThan(34 * MINUTE);
    // The scripted outage is over before another test uses this stage.
    stage.clock.advance(20 * HOUR);
    const jobs = sample.jobs(stage.world).slice(before);
    expect(jobs).toMatchObject([{ cancelled: false }]);
    expect(result.log).toContain(jobs[0]?.id);
    expect(result.outputs?.id).toBe(jobs[0]?.id);
  }),
);
