import { type GoogleInspection, type GoogleOptions, googleSimulators } from '../simulators/google.ts';
import {
  type BuildkiteClaimOptions,
  buildkiteClaims,
  buildkiteIssuer,
  type OidcIssuer,
} from '../simulators/oidc-issuer.ts';
import { serve } from '../simulators/serve.ts';

export const AUDIENCE =
  '//iam.googleapis.com/projects/123456/locations/global/workloadIdentityPools/ci-pool/providers/buildkite';
export const POOL = 'iam.googleapis.com/projects/123456/locations/global/workloadIdentityPools/ci-pool';
export const SUBMITTER = 'submitter@ml-prod.iam.gserviceaccount.com';
export const RUNNER = 'runner@ml-prod.iam.gserviceaccount.com';
export const START = Date.parse('2026-11-21T08:00:00Z');

/** A provider for one Buildkite organization, as its administrator would set it up. */
export const PROVIDER = {
  projectNumber: '123456',
  pool: 'ci-pool',
  provider: 'buildkite',
  issuer: 'https://agent.buildkite.com',
  attributeMapping: {
    'google.subject': "'bk:' + assertion.organization_slug + ':' + assertion.pipeline_slug",
    'attribute.pipeline_slug': 'assertion.pipeline_slug',
    'attribute.branch': 'assertion.build_branch',
  },
  attributeCondition: "assertion.organization_slug == 'acme'",
};

export const JOB: BuildkiteClaimOptions = {
  organizationSlug: 'acme',
  pipelineSlug: 'train',
  buildNumber: 7,
  branch: 'main',
  commit: '0123456789012345678901234567890123456789',
  jobId: '0192a6a8-0000-4000-8000-000000000001',
  agentId: '0192a6a8-0000-4000-8000-000000000002',
  jti: '0192a6a8-0000-4000-8000-000000000003',
  audience: `https:${AUDIENCE}`,
  now: START,
};

export interface GoogleWorld extends GoogleInspection, AsyncDisposable {
  readonly origin: string;
  readonly issuer: OidcIssuer;
  /** Milliseconds since the epoch; a test moves it on. */
  readonly clock: { now: number };
  /** A token of the CI job, with other claims or signed otherwise. */
  ciToken(claims?: Record<string, unknown>, options?: Parameters<OidcIssuer['sign']>[1]): Promise<string>;
  post(path: string, body: unknown, token?: string): Promise<{ status: number; body: Answer }>;
  get(path: string, token?: string): Promise<{ status: number; body: Answer }>;
  /** A federated token, got in the documented way. */
  federatedToken(): Promise<string>;
  /** An access token of the submitting service account. */
  submitterToken(): Promise<string>;
}

/** What an answer may hold; every other field is for matchers only. */
export interface Answer {
  readonly access_token?: string;
  readonly accessToken?: string;
  readonly expires_in?: number;
  readonly name?: string;
  readonly state?: string;
  readonly customJobs?: readonly Answer[];
  readonly batchPredictionJobs?: readonly Answer[];
  readonly nextPageToken?: string;
  readonly error?: unknown;
}

/** The message of an error in Google's shape. */
export function errorMessage({ error }: Answer): string {
  return typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : '';
}

/** Serves one Google Cloud and one issuer on a port, the first path segment being the host. */
export async function googleWorld(options: Partial<GoogleOptions> = {}): Promise<GoogleWorld> {
  const issuer = await buildkiteIssuer();
  const clock = { now: START };
  let origin = '';
  const google = googleSimulators({
    providers: [PROVIDER],
    serviceAccounts: [
      {
        email: SUBMITTER,
        bindings: [
          { role: 'roles/iam.workloadIdentityUser', member: `principalSet://${POOL}/attribute.pipeline_slug/train` },
        ],
      },
      { email: RUNNER, bindings: [{ role: 'roles/iam.serviceAccountUser', member: `serviceAccount:${SUBMITTER}` }] },
    ],
    projects: [
      {
        id: 'ml-prod',
        number: '987654',
        bindings: [{ role: 'roles/aiplatform.user', member: `serviceAccount:${SUBMITTER}` }],
      },
    ],
    outbound: (url) => fetch(url.replace('https:/', origin)),
    now: () => clock.now,
    ...options,
  });
  const served = await serve(async (request) => {
    const url = new URL(request.url);
    const [, host = '', ...path] = url.pathname.split('/');
    const handler = host === 'agent.buildkite.com' ? issuer.handle : google.hosts(host);
    if (handler === undefined) return new Response('no such host', { status: 502 });
    const headers = new Headers(request.headers);
    headers.set('x-simulated-host', host);
    const body = request.method === 'GET' ? {} : { body: await request.arrayBuffer() };
    return handler(
      new Request(`${url.origin}/${path.join('/')}${url.search}`, { method: request.method, headers, ...body }),
    );
  });
  origin = served.url;

  const call = async (path: string, init: RequestInit, token?: string) => {
    const headers = new Headers(init.headers);
    if (token !== undefined) headers.set('authorization', `Bearer ${token}`);
    const response = await fetch(`${origin}/${path}`, { ...init, headers });
    return { status: response.status, body: (await response.json()) as Answer };
  };
  const world: GoogleWorld = {
    ...google,
    origin,
    issuer,
    clock,
    ciToken: (claims, signing) => issuer.sign({ ...buildkiteClaims({ ...JOB, now: clock.now }), ...claims }, signing),
    post: (path, body, token) =>
      call(
        path,
        {
          method: 'POST',
          ...(body instanceof URLSearchParams
            ? { body }
            : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
        },
        token,
      ),
    get: (path, token) => call(path, {}, token),
    federatedToken: async () => {
      const { body } = await world.post('sts.googleapis.com/v1/token', exchangeForm(await world.ciToken()));
      return String(body.access_token);
    },
    submitterToken: async () => {
      const { body } = await world.post(impersonation(SUBMITTER), { scope: [SCOPE] }, await world.federatedToken());
      return String(body.accessToken);
    },
    [Symbol.asyncDispose]: served.close,
  };
  return world;
}

export const SCOPE = 'https://www.googleapis.com/auth/cloud-platform';

/** The exchange in its form encoding. */
export function exchangeForm(token: string, changes: Record<string, string> = {}): URLSearchParams {
  return new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    audience: AUDIENCE,
    scope: SCOPE,
    requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    subject_token: token,
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    ...changes,
  });
}

export function impersonation(email: string): string {
  return `iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/${email}:generateAccessToken`;
}
