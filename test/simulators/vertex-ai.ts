import type { AccessTokens } from './google-access-tokens.ts';
import { googleError, jsonBody, noSuchPath } from './google-error.ts';
import { allows, type Permission, type Project, type ServiceAccount } from './google-iam-policy.ts';
import { canonicalMessage } from './protobuf-canonical.ts';
import { validateMessage } from './protobuf-walker.ts';
import type { Handler } from './serve.ts';
import { customJobResource } from './vertex-custom-job-resource.ts';
import { acceleratorUse, type CustomJob, customJobFaults } from './vertex-custom-job-rules.ts';
import { cancelledLife, type Life, type LifeStep, startLife, succeedingLife } from './vertex-job-life.ts';
import { jobFilter, pageOffset, pageToken } from './vertex-job-list.ts';
import {
  fieldRefusal,
  payloadRefusal,
  permissionRefusal,
  queryRefusal,
  unknownProject,
  VERTEX_SERVICE,
  type VertexCall,
} from './vertex-refusals.ts';

export interface VertexAiOptions {
  readonly projects: readonly Project[];
  readonly serviceAccounts: readonly ServiceAccount[];
  readonly tokens: AccessTokens;
  readonly now: () => number;
  readonly universeDomain?: string;
  /** Accelerators that jobs of one region may use at a time, by quota metric; as in a new project, 0 where none is given. */
  readonly acceleratorQuota?: Readonly<Record<string, number>>;
  /** The life of each job for which `nextLife` said nothing. */
  readonly script?: (job: CustomJob) => readonly LifeStep[];
  /** What becomes of a job that is cancelled. */
  readonly cancelScript?: (job: CustomJob) => readonly LifeStep[];
  /** The first page of a list is empty and leads to the next one, as services may answer (https://google.aip.dev/158). */
  readonly emptyFirstPage?: boolean;
}

/** A job that was created, for a test to look at. */
export interface CreatedJob {
  readonly name: string;
  /** `principal://…` or a service account's email. */
  readonly caller: string;
  readonly createdAt: number;
  /** The request as it came. */
  readonly rawBody: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly job: CustomJob;
  readonly state: string | undefined;
  readonly cancelRequested: boolean;
}

export interface VertexAi {
  readonly handle: Handler;
  jobs(): readonly CreatedJob[];
  /** The life of the next job to be created, and for how many milliseconds lists do not show it; several calls line up. */
  nextLife(steps: readonly LifeStep[], listedAfterMs?: number): void;
}

interface StoredJob {
  readonly created: Omit<CreatedJob, 'state' | 'cancelRequested'>;
  readonly parent: string;
  readonly life: Life;
  readonly listedAfterMs: number;
  cancelRequested: boolean;
}

const CUSTOM_JOB = 'google.cloud.aiplatform.v1.CustomJob';
const DEFAULT_PAGE_SIZE = 100;
const FIRST_ID = 4_000_000_000_000_000_000n;

/** Custom jobs of Vertex AI (https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.customJobs). */
export function vertexAi(options: VertexAiOptions): VertexAi {
  const stored: StoredJob[] = [];
  const lives: { readonly steps: readonly LifeStep[]; readonly listedAfterMs: number }[] = [];
  const universe = options.universeDomain ?? 'googleapis.com';

  const handle: Handler = async (request) => {
    const url = new URL(request.url);
    const path = /^\/v1\/projects\/([^/]+)\/locations\/([^/]+)\/customJobs(?:\/([^/:]+)(:cancel)?)?$/.exec(
      decodeURIComponent(url.pathname),
    );
    const [, projectName, location, id, cancel] = path ?? [];
    const host = request.headers.get('x-simulated-host') ?? '';
    if (projectName === undefined || location === undefined || !host.endsWith(`-aiplatform.${universe}`)) {
      return noSuchPath(request);
    }
    const caller = options.tokens.authenticate(request, VERTEX_SERVICE);
    if (caller instanceof Response) return caller;
    const region = host.slice(0, -`-aiplatform.${universe}`.length);
    if (region !== location) {
      const message = `The location ${location} of the resource does not match the location ${region} of the endpoint.`;
      return googleError('INVALID_ARGUMENT', message);
    }
    const project = options.projects.find((each) => each.id === projectName || each.number === projectName);
    if (project === undefined) return unknownProject(projectName);
    const sentParent = `projects/${projectName}/locations/${location}`;
    const call: VertexCall = { request, caller, project, location, sentParent, query: url.searchParams };

    if (id === undefined) {
      if (request.method === 'POST') return create(call);
      return request.method === 'GET' ? list(call) : noSuchPath(request);
    }
    if (cancel !== undefined) return request.method === 'POST' ? cancelJob(call, id) : noSuchPath(request);
    return request.method === 'GET' ? get(call, id) : noSuchPath(request);
  };

  const create = async (call: VertexCall): Promise<Response> => {
    const json = await jsonBody(call.request);
    if (json instanceof Response) return json;
    const violations = validateMessage(CUSTOM_JOB, json.body, { at: 'custom_job' });
    const refused =
      payloadRefusal(violations) ??
      queryRefusal(call, []) ??
      permissionRefusal(call, 'aiplatform.customJobs.create', call.sentParent) ??
      fieldRefusal(violations);
    if (refused !== undefined) return refused;
    const job = canonicalMessage(CUSTOM_JOB, json.body) as unknown as CustomJob;
    const unfit = fieldRefusal(customJobFaults(job)) ?? actAsRefusal(call, job) ?? quotaRefusal(call, job);
    if (unfit !== undefined) return unfit;

    const parent = parentOf(call);
    const next = lives.shift();
    const added: StoredJob = {
      created: {
        name: `${parent}/customJobs/${FIRST_ID + BigInt(stored.length) * 7_919n}`,
        caller: call.caller.identity,
        createdAt: options.now(),
        rawBody: json.text,
        headers: Object.fromEntries(call.request.headers),
        job,
      },
      parent,
      life: startLife(next?.steps ?? options.script?.(job) ?? succeedingLife(), options.now),
      listedAfterMs: next?.listedAfterMs ?? 0,
      cancelRequested: false,
    };
    stored.push(added);
    return Response.json(customJobResource(added.created, added.life.view()));
  };

  const get = (call: VertexCall, id: string): Response => {
    const found = find(call, id, 'aiplatform.customJobs.get');
    return found instanceof Response ? found : Response.json(customJobResource(found.created, found.life.read()));
  };

  const list = (call: VertexCall): Response => {
    const refused =
      queryRefusal(call, ['filter', 'pageSize', 'pageToken']) ??
      permissionRefusal(call, 'aiplatform.customJobs.list', call.sentParent);
    if (refused !== undefined) return refused;
    const filter = call.query.get('filter') ?? '';
    const matches = jobFilter(filter);
    if (matches === undefined) return googleError('INVALID_ARGUMENT', `Invalid list filter: ${filter}`);
    const size = Number(call.query.get('pageSize') ?? 0);
    const offset = pageOffset(call.query.get('pageToken') ?? '', filter);
    if (!Number.isInteger(size) || size < 0) return googleError('INVALID_ARGUMENT', 'The page size is invalid.');
    if (offset === undefined) return googleError('INVALID_ARGUMENT', 'The page token is invalid.');

    if (options.emptyFirstPage === true && !call.query.has('pageToken'))
      return Response.json({ nextPageToken: pageToken(0, filter) });
    const found = stored
      .filter(({ parent }) => parent === parentOf(call))
      .filter(({ created, listedAfterMs }) => created.createdAt + listedAfterMs <= options.now())
      .filter(({ created: { job }, life }) => matches({ ...job, state: life.view().state }))
      .reverse();
    const page = found.slice(offset, offset + (size || DEFAULT_PAGE_SIZE));
    const next = offset + page.length;
    return Response.json({
      ...(page.length === 0
        ? {}
        : { customJobs: page.map((each) => customJobResource(each.created, each.life.view())) }),
      ...(next < found.length ? { nextPageToken: pageToken(next, filter) } : {}),
    });
  };

  const cancelJob = async (call: VertexCall, id: string): Promise<Response> => {
    const json = await jsonBody(call.request);
    if (json instanceof Response) return json;
    const name = `${call.sentParent}/customJobs/${id}`;
    const body = typeof json.body === 'object' && json.body !== null ? { name, ...json.body } : json.body;
    const refused = payloadRefusal(validateMessage('google.cloud.aiplatform.v1.CancelCustomJobRequest', body));
    if (refused !== undefined) return refused;
    const found = find(call, id, 'aiplatform.customJobs.cancel');
    if (found instanceof Response) return found;
    if (found.life.view().ended) {
      return googleError(
        'FAILED_PRECONDITION',
        `The CustomJob "${found.created.name}" has ended and cannot be cancelled.`,
      );
    }
    if (!found.cancelRequested) found.life.become(options.cancelScript?.(found.created.job) ?? cancelledLife());
    found.cancelRequested = true;
    return Response.json({});
  };

  const find = (call: VertexCall, id: string, permission: Permission): StoredJob | Response => {
    const refused =
      queryRefusal(call, []) ?? permissionRefusal(call, permission, `${call.sentParent}/customJobs/${id}`);
    if (refused !== undefined) return refused;
    const name = `${parentOf(call)}/customJobs/${id}`;
    return (
      stored.find(({ created }) => created.name === name) ??
      googleError('NOT_FOUND', `The CustomJob "${name}" does not exist.`)
    );
  };

  const actAsRefusal = ({ caller }: VertexCall, { jobSpec: { serviceAccount } }: CustomJob): Response | undefined => {
    if (serviceAccount === undefined) return undefined;
    const account = options.serviceAccounts.find(({ email }) => email === serviceAccount);
    if (account !== undefined && allows(account.bindings, caller, 'iam.serviceAccounts.actAs')) return undefined;
    const message = `You do not have permission to act as service_account: ${serviceAccount}. (or it may not exist).`;
    return googleError('INVALID_ARGUMENT', message);
  };

  const quotaRefusal = (call: VertexCall, job: CustomJob): Response | undefined => {
    const active = stored.filter(({ parent, life }) => parent === parentOf(call) && !life.view().ended);
    const exceeded = [...acceleratorUse(job)].filter(([metric, wanted]) => {
      const used = active.reduce((sum, { created }) => sum + (acceleratorUse(created.job).get(metric) ?? 0), 0);
      return used + wanted > (options.acceleratorQuota?.[metric] ?? 0);
    });
    if (exceeded.length === 0) return undefined;
    const metrics = exceeded.map(([metric]) => metric).join(', ');
    return googleError('RESOURCE_EXHAUSTED', `The following quota metrics exceed quota limits: ${metrics}`);
  };

  return {
    handle,
    jobs: () =>
      stored.map(({ created, life, cancelRequested }) => ({ ...created, state: life.view().state, cancelRequested })),
    nextLife: (steps, listedAfterMs = 0) => {
      lives.push({ steps, listedAfterMs });
    },
  };
}

/** In names the service always writes the project's number. */
function parentOf({ project, location }: VertexCall): string {
  return `projects/${project.number}/locations/${location}`;
}
