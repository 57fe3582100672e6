import { defined } from '../json.ts';
import type { CiContext } from './ci-context.ts';

/** Where a job comes from, by name: what makes a model's commit findable. Each kind cuts it to its service's rules. */
export function originOf(context: CiContext): Readonly<Record<string, string>> {
  return {
    ci_platform: context.platform,
    ci_repository: context.repository,
    ci_commit: context.commit,
    ...defined({
      ci_branch: context.branch,
      ci_tag: context.tag,
      ci_pull_request: context.pullRequest,
      ci_environment: context.deploymentEnvironment,
    }),
    ci_build: context.buildNumber,
    ci_build_url: context.buildUrl,
  };
}
