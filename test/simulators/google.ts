import { accessTokens } from './google-access-tokens.ts';
import { googleIamCredentials, type Impersonation } from './google-iam-credentials.ts';
import { googleIdTokens } from './google-id-tokens.ts';
import {
  type GoogleSecretManager,
  type GoogleSecretManagerOptions,
  googleSecretManager,
} from './google-secret-manager.ts';
import { type Exchange, googleSts } from './google-sts.ts';
import type { Handler } from './serve.ts';
import { type VertexAi, type VertexAiOptions, vertexAi } from './vertex-ai.ts';
import type { WorkloadIdentityProvider } from './workload-identity-provider.ts';

export type { Binding, Project, ServiceAccount } from './google-iam-policy.ts';
export type { GoogleSecret } from './google-secret-manager.ts';
export type { CreatedJob } from './vertex-ai.ts';
export type { LifeStep } from './vertex-job-life.ts';
export type { WorkloadIdentityProvider } from './workload-identity-provider.ts';

export interface GoogleOptions extends Omit<VertexAiOptions, 'tokens'>, Omit<GoogleSecretManagerOptions, 'tokens'> {
  readonly providers: readonly WorkloadIdentityProvider[];
  /** Reaches the issuers' discovery documents and keys. */
  readonly outbound: (url: string) => Promise<Response>;
}

/** What happened in the simulated Google Cloud. */
export interface GoogleInspection
  extends Pick<VertexAi, 'jobs' | 'nextLife'>,
    Pick<GoogleSecretManager, 'secretAccesses' | 'spoilNextChecksum'> {
  exchanges(): readonly Exchange[];
  impersonations(): readonly Impersonation[];
  /** Every access token and ID token that was ever issued. */
  issuedTokens(): readonly string[];
  /** Whether a text is an ID token of a service account for this audience, as an identity-aware proxy checks it. */
  verifyIdToken(token: string, audience: string): Promise<boolean>;
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
  const idTokens = googleIdTokens(options.now);
  const iamCredentials = googleIamCredentials({ ...options, tokens, idTokens });
  const secretManager = googleSecretManager({ ...options, tokens });
  const vertex = vertexAi({ ...options, tokens });
  return {
    hosts: (host) => {
      if (host === `sts.${universe}`) return sts.handle;
      if (host === `iamcredentials.${universe}`) return iamCredentials.handle;
      if (host === `secretmanager.${universe}` || /^secretmanager\.[a-z0-9-]+\.rep\.googleapis\.com$/.test(host)) {
        return secretManager.handle;
      }
      return host.endsWith(`-aiplatform.${universe}`) ? vertex.handle : undefined;
    },
    exchanges: sts.exchanges,
    impersonations: iamCredentials.impersonations,
    issuedTokens: () => [...tokens.issued(), ...idTokens.issued()],
    verifyIdToken: idTokens.verify,
    secretAccesses: secretManager.secretAccesses,
    spoilNextChecksum: secretManager.spoilNextChecksum,
    jobs: vertex.jobs,
    nextLife: vertex.nextLife,
  };
}
