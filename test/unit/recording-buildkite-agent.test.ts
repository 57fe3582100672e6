import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { installRecordingAgent } from '../e2e/recording-agent.ts';
import { agentWorld } from './agent-world.ts';

describe('the recording stand-in for buildkite-agent', () => {
  async function call(version: string, args: readonly string[], more: Record<string, string> = {}, input?: string) {
    const world = await agentWorld();
    const folder = mkdtempSync(join(tmpdir(), 'recording-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const agent = installRecordingAgent(folder, version);
    const env = {
      BUILDKITE_AGENT_ENDPOINT: world.url,
      BUILDKITE_AGENT_ACCESS_TOKEN: 'agent-token',
      BUILDKITE_JOB_ID: 'job-1',
      ...more,
    };
    const ended = await new Promise<{ exitCode: unknown; stdout: string; stderr: string }>((resolve) => {
      const child = execFile(join(agent.bin, 'buildkite-agent'), args, { env }, (error, stdout, stderr) =>
        resolve({ exitCode: error?.code ?? 0, stdout, stderr }),
      );
      child.stdin?.end(input);
    });
    return { ...ended, world, calls: agent.calls() };
  }

  it('records a call and answers from the API', async () => {
    const { exitCode, world, calls } = await call('3.137.2', ['annotate', '--style', 'info'], { MORE: 'yes' }, 'hello');
    expect(exitCode).toBe(0);
    expect(world.annotations()).toMatchObject([{ context: 'default', body: 'hello', style: 'info', scope: 'build' }]);
    expect(calls).toMatchObject([{ argv: ['annotate', '--style', 'info'], stdin: 'hello', env: { MORE: 'yes' } }]);
  });

  it('refuses flags that its version does not have', async () => {
    const args = ['oidc', 'request-token', '--skip-redaction', '--subject-claim', 'pipeline_id'];
    expect(await call('3.120.0', args)).toMatchObject({
      exitCode: 1,
      stderr: 'buildkite-agent: fatal: flag provided but not defined: -subject-claim\n',
      calls: [{ argv: args, stdin: null }],
    });
    const { exitCode, stdout, world } = await call('3.121.0', args);
    expect(exitCode).toBe(0);
    expect(await world.claimsOf(stdout.trim())).toMatchObject({ sub: 'pipeline-1' });
  });

  it('gives no token where it cannot be redacted, from the version on that redacts', async () => {
    const args = ['oidc', 'request-token'];
    const jobApi = { BUILDKITE_AGENT_JOB_API_SOCKET: '/job.sock', BUILDKITE_AGENT_JOB_API_TOKEN: 'job-token' };
    expect(await call('3.104.0', args)).toMatchObject({ exitCode: 1, stdout: '' });
    expect((await call('3.104.0', args, jobApi)).stdout).toMatch(/^ey.+\n$/);
    expect((await call('3.103.0', args)).stdout).toMatch(/^ey.+\n$/);
  });

  it('ends meta-data with a line end from version 4 on', async () => {
    const args = ['meta-data', 'get', 'run', '--default', '1'];
    expect((await call('3.137.2', args)).stdout).toBe('1');
    expect((await call('4.0.0', args)).stdout).toBe('1\n');
    expect((await call('4.0.0', ['meta-data', 'exists', 'run'])).exitCode).toBe(100);
  });
});
