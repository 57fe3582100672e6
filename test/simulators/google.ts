import { accessTokens } from './google-access-tokens.ts';
import { googleIamCredentials, type Impersonation } from './google-iam-credentials.ts';
import { type Exchange, googleSts } from './google-sts.ts';
import type { Handler } from './serve.ts';
import { type VertexAi, type VertexAiOptions, vertexAi } from './vertex-ai.ts';
import type { WorkloadIdentityProvider } from './workload-identity-provider.ts';

export type { Binding, Project, ServiceAccount } from './google-iam-policy.ts';
export type { CreatedJob } from './vertex-ai.ts';
export type { LifeStep } from './vertex-job-life.ts';
export type { WorkloadIdentityProvider } from './workload-identity-provider.ts';

export interface GoogleOptions extends Omit<VertexAiOptions, 'tokens'> {
  readonly providers: readonly WorkloadIdentityProvider[];
  /** Reaches the issuers' discovery documents and keys. */
  readonly outbound: (url: string) => Promise<Response>;
}

/** What happened in the simulated Google Cloud. */
export interface GoogleInspection extends Pick<VertexAi, 'jobs' | 'nextLife'> {
  exchanges(): readonly Exchange[];
  impersonations(): readonly Impersonation[];
  /** Every access token that was ever issued. */
  issuedTokens(): readonly string[];
}

/**
 * One Google Cloud: token service, service account credentials and Vertex AI, which share tokens and policies. Handlers
 * are asked with the plain path of the real host, and with its name in `x-simulated-host`.
 */
export function googleSimulators(
  options: GoogleOptions,
): GoogleInspection & { hosts: (host: string) => Handler | undefined } {
  const universe = options.universeDomain ?? 'googleapis.com';
  const tokens = accessTokens(options.now);
  const sts = googleSts({ ...options, tokens });
  const iamCredentials = googleIamCredentials({ ...options, tokens });
  const vertex = vertexAi({ ...options, tokens });
  return {
    hosts: (host) => {
      if (host === `sts.${universe}`) return sts.handle;
      if (host === `iamcredentials.${universe}`) return iamCredentials.handle;
      return host.endsWith(`-aiplatform.${universe}`) ? vertex.handle : undefined;
    },
    exchanges: sts.exchanges,
    impersonations: iamCredentials.impersonations,
    issuedTokens: tokens.issued,
    jobs: vertex.jobs,
    nextLife: vertex.nextLife,
  };
}
