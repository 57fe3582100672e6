import { type Annotation, annotationStore } from './buildkite-annotations.ts';
import { isJsonObject, type JsonObject, parseJsonObject } from './json-object.ts';
import { type BuildkiteClaimOptions, buildkiteClaims, type OidcIssuer } from './oidc-issuer.ts';
import type { Handler } from './serve.ts';

/** The job that the agent runs: everything its tokens are made of, apart from what each request asks for. */
export type BuildkiteJob = Omit<
  BuildkiteClaimOptions,
  'jti' | 'now' | 'audience' | 'claims' | 'subjectClaim' | 'lifetimeSeconds'
>;

export interface BuildkiteAgentApiOptions {
  readonly issuer: OidcIssuer;
  readonly context: BuildkiteJob;
  /** More jobs of the build that run at the same time: the key of each one's step, by the job's id. */
  readonly otherJobs?: ReadonlyMap<string, string>;
  /** What the job finds in BUILDKITE_AGENT_ACCESS_TOKEN. */
  readonly accessToken: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** One token request that was granted. */
export interface OidcRequest {
  readonly jobId: string;
  readonly audience?: string;
  readonly lifetime?: number;
  readonly claims: readonly string[];
  readonly subjectClaim?: string;
  readonly token: string;
}

export interface BuildkiteAgentApi {
  readonly handle: Handler;
  annotations(): readonly Annotation[];
  /** What the build of the current job has. */
  metaData(): ReadonlyMap<string, string>;
  /** As another job of the build does it. */
  setMetaData(key: string, value: string): void;
  oidcRequests(): readonly OidcRequest[];
  /** What `buildkite-agent job update` set, by attribute. */
  jobUpdates(): ReadonlyMap<string, string>;
  /** Continues with another job, of the same build or of another one: the former job is over, and its requests are refused. */
  retryAs(jobId: string, build?: string): void;
}

const MAX_LIFETIME_SECONDS = 7200;
const MAX_META_DATA_BYTES = 100_000;
const TOKEN_REQUEST_FIELDS = ['audience', 'lifetime', 'claims', 'subject_claim'];

/**
 * The HTTP API behind the `buildkite-agent` commands of one build's job: OIDC tokens, annotations, meta-data and
 * job updates (https://buildkite.com/docs/agent/cli/reference). Serve it with `/v3` as the agent's endpoint.
 */
export function buildkiteAgentApi(options: BuildkiteAgentApiOptions): BuildkiteAgentApi {
  const annotations = annotationStore();
  const builds = new Map<string, Map<string, string>>();
  let metaData = new Map<string, string>();
  const oidcRequests: OidcRequest[] = [];
  const jobUpdates = new Map<string, string>();
  const buildId = options.context.ids?.build_id;
  let jobId = options.context.jobId;

  return {
    handle: async (request) => {
      if (request.headers.get('authorization') !== `Token ${options.accessToken}`) return refuse(401, 'Unauthorized');
      const { pathname, searchParams } = new URL(request.url);
      const [version, owner, id, ...route] = pathname.slice(1).split('/').map(decodeURIComponent);
      const asking = owner === 'jobs' && id !== undefined && options.otherJobs?.has(id) === true ? id : jobId;
      const ofJob = owner === 'jobs' && id === asking;
      const ofBuild = owner === 'builds' && buildId !== undefined && id === buildId;
      if (version !== 'v3' || !(ofJob || ofBuild)) return refuse(404, 'Not found');

      const body = parseJsonObject(await request.text());
      const endpoint = `${request.method} ${owner} ${route[0] === 'annotations' ? 'annotations' : route.join('/')}`;
      switch (endpoint) {
        case 'POST jobs oidc/tokens':
          return body === undefined ? refuse(400, 'Invalid JSON') : issueToken(asking, body);
        case 'POST jobs annotations': {
          const refusal = annotations.put(asking, body);
          return refusal === undefined ? Response.json({}, { status: 201 }) : refuse(refusal.status, refusal.message);
        }
        case 'DELETE jobs annotations': {
          const removed = annotations.remove(asking, route[1] ?? '', searchParams.get('scope') ?? 'build');
          return removed ? new Response(null, { status: 204 }) : refuse(404, 'No annotation found');
        }
        case 'POST jobs data/set':
          return setMetaData([body]);
        case 'POST jobs data/set-batch': {
          const items = body?.items;
          return Array.isArray(items) && items.length > 0 ? setMetaData(items) : refuse(422, 'Items is missing');
        }
        case 'POST jobs data/get':
        case 'POST builds data/get': {
          const key = body?.key;
          const value = typeof key === 'string' ? metaData.get(key) : undefined;
          return value === undefined ? refuse(404, `No key "${String(key)}" found`) : Response.json({ key, value });
        }
        case 'POST jobs data/exists':
        case 'POST builds data/exists': {
          const key = body?.key;
          return Response.json({ exists: typeof key === 'string' && metaData.has(key) });
        }
        case 'POST jobs data/keys':
        case 'POST builds data/keys':
          return Response.json([...metaData.keys()]);
        case 'PUT jobs ':
          return updateJob(asking, body ?? {});
        default:
          return refuse(404, 'Not found');
      }
    },
    annotations: annotations.list,
    metaData: () => metaData,
    setMetaData: (key, value) => void metaData.set(key, value),
    oidcRequests: () => oidcRequests,
    jobUpdates: () => jobUpdates,
    retryAs: (id, build) => {
      jobId = id;
      if (build === undefined) return;
      metaData = builds.get(build) ?? new Map();
      builds.set(build, metaData);
    },
  };

  async function issueToken(asking: string, body: JsonObject): Promise<Response> {
    const wrong = tokenRequestFault(body);
    if (wrong !== undefined) return refuse(422, wrong);
    const { audience, lifetime, claims = [], subject_claim: subjectClaim } = body as TokenRequest;
    const asked = {
      ...(audience === undefined ? {} : { audience }),
      claims,
      ...(subjectClaim === undefined ? {} : { subjectClaim }),
    };
    const stepKey = options.otherJobs?.get(asking);
    let payload: Record<string, unknown>;
    try {
      payload = buildkiteClaims({
        ...options.context,
        ...asked,
        ...(stepKey === undefined ? {} : { stepKey }),
        jobId: asking,
        ...(lifetime === undefined ? {} : { lifetimeSeconds: lifetime }),
        jti: crypto.randomUUID(),
        now: options.now(),
      });
    } catch (error) {
      if (error instanceof RangeError) return refuse(422, error.message);
      throw error;
    }
    const token = await options.issuer.sign(payload);
    oidcRequests.push({ jobId: asking, ...asked, ...(lifetime === undefined ? {} : { lifetime }), token });
    return Response.json({ token }, { status: 201 });
  }

  /** All or none, as the service does it for a batch. */
  function setMetaData(items: readonly unknown[]): Response {
    const entries: [string, string][] = [];
    for (const item of items) {
      const { key, value } = isJsonObject(item) ? item : {};
      if (typeof key !== 'string' || key.trim() === '') return refuse(422, 'Key is missing');
      if (typeof value !== 'string' || value.trim() === '') return refuse(422, 'Value is missing');
      if (Buffer.byteLength(value) > MAX_META_DATA_BYTES) {
        return refuse(422, `Value is too long (maximum is ${MAX_META_DATA_BYTES} bytes)`);
      }
      entries.push([key, value]);
    }
    for (const [key, value] of entries) metaData.set(key, value);
    return Response.json({}, { status: 201 });
  }

  function updateJob(asking: string, attributes: JsonObject): Response {
    const { timeout, ...others } = attributes;
    const unknown = Object.keys(others)[0];
    if (unknown !== undefined) return refuse(422, `Unknown attribute: ${unknown}`);
    if (typeof timeout !== 'string' || !/^[1-9]\d*$/.test(timeout)) return refuse(422, 'Timeout must be in minutes');
    jobUpdates.set('timeout', timeout);
    return Response.json({ id: asking });
  }
}

interface TokenRequest {
  readonly audience?: string;
  readonly lifetime?: number;
  readonly claims?: readonly string[];
  readonly subject_claim?: string;
}

/** Checks the shape only: which claims there are is known where claims are made. */
function tokenRequestFault(body: JsonObject): string | undefined {
  const unknown = Object.keys(body).find((field) => !TOKEN_REQUEST_FIELDS.includes(field));
  if (unknown !== undefined) return `Unknown parameter: ${unknown}`;
  const { audience, lifetime, claims, subject_claim: subjectClaim } = body;
  if (audience !== undefined && typeof audience !== 'string') return 'Audience must be a string';
  if (subjectClaim !== undefined && typeof subjectClaim !== 'string') return 'Subject claim must be a string';
  if (claims !== undefined && !(Array.isArray(claims) && claims.every((claim) => typeof claim === 'string'))) {
    return 'Claims must be a list of strings';
  }
  if (lifetime === undefined) return undefined;
  if (typeof lifetime !== 'number') return 'Lifetime must be a number';
  if (lifetime > MAX_LIFETIME_SECONDS) {
    return `Requested lifetime too high (requested: ${lifetime} max: ${MAX_LIFETIME_SECONDS})`;
  }
  return undefined;
}

function refuse(status: number, message: string): Response {
  return Response.json({ message }, { status });
}
