import type { Env } from '../../buildkite-plugin/buildkite-settings.ts';
import { pipeVariable } from '../../pipe/bitbucket-settings.ts';
import { type Json, stringifyJson } from '../../shared/json.ts';
import { AGENT_ACCESS_TOKEN, BITBUCKET, BUILDKITE_JOB, COMMIT } from '../simulators/tenant.ts';
import type { Stage, Step } from './harness.ts';
import { DEFAULT_BUILD, type KindSample } from './kind-samples.ts';

/** The variables that a step's process finds, with its settings written as its CI's users write them. */
export async function stepEnvironment(
  stage: Stage,
  step: Step,
  sample: Pick<KindSample, 'settings' | 'audience'>,
  checkout: string,
): Promise<Env> {
  const settings = Object.entries({ job: step.kind, ...sample.settings(step.ci), ...step.settings });
  const given = Object.fromEntries(settings.filter(([, value]) => value !== null));
  const shared = { KEYLESS_SUBMIT_SIMULATORS: stage.world.url, CI: 'true', PATH: '/usr/bin:/bin', TMPDIR: checkout };
  const own = step.ci === 'bitbucket' ? await bitbucket(stage, step, sample, given) : buildkite(stage, step, given);
  return { ...shared, ...own, ...step.env };
}

function attemptOf({ attempt, retry }: Step): number {
  return attempt ?? (retry === undefined ? 1 : 2);
}

async function bitbucket(
  { world }: Stage,
  step: Step,
  sample: Pick<KindSample, 'settings' | 'audience'>,
  settings: Readonly<Record<string, Json>>,
): Promise<Env> {
  const build = step.build ?? DEFAULT_BUILD;
  const variables = Object.entries(settings).map(([name, value]) => [
    pipeVariable(name),
    typeof value === 'string' ? value : stringifyJson(value),
  ]);
  return {
    BITBUCKET_WORKSPACE: BITBUCKET.workspace,
    BITBUCKET_REPO_SLUG: BITBUCKET.repository,
    BITBUCKET_REPO_FULL_NAME: `${BITBUCKET.workspace}/${BITBUCKET.repository}`,
    BITBUCKET_REPO_UUID: BITBUCKET.repositoryUuid,
    BITBUCKET_GIT_HTTP_ORIGIN: `http://bitbucket.org/${BITBUCKET.workspace}/${BITBUCKET.repository}`,
    BITBUCKET_BRANCH: 'main',
    BITBUCKET_COMMIT: COMMIT,
    BITBUCKET_BUILD_NUMBER: String(build),
    BITBUCKET_PIPELINE_UUID: `{2b4d6f80-1a3c-4e5f-9071-${String(build).padStart(12, '0')}}`,
    BITBUCKET_STEP_UUID: BITBUCKET.stepUuid,
    BITBUCKET_STEP_RUN_NUMBER: String(attemptOf(step)),
    BITBUCKET_STEP_OIDC_TOKEN: await world.bitbucketToken({ audiences: [sample.audience('bitbucket')] }),
    ...Object.fromEntries(variables),
  };
}

function buildkite({ world }: Stage, step: Step, settings: Readonly<Record<string, Json>>): Env {
  const build = step.build ?? DEFAULT_BUILD;
  const attempt = attemptOf(step);
  const jobId = `0190b1c2-1111-4abc-8def-${String((build * 100 + (step.sibling ?? 0)) * 100 + attempt).padStart(12, '0')}`;
  world.agentApi.retryAs(jobId, String(build));
  const { organizationSlug, pipelineSlug, ids, stepKey } = BUILDKITE_JOB;
  return {
    BUILDKITE: 'true',
    BUILDKITE_ORGANIZATION_SLUG: organizationSlug,
    BUILDKITE_PIPELINE_SLUG: pipelineSlug,
    BUILDKITE_PIPELINE_ID: ids.pipeline_id,
    BUILDKITE_BUILD_ID: `0190b1c2-3333-4abc-8def-${String(build).padStart(12, '0')}`,
    BUILDKITE_BUILD_NUMBER: String(build),
    BUILDKITE_BUILD_URL: `https://buildkite.com/${organizationSlug}/${pipelineSlug}/builds/${build}`,
    BUILDKITE_BRANCH: 'main',
    BUILDKITE_COMMIT: COMMIT,
    BUILDKITE_PULL_REQUEST: 'false',
    BUILDKITE_REPO: `git@bitbucket.org:${BITBUCKET.workspace}/${BITBUCKET.repository}.git`,
    BUILDKITE_STEP_KEY: step.stepKey ?? stepKey,
    BUILDKITE_STEP_ID: `0190b1c2-4444-4abc-8def-${step.stepKey ?? stepKey}`,
    BUILDKITE_JOB_ID: jobId,
    BUILDKITE_RETRY_COUNT: String(attempt - 1),
    ...(step.retry === undefined ? {} : { BUILDKITE_RETRY_TYPE: step.retry }),
    BUILDKITE_AGENT_ACCESS_TOKEN: AGENT_ACCESS_TOKEN,
    BUILDKITE_AGENT_JOB_API_SOCKET: '/tmp/job-api.sock',
    BUILDKITE_PLUGIN_CONFIGURATION: stringifyJson(settings),
    ...Object.fromEntries(pluginVariables('BUILDKITE_PLUGIN_KEYLESS_SUBMIT', settings)),
  };
}

/** The agent also gives each value of the configuration as a variable of its own. */
function pluginVariables(prefix: string, value: Json): [string, string][] {
  if (typeof value !== 'object' || value === null) return [[prefix, String(value)]];
  return Object.entries(value).flatMap(([name, item]) =>
    pluginVariables(`${prefix}_${name.toUpperCase().replace(/[^A-Z0-9]+/g, '_')}`, item),
  );
}
