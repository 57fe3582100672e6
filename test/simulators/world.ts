import { type BitbucketReports, bitbucketReports } from './bitbucket-reports.ts';
import { type BrokersOptions, type SecretBrokers, secretBrokers } from './brokers.ts';
import { brokersTenant, googleSecrets } from './brokers-tenant.ts';
import { type BuildkiteAgentApi, buildkiteAgentApi } from './buildkite-agent-api.ts';
import { type DatabricksOptions, type DatabricksSimulators, databricksSimulators } from './databricks.ts';
import { type GoogleInspection, type GoogleOptions, googleSimulators } from './google.ts';
import {
  type BitbucketClaimOptions,
  bitbucketClaims,
  bitbucketIssuer,
  buildkiteIssuer,
  type OidcIssuer,
} from './oidc-issuer.ts';
import { type PrefectOptions, type PrefectSimulator, prefectSimulator } from './prefect.ts';
import { prefectTenant } from './prefect-tenant.ts';
import { type Fault, type Handler, scriptedFaults, serve } from './serve.ts';
import * as tenant from './tenant.ts';
import { type VercelOptions, type VercelSimulator, vercelSimulator } from './vercel.ts';
import { vercelTenant } from './vercel-tenant.ts';

/** What a request asks for, under the host's real name. */
export interface RequestLine {
  readonly method: string;
  readonly host: string;
  readonly path: string;
}

/** A request as it arrived. */
export interface RecordedRequest extends RequestLine {
  readonly headers: Headers;
  readonly body: () => Promise<string>;
}

export interface WorldOptions {
  readonly port?: number;
  /** Milliseconds since the epoch; by default the machine's clock. */
  readonly now?: () => number;
  readonly google?: Partial<GoogleOptions>;
  readonly databricks?: Partial<DatabricksOptions>;
  readonly prefect?: Partial<PrefectOptions>;
  readonly brokers?: Partial<BrokersOptions>;
  readonly vercel?: Partial<VercelOptions>;
  /** Replaces the Buildkite job's facts. */
  readonly buildkiteJobId?: string;
  /** More Buildkite jobs that run at the same time: the key of each one's step, by the job's id. */
  readonly otherBuildkiteJobs?: ReadonlyMap<string, string>;
  /** More hosts than the company's services. */
  readonly hosts?: Readonly<Record<string, Handler>>;
  /** Sees every request as it arrives and when it is answered, the HEADs too. */
  readonly onRequest?: (request: RequestLine) => void;
  readonly onAnswer?: (request: RequestLine, status: number) => void;
}

/** Everything that a step talks to, served on one loopback address: `https://HOST/PATH` is `URL/HOST/PATH`. */
export interface World extends AsyncDisposable {
  readonly url: string;
  readonly google: GoogleInspection;
  readonly databricks: DatabricksSimulators;
  readonly prefect: PrefectSimulator;
  readonly brokers: SecretBrokers;
  readonly vercel: VercelSimulator;
  readonly agentApi: BuildkiteAgentApi;
  readonly reports: BitbucketReports;
  readonly issuers: { readonly bitbucket: OidcIssuer; readonly buildkite: OidcIssuer };
  /** The token of a Bitbucket step. */
  bitbucketToken(options?: Partial<BitbucketClaimOptions>): Promise<string>;
  /** Requests since the world began, without the HEADs that only open connections. */
  readonly requests: readonly RecordedRequest[];
  fault(fault: Fault): void;
  /**
   * Has the services quote in their answers what each request was authorized with, without the scheme, as `disguise` makes it:
   * wherever a text of theirs has `QUOTED`, or `QUOTED(FROM,TO)` for a part.
   */
  quote(disguise: (credential: string) => string): void;
  /** Milliseconds that each answer is held back, but for those of the issuers, whom only the simulators ask. */
  setDelay(ms: number): void;
  close(): Promise<void>;
}

const ISSUERS = { bitbucket: 'api.bitbucket.org', buildkite: 'agent.buildkite.com' };

/** Starts the simulators with one company in them; see tenant.ts for its names. */
export async function createWorld(options: WorldOptions = {}): Promise<World> {
  const now = options.now ?? Date.now;
  const [bitbucket, buildkite] = await Promise.all([
    bitbucketIssuer({ workspace: tenant.BITBUCKET.workspace }),
    buildkiteIssuer(),
  ]);
  let origin = '';
  let delay = 0;
  let disguise: ((credential: string) => string) | undefined;
  const outbound = (url: string) => fetch(url.replace('https:/', origin));
  const google = googleSimulators({
    ...tenant.googleTenant(),
    secrets: googleSecrets(),
    outbound,
    now,
    ...options.google,
  });
  const brokers = secretBrokers({ ...brokersTenant(), outbound, now, ...options.brokers });
  const databricks = databricksSimulators({ ...tenant.databricksTenant(), outbound, now, ...options.databricks });
  const { verifyIdToken } = google;
  const prefect = prefectSimulator({ ...prefectTenant(), verifyIdToken, now, ...options.prefect });
  const vercel = vercelSimulator({ ...vercelTenant(), outbound, now, ...options.vercel });
  const context = { ...tenant.BUILDKITE_JOB, jobId: options.buildkiteJobId ?? tenant.BUILDKITE_JOB.jobId };
  const agentApi = buildkiteAgentApi({
    issuer: buildkite,
    context,
    ...(options.otherBuildkiteJobs === undefined ? {} : { otherJobs: options.otherBuildkiteJobs }),
    accessToken: tenant.AGENT_ACCESS_TOKEN,
    now,
  });
  const reports = bitbucketReports({
    repository: `${tenant.BITBUCKET.workspace}/${tenant.BITBUCKET.repository}`,
    commit: tenant.COMMIT,
    now,
  });

  const handlers = new Map<string, Handler>([
    [ISSUERS.bitbucket, bitbucket.handle],
    [ISSUERS.buildkite, buildkite.handle],
    ['agent-edge.buildkite.com', agentApi.handle],
    ...Object.entries(options.hosts ?? {}),
  ]);
  const faults = scriptedFaults();
  const requests: RecordedRequest[] = [];

  const served = await serve(
    async (request) => {
      const url = new URL(request.url);
      // What comes in absolute form was meant for the proxy beside a Bitbucket step.
      if (url.hostname === ISSUERS.bitbucket) return reports.handle(request);
      const [, host = '', ...path] = url.pathname.split('/');
      const handler =
        handlers.get(host) ??
        google.hosts(host) ??
        brokers.hosts(host) ??
        databricks.hosts(host) ??
        prefect.hosts(host) ??
        vercel.hosts(host);
      if (handler === undefined) return new Response(`no such host: ${host}`, { status: 502 });
      const headers = new Headers(request.headers);
      headers.set('x-simulated-host', host);
      const bodyless = request.method === 'GET' || request.method === 'HEAD';
      const plain = new URL(`/${path.join('/')}${url.search}`, url);
      const response = await handler(
        new Request(plain, {
          method: request.method,
          headers,
          ...(bodyless ? {} : { body: await request.arrayBuffer() }),
        }),
      );
      // The services' time, which may be a test's own.
      const answered = new Headers(response.headers);
      answered.set('date', new Date(now()).toUTCString());
      const quoted = disguise === undefined ? response.body : quoting(await response.text(), disguise, request.headers);
      return new Response(quoted, { status: response.status, headers: answered });
    },
    {
      ...(options.port === undefined ? {} : { port: options.port }),
      delayMs: (request) => (Object.values(ISSUERS).includes(requestLine(request).host) ? 0 : delay),
      // A connection opened ahead of its use is not a request that could fail anybody.
      nextFault: (method, path) => (method === 'HEAD' ? undefined : faults.next(method, path)),
      onRequest: (request) => {
        options.onRequest?.(requestLine(request));
        if (request.method !== 'HEAD') requests.push(recorded(request.clone()));
      },
      onAnswer: (request, status) => options.onAnswer?.(requestLine(request), status),
    },
  );
  origin = served.url;

  return {
    url: served.url,
    google,
    databricks,
    prefect,
    brokers,
    vercel,
    agentApi,
    reports,
    issuers: { bitbucket, buildkite },
    requests,
    fault: faults.add,
    quote: (given) => {
      disguise = given;
    },
    setDelay: (ms) => {
      delay = ms;
    },
    bitbucketToken: (changes = {}) =>
      bitbucket.sign(bitbucketClaims({ ...tenant.BITBUCKET_STEP, now: now(), ...changes })),
    close: served.close,
    [Symbol.asyncDispose]: served.close,
  };
}

function quoting(text: string, disguise: (credential: string) => string, headers: Headers): string {
  const credential = disguise((headers.get('authorization') ?? '').replace(/^\w+ /, ''));
  return text.replace(/QUOTED(?:\((\d+),(\d+)\))?/g, (_all, from?: string, to?: string) =>
    JSON.stringify(credential.slice(Number(from ?? 0), to === undefined ? undefined : Number(to))).slice(1, -1),
  );
}

function recorded(request: Request): RecordedRequest {
  // Files can be large, and are not kept.
  const isFile = request.headers.get('content-type') === 'application/octet-stream';
  const text = isFile ? Promise.resolve('') : request.text();
  return { ...requestLine(request), headers: request.headers, body: () => text };
}

function requestLine({ method, url: address }: Request): RequestLine {
  const url = new URL(address);
  if (url.hostname === ISSUERS.bitbucket) return { method, host: url.hostname, path: `${url.pathname}${url.search}` };
  const [, host = '', ...path] = url.pathname.split('/');
  return { method, host, path: `/${path.join('/')}${url.search}` };
}
