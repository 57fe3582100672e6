/** The facts of the CI job, in this project's own words; each host translates its variables into them. */
export interface CiContext {
  readonly platform: 'bitbucket' | 'buildkite';
  /** `workspace/slug` or `organization/pipeline`: for people. */
  readonly repository: string;
  /** Where the commit can be cloned from, as an https URL without credentials. */
  readonly repositoryUrl?: string;
  /** The pipeline's immutable id where the CI gives one, else its name. */
  readonly pipeline: string;
  /** As the CI gives it: 40 hex digits, or 12 in Bitbucket pull requests, or a symbolic name in a Buildkite build that was not resolved. */
  readonly commit: string;
  readonly branch?: string;
  readonly tag?: string;
  readonly pullRequest?: string;
  /** The build's immutable id where the CI gives one, else its number. */
  readonly build: string;
  readonly buildNumber: string;
  readonly buildUrl: string;
  /** What tells this step from the others of its build, the same in each re-run; empty where the CI has nothing such. */
  readonly step: string;
  /** Position in a parallel group. */
  readonly parallelIndex?: string;
  /** 1 on the first run of the step. */
  readonly attempt: number;
  readonly retry: 'none' | 'manual' | 'automatic';
  readonly deploymentEnvironment?: string;
}
