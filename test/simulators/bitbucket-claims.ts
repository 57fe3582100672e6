/** One step of a Bitbucket pipeline; UUIDs with or without braces. */
export interface BitbucketClaimOptions {
  readonly workspace: string;
  readonly workspaceUuid: string;
  readonly repositoryUuid: string;
  readonly pipelineUuid: string;
  readonly stepUuid: string;
  readonly pipelineRunUuid?: string;
  /** Absent in runs that are not of a branch. */
  readonly branchName?: string;
  /** Only steps with `deployment:` have one. */
  readonly deploymentEnvironmentUuid?: string;
  /** The step's own `oidc.audiences`. */
  readonly audiences?: readonly string[];
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly lifetimeSeconds?: number;
}

const MAX_AUDIENCES = 10;
const MAX_AUDIENCE_LENGTH = 150;

/** The claims of `BITBUCKET_STEP_OIDC_TOKEN` (https://support.atlassian.com/bitbucket-cloud/docs/integrate-pipelines-with-resource-servers-using-oidc/). */
export function bitbucketClaims(options: BitbucketClaimOptions): Record<string, unknown> {
  const repository = braced(options.repositoryUuid);
  const step = braced(options.stepUuid);
  const environment =
    options.deploymentEnvironmentUuid === undefined ? undefined : braced(options.deploymentEnvironmentUuid);
  const iat = Math.floor(options.now / 1000);
  return {
    iss: `https://api.bitbucket.org/2.0/workspaces/${options.workspace}/pipelines-config/identity/oidc`,
    aud: audience(options),
    sub: [repository, environment, step].filter((part) => part !== undefined).join(':'),
    workspaceUuid: braced(options.workspaceUuid),
    repositoryUuid: repository,
    pipelineUuid: braced(options.pipelineUuid),
    stepUuid: step,
    ...(options.pipelineRunUuid === undefined ? {} : { pipelineRunUuid: braced(options.pipelineRunUuid) }),
    ...(options.branchName === undefined ? {} : { branchName: options.branchName }),
    ...(environment === undefined ? {} : { deploymentEnvironmentUuid: environment }),
    iat,
    exp: iat + (options.lifetimeSeconds ?? 3600),
  };
}

/** One string by default; with audiences of the step's own always an array, the default one included. */
function audience({ workspaceUuid, audiences }: BitbucketClaimOptions): string | string[] {
  const byDefault = `ari:cloud:bitbucket::workspace/${bare(workspaceUuid)}`;
  if (audiences === undefined) return byDefault;
  if (audiences.length > MAX_AUDIENCES) throw new RangeError(`At most ${MAX_AUDIENCES} audiences are allowed.`);
  const tooLong = audiences.find((each) => each.length > MAX_AUDIENCE_LENGTH);
  if (tooLong !== undefined) {
    throw new RangeError(`The audience is longer than ${MAX_AUDIENCE_LENGTH} characters: ${tooLong}`);
  }
  return [...new Set([byDefault, ...audiences])];
}

function bare(uuid: string): string {
  return uuid.replace(/^\{|\}$/g, '');
}

function braced(uuid: string): string {
  return `{${bare(uuid)}}`;
}
