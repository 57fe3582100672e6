import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { FederationPolicy } from '../simulators/databricks-federation.ts';
import { BITBUCKET, DATABRICKS } from '../simulators/tenant.ts';
import { databricksTrust, googleTrust, terraformAttributes } from './documented-trust.ts';
import { fences } from './markdown.ts';
import { type Entry, parsePipeline, pipeEntries, pluginEntries } from './pipelines.ts';
import { type Call, callsOf, callsTo } from './recorded-shell.ts';
import { type SimulatedRuns, simulatedRuns } from './simulated-runs.ts';
import { checkout, ROOT } from './steps.ts';

const DEFAULT_AUDIENCE = `ari:cloud:bitbucket::workspace/${BITBUCKET.workspaceUuid.replace(/[{}]/g, '')}`;
const ENVIRONMENT = '{5e8f0b12-6c4d-4a3b-9e21-7f6a5b4c3d2e}';

/** A guide: what its commands call, and the two pipelines under "The pipeline". */
function guide(path: string) {
  const blocks = fences(readFileSync(join(ROOT, path), 'utf8'));
  const pipelines = blocks.filter(({ heading }) => heading === 'The pipeline').map(({ text }) => parsePipeline(text));
  const [bitbucket] = pipelines.flatMap((document) => pipeEntries(document));
  const [buildkite] = pipelines.flatMap((document) => pluginEntries(document));
  const terraform = blocks.find(({ language }) => language === 'hcl')?.text ?? '';
  if (bitbucket === undefined || buildkite === undefined) throw new Error(`${path} shows no pipelines`);
  return {
    blocks,
    bitbucket,
    buildkite,
    terraform,
    calls: callsOf(blocks.filter(({ language }) => language === 'sh')),
  };
}

function inBitbucket(runs: SimulatedRuns, entry: Entry, deploymentEnvironmentUuid?: string) {
  const options = deploymentEnvironmentUuid === undefined ? {} : { deploymentEnvironmentUuid };
  return runs.runPipe(entry, { files: checkout(), ...options });
}

function inBuildkite(runs: SimulatedRuns, entry: Entry) {
  return runs.runPlugin(entry, { files: checkout() });
}

function withOidc(entry: Entry, oidc: Entry['step'][string]): Entry {
  return { ...entry, step: { ...entry.step, oidc } };
}

describe('docs/vertex-ai.md', () => {
  const { blocks, bitbucket, buildkite, terraform, calls } = guide('docs/vertex-ai.md');
  const VARIANTS = ['The audience on Bitbucket', 'Narrower trust', 'Service account or direct access'];
  /** The set-up, and what one of the later sections adds to it. */
  const world = (variant?: string, pick: (call: Call) => boolean = () => true) =>
    simulatedRuns({
      google: googleTrust(
        calls.filter((call) => !VARIANTS.includes(call.heading) || (call.heading === variant && pick(call))),
      ),
    });

  test('its commands let both pipelines in', async () => {
    await using runs = await world();
    const first = await inBitbucket(runs, bitbucket);
    expect(first.exitCode, first.log).toBe(0);
    const second = await inBuildkite(runs, buildkite);
    expect(second.exitCode, second.log).toBe(0);
    expect(runs.world.google.impersonations()).toHaveLength(2);
  });

  test('they let no other repository in', async () => {
    await using runs = await world();
    const token = await runs.world.bitbucketToken({
      audiences: [`https://iam.googleapis.com/${bitbucket.settings.WORKLOAD_IDENTITY_PROVIDER}`],
      repositoryUuid: '{00000000-0000-4000-8000-000000000000}',
    });
    const { exitCode, log } = await runs.runPipe(withOidc(bitbucket, null), {
      files: checkout(),
      env: { BITBUCKET_STEP_OIDC_TOKEN: token },
    });
    expect(exitCode).toBe(3);
    expect(log).toContain('exchange-condition');
  });

  test('the default audience is let in only when it is allowed', async () => {
    const withDefault = withOidc(bitbucket, true);
    await using before = await world();
    expect((await inBitbucket(before, withDefault)).log).toContain('exchange-audience');
    await using after = await world('The audience on Bitbucket');
    const { exitCode, log } = await inBitbucket(after, withDefault);
    expect(exitCode, log).toBe(0);
    expect(googleTrust(calls).providers[0]?.allowedAudiences).toEqual([DEFAULT_AUDIENCE]);
  });

  test('the audience of a provider leaves as much room as it says', () => {
    const room =
      150 -
      'https://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools//providers/'.length;
    expect(readFileSync(join(ROOT, 'docs/vertex-ai.md'), 'utf8')).toContain(`${room} are left`);
  });

  test('its narrower conditions let in what they say, and nothing else', async () => {
    await using runs = await world('Narrower trust');
    expect((await inBitbucket(runs, bitbucket)).log).toContain('exchange-condition');
    const deployment = await inBitbucket(runs, bitbucket, ENVIRONMENT);
    expect(deployment.exitCode, deployment.log).toBe(0);
    const branch = await inBuildkite(runs, buildkite);
    expect(branch.exitCode, branch.log).toBe(0);
  });

  test('direct access needs the roles that it names', async () => {
    const { SERVICE_ACCOUNT: _account, ...settings } = bitbucket.settings;
    await using before = await world();
    expect((await inBitbucket(before, { ...bitbucket, settings })).log).toContain('permission-denied');
    const direct = 'Service account or direct access';
    await using between = await world(direct, ({ words }) => words[1] === 'projects');
    expect((await inBitbucket(between, { ...bitbucket, settings })).log).toContain('act-as-denied');
    await using after = await world(direct);
    const { exitCode, log } = await inBitbucket(after, { ...bitbucket, settings });
    expect(exitCode, log).toBe(0);
  });

  test('the command shown where direct access may not act as the runtime account is for a principal', async () => {
    const { SERVICE_ACCOUNT: _account, ...settings } = bitbucket.settings;
    await using runs = await world('Service account or direct access', ({ words }) => words[1] === 'projects');
    const { log } = await inBitbucket(runs, { ...bitbucket, settings });
    expect(log).toContain('--role=roles/iam.serviceAccountUser --member=');
    expect(log).not.toContain('--member=serviceAccount:');
  });

  test('Terraform sets up the same as the commands', () => {
    for (const provider of googleTrust(calls.filter(({ heading }) => !VARIANTS.includes(heading))).providers) {
      const written = terraformAttributes(terraform, 'google_iam_workload_identity_pool_provider', provider.provider);
      const mapping = Object.entries(written).filter(([key]) => /^(?:google|attribute)\./.test(key));
      expect(Object.fromEntries(mapping)).toEqual(provider.attributeMapping);
      expect(written.attribute_condition).toBe(provider.attributeCondition);
      expect(written.issuer_uri).toBe(provider.issuer);
    }
    const members = callsTo(calls, 'gcloud iam service-accounts add-iam-policy-binding').flatMap(({ flags }) =>
      flags.role === 'roles/iam.workloadIdentityUser' ? [flags.member?.split('/').slice(-2).join('/')] : [],
    );
    const written = ['bitbucket', 'buildkite'].map((ci) =>
      terraformAttributes(terraform, 'google_service_account_iam_member', `${ci}_acts_as_trainer`)
        .member?.split('/')
        .slice(-2)
        .join('/'),
    );
    expect(written).toEqual(members);
  });

  test('a job has the labels that it shows', async () => {
    const shown = JSON.parse(blocks.find(({ language }) => language === 'json')?.text ?? '');
    const file = parsePipeline(readFileSync(join(ROOT, 'examples/vertex-ai/bitbucket-pipelines.yml'), 'utf8'));
    const evaluate = pipeEntries(file).find(({ step }) => step.name === 'Evaluate');
    if (evaluate === undefined) throw new Error('the example has no step Evaluate');
    await using runs = await world();
    expect((await inBitbucket(runs, evaluate)).exitCode).toBe(0);
    const key = expect.stringMatching(/^[0-9a-f]{40}$/);
    expect(shown.keyless_submit_key).toEqual(key);
    expect(runs.world.google.jobs()[0]?.job.labels).toEqual({ ...shown, keyless_submit_key: key });
  });
});

describe('docs/databricks.md', () => {
  const { blocks, bitbucket, buildkite, terraform, calls } = guide('docs/databricks.md');
  /** The workspace, with those of the page's policies that are wanted. */
  const world = (policy: RegExp, change: (policy: FederationPolicy) => FederationPolicy = (same) => same) => {
    const wanted = calls.filter(({ flags: { 'policy-id': id } }) => id === undefined || policy.test(id));
    const { policies, members } = databricksTrust(wanted);
    if (policies.length !== 1) throw new Error(`${policies.length} policies are named like ${policy}`);
    return simulatedRuns({ databricks: { members, policies: policies.map(change) } });
  };

  test.each([/^bitbucket-vision$/, /^bitbucket-vision-production$/])('policy %s lets Bitbucket in', async (policy) => {
    await using runs = await world(policy);
    const { exitCode, log } = await inBitbucket(runs, bitbucket, ENVIRONMENT);
    expect(exitCode, log).toBe(0);
  });

  test('the policy for production lets in no step without its environment', async () => {
    await using runs = await world(/^bitbucket-vision-production$/);
    expect((await inBitbucket(runs, bitbucket)).log).toContain('exchange-policy');
  });

  test('the policies let Buildkite in', async () => {
    await using byClaim = await world(/^buildkite-vision$/);
    const claim = await inBuildkite(byClaim, buildkite);
    expect(claim.exitCode, claim.log).toBe(0);

    const settings = { ...buildkite.settings, 'oidc-subject-claim': 'pipeline_id' };
    await using bySubject = await world(/^buildkite-vision-sub$/);
    expect((await inBuildkite(bySubject, buildkite)).log).toContain('exchange-policy');
    const subject = await inBuildkite(bySubject, { ...buildkite, settings });
    expect(subject.exitCode, subject.log).toBe(0);
  });

  test('a principal that is no member of the workspace is told so', async () => {
    const policies = databricksTrust(calls).policies;
    await using runs = await simulatedRuns({ databricks: { policies, members: [] } });
    expect((await inBitbucket(runs, bitbucket)).log).toContain('permission-denied');
  });

  test('the other audiences work as it says', async () => {
    const { accountId } = DATABRICKS;
    await using none = await world(/^bitbucket-vision$/, (policy) => ({ ...policy, audiences: [] }));
    const account = await inBitbucket(none, withOidc(bitbucket, { audiences: [accountId] }));
    expect(account.exitCode, account.log).toBe(0);

    await using noneThere = await world(/^buildkite-vision$/, (policy) => ({ ...policy, audiences: [] }));
    const settings = { ...buildkite.settings, audience: accountId };
    const plugin = await inBuildkite(noneThere, { ...buildkite, settings });
    expect(plugin.exitCode, plugin.log).toBe(0);

    await using standard = await world(/^bitbucket-vision$/, (policy) => ({
      ...policy,
      audiences: [DEFAULT_AUDIENCE],
    }));
    const byDefault = await inBitbucket(standard, withOidc(bitbucket, true));
    expect(byDefault.exitCode, byDefault.log).toBe(0);
  });

  test('Terraform sets up the same as the commands', () => {
    for (const ci of ['bitbucket', 'buildkite']) {
      const [call] = calls.filter(({ flags }) => flags['policy-id'] === `${ci}-vision`);
      const { policy_id, audiences, ...policy } = terraformAttributes(
        terraform,
        'databricks_service_principal_federation_policy',
        ci,
      );
      expect(policy_id).toBe(call?.flags['policy-id']);
      expect({ oidc_policy: { ...policy, audiences: [audiences] } }).toEqual(JSON.parse(call?.flags.json ?? ''));
    }
  });

  test('a run has the name that it shows', async () => {
    await using runs = await world(/^bitbucket-vision$/);
    expect((await inBitbucket(runs, bitbucket)).exitCode).toBe(0);
    const submission = runs.world.requests.find(({ path }) => path.endsWith('/runs/submit'));
    const { run_name: name } = JSON.parse((await submission?.body()) ?? '');
    const shown = blocks.find(({ language }) => language === 'text')?.text.trim();
    const plain = (text: string | undefined) => text?.replace(/\[ks-[0-9a-f]{16}\]$/, '[key]');
    expect(plain(name)).toBe(plain(shown));
    expect(shown).toMatch(/\[ks-/);
  });
});

describe('docs/prefect.md', () => {
  const { blocks, bitbucket, buildkite } = guide('docs/prefect.md');
  const entriesOf = (heading: string) => {
    const pipelines = blocks.filter((block) => block.heading === heading && block.language === 'yaml');
    const documents = pipelines.map(({ text }) => parsePipeline(text));
    return { pipe: documents.flatMap((each) => pipeEntries(each)), plugin: documents.flatMap(pluginEntries) };
  };

  test('its pipelines run', async () => {
    await using runs = await simulatedRuns();
    for (const result of [await inBitbucket(runs, bitbucket), await inBuildkite(runs, buildkite)])
      expect(result.exitCode, result.log).toBe(0);
  });

  test.each(['Your own server', 'Behind Identity-Aware Proxy', 'Code of this commit'])(
    'what it shows under %s runs',
    async (heading) => {
      await using runs = await simulatedRuns();
      const { pipe, plugin } = entriesOf(heading);
      expect(pipe.length + plugin.length).toBe(1);
      for (const entry of pipe) {
        const { exitCode, log } = await inBitbucket(runs, entry);
        expect(exitCode, log).toBe(0);
      }
      for (const entry of plugin) {
        const { exitCode, log } = await inBuildkite(runs, entry);
        expect(exitCode, log).toBe(0);
      }
    },
  );
});
