import type { AccessTokens } from './google-access-tokens.ts';
import { googleError, jsonBody, noSuchPath } from './google-error.ts';
import { allows, type Project, type ServiceAccount } from './google-iam-policy.ts';
import { canonicalMessage } from './protobuf-canonical.ts';
import { protoName } from './protobuf-types.ts';
import { validateMessage } from './protobuf-walker.ts';
import type { Handler } from './serve.ts';
import { JOB_COLLECTIONS, type JobCollection, type JobCollectionName, jobResource } from './vertex-job-collections.ts';
import { cancelledLife, type Life, type LifeStep, startLife, succeedingLife } from './vertex-job-life.ts';
import { jobFilter, pageOffset, pageToken } from './vertex-job-list.ts';
import { acceleratorUse, type Job, jobFaults } from './vertex-job-rules.ts';
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
  readonly script?: (job: Job) => readonly LifeStep[];
  /** What becomes of a job that is cancelled. */
  readonly cancelScript?: (job: Job) => readonly LifeStep[];
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
  readonly job: Job;
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
  /** The collection's full name. */
  readonly parent: string;
  readonly life: Life;
  readonly listedAfterMs: number;
  cancelRequested: boolean;
}

const TYPES = 'google.cloud.aiplatform.v1';
const DEFAULT_PAGE_SIZE = 100;
const FIRST_ID = 4_000_000_000_000_000_000n;

/** The jobs of Vertex AI (https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.customJobs, …). */
export function vertexAi(options: VertexAiOptions): VertexAi {
  const stored: StoredJob[] = [];
  const lives: { readonly steps: readonly LifeStep[]; readonly listedAfterMs: number }[] = [];
  const universe = options.universeDomain ?? 'googleapis.com';

  const handle: Handler = async (request) => {
    const url = new URL(request.url);
    const path = /^\/v1\/projects\/([^/]+)\/locations\/([^/]+)\/(\w+)(?:\/([^/:]+)(:cancel)?)?$/.exec(
      decodeURIComponent(url.pathname),
    );
    const [, projectName = '', location = '', collection = '', id, cancel] = path ?? [];
    const host = request.headers.get('x-simulated-host') ?? '';
    if (!isJobCollection(collection) || !host.endsWith(`-aiplatform.${universe}`)) return noSuchPath(request);
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
    const call = { request, caller, project, location, collection, sentParent, query: url.searchParams };

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
    const collection: JobCollection = JOB_COLLECTIONS[call.collection];
    const type = `${TYPES}.${collection.message}`;
    const violations = validateMessage(type, json.body, { at: protoName(collection.message).slice(1) });
    const refused =
      payloadRefusal(violations) ??
      queryRefusal(call, []) ??
      permissionRefusal(call, 'create', call.sentParent) ??
      fieldRefusal(violations);
    if (refused !== undefined) return refused;
    const job = canonicalMessage(type, json.body) as unknown as Job;
    const faults = [...jobFaults(job, collection.machines(job)), ...collection.faults(job, call.location)];
    const unfit = fieldRefusal(faults) ?? actAsRefusal(call, collection.serviceAccount(job)) ?? quotaRefusal(call, job);
    if (unfit !== undefined) return unfit;

    const parent = parentOf(call);
    const next = lives.shift();
    const added: StoredJob = {
      created: {
        name: `${parent}/${FIRST_ID + BigInt(stored.length) * 7_919n}`,
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
    return Response.json(jobResource(collection, added.created, added.life.view()));
  };

  const get = (call: VertexCall, id: string): Response => {
    const found = find(call, id, 'get');
    if (found instanceof Response) return found;
    return Response.json(jobResource(JOB_COLLECTIONS[call.collection], found.created, found.life.read()));
  };

  const list = (call: VertexCall): Response => {
    const refused =
      queryRefusal(call, ['filter', 'pageSize', 'pageToken']) ?? permissionRefusal(call, 'list', call.sentParent);
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
    const jobs = page.map((each) => jobResource(JOB_COLLECTIONS[call.collection], each.created, each.life.view()));
    return Response.json({
      ...(jobs.length === 0 ? {} : { [call.collection]: jobs }),
      ...(next < found.length ? { nextPageToken: pageToken(next, filter) } : {}),
    });
  };

  const cancelJob = async (call: VertexCall, id: string): Promise<Response> => {
    const json = await jsonBody(call.request);
    if (json instanceof Response) return json;
    const { message } = JOB_COLLECTIONS[call.collection];
    const name = `${call.sentParent}/${call.collection}/${id}`;
    const body = typeof json.body === 'object' && json.body !== null ? { name, ...json.body } : json.body;
    const refused = payloadRefusal(validateMessage(`${TYPES}.Cancel${message}Request`, body));
    if (refused !== undefined) return refused;
    const found = find(call, id, 'cancel');
    if (found instanceof Response) return found;
    if (found.life.view().ended) {
      return googleError(
        'FAILED_PRECONDITION',
        `The ${message} "${found.created.name}" has ended and cannot be cancelled.`,
      );
    }
    if (!found.cancelRequested) found.life.become(options.cancelScript?.(found.created.job) ?? cancelledLife());
    found.cancelRequested = true;
    return Response.json({});
  };

  const find = (call: VertexCall, id: string, verb: 'get' | 'cancel'): StoredJob | Response => {
    const refused =
      queryRefusal(call, []) ?? permissionRefusal(call, verb, `${call.sentParent}/${call.collection}/${id}`);
    if (refused !== undefined) return refused;
    const name = `${parentOf(call)}/${id}`;
    return (
      stored.find(({ created }) => created.name === name) ??
      googleError('NOT_FOUND', `The ${JOB_COLLECTIONS[call.collection].message} "${name}" does not exist.`)
    );
  };

  const actAsRefusal = ({ caller }: VertexCall, serviceAccount: string | undefined): Response | undefined => {
    if (serviceAccount === undefined) return undefined;
    const account = options.serviceAccounts.find(({ email }) => email === serviceAccount);
    if (account !== undefined && allows(account.bindings, caller, 'iam.serviceAccounts.actAs')) return undefined;
    const message = `You do not have permission to act as service_account: ${serviceAccount}. (or it may not exist).`;
    return googleError('INVALID_ARGUMENT', message);
  };

  const quotaRefusal = (call: VertexCall, job: Job): Response | undefined => {
    const { quota, machines }: JobCollection = JOB_COLLECTIONS[call.collection];
    const active = stored.filter(({ parent, life }) => parent === parentOf(call) && !life.view().ended);
    const uses = active.map(({ created }) => acceleratorUse(quota, machines(created.job)));
    const exceeded = [...acceleratorUse(quota, machines(job))].filter(([metric, wanted]) => {
      const used = uses.reduce((sum, use) => sum + (use.get(metric) ?? 0), 0);
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

/** The collection's name as jobs have it: the service always writes the project's number. */
function parentOf({ project, location, collection }: VertexCall): string {
  return `projects/${project.number}/locations/${location}/${collection}`;
}

function isJobCollection(name: string): name is JobCollectionName {
  return Object.hasOwn(JOB_COLLECTIONS, name);
}
