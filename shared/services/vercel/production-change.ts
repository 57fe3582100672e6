import { SubmitError } from '../../errors.ts';
import { answerJson, bearer } from '../../http/http.ts';
import { oddId } from '../../http/odd-id.ts';
import type { ServiceClient } from '../../identity/service-client.ts';
import { type Json, type JsonObject, listAt, numberAt, objectAt, textAt } from '../../json.ts';
import type { Conclusion, Job, JobEnvironment, RunStatus } from '../../kind.ts';
import { plainLine } from '../../remote-text.ts';
import { Secret } from '../../secret.ts';
import { segment, VERCEL_ORIGIN, type VercelCall, vercelCalls } from './api.ts';
import { DEPLOYMENT_ID_FORM, deploymentIdAt, readDeploymentId } from './deployment-id.ts';
import type { DeploymentReference } from './deployment-reference.ts';
import { addressOf, pageOf } from './deployment-status.ts';
import { explainVercel, GUIDE, isVercelCapacity } from './errors.ts';
import {
  type ChangeMark,
  type ChangeType,
  isRolledBack,
  isUnderWay,
  lastRequestAt,
  productionOf,
  readChange,
  requestOf,
} from './production-status.ts';
import { projectCall, readProject } from './project.ts';
import type { VercelIdentity } from './trust-settings.ts';

/** A change of what production serves, as its settings describe it. */
export interface ChangePlan {
  readonly type: ChangeType;
  readonly project: string;
  /** Undefined when an earlier change is waited for. */
  readonly reference: DeploymentReference | undefined;
}

/** Outputs of a change of production. */
export const changeOutputs = {
  'deployment-url': "the deployment's own address, where this step looked it up",
  production: 'the id of the deployment that production serves',
  'failed-aliases': 'JSON: the domains that could not be moved, when it failed',
};

const PATHS: Readonly<Record<ChangeType, { readonly request: string; readonly aliases: string }>> = {
  promote: { request: '/v10/projects', aliases: '/v1/projects' },
  rollback: { request: '/v1/projects', aliases: '/v9/projects' },
};
/** Domains move in seconds; a rolling release that it queues behind may take longer. */
const LONGEST_SECONDS = 45 * 60;
/** What a rollback means for those who deploy next. */
const KEPT_BACK = {
  title: 'From now on',
  lines: ['New deployments get none of the domains of production, until one is promoted (vercel-promote).'],
};
/** Of many domains that could not be moved, so many are told. */
const MOST_ALIASES = 100;

/** Points the production of a project at a deployment that is there. Asking again does no harm. */
export function productionChange(identity: VercelIdentity, plan: ChangePlan): Job {
  const { project, reference, type } = plan;
  const call = vercelCalls(identity.trust.team);
  const mark = { type, before: undefined, acceptedAt: undefined, queued: false };
  const job: Job = {
    title: `${project}, ${reference?.title ?? 'an earlier request'}`,
    identity: identity.title,
    origin: VERCEL_ORIGIN,
    place: identity.trust.team,
    payload: reference === undefined ? undefined : { project, deployment: reference.title },
    serverTimeoutSeconds: undefined,
    longestSeconds: LONGEST_SECONDS,
    callsBefore: [...identity.callsBefore, ...(reference === undefined ? [] : lookUps(call, project, reference.title))],
    credential: identity.credential,
    prepare: (environment) => prepareChange(job, plan, call, environment),
    submissionCall: (payload) => changeCall(call, type, payload),
    readSubmission: () => undefined,
    recognisesRepeats: false,
    repeatable: true,
    find: undefined,
    status: async (client, deployment, signal) =>
      readChange(await client.read(projectCall(call, project), signal), { ...mark, deployment }),
    cancellation: undefined,
    conclude: (client, _id, status, signal) => concludeChange(type, project, status, undefined, call, client, signal),
    readReference: readDeploymentId,
    url: () => undefined,
    explain: (request, answer) => explainVercel(identity, request, answer),
    isCapacity: isVercelCapacity,
  };
  return job;
}

function lookUps(call: VercelCall, project: string, deployment: string): Job['callsBefore'] {
  const secretHeaders = bearer(new Secret(''));
  return [projectCall(call, project), deploymentCall(call, deployment)].map((each) => ({ ...each, secretHeaders }));
}

function deploymentCall(call: VercelCall, idOrHost: string) {
  return call('GET', `/v13/deployments/${segment(idOrHost)}`);
}

/** https://vercel.com/docs/rest-api/projects/point-production-traffic-to-a-given-deployment */
function changeCall(call: VercelCall, type: ChangeType, payload: JsonObject) {
  const project = segment(textAt(payload, 'project') ?? '');
  const deployment = segment(textAt(payload, 'deployment') ?? '');
  return call('POST', `${PATHS[type].request}/${project}/${type}/${deployment}`, { body: {} });
}

/**
 * The same change with project and deployment by id.
 * @throws SubmitError `invalid-settings` when the deployment is not one that production could serve.
 */
async function prepareChange(
  job: Job,
  { project: written, reference, type }: ChangePlan,
  call: VercelCall,
  { client, log, signal }: JobEnvironment,
): Promise<Job> {
  const project = await readProject(written, call, client, signal);
  const named = (await reference?.resolve(signal)) ?? '';
  const deployment = await client.read(deploymentCall(call, named), signal);
  const id = deploymentIdAt(deployment);
  if (id === undefined) throw oddId(new URL(VERCEL_ORIGIN).host, DEPLOYMENT_ID_FORM);
  requireFit(type, id, deployment, project.id);

  const before = lastRequestAt(project.source);
  const isSame =
    requestOf(project.source, { type, deployment: id, before: undefined, acceptedAt: undefined, queued: false }) !==
    undefined;
  const isChanging = isUnderWay(project.source);
  // What production serves while it is on its way to another deployment is not what it will serve. And a project that was rolled
  // back stays so until a deployment is promoted, be it the one that it serves.
  const isDone =
    productionOf(project.source) === id &&
    (isSame || !isChanging) &&
    !(type === 'promote' && isRolledBack(project.source));
  let isNeeded = !isDone && !(isSame && isChanging);
  if (!isNeeded)
    log.info(isDone ? `production serves ${id} already: nothing is asked for` : `${id}: the same is under way`);

  let acceptedAt: number | undefined;
  let queued = false;
  const mark = (): ChangeMark => ({ type, deployment: id, before: isNeeded ? before : undefined, acceptedAt, queued });
  const read = async (reader: ServiceClient, until: AbortSignal): Promise<Json> =>
    reader.read(projectCall(call, project.id), until);
  const wasAsked = async (reader: ServiceClient, until: AbortSignal): Promise<boolean> =>
    requestOf(await read(reader, until), mark()) !== undefined;
  return {
    ...job,
    payload: { project: project.id, deployment: id },
    submissionCall: (payload) => (isNeeded ? changeCall(call, type, payload) : projectCall(call, project.id)),
    readSubmission: (answer) => {
      if (isNeeded) acceptedAt = answer.dateMs;
      queued = answer.status === 202;
      return isNeeded || answerJson(answer) !== undefined ? { id, isNew: isNeeded } : undefined;
    },
    supply: async (refusal, { client: reader, signal: until }) => {
      if (refusal.status !== 409 || !isNeeded || !(await wasAsked(reader, until))) return false;
      log.info(`${id}: the same was asked for in the meantime`);
      isNeeded = false;
      return true;
    },
    // A request whose answer was lost shows in the project.
    find: async (reader, _key, until) => ((await wasAsked(reader, until)) ? [{ id, attempt: 1 }] : []),
    status: async (reader, _id, until) => {
      const now = await read(reader, until);
      // Where the answer did not tell when it was accepted, the request itself does.
      acceptedAt ??= numberAt(requestOf(now, mark()), 'requestedAt');
      return readChange(now, mark());
    },
    conclude: (reader, _id, status, until) =>
      concludeChange(type, project.id, status, addressOf(deployment), call, reader, until),
    url: () => pageOf(deployment),
  };
}

function requireFit(type: ChangeType, id: string, deployment: Json, project: string): void {
  const target = textAt(deployment, 'target') ?? 'preview';
  const state = textAt(deployment, 'readyState') ?? 'unknown';
  const owner = textAt(deployment, 'projectId') ?? textAt(objectAt(deployment, 'project'), 'id');
  const refuse = (happened: string, expected: string, remedy: string): SubmitError =>
    new SubmitError('invalid-settings', {
      happened: `${id} ${happened}; nothing was changed`,
      presented: [
        `«deployment»: ${plainLine(id, 80)}, target ${plainLine(target, 60)}, state ${plainLine(state, 60)}, project ${plainLine(owner ?? 'unknown', 80)}`,
      ],
      expected: [expected],
      remedy: [remedy],
      link: GUIDE,
    });
  if (owner !== undefined && owner !== project)
    throw refuse('belongs to another project', `a deployment of ${project}`, 'Correct «deployment» or «project».');
  if (target !== 'production') {
    throw refuse(
      `was not built for production, so Vercel would build it again instead of ${type === 'promote' ? 'promoting it' : 'rolling back to it'}`,
      'a deployment with the target production',
      type === 'promote'
        ? 'Deploy once with «target» production and «skip-domain», test that deployment, and promote it.'
        : 'Name a deployment that production served before.',
    );
  }
  if (state !== 'READY')
    throw refuse('is not ready', 'a deployment that is READY', 'Wait for the deployment in the step before.');
}

async function concludeChange(
  type: ChangeType,
  project: string,
  status: RunStatus,
  address: string | undefined,
  call: VercelCall,
  client: ServiceClient,
  signal: AbortSignal,
): Promise<Conclusion> {
  const production = productionOf(status.source);
  const failed = status.word === 'failed' ? await failedAliases(type, project, call, client, signal) : [];
  return {
    outputs: {
      ...(address === undefined ? {} : { 'deployment-url': address }),
      ...(production === undefined ? {} : { production }),
      ...(failed.length === 0 ? {} : { 'failed-aliases': JSON.stringify(failed) }),
    },
    notes: [
      ...(failed.length === 0 ? [] : [{ title: 'Domains that could not be moved', lines: failed }]),
      ...(type === 'rollback' && status.phase === 'succeeded' ? [KEPT_BACK] : []),
    ],
  };
}

/** https://vercel.com/docs/rest-api/projects/gets-a-list-of-aliases-with-status-for-the-current-promote */
async function failedAliases(
  type: ChangeType,
  project: string,
  call: VercelCall,
  client: ServiceClient,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const path = `${PATHS[type].aliases}/${segment(project)}/${type}/aliases`;
  const query = { failedOnly: 'true', limit: String(MOST_ALIASES) };
  // That it failed is known; which domains it was is only more of it.
  const list = await client.read(call('GET', path, { query }), signal).catch(() => undefined);
  return listAt(list, 'aliases').flatMap((entry) => {
    const name = textAt(objectAt(entry, 'alias'), 'alias') ?? textAt(entry, 'alias');
    return name === undefined ? [] : [plainLine(name, 260)];
  });
}
