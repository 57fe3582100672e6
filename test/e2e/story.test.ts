import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { BITBUCKET, BUILDKITE_JOB, COMMIT, GOOGLE } from '../simulators/tenant.ts';
import { createWorld, type World } from '../simulators/world.ts';
import { temporaryFolder } from './folders.ts';
import { KINDS_IN_USE, type KindInUse, VERTEX } from './kinds.ts';
import { foreignControls, groupLines, missingInOrder } from './log-text.ts';
import { pluginStep, runPlugin } from './plugin.ts';
import { type Ended, until } from './process.ts';
import { runStep, stepIn } from './step.ts';

const OUTCOMES = ['succeeds', 'fails'] as const;
const CASES = KINDS_IN_USE.flatMap((kind) =>
  OUTCOMES.filter((outcome) => kind.story[outcome] !== undefined).map((outcome) => ({ kind, id: kind.id, outcome })),
);
const META_DATA = `keyless-submit:${BUILDKITE_JOB.stepKey}`;

/** Every redaction waits until the test lets it go. */
const HELD_REDACTOR = `if [ "$1" = redactor ]; then
  count=1
  while [ -e "$HOME/held-$count" ]; do count=$((count + 1)); done
  : > "$HOME/held-$count"
  while [ ! -e "$HOME/go-$count" ]; do /bin/sleep 0.02; done
fi`;
/** In which a request that did not wait would have been made. */
const LONG_ENOUGH_MS = 300;

/** Every token of the world but the agent's own. */
function tokensOf(world: World): readonly string[] {
  return [
    ...world.agentApi.oidcRequests().map(({ token }) => token),
    ...world.google.issuedTokens(),
    ...world.databricks.issued().map(({ accessToken }) => accessToken),
    ...world.vercel.issuedTokens(),
  ];
}

function expectStory(
  { output, exitCode }: Ended,
  world: World,
  { kind, outcome, claims }: { kind: KindInUse; outcome: (typeof OUTCOMES)[number]; claims: readonly string[] },
): void {
  const { identity, exchange, states, ...ends } = kind.story;
  const { state = '', words = [] } = ends[outcome] ?? {};
  const { id, url = '' } = kind.jobIn(world);
  expect(exitCode, output).toBe(outcome === 'succeeds' ? 0 : 1);
  expect(kind.submitted(world)).toBe(1);
  const submitted = [...claims, exchange, `Submitted ${id}`];
  expect(output).toContain(identity);
  expect(missingInOrder(output, [...submitted, url]), output).toEqual([]);
  const result = outcome === 'succeeds' ? 'The job succeeded after' : `The job failed (${state}) after`;
  expect(missingInOrder(output, [...submitted, ...states, state, 'Result', result, url]), output).toEqual([]);
  for (const word of words) expect(output).toContain(word);
  expect(foreignControls(output)).toEqual([]);
}

function expectOutputs(text: string | undefined, world: World, kind: KindInUse, outcome: (typeof OUTCOMES)[number]) {
  const outputs: unknown = JSON.parse(text ?? '');
  expect(outputs).toMatchObject({
    ...kind.jobIn(world),
    kind: kind.id,
    commit: COMMIT,
    attempt: '1',
    result: outcome === 'succeeds' ? 'succeeded' : 'failed',
    'submission-key': expect.stringMatching(/^[0-9a-f]{64}$/),
    ...(kind.story[outcome]?.timed === true ? { 'duration-seconds': expect.stringMatching(/^\d+$/) } : {}),
    ...(outcome === 'fails' ? { failure: 'code' } : {}),
  });
}

describe.concurrent('a step on Bitbucket', () => {
  it.each(CASES)('$id $outcome', async ({ kind, outcome }) => {
    await using world = await createWorld();
    kind.setUp?.(world);
    if (outcome === 'fails') kind.fail?.(world);
    const settings = {
      ...kind.settings('bitbucket'),
      'output-variables': ['KEYLESS_ID', 'KEYLESS_URL', 'KEYLESS_RESLUT'],
    };
    const ended = await runStep('bitbucket', { ...(await stepIn(world)), settings, checkout: kind.checkout });

    const claims = [world.issuers.bitbucket.issuer, BITBUCKET.workspaceUuid, BITBUCKET.repositoryUuid];
    expectStory(ended, world, { kind, outcome, claims });
    expect(ended.output).toContain(
      'no variable KEYLESS_RESLUT: this run has no such output; did you mean KEYLESS_RESULT?',
    );
    expectOutputs(ended.files['checkout/.keyless-submit/outputs.json'], world, kind, outcome);

    const { id, url } = kind.jobIn(world);
    using folder = temporaryFolder('files', ended.files);
    const sourced = execFileSync('sh', ['-c', '. ./outputs.env; printf "%s %s" "$KEYLESS_ID" "$KEYLESS_RESULT"'], {
      cwd: join(folder.path, 'checkout/.keyless-submit'),
      encoding: 'utf8',
    });
    expect(sourced).toBe(`${id} ${outcome === 'succeeds' ? 'succeeded' : 'failed'}`);

    // The last line of a name is the one that counts.
    const lines = (ended.files['agent/variables.env'] ?? '').trimEnd().split('\n');
    const variables = Object.fromEntries(lines.map((line) => [line.split('=')[0], line.slice(line.indexOf('=') + 1)]));
    expect(variables).toEqual({ KEYLESS_ID: id, ...(url === undefined ? {} : { KEYLESS_URL: url }) });

    const [report, ...others] = world.reports.reports();
    expect(others).toEqual([]);
    expect(world.reports.refusals()).toEqual([]);
    const results = report?.puts.map(({ result }) => result) ?? [];
    expect(results.slice(0, -1).every((result) => result === 'PENDING')).toBe(true);
    // What is over soon may be told once.
    if (kind.story.states.length > 0) expect(results.length).toBeGreaterThan(1);
    expect(report?.current).toMatchObject({
      result: outcome === 'succeeds' ? 'PASSED' : 'FAILED',
      ...(url === undefined ? {} : { link: url }),
      report_type: 'TEST',
    });
  });
});

describe.concurrent('a step on Buildkite', () => {
  it.each(CASES)('$id $outcome', async ({ kind, outcome }) => {
    await using world = await createWorld();
    kind.setUp?.(world);
    if (outcome === 'fails') kind.fail?.(world);
    const ended = await runPlugin({
      simulators: world.url,
      config: { ...kind.settings('buildkite'), 'outputs-file': 'build/outputs.json' },
      checkout: kind.checkout,
    });

    const subject = `organization:acme:pipeline:vision:ref:refs/heads/main:commit:${COMMIT}`;
    const claims = [world.issuers.buildkite.issuer, subject, BUILDKITE_JOB.ids.pipeline_id];
    expectStory(ended, world, { kind, outcome, claims });
    expectOutputs(world.agentApi.metaData().get(META_DATA), world, kind, outcome);
    expectOutputs(ended.files['checkout/build/outputs.json'], world, kind, outcome);
    expect(world.agentApi.metaData().get(`${META_DATA}:id`)).toBe(kind.jobIn(world).id);
    expect(groupLines(ended.output).map((line) => line.split(':').at(2)?.trim())).toEqual(
      expect.arrayContaining(['Wait for the job', 'Result']),
    );

    const [annotation, ...others] = world.agentApi.annotations();
    expect(others).toEqual([]);
    expect(annotation).toMatchObject({ scope: 'build', style: outcome === 'succeeds' ? 'success' : 'error' });
    expect(annotation?.body).toContain(outcome === 'succeeds' ? 'The job succeeded' : 'The job failed');
    const annotated = ended.agentCalls.filter(({ argv }) => argv[0] === 'annotate');
    if (kind.story.states.length > 0) {
      expect(annotation?.bodies.length).toBeGreaterThan(1);
      expect(annotated[0]?.argv).toEqual(expect.arrayContaining(['--style', 'info']));
    }

    const redactions = ended.agentCalls.filter(({ argv }) => argv.slice(0, 2).join(' ') === 'redactor add');
    const concealed = redactions.flatMap(({ stdin }) => Object.values(JSON.parse(stdin ?? '') as object));
    expect(concealed.toSorted()).toEqual([...tokensOf(world), ...(kind.story.held ?? [])].toSorted());

    expect(ended.preExit).toMatchObject({ exitCode: 0, output: '' });
  });

  it('hands every token to the redactor before it is used', async () => {
    await using world = await createWorld();
    using step = await pluginStep({
      simulators: world.url,
      config: VERTEX.settings('buildkite'),
      checkout: VERTEX.checkout,
      beforeAgent: HELD_REDACTOR,
    });
    const asked = (host: string) => world.requests.some((request) => request.host.startsWith(host));
    const held = (count: number) => until(() => existsSync(join(step.folder, `home/held-${count}`)));
    const letGo = (count: number) => writeFileSync(join(step.folder, `home/go-${count}`), '');
    const running = step.command();

    for (const [index, next] of ['sts', 'iamcredentials', `${GOOGLE.region}-aiplatform`].entries()) {
      await held(index + 1);
      await sleep(LONG_ENOUGH_MS);
      expect(asked(next)).toBe(false);
      letGo(index + 1);
    }
    expect((await running.ended).exitCode).toBe(0);
  });
});
