import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { FederationPolicy } from '../simulators/vercel-policies.ts';
import { VERCEL } from '../simulators/vercel-tenant.ts';
import { fences } from './markdown.ts';
import { type Entry, parsePipeline, pipeEntries, pluginEntries } from './pipelines.ts';
import { type SimulatedRuns, simulatedRuns } from './simulated-runs.ts';
import { checkout, ROOT } from './steps.ts';

const ENVIRONMENT = '{5e8f0b12-6c4d-4a3b-9e21-7f6a5b4c3d2e}';
const blocks = fences(readFileSync(join(ROOT, 'docs/vercel.md'), 'utf8'));

/** The policies that the page shows, by their names. */
const policies: readonly FederationPolicy[] = blocks
  .filter(({ language }) => language === 'json')
  .map(({ text }, index) => {
    const { clientId, issuerUrl, name, claims, permissions, resources, ...others } = JSON.parse(text);
    expect(others).toEqual({});
    const policyId = `pol_shown-${index}`;
    return { policyId, teamId: VERCEL.teamId, clientId, issuerUrl, name, claims, permissions, ...resources };
  });

function entriesUnder(heading: string): { readonly pipe: readonly Entry[]; readonly plugin: readonly Entry[] } {
  const documents = blocks
    .filter((block) => block.heading === heading && block.language === 'yaml')
    .map(({ text }) => parsePipeline(text));
  return { pipe: documents.flatMap((each) => pipeEntries(each)), plugin: documents.flatMap(pluginEntries) };
}

function withPolicies(pattern: RegExp): Promise<SimulatedRuns> {
  return simulatedRuns({ vercel: { policies: policies.filter(({ name = '' }) => pattern.test(name)) } });
}

const [pipe] = entriesUnder('The pipeline').pipe;
const [plugin] = entriesUnder('The pipeline').plugin;
if (pipe === undefined || plugin === undefined) throw new Error('docs/vercel.md shows no pipelines');

test.each([
  ['edge production from Bitbucket', { deploymentEnvironmentUuid: ENVIRONMENT }],
  ['edge previews from Bitbucket', {}],
] as const)('the policy %s lets Bitbucket in', async (name, token) => {
  await using runs = await withPolicies(new RegExp(name));
  const { exitCode, log } = await runs.runPipe(pipe, { files: checkout(), ...token });
  expect(exitCode, log).toBe(0);
});

test.each(['edge production from Buildkite', 'edge previews from Buildkite'])(
  'the policy %s lets Buildkite in',
  async (name) => {
    await using runs = await withPolicies(new RegExp(name));
    const { exitCode, log } = await runs.runPlugin(plugin, { files: checkout() });
    expect(exitCode, log).toBe(0);
  },
);

test('production is closed to steps that are not for it', async () => {
  await using runs = await withPolicies(/production/);
  expect((await runs.runPipe(pipe, { files: checkout() })).log).toContain('exchange-policy: No OIDC policy');
});

test('where both fit, the page tells to choose', async () => {
  await using runs = await withPolicies(/Buildkite/);
  expect((await runs.runPlugin(plugin, { files: checkout() })).log).toContain('Set policy-id');
  const settings = {
    ...plugin.settings,
    'policy-id': policies.find(({ name }) => name === 'edge previews from Buildkite')?.policyId ?? '',
  };
  const { exitCode, log } = await runs.runPlugin({ ...plugin, settings }, { files: checkout() });
  expect(exitCode, log).toBe(0);
});

test.each(['A token in a secret broker', 'A stored token', 'Deploy, test, promote', 'Protected deployments'])(
  'what it shows under %s runs',
  async (heading) => {
    await using runs = await simulatedRuns();
    const { pipe: steps, plugin: others } = entriesUnder(heading);
    expect(steps.length + others.length).toBeGreaterThan(0);
    if (heading === 'Protected deployments') runs.world.vercel.protect(VERCEL.projectId);
    const env = { VERCEL_TOKEN: VERCEL.tokens.project };
    const files = checkout();
    for (const entry of steps) {
      const { exitCode, log } = await runs.runPipe(entry, { files, env });
      expect(exitCode, log).toBe(0);
    }
    for (const entry of others) {
      const { exitCode, log } = await runs.runPlugin(entry, { files });
      expect(exitCode, log).toBe(0);
    }
  },
);

test('a rollback goes where it says', async () => {
  await using runs = await simulatedRuns();
  const [entry] = entriesUnder('Rolling back').pipe;
  if (entry === undefined) throw new Error('docs/vercel.md shows no rollback');
  const id = String(entry.settings.DEPLOYMENT);
  runs.world.vercel.deployed(VERCEL.projectId, { id });
  runs.world.vercel.deployed(VERCEL.projectId);
  const { exitCode, log } = await runs.runPipe(entry, { files: checkout() });
  expect(exitCode, log).toBe(0);
  expect(runs.world.vercel.productionOf(VERCEL.projectId)).toBe(id);
});

test('an author can be named', async () => {
  await using runs = await simulatedRuns();
  const [entry] = entriesUnder('The commit author has no seat').plugin;
  if (entry === undefined) throw new Error('docs/vercel.md shows no author');
  const { exitCode, log } = await runs.runPlugin(entry, { files: checkout() });
  expect(exitCode, log).toBe(0);
  const { gitMetadata } = JSON.parse(runs.world.vercel.deployments()[0]?.json ?? '');
  expect(gitMetadata).toMatchObject({ commitAuthorName: 'Release', commitAuthorEmail: 'release@acme.example' });
});
