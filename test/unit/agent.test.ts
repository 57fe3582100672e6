import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, expect, it } from 'vitest';
import { buildkiteAgent } from '../../buildkite-plugin/agent.ts';
import type { Env } from '../../buildkite-plugin/buildkite-settings.ts';

const folder = mkdtempSync(join(tmpdir(), 'agent-'));
afterAll(() => rmSync(folder, { recursive: true }));
const AGENT = join(folder, 'buildkite-agent');

/** The agent's command line with this shell script in the place of `buildkite-agent`. */
function agentOf(script: string, env: Env = {}) {
  writeFileSync(AGENT, `#!/bin/sh\n${script}\n`);
  chmodSync(AGENT, 0o700);
  return buildkiteAgent({ PATH: `${folder}:${process.env.PATH}`, ...env });
}

const PATIENT = { timeoutMs: 20_000 };

it('gives the command its arguments and its input, and gives back what it says', async () => {
  const agent = agentOf('echo "$# $1 $2"; cat; echo why >&2; exit 3');
  expect(await agent(['annotate', 'two words'], { ...PATIENT, input: 'hello\n' })).toEqual({
    exitCode: 3,
    stdout: '2 annotate two words\nhello',
    stderr: 'why',
  });
});

it('gives it nothing to read where there is no input', async () => {
  expect(await agentOf('cat; echo end')([], PATIENT)).toEqual({ exitCode: 0, stdout: 'end', stderr: '' });
});

it('gives it of the environment what it needs to reach its API, and no secret of the step', async () => {
  const needed = {
    HOME: '/home/ci',
    USER: 'ci',
    TMPDIR: '/var/tmp',
    LANG: 'C',
    LC_ALL: 'C',
    TZ: 'UTC',
    SSL_CERT_FILE: '/ca.pem',
    HTTPS_PROXY: 'http://proxy.example',
    http_proxy: 'http://proxy.example',
    no_proxy: 'localhost',
    BUILDKITE_AGENT_ACCESS_TOKEN: 'agent-token',
    BUILDKITE_JOB_ID: 'job-1',
  };
  const others = {
    PREFECT_API_KEY: 'pnu_secret',
    AWS_SECRET_ACCESS_KEY: 'secret',
    MY_PATH: 'x',
    HOMEPAGE: 'x',
    MY_BUILDKITE_TOKEN: 'x',
    BUILDKITE_PLUGINS: '[{"keyless-submit": {"api-key": "pnu_secret"}}]',
    BUILDKITE_PLUGIN_CONFIGURATION: '{"api-key": "pnu_secret"}',
    NODE_OPTIONS: '--inspect',
  };
  const agent = agentOf('env', { ...needed, ...others });
  const { stdout } = await agent([], { ...PATIENT, env: { MORE: 'more' } });
  const seen = Object.fromEntries(stdout.split('\n').map((line) => line.split(/=(.*)/s)));
  expect(seen).toMatchObject({ ...needed, MORE: 'more' });
  // A shell sets a few of its own.
  const names = Object.keys(seen).filter((name) => !['PWD', 'OLDPWD', 'SHLVL', '_'].includes(name));
  expect(names.toSorted()).toEqual([...Object.keys(needed), 'MORE', 'PATH'].toSorted());
});

it('gives up a command that does not end in time', async () => {
  expect(await agentOf('echo some; exec sleep 20')([], { timeoutMs: 150 })).toMatchObject({
    exitCode: 124,
    stderr: 'no answer within 0.15 s',
  });
});

it('ends a command with its signal', async () => {
  const controller = new AbortController();
  const asked = agentOf('exec sleep 20')([], { ...PATIENT, signal: controller.signal });
  await pause(50);
  controller.abort();
  expect(await asked).toMatchObject({ exitCode: 127 });
});

it('lives in a process group of its own, which the signal for the step does not reach', async () => {
  const { stdout } = await agentOf('echo $$; ps -o pgid= -p $$')([], PATIENT);
  const [pid, group] = stdout.split('\n').map(Number);
  expect(group).toBe(pid);
});

it('does not fail where there is no such command', async () => {
  const agent = buildkiteAgent({ PATH: join(folder, 'nowhere') });
  expect(await agent(['annotate'], PATIENT)).toMatchObject({ exitCode: 127, stdout: '' });
});
