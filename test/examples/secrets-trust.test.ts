import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { WorldOptions } from '../simulators/world.ts';
import { awsOf, azureOf, googleSecrets, vaultOf } from './documented-brokers.ts';
import { fences } from './markdown.ts';
import { type Entry, parsePipeline, pipeEntries, pluginEntries } from './pipelines.ts';
import { callsOf, callsTo } from './recorded-shell.ts';
import { simulatedRuns } from './simulated-runs.ts';
import { checkout, ROOT } from './steps.ts';

const blocks = fences(readFileSync(join(ROOT, 'docs/secrets.md'), 'utf8'));
const calls = callsOf(blocks.filter(({ language }) => language === 'sh'));

const BROKERS: Readonly<Record<string, Omit<WorldOptions, 'now'>>> = {
  'Google Secret Manager': { google: { secrets: googleSecrets(calls) } },
  'Vault and OpenBao': { brokers: { vault: vaultOf(calls) } },
  'AWS Secrets Manager': { brokers: { aws: awsOf(calls) } },
  'Azure Key Vault': { brokers: { azure: azureOf(calls) } },
};

/** The pipelines under one heading. */
function pipelines(heading: string): { readonly pipes: readonly Entry[]; readonly plugins: readonly Entry[] } {
  const documents = blocks.filter((block) => block.heading === heading && block.language === 'yaml');
  const parsed = documents.map(({ text }) => parsePipeline(text));
  return { pipes: parsed.flatMap((document) => pipeEntries(document)), plugins: parsed.flatMap(pluginEntries) };
}

test.each(Object.entries(BROKERS))(
  'docs/secrets.md: the commands for %s let its pipelines in',
  async (heading, options) => {
    const { pipes, plugins } = pipelines(heading);
    expect([pipes.length, plugins.length]).toEqual(heading === 'Azure Key Vault' ? [0, 1] : [1, 1]);
    await using runs = await simulatedRuns(options);
    for (const entry of pipes) {
      const { exitCode, log } = await runs.runPipe(entry, { files: checkout() });
      expect(exitCode, log).toBe(0);
      expect(log).toMatch(/read api-key, version \S+, from /);
    }
    for (const entry of plugins) {
      const { exitCode, log } = await runs.runPlugin(entry, { files: checkout() });
      expect(exitCode, log).toBe(0);
      expect(log).toMatch(/read api-key, version \S+, from /);
    }
  },
);

test.each(Object.entries(BROKERS).filter(([heading]) => heading !== 'Azure Key Vault'))(
  'docs/secrets.md: the commands for %s let no other repository in',
  async (heading, options) => {
    await using runs = await simulatedRuns(options);
    const [entry] = pipelines(heading).pipes;
    if (entry === undefined) throw new Error('there is no pipeline');
    const token = await runs.world.bitbucketToken({
      audiences: (entry.step.oidc as { audiences: readonly string[] }).audiences,
      repositoryUuid: '{00000000-0000-4000-8000-000000000000}',
    });
    const { exitCode, log } = await runs.runPipe(
      { ...entry, step: {} },
      { files: checkout(), env: { BITBUCKET_STEP_OIDC_TOKEN: token } },
    );
    expect(exitCode).toBe(3);
    expect(log).toMatch(/exchange-(?:condition|policy)/);
  },
);

test('docs/secrets.md: every command was understood', () => {
  const understood = [
    ...[
      'secrets create',
      'secrets versions add',
      'secrets add-iam-policy-binding',
      'projects describe',
      'services enable',
    ].map((words) => `gcloud ${words}`),
    ...['auth enable', 'write', 'policy write', 'kv put'].map((words) => `vault ${words}`),
    ...[
      'iam create-open-id-connect-provider',
      'iam create-role',
      'iam put-role-policy',
      'secretsmanager create-secret',
    ].map((words) => `aws ${words}`),
    ...[
      'ad app create',
      'ad sp create',
      'ad app federated-credential create',
      'keyvault show',
      'keyvault secret set',
      'role assignment create',
    ].map((words) => `az ${words}`),
  ];
  expect(understood.filter((start) => callsTo(calls, start).length === 0)).toEqual([]);
  expect(understood.flatMap((start) => callsTo(calls, start))).toHaveLength(calls.length);
});
