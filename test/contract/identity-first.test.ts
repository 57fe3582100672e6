import { expect, test } from 'vitest';
import { EXIT } from '../../shared/errors.ts';
import { breakRequests } from './breakable.ts';
import { runStep, type StepResult, sentTo } from './harness.ts';
import { CIS, KIND_SAMPLES, type Target } from './kind-samples.ts';
import { stagePool } from './stage-pool.ts';

const stages = stagePool();
const SAMPLES = KIND_SAMPLES.map((sample) => [sample.id, sample] as const);
const SAMPLES_AND_CIS = KIND_SAMPLES.flatMap((sample) => CIS.map((ci) => [sample.id, ci, sample] as const));

/** Requests to others than the CI itself. */
function outside({ requests }: StepResult) {
  return requests.filter(({ host }) => !/(?:^|\.)(?:buildkite\.com|bitbucket\.org)$/.test(host));
}

function expectNothingBut(result: StepResult, targets: readonly (Target | undefined)[]): void {
  const allowed = targets.flatMap((target) => sentTo(result.requests, target));
  expect(
    outside(result)
      .filter((request) => !allowed.includes(request))
      .map(({ method, host, path }) => `${method} ${host}${path}`),
  ).toEqual([]);
}

test.each(SAMPLES)('a stranger who copies the step gets no further than the exchange: %s', (id, sample) =>
  stages.use(async (stage, build) => {
    const before = sample.jobs(stage.world).length;
    const token = await stage.world.bitbucketToken({
      audiences: [sample.audience('bitbucket')],
      repositoryUuid: '{0e0e0e0e-1111-4222-8333-444444444444}',
    });
    const result = await runStep(stage, {
      kind: id,
      ci: 'bitbucket',
      build,
      env: { BITBUCKET_STEP_OIDC_TOKEN: token },
    });
    expect(result.exitCode, result.log).toBe(EXIT.identity);
    expectNothingBut(result, [sample.targets.exchange]);
    expect(sentTo(result.requests, sample.targets.exchange)).toHaveLength(1);
    expect(sample.jobs(stage.world)).toHaveLength(before);
    // Which link refused, what it was shown, and what it wanted.
    expect(result.log).toMatch(/✖ exchange-[a-z]+: \S/);
    expect(result.log).toMatch(/Presented:\n(?: {4}.*\n)* {4}issuer https:\/\/api\.bitbucket\.org\//);
    expect(result.log).toContain('repositoryUuid {0e0e0e0e-1111-4222-8333-444444444444}');
    expect(result.log).toMatch(/Expected:\n {4}\S/);
    expect(result.log).toMatch(/What to do:\n {4}\S/);
  }),
);

/** The links of the chain, in the order in which they are asked. */
const LINKS = ['exchange', 'impersonation', 'secret'] as const;

test.each(
  SAMPLES_AND_CIS.flatMap(([id, ci, sample]) =>
    LINKS.filter((link) => sample.targets[link] !== undefined).map((link) => [link, id, ci, sample] as const),
  ),
)('when the %s of %s on %s cannot be had, nothing later is asked', (link, id, ci, sample) =>
  stages.use(async (stage, build) => {
    const before = sample.jobs(stage.world).length;
    const target = sample.targets[link];
    if (target === undefined) throw new Error(`${id} has no ${link}`);
    const recover = breakRequests(stage.world, target, { kind: 'status-503', times: 99 });
    const result = await runStep(stage, { kind: id, ci, build });
    recover();
    expect(result.exitCode, result.log).toBe(EXIT.service);
    expect(result.log).toMatch(/✖ service-unavailable: \S/);
    expectNothingBut(
      result,
      LINKS.slice(0, LINKS.indexOf(link) + 1).map((each) => sample.targets[each]),
    );
    expect(sample.jobs(stage.world)).toHaveLength(before);
  }),
);

/** The setting that names the audience, by kind. Without it the CI's default audience would do. */
const AUDIENCES = [
  ['vertex-custom-job', 'audience'],
  ['databricks-submit-run', 'audience'],
  ['vercel-deployment', 'audience'],
  ['prefect-flow-run', 'secret-audience'],
] as const;

test.each(AUDIENCES)("%s: where %s is set, a token with the CI's default audience is not sent", (kind, setting) =>
  stages.use(async (stage, build) => {
    const env = { BITBUCKET_STEP_OIDC_TOKEN: await stage.world.bitbucketToken() };
    const settings = { [setting]: 'https://trust.acme.example/ci' };
    const result = await runStep(stage, { kind, ci: 'bitbucket', build, env, settings });
    expect(result.exitCode, result.log).toBe(EXIT.identity);
    expect(result.log).toContain('token-audience: ');
    expect(outside(result)).toEqual([]);
  }),
);
