import { onTestFinished } from 'vitest';
import { type BuildkiteAgentApi, buildkiteAgentApi } from '../simulators/buildkite-agent-api.ts';
import { buildkiteIssuer, verifyOidcToken } from '../simulators/oidc-issuer.ts';
import { serve } from '../simulators/serve.ts';

export const NOW = Date.parse('2026-11-21T10:00:00Z');

export interface AgentWorld extends BuildkiteAgentApi {
  readonly url: string;
  readonly send: (method: string, path: string, body?: unknown, token?: string) => Promise<Response>;
  /** The claims of a token that verifies. */
  readonly claimsOf: (token: string) => Promise<Record<string, unknown>>;
}

/** The agent API of one job, served. */
export async function agentWorld(): Promise<AgentWorld> {
  const issuer = await buildkiteIssuer();
  const api = buildkiteAgentApi({
    issuer,
    accessToken: 'agent-token',
    now: () => NOW,
    context: {
      organizationSlug: 'acme',
      pipelineSlug: 'train',
      buildNumber: 7,
      branch: 'main',
      commit: '0123456789abcdef0123456789abcdef01234567',
      jobId: 'job-1',
      agentId: 'agent-1',
      ids: { pipeline_id: 'pipeline-1', build_id: 'build-1' },
    },
  });
  const server = await serve(api.handle);
  onTestFinished(() => server.close());
  return {
    ...api,
    url: `${server.url}/v3`,
    send: (method, path, body, token = 'agent-token') =>
      fetch(`${server.url}/v3${path}`, {
        method,
        headers: { authorization: `Token ${token}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    claimsOf: (token) =>
      verifyOidcToken(token, {
        issuer: issuer.issuer,
        outbound: (url) => issuer.handle(new Request(url)),
        now: () => NOW,
      }),
  };
}
