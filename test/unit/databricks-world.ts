import { onTestFinished } from 'vitest';
import { type DatabricksOptions, type DatabricksSimulators, databricksSimulators } from '../simulators/databricks.ts';
import { bitbucketClaims, bitbucketIssuer, buildkiteClaims, buildkiteIssuer } from '../simulators/oidc-issuer.ts';
import { type Handler, serve } from '../simulators/serve.ts';

export const WORKSPACE = 'dbc-a1b2.cloud.databricks.com';
export const ACCOUNTS = 'accounts.cloud.databricks.com';
export const ACCOUNT_ID = '5a1c0c1e-0000-4000-8000-00000000acc0';
export const DEPLOYER = '11111111-1111-4111-8111-111111111111';
export const TRAINER = '22222222-2222-4222-8222-222222222222';
export const OUTSIDER = '33333333-3333-4333-8333-333333333333';
export const REPOSITORY = '{aaaaaaaa-0000-4000-8000-000000000001}';
export const PIPELINE = 'bbbbbbbb-0000-4000-8000-000000000002';

export interface World extends DatabricksSimulators {
  /** Asks the simulators over HTTP, by a host's real name. */
  readonly ask: (host: string, path: string, init?: RequestInit) => Promise<Response>;
  readonly exchange: (form: Record<string, string>, host?: string) => Promise<Response>;
  readonly bitbucketToken: (claims?: Record<string, unknown>, key?: 'unpublished') => Promise<string>;
  readonly buildkiteToken: (audience: string, lifetimeSeconds?: number) => Promise<string>;
  /** A Databricks token of a principal that Bitbucket's repository may act for. */
  readonly accessToken: (clientId?: string) => Promise<string>;
  readonly pass: (ms: number) => void;
  readonly now: () => number;
}

// Issuers keep no state between tests, and their keys take a while to make.
const ISSUERS = Promise.all([bitbucketIssuer({ workspace: 'acme' }), buildkiteIssuer()]);

/** A workspace that trusts one Bitbucket repository and one Buildkite pipeline. */
export async function databricksWorld(options: Partial<DatabricksOptions> = {}): Promise<World> {
  let clock = Date.parse('2026-11-21T10:00:00Z');
  const now = () => clock;
  const [bitbucket, buildkite] = await ISSUERS;
  const issuers = new Map<string, Handler>([
    ['api.bitbucket.org', bitbucket.handle],
    ['agent.buildkite.com', buildkite.handle],
  ]);
  const repositoryMayActFor = (clientId: string) => ({
    clientId,
    issuer: bitbucket.issuer,
    subjectClaim: 'repositoryUuid',
    subject: REPOSITORY,
  });
  const simulators = databricksSimulators({
    workspaceHost: WORKSPACE,
    workspaceId: '7474650000001',
    accountId: ACCOUNT_ID,
    policies: [
      repositoryMayActFor(DEPLOYER),
      repositoryMayActFor(OUTSIDER),
      { clientId: TRAINER, issuer: buildkite.issuer, subject: PIPELINE, audiences: ['databricks'] },
    ],
    members: [DEPLOYER, TRAINER],
    outbound: async (url) => {
      const handle = issuers.get(new URL(url).host);
      return handle === undefined ? new Response('', { status: 502 }) : handle(new Request(url));
    },
    now,
    ...options,
  });
  const server = await serve(async (request) => {
    const url = new URL(request.url);
    const [, host = '', ...path] = url.pathname.split('/');
    const handle = simulators.hosts(host);
    if (handle === undefined) return new Response('no such host', { status: 421 });
    return handle(new Request(new URL(`/${path.join('/')}${url.search}`, url), request));
  });
  onTestFinished(() => server.close());

  const ask: World['ask'] = (host, path, init) => fetch(`${server.url}/${host}${path}`, init);
  const exchange: World['exchange'] = (form, host = WORKSPACE) => {
    const path = host === WORKSPACE ? '/oidc/v1/token' : `/oidc/accounts/${ACCOUNT_ID}/v1/token`;
    return ask(host, path, { method: 'POST', body: new URLSearchParams(form) });
  };
  const bitbucketToken: World['bitbucketToken'] = (claims = {}, key) =>
    bitbucket.sign(
      {
        ...bitbucketClaims({
          workspace: 'acme',
          workspaceUuid: 'cccccccc-0000-4000-8000-000000000003',
          repositoryUuid: REPOSITORY,
          pipelineUuid: 'dddddddd-0000-4000-8000-000000000004',
          stepUuid: crypto.randomUUID(),
          audiences: [ACCOUNT_ID],
          now: clock,
        }),
        ...claims,
      },
      key === undefined ? {} : { key },
    );

  return {
    ...simulators,
    ask,
    exchange,
    bitbucketToken,
    buildkiteToken: (audience, lifetimeSeconds = 300) =>
      buildkite.sign(
        buildkiteClaims({
          organizationSlug: 'acme',
          pipelineSlug: 'train',
          buildNumber: 7,
          branch: 'main',
          commit: 'c0ffee',
          jobId: crypto.randomUUID(),
          agentId: crypto.randomUUID(),
          jti: crypto.randomUUID(),
          ids: { pipeline_id: PIPELINE },
          subjectClaim: 'pipeline_id',
          audience,
          lifetimeSeconds,
          now: clock,
        }),
      ),
    accessToken: async (clientId = DEPLOYER) => {
      const response = await exchange(exchangeForm(await bitbucketToken(), clientId));
      const { access_token } = (await response.json()) as { access_token: string };
      return access_token;
    },
    pass: (ms) => {
      clock += ms;
    },
    now,
  };
}

/** The parameters of a token exchange as they are documented. */
export function exchangeForm(subjectToken: string, clientId?: string): Record<string, string> {
  return {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: subjectToken,
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    scope: 'all-apis',
    ...(clientId === undefined ? {} : { client_id: clientId }),
  };
}
