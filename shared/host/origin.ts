import type { CiContext } from './ci-context.ts';

/** Where a job comes from, by name: what makes a model's commit findable. Each kind cuts it to its service's rules. */
export function originOf(context: CiContext): Readonly<Record<string, string>> {
  const { branch, tag, pullRequest, deploymentEnvironment } = context;
  return {
    ci_platform: context.platform,
    ci_repository: context.repository,
    ci_commit: context.commit,
    ...(branch === undefined ? {} : { ci_branch: branch }),
    ...(tag === undefined ? {} : { ci_tag: tag }),
    ...(pullRequest === undefined ? {} : { ci_pull_request: pullRequest }),
    ...(deploymentEnvironment === undefined ? {} : { ci_environment: deploymentEnvironment }),
    ci_build: context.buildNumber,
    ci_build_url: context.buildUrl,
  };
}
