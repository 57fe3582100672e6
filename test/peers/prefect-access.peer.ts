import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CIS, type StepSettings } from '../e2e/step.ts';
import { COMMIT } from '../simulators/tenant.ts';
import { createWorld, type World } from '../simulators/world.ts';
import { BOUND, FIELD, jwksOf, MOUNTS } from './openbao-refusals.ts';
import { type OpenBaoServer, startOpenBao } from './openbao-server.ts';
import { createDeployment, readDeployment } from './prefect-deployments.ts';
import { type PrefectServer, startPrefect } from './prefect-server.ts';
import { type PrefectSteps, prefectSteps, type RunReader, runIdIn, runsOf } from './prefect-step.ts';

const AUTH_STRING = 'ci:pass:word-of-the-server';
const BASIC = Buffer.from(AUTH_STRING).toString('base64');
const ROLE = 'prefect-ci';
let prefect: PrefectServer;
let bao: OpenBaoServer;
let world: World;
let deployment: string;
let steps: PrefectSteps;
let runs: RunReader;

beforeAll(async () => {
  for (const name of ['prefect', 'openbao'])
    await promisify(execFile)('sh', [join(import.meta.dirname, `install-${name}.sh`)]);
  [prefect, bao, world] = await Promise.all([
    startPrefect({ authString: AUTH_STRING, csrf: true }),
    startOpenBao(),
    createWorld(),
  ]);
  deployment = await createDeployment(prefect, { flow: 'train', name: 'nightly', work_pool_name: 'gpu' });
  await bao.writePolicy(ROLE, 'path "secret/data/ci/prefect" { capabilities = ["read"] }');
  await bao.writeSecret('secret', 2, 'ci/prefect', { [FIELD]: AUTH_STRING });
  for (const ci of CIS) {
    await bao.enableJwtAuth(MOUNTS[ci], { jwks_url: jwksOf(ci, world), bound_issuer: world.issuers[ci].issuer });
    await bao.writeRole(MOUNTS[ci], ROLE, { ...BOUND[ci], bound_audiences: [bao.url], token_policies: [ROLE] });
  }
  steps = prefectSteps(prefect, world, bao.url);
  runs = runsOf(prefect);
}, 300_000);

afterAll(() => Promise.all([prefect?.[Symbol.asyncDispose](), bao?.[Symbol.asyncDispose](), world?.close()]), 60_000);

describe.each(CIS)('a real Prefect with a password and CSRF protection, from %s', (ci) => {
  const nightly = (settings: StepSettings): StepSettings => ({ deployment: 'train/nightly', ...settings });
  const brokered = (role: string): StepSettings => ({
    'secret-from': { 'auth-string': `vault:secret/ci/prefect#${FIELD}` },
    'vault-address': bao.url,
    'vault-role': role,
    'vault-auth-mount': MOUNTS[ci],
  });

  it('lets in a stored password, which is warned of', async () => {
    const { exitCode, log } = await steps.run(ci, nightly({ 'auth-string': AUTH_STRING, wait: false }));
    expect(exitCode, log).toBe(0);
    expect(log).toMatch(/auth.string is a stored key: whoever can read the CI's variables can use it/i);
    expect(log).not.toContain('pass:word');
    expect(log).not.toContain(BASIC);
    expect((await runs.read(runIdIn(log))).state.type).toBe('SCHEDULED');
  });

  it('lets in the password that a real OpenBao keeps, and takes the cancellation too', async () => {
    using step = await steps.start(ci, nightly(brokered(ROLE)));
    await expect.poll(step.running.output, { timeout: 60_000 }).toContain('the pool has no worker');
    step.running.signal('SIGTERM');
    const { exitCode, output } = await step.finish();
    expect(exitCode, output).toBe(143);
    expect(output).toContain('read auth-string, version 1');
    expect(output).not.toContain('stored key');
    expect(output).not.toContain('pass:word');
    expect(output).not.toContain(BASIC);
    expect((await runs.read(runIdIn(output))).state.type).toBe('CANCELLED');
  });

  it.each([
    ['another password', { 'auth-string': 'ci:another' }, 'does not accept the credential'],
    ['no password', {}, 'does not accept the credential'],
  ])('refuses %s', async (_, settings: StepSettings, said) => {
    const before = (await runs.ofDeployment(deployment)).length;
    const { exitCode, log } = await steps.run(ci, nightly(settings));
    expect(exitCode, log).toBe(3);
    expect(log).toContain(`credential-rejected: ${new URL(prefect.url).host} ${said}`);
    expect(await runs.ofDeployment(deployment)).toHaveLength(before);
  });

  it('is not asked when the broker refuses', async () => {
    const { exitCode, log } = await steps.run(ci, nightly(brokered('nobody')));
    expect(exitCode, log).toBe(3);
    expect(log).toContain('exchange-policy: Vault has no role nobody');
  });

  it('changes a deployment', async () => {
    const settings = { job: 'prefect-deployment-update', 'job-variables': { env: { GIT_SHA: '@{commit}' } } };
    const { exitCode, log } = await steps.run(ci, nightly({ ...settings, version: ci, ...brokered(ROLE) }));
    expect(exitCode, log).toBe(0);
    const changed = { version: ci, job_variables: { env: { GIT_SHA: COMMIT } } };
    expect(await readDeployment(prefect, deployment)).toMatchObject(changed);
  });
});
