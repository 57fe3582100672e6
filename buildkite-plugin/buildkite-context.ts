import type { CiContext } from '../shared/host/ci-context.ts';
import { defined } from '../shared/json.ts';
import type { Env } from './buildkite-settings.ts';

/** https://buildkite.com/docs/pipelines/configure/environment-variables */
export function buildkiteContext(env: Env): CiContext {
  // A build without a pull request says `false`.
  const present = (value: string | undefined) => (value === '' || value === 'false' ? undefined : value);
  const retries = Number(env.BUILDKITE_RETRY_COUNT ?? '0');
  const attempt = Number.isSafeInteger(retries) && retries > 0 ? retries + 1 : 1;
  return {
    platform: 'buildkite',
    repository: `${env.BUILDKITE_ORGANIZATION_SLUG ?? 'unknown'}/${env.BUILDKITE_PIPELINE_SLUG ?? 'unknown'}`,
    pipeline: env.BUILDKITE_PIPELINE_ID ?? `${env.BUILDKITE_ORGANIZATION_SLUG}/${env.BUILDKITE_PIPELINE_SLUG}`,
    commit: env.BUILDKITE_COMMIT ?? 'unknown',
    build: env.BUILDKITE_BUILD_ID ?? env.BUILDKITE_BUILD_NUMBER ?? '0',
    buildNumber: env.BUILDKITE_BUILD_NUMBER ?? '0',
    buildUrl: env.BUILDKITE_BUILD_URL ?? 'https://buildkite.com',
    step: env.BUILDKITE_STEP_ID ?? env.BUILDKITE_STEP_KEY ?? '',
    attempt,
    retry: attempt === 1 ? 'none' : env.BUILDKITE_RETRY_TYPE === 'automatic' ? 'automatic' : 'manual',
    ...defined({
      repositoryUrl: httpsUrl(env.BUILDKITE_REPO),
      branch: env.BUILDKITE_TAG ? undefined : present(env.BUILDKITE_BRANCH),
      tag: present(env.BUILDKITE_TAG),
      pullRequest: present(env.BUILDKITE_PULL_REQUEST),
      parallelIndex: present(env.BUILDKITE_PARALLEL_JOB),
    }),
  };
}

/** A clone address as https without credentials: `git@host:org/repo.git` and `ssh://` forms too. */
export function httpsUrl(address: string | undefined): string | undefined {
  if (address === undefined) return undefined;
  const scp = /^(?:[\w.-]+@)?([\w.-]+\.[a-z]+):(?!\/\/)(.+)$/i.exec(address);
  const url = URL.parse(scp === null ? address : `https://${scp[1]}/${scp[2]}`);
  return url === null || !/^(?:https?|ssh|git):$/.test(url.protocol)
    ? undefined
    : `https://${url.hostname}${url.pathname}`;
}
