import * as z from 'zod/mini';
import type { CiContext } from '../../host/ci-context.ts';
import { originOf } from '../../host/origin.ts';
import { defined, isObject, type Json, type JsonObject, listAt, numberAt, objectAt, textAt } from '../../json.ts';
import { type Binding, defineKind } from '../../kind.ts';
import { originSettings, specSettings } from '../../settings/run-settings.ts';
import { choice, type Faults, objects, type SettingValues, text } from '../../settings/settings.ts';
import { databricksRun } from './run.ts';
import { runOutputs } from './run-conclusion.ts';
import { databricksSettings, databricksTrust } from './trust-settings.ts';

const permission = () =>
  z
    .strictObject({
      user_name: z.optional(z.string()),
      group_name: z.optional(z.string()),
      service_principal_name: z.optional(z.string()),
      permission_level: z.enum(['CAN_VIEW', 'CAN_MANAGE_RUN', 'CAN_MANAGE', 'IS_OWNER']),
    })
    .check(z.refine((entry) => Object.keys(entry).length === 2, 'one principal each'));

const settings = {
  ...databricksSettings,
  ...specSettings('The run: the body of `runs/submit`, as for `databricks jobs submit --json`.', 'training/run.yaml'),
  'run-name': text({
    description:
      "The run's name; by default the spec's. Repository, commit and build number are added to it unless `provenance-labels` is false.",
    expected: 'a name',
    example: 'nightly @{short-commit}',
  }),
  'git-source': choice(['ci'], {
    description:
      "Run the code of this build's commit: sets `git_source` to the repository and commit of the CI. Databricks clones with the Git credential of the service principal.",
    expected: 'ci',
    example: 'ci',
  }),
  'access-control-list': objects(permission, {
    description:
      'Who else may see or manage the run. Without it only the service principal and admins can open its page.',
    expected:
      'a list such as [{"group_name": "ml-team", "permission_level": "CAN_VIEW"}], each with one of user_name, group_name, service_principal_name and a permission_level of CAN_VIEW, CAN_MANAGE_RUN, CAN_MANAGE, IS_OWNER',
    example: [{ group_name: 'ml-team', permission_level: 'CAN_VIEW' }],
  }),
  ...originSettings("the tags of the tasks' new clusters", ", and repository, commit and build in the run's name", {
    // What the tags of all clouds may hold.
    names: /^[\w.:/=+@-]{1,127}$/,
    values: /^[\w .:/=+@-]{0,255}$/,
    expected:
      'tags such as {"team": "vision"}: letters, digits, spaces and _.:/=+@-, at most 127 in names and 255 in values',
  }),
};

/** A one-time Databricks run of the tasks in a spec. https://docs.databricks.com/api/workspace/jobs/submit */
export const kind = defineKind({
  id: 'databricks-submit-run',
  title: 'Databricks run',
  settings,
  outputs: runOutputs,
  checkSpec: checkRun,
  bind: (values, binding) => {
    const { attach, faults, spec } = binding;
    const trust = databricksTrust(values, faults);
    const payload = attach || spec === undefined ? undefined : completeRun(spec, values, binding);
    if (faults.messages.length > 0) return undefined;
    return databricksRun(trust, {
      title: `run on ${trust.host}`,
      path: '/api/2.2/jobs/runs/submit',
      payload,
      serverTimeoutSeconds: numberAt(payload, 'timeout_seconds'),
      keyInName: {
        mark: (body, key, attempt) => ({
          ...body,
          run_name: markedName(textAt(body, 'run_name') ?? '', key, attempt),
        }),
        attemptOf: (run, key) => attemptOf(textAt(run, 'run_name') ?? '', key),
      },
    });
  },
});

// Fields of jobs/create that runs/submit does not have. Left in, they would be ignored without a word.
const OF_JOBS_ONLY: Readonly<Record<string, string>> = {
  job_clusters: 'give each task its own new_cluster, or an environment_key',
  tags: 'use labels, which become tags of the new clusters',
  parameters: 'put the values into the tasks',
  name: 'use run_name',
  max_concurrent_runs: 'a one-time run has no limit',
  schedule: 'a one-time run has none',
  trigger: 'a one-time run has none',
  continuous: 'a one-time run has none',
};

function checkRun(spec: JsonObject | undefined, attach: boolean, faults: Faults): void {
  if (spec === undefined) {
    if (!attach) faults.add('spec', 'is required: a path in the checkout, or a mapping');
    return;
  }
  for (const [name, advice] of Object.entries(OF_JOBS_ONLY)) {
    if (name in spec) faults.add('spec', `${name} is a field of jobs, not of one-time runs: ${advice}`);
  }
  if ('idempotency_token' in spec) faults.add('spec', 'idempotency_token is set by keyless-submit; remove it');
  if (!Array.isArray(spec.tasks) || spec.tasks.length === 0)
    faults.add('spec', 'tasks must be a list of at least one task');
}

function completeRun(
  spec: JsonObject,
  values: SettingValues<typeof settings>,
  { context, faults, timeoutSeconds }: Binding,
): JsonObject {
  const { 'git-source': wanted, 'provenance-labels': provenance } = values;
  if (wanted !== undefined && 'git_source' in spec) faults.add('git-source', 'the spec has a git_source of its own');
  const gitSource = wanted === undefined ? undefined : gitSourceOf(context, faults);
  const acl = values['access-control-list'] as readonly Json[] | undefined;
  if (acl !== undefined && 'access_control_list' in spec)
    faults.add('access-control-list', 'the spec has one of its own');
  const tags = { ...(provenance ? originOf(context) : {}), ...values.labels };
  return {
    timeout_seconds: timeoutSeconds,
    ...spec,
    run_name: runName(values['run-name'] ?? textAt(spec, 'run_name'), provenance, context),
    tasks: listAt(spec, 'tasks').map((task) => withTags(task, tags)),
    ...defined({ git_source: gitSource, access_control_list: acl }),
  };
}

/** Serverless tasks have no cluster to tag, so the name tells where the run comes from. */
function runName(given: string | undefined, provenance: boolean, context: CiContext): string {
  const origin = `${context.repository}@${context.commit.slice(0, 8)} #${context.buildNumber}`;
  if (given === undefined) return origin;
  return provenance ? `${given} (${origin})` : given;
}

/** Clusters are the only part of a one-time run that keeps tags; the user's own win. */
function withTags(task: Json, tags: Readonly<Record<string, string>>): Json {
  const cluster = isObject(task) ? task.new_cluster : undefined;
  if (!isObject(task) || !isObject(cluster) || Object.keys(tags).length === 0) return task;
  const all = { ...cutTags(tags), ...objectAt(cluster, 'custom_tags') };
  return { ...task, new_cluster: { ...cluster, custom_tags: all } };
}

// Clouds differ in what a tag may hold; these characters and lengths fit all of them.
function cutTags(tags: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(tags).map(([name, value]) => [
      name.replace(/[^\w.:/=+@-]/g, '-').slice(0, 127),
      value.replace(/[^\w .:/=+@-]/g, '-').slice(0, 255),
    ]),
  );
}

const PROVIDERS: readonly (readonly [RegExp, string])[] = [
  [/^bitbucket\.org$/, 'bitbucketCloud'],
  [/^github\.com$/, 'gitHub'],
  [/^gitlab\.com$/, 'gitLab'],
  [/^dev\.azure\.com$|\.visualstudio\.com$/, 'azureDevOpsServices'],
];

function gitSourceOf(context: CiContext, faults: Faults): JsonObject | undefined {
  const { repositoryUrl, commit } = context;
  const host = repositoryUrl === undefined ? '' : new URL(repositoryUrl).hostname;
  const provider = PROVIDERS.find(([pattern]) => pattern.test(host))?.[1];
  if (repositoryUrl === undefined || provider === undefined) {
    faults.add(
      'git-source',
      `the provider of ${repositoryUrl ?? 'this repository'} is not known; write git_source into the spec instead`,
    );
    return undefined;
  }
  if (!/^[0-9a-f]{7,64}$/.test(commit)) {
    faults.add('git-source', `needs the commit's hash; the CI gives ${JSON.stringify(commit)}`);
    return undefined;
  }
  return { git_url: repositoryUrl, git_provider: provider, git_commit: commit };
}

/** The name is the only field of a one-time run that lists show, so it carries the key's beginning and the attempt. */
function markedName(name: string, key: string, attempt: number): string {
  return `${name} [${keyMark(key)}${attempt === 1 ? '' : `.${attempt}`}]`;
}

function keyMark(key: string): string {
  return `ks-${key.slice(0, 16)}`;
}

function attemptOf(name: string, key: string): number | undefined {
  const match = /\[(ks-[0-9a-f]{16})(?:\.(\d+))?\]$/.exec(name);
  return match?.[1] === keyMark(key) ? Number(match[2] ?? 1) : undefined;
}
