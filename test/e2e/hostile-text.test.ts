import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AGENT_ACCESS_TOKEN, BUILDKITE_JOB, DATABRICKS, GOOGLE } from '../simulators/tenant.ts';
import { createWorld, type World } from '../simulators/world.ts';
import { expectHarmless, outputsOf } from './harmless.ts';
import { hostileLine, hostileText } from './hostile.ts';
import { long, MEGABYTE, runHandingOn } from './hostile-step.ts';
import { JOB_YAML, RUN_NOW, RUN_YAML, SUBMIT_RUN, VERTEX } from './kinds.ts';
import { readable } from './log-text.ts';
import { pluginStep } from './plugin.ts';
import { CIS } from './step.ts';

/** Names that Git takes for a branch. */
const BRANCH = `main';touch\${IFS}pwned;'$(touch\${IFS}pwned)\`touch\${IFS}pwned\`<script>alert(1)</script>|a&&b`;
/** Patterns that look for a word far behind another begin anew with each of these. */
const REPETITIVE = 'does not have limit of maximum '.repeat(32_000);

describe.concurrent.each(CIS)('on %s', (ci) => {
  it('a failed run has an error, a trace and 5 MB of output that want to be more than text', async () => {
    await using world = await createWorld();
    world.databricks.nextLife({
      end: { kind: 'user-code-failure', error: hostileText('the error'), trace: long('the trace', MEGABYTE) },
      logs: long('the output', 5 * MEGABYTE),
    });
    const ended = await runHandingOn(ci, SUBMIT_RUN, world);
    expect(ended.exitCode, ended.output).toBe(1);
    for (const word of ['the error', 'the trace end', 'the output end']) expect(readable(ended.output)).toContain(word);
    expect(ended.output.length).toBeLessThan(100_000);
    expectHarmless(ci, ended, world);
    expect(outputsOf(ci, ended, world)).toMatchObject({ result: 'failed', failure: 'code' });
  });

  it('a run has a name, states and messages that want to be more than text', async () => {
    await using world = await createWorld();
    world.databricks.nextLife({
      phases: [{ state: hostileText('STATE'), span: { gets: 1 } }],
      end: {
        kind: 'terminated',
        type: hostileText('TYPE'),
        code: hostileText('CODE'),
        lifeCycleState: 'TERMINATED',
        resultState: 'FAILED',
        message: long('the message', MEGABYTE),
      },
    });
    const checkout = { 'training/run.yaml': RUN_YAML.replace('nightly', JSON.stringify(hostileText('@{branch}'))) };
    const env = { BITBUCKET_BRANCH: BRANCH, BUILDKITE_BRANCH: BRANCH };
    const ended = await runHandingOn(ci, SUBMIT_RUN, world, { checkout, env });
    expect(ended.exitCode, ended.output).toBe(1);
    expectHarmless(ci, ended, world);
    expect(outputsOf(ci, ended, world)).toMatchObject({
      result: 'failed',
      'run-name': expect.stringContaining(BRANCH),
    });
  });

  it('notebooks hand back results that want to be more than text, and long ones', async () => {
    await using world = await createWorld();
    const tasks = Array.from({ length: 12 }, (_, n) => ({
      task_key: `part-${n}`,
      notebook_task: { notebook_path: '/Shared/part', source: 'WORKSPACE' },
    }));
    const spec = { run_name: 'parts', tasks };
    world.databricks.nextLife({
      phases: [],
      end: { kind: 'success' },
      result: `${hostileText('the result')}${'∞'.repeat(9_000)}`,
    });
    const ended = await runHandingOn(ci, SUBMIT_RUN, world, { settings: { spec } });
    expect(ended.exitCode, ended.output).toBe(0);
    expectHarmless(ci, ended, world);
    expect(outputsOf(ci, ended, world)).toMatchObject({ result: 'succeeded' });
  });

  it('a notebook hands back one result', async () => {
    await using world = await createWorld();
    const result = hostileText('the result');
    world.databricks.nextLife({ phases: [], end: { kind: 'success' }, result });
    const ended = await runHandingOn(ci, RUN_NOW, world);
    expect(ended.exitCode, ended.output).toBe(0);
    expectHarmless(ci, ended, world);
    expect(outputsOf(ci, ended, world)).toMatchObject({ result: 'succeeded', 'notebook-result': result });
  });

  it('a custom job has a name, a state and 5 MB of error that want to be more than text', async () => {
    await using world = await createWorld();
    world.google.nextLife([
      { state: hostileText('JOB_STATE'), forReads: 1 },
      { state: 'JOB_STATE_FAILED', error: { code: 3, message: long('the error', 5 * MEGABYTE) } },
    ]);
    const name = hostileLine('').slice(-120);
    const checkout = { 'training/job.yaml': JOB_YAML.replace('resnet-@{short-commit}', JSON.stringify(name)) };
    const ended = await runHandingOn(ci, VERTEX, world, { checkout });
    expect(ended.exitCode, ended.output).toBe(1);
    expect(readable(ended.output)).toContain('the error');
    expect(ended.output.length).toBeLessThan(100_000);
    expectHarmless(ci, ended, world);
    expect(outputsOf(ci, ended, world)).toMatchObject({ result: 'failed', failure: 'code', 'display-name': name });
  });

  it('a custom job has an error that takes for ever to search in', async () => {
    await using world = await createWorld();
    world.google.nextLife([{ state: 'JOB_STATE_FAILED', error: { code: 3, message: REPETITIVE } }]);
    const startedAt = performance.now();
    const ended = await runHandingOn(ci, VERTEX, world);
    expect(ended.exitCode, ended.output).toBe(1);
    expect(performance.now() - startedAt).toBeLessThan(10_000);
  });

  it.each([
    ['STS', 'sts.googleapis.com', VERTEX, { status: 400, body: { error: 'invalid_grant', error_description: 'TEXT' } }],
    ['STS', 'sts.googleapis.com', VERTEX, { status: 403, body: { error: 'TEXT', error_description: 'TEXT' } }],
    [
      'IAM',
      'iamcredentials.googleapis.com',
      VERTEX,
      { status: 403, body: { error: { message: 'TEXT', status: 'TEXT' } } },
    ],
    ['Vertex AI', `${GOOGLE.region}-aiplatform.googleapis.com`, VERTEX, googleRefusal(403)],
    ['Vertex AI', `${GOOGLE.region}-aiplatform.googleapis.com`, VERTEX, googleRefusal(400)],
    ['Databricks', DATABRICKS.host, SUBMIT_RUN, { status: 400, body: { error: 'TEXT', error_description: 'TEXT' } }],
    ['Databricks', DATABRICKS.host, SUBMIT_RUN, { status: 200, body: { token_type: 'TEXT' } }],
    ['a page in the place of Databricks', DATABRICKS.host, SUBMIT_RUN, { status: 403, body: 'TEXT' }],
  ])('%s refuses with words that want to be more than text (%#)', async (_, host, kind, { status, body }) => {
    const text = JSON.stringify(body).replaceAll('"TEXT"', JSON.stringify(long('the words', 50_000)));
    const answer = async () =>
      new Response(text, { status, headers: { 'content-type': `text/html; x=${encodeURIComponent(BRANCH)}` } });
    await using world = await createWorld({ hosts: { [host]: answer } });
    const ended = await runHandingOn(ci, kind, world);
    expect([3, 4], ended.output).toContain(ended.exitCode);
    expect(ended.output.length).toBeLessThan(50_000);
    expectHarmless(ci, ended, world);
  });

  it('the API refuses a run with words and an id that want to be more than text', async () => {
    const refusal = { error_code: 'TEXT', message: 'TEXT', details: [{ request_id: 'TEXT' }] };
    const text = JSON.stringify(refusal).replaceAll('"TEXT"', JSON.stringify(hostileText('the words')));
    const hosts = {
      [DATABRICKS.host]: async (request: Request) =>
        new URL(request.url).pathname.startsWith('/oidc/')
          ? (world.databricks.hosts(DATABRICKS.host)?.(request) ?? new Response(null, { status: 502 }))
          : new Response(text, { status: 400 }),
    };
    await using world: World = await createWorld({ hosts });
    const ended = await runHandingOn(ci, SUBMIT_RUN, world);
    expect(ended.exitCode, ended.output).toBe(4);
    expectHarmless(ci, ended, world);
  });
});

function googleRefusal(status: number) {
  const metadata = { permission: 'TEXT', service: 'TEXT', resource: 'TEXT' };
  const details = [
    { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'TEXT', domain: 'TEXT', metadata },
    { '@type': 'TEXT', fieldViolations: [{ field: 'TEXT', description: 'TEXT' }] },
  ];
  return { status, body: { error: { code: status, message: 'TEXT', status: 'TEXT', details } } };
}

describe.concurrent('what earlier steps left', () => {
  const OUTPUTS = JSON.stringify({ id: hostileText('the id'), kind: hostileText('the kind') });

  it.each([hostileText('no JSON'), OUTPUTS])('in meta-data is more than an id (%#)', async (value) => {
    await using world = await createWorld();
    const address = `${world.url}/agent-edge.buildkite.com/v3/jobs/${BUILDKITE_JOB.jobId}/data/set`;
    const set = await fetch(address, {
      method: 'POST',
      headers: { authorization: `Token ${AGENT_ACCESS_TOKEN}` },
      body: JSON.stringify({ key: 'keyless-submit:train', value }),
    });
    expect(set.status).toBe(201);
    const ended = await runHandingOn('buildkite', SUBMIT_RUN, world, { settings: { attach: 'step:train' } });
    expect(ended.exitCode, ended.output).toBe(4);
    expectHarmless('buildkite', ended, world);
  });

  it.each([hostileText('no JSON'), OUTPUTS])('in a file is more than an id (%#)', async (value) => {
    await using world = await createWorld();
    const checkout = { 'left.json': value };
    const ended = await runHandingOn('bitbucket', SUBMIT_RUN, world, {
      settings: { attach: 'file:left.json' },
      checkout,
    });
    expect(ended.exitCode, ended.output).toBe(4);
    expectHarmless('bitbucket', ended, world);
  });
});

it('the agent says why it gives no token with words that want to be more than text', async () => {
  await using world = await createWorld();
  using step = await pluginStep({
    simulators: world.url,
    config: SUBMIT_RUN.settings('buildkite'),
    checkout: SUBMIT_RUN.checkout,
    beforeAgent: 'if [ "$1" = oidc ]; then /bin/cat "$HOME/words" >&2; exit 1; fi',
  });
  writeFileSync(join(step.folder, 'home/words'), long('the words', MEGABYTE));
  const ended = { ...(await step.command().ended), files: step.files(), agentCalls: step.agentCalls() };
  expect(ended.exitCode, ended.output).toBe(3);
  expect(ended.output.length).toBeLessThan(50_000);
  expectHarmless('buildkite', { ...ended, files: {} }, world);
});
