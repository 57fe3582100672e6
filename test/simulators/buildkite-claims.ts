/** Claims that a token has only when they were asked for, apart from `agent_tag:NAME`. */
export const BUILDKITE_OPTIONAL_CLAIMS = [
  'organization_id',
  'pipeline_id',
  'build_id',
  'cluster_id',
  'cluster_name',
  'queue_id',
  'queue_key',
] as const;

const SUBJECT_CLAIMS = [
  'organization_id',
  'pipeline_id',
  'cluster_id',
  'queue_id',
  'build_id',
  'job_id',
  'agent_id',
] as const;

const DEFAULT_LIFETIME_SECONDS = 300;
const MAX_LIFETIME_SECONDS = 7200;

type OptionalClaim = (typeof BUILDKITE_OPTIONAL_CLAIMS)[number];

/** One Buildkite job, and what was asked for its token. */
export interface BuildkiteClaimOptions {
  readonly organizationSlug: string;
  readonly pipelineSlug: string;
  readonly buildNumber: number;
  readonly branch: string;
  readonly tag?: string;
  readonly commit: string;
  readonly stepKey?: string;
  readonly jobId: string;
  readonly agentId: string;
  readonly jti: string;
  readonly runnerEnvironment?: 'buildkite-hosted' | 'self-hosted';
  readonly buildSource?: 'ui' | 'api' | 'webhook' | 'trigger_job' | 'schedule';
  /** Values of the optional claims: they are in the token only if asked for. */
  readonly ids?: Readonly<Partial<Record<OptionalClaim, string>>>;
  readonly agentTags?: Readonly<Record<string, string>>;
  /** The request: `--audience`, `--claim`, `--subject-claim`, `--lifetime` (0 or absent: the default). */
  readonly audience?: string;
  readonly claims?: readonly string[];
  readonly subjectClaim?: string;
  readonly lifetimeSeconds?: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/**
 * The claims of a token from `buildkite-agent oidc request-token`
 * (https://buildkite.com/docs/agent/cli/reference/oidc). Throws a RangeError for a request that Buildkite refuses.
 */
export function buildkiteClaims(options: BuildkiteClaimOptions): Record<string, unknown> {
  const { organizationSlug, pipelineSlug } = options;
  const subjectClaim = options.subjectClaim === undefined ? undefined : knownSubjectClaim(options.subjectClaim);
  const iat = Math.floor(options.now / 1000);
  const claims: Record<string, unknown> = {
    iss: 'https://agent.buildkite.com',
    sub: compositeSubject(options),
    aud: options.audience ?? `https://buildkite.com/${organizationSlug}`,
    iat,
    nbf: iat,
    exp: iat + lifetime(options.lifetimeSeconds),
    jti: options.jti,
    organization_slug: organizationSlug,
    pipeline_slug: pipelineSlug,
    build_number: options.buildNumber,
    build_branch: options.branch,
    build_tag: options.tag ?? null,
    build_commit: options.commit,
    step_key: options.stepKey ?? null,
    job_id: options.jobId,
    agent_id: options.agentId,
    runner_environment: options.runnerEnvironment ?? 'self-hosted',
    build_source: options.buildSource ?? 'webhook',
  };
  for (const name of options.claims ?? []) claims[name] = optionalClaim(name, options);
  if (subjectClaim !== undefined) {
    claims[subjectClaim] ??= optionalClaim(subjectClaim, options);
    claims.sub = claims[subjectClaim];
  }
  return claims;
}

function compositeSubject(options: BuildkiteClaimOptions): string {
  const ref = options.tag === undefined ? `refs/heads/${options.branch}` : `refs/tags/${options.tag}`;
  return [
    `organization:${options.organizationSlug}`,
    `pipeline:${options.pipelineSlug}`,
    `ref:${ref}`,
    `commit:${options.commit}`,
    `step:${options.stepKey ?? ''}`,
  ].join(':');
}

function optionalClaim(name: string, { ids = {}, agentTags = {} }: BuildkiteClaimOptions): string | null {
  if (name.startsWith('agent_tag:')) return agentTags[name.slice('agent_tag:'.length)] ?? null;
  const known = BUILDKITE_OPTIONAL_CLAIMS.find((claim) => claim === name);
  if (known === undefined) throw new RangeError(`The requested claim is not supported: ${name}`);
  return ids[known] ?? null;
}

function knownSubjectClaim(name: string): string {
  const known = SUBJECT_CLAIMS.find((claim) => claim === name);
  if (known === undefined) throw new RangeError(`The requested subject claim is not supported: ${name}`);
  return known;
}

function lifetime(seconds: number | undefined): number {
  if (seconds === undefined || seconds === 0) return DEFAULT_LIFETIME_SECONDS;
  if (!Number.isInteger(seconds) || seconds < 0) throw new RangeError('The requested lifetime must be whole seconds.');
  if (seconds > MAX_LIFETIME_SECONDS) {
    throw new RangeError(`The requested lifetime is too high: the maximum is ${MAX_LIFETIME_SECONDS} seconds.`);
  }
  return seconds;
}
