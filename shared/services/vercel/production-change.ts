import { SubmitError } from '../../errors.ts';
import { oddId } from '../../http/odd-id.ts';
import { urlPart } from '../../http/url-part.ts';
import type { Session } from '../../identity/session.ts';
import { defined, type Json, listAt, numberAt, objectAt, textAt } from '../../json.ts';
import {
  type ByState,
  type Change,
  type Conclusion,
  type Difference,
  NOTHING_MORE,
  type Plan,
  type Run,
  type RunStatus,
} from '../../kind.ts';
import { plainLine } from '../../remote-text.ts';
import { VERCEL_ORIGIN, type VercelApi, type VercelCall, vercelApi, vercelCalls } from './api.ts';
import { DEPLOYMENT_ID_FORM, deploymentIdAt, readDeploymentId } from './deployment-id.ts';
import type { DeploymentReference } from './deployment-reference.ts';
import { addressOf, pageOf } from './deployment-status.ts';
import { GUIDE } from './errors.ts';
import {
  type ChangeMark,
  type ChangeType,
  isRolledBack,
  isUnderWay as isUnderWayIn,
  lastRequestAt,
  productionOf,
  readChange,
  requestOf,
} from './production-status.ts';
import { projectCall, readProject } from './project.ts';
import type { VercelAccess } from './trust-settings.ts';

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

/** Points the production of a project at a deployment that is there; without one, an earlier change is waited for. */
export function productionPlan(
  access: VercelAccess,
  type: ChangeType,
  project: string,
  reference: DeploymentReference | undefined,
): Plan {
  const run = changeRun(access, project, unmarked(type, ''), null);
  const title = `${project}, ${reference?.title ?? 'an earlier request'}`;
  const plan = { title, access, longestSeconds: LONGEST_SECONDS, run };
  if (reference === undefined) return { ...plan, does: 'attach' };
  const call = vercelCalls(access.trust.team);
  return {
    ...plan,
    does: 'change',
    submission: {
      stage: 'draft',
      payload: { project, deployment: reference.title },
      lookUps: [projectCall(call, project), deploymentCall(call, reference.title)],
      preview: () => changeCall(call, type, project, reference.title),
      prepare: (session) => prepareChange(access, type, project, reference, session),
    },
  };
}

function deploymentCall(call: VercelCall, idOrHost: string) {
  return call('GET', `/v13/deployments/${urlPart(idOrHost)}`);
}

/** https://vercel.com/docs/rest-api/projects/point-production-traffic-to-a-given-deployment */
function changeCall(call: VercelCall, type: ChangeType, project: string, deployment: string) {
  return call('POST', `${PATHS[type].request}/${urlPart(project)}/${type}/${urlPart(deployment)}`, { body: {} });
}

/**
 * The change against what the project serves, with project and deployment by id.
 * @throws SubmitError `invalid-settings` when the deployment is not one that production could serve.
 */
async function prepareChange(
  access: VercelAccess,
  type: ChangeType,
  written: string,
  reference: DeploymentReference,
  session: Session,
): Promise<Change> {
  const vercel = vercelApi(access.trust.team, session);
  const project = await readProject(vercel, written);
  const named = await reference.resolve(session.signal);
  const deployment = await vercel.read(deploymentCall(vercel.call, named));
  const id = deploymentIdAt(deployment);
  if (id === undefined) throw oddId(new URL(VERCEL_ORIGIN).host, DEPLOYMENT_ID_FORM);
  requireFit(type, id, deployment, project.id);

  const { differences, isUnderWay } = differencesOf(type, id, project.source);
  const before = lastRequestAt(project.source);
  return {
    stage: 'ready',
    payload: { project: project.id, deployment: id },
    delivery: {
      by: 'state',
      id,
      differences,
      isUnderWay,
      apply: changeCall(vercel.call, type, project.id, id),
      // A request whose answer was lost shows in the project.
      readBack: async ({ read }) => {
        const now = await read(projectCall(vercel.call, project.id));
        return requestOf(now, { ...unmarked(type, id), before }) === undefined ? undefined : now;
      },
      run: (accepted, now = project.source) => {
        const isOurs = accepted !== undefined || now !== project.source;
        const mark = { ...unmarked(type, id), before: isOurs ? before : undefined, queued: accepted?.status === 202 };
        // Where no answer tells when it was accepted, the request itself does.
        const acceptedAt = accepted?.dateMs ?? numberAt(requestOf(now, mark), 'requestedAt');
        return changeRun(access, project.id, { ...mark, acceptedAt }, deployment);
      },
    },
  };
}

/**
 * What the change makes of what production serves, and whether the same is on its way. What production serves while it is on its
 * way to another deployment is not what it will serve. And a project that was rolled back stays so until a deployment is promoted,
 * be it the one that it serves.
 */
function differencesOf(type: ChangeType, id: string, project: Json): Pick<ByState, 'differences' | 'isUnderWay'> {
  const served = productionOf(project);
  const isSame = requestOf(project, unmarked(type, id)) !== undefined;
  const isChanging = isUnderWayIn(project);
  const release = { name: 'new deployments', before: 'kept from production', after: 'served when they are ready' };
  const differences: readonly Difference[] = [
    ...(served === id && (isSame || !isChanging) ? [] : [{ name: 'production', before: served, after: id }]),
    ...(type === 'promote' && isRolledBack(project) ? [release] : []),
  ];
  return { differences, isUnderWay: differences.length > 0 && isSame && isChanging };
}

/** What a change is told by as long as nothing is known of when it was asked for. */
function unmarked(type: ChangeType, deployment: string): ChangeMark {
  return { type, deployment, before: undefined, acceptedAt: undefined, queued: false };
}

/** A change that is waited for: its mark as far as it is known, and its deployment as it was read, or null. */
function changeRun({ trust }: VercelAccess, project: string, mark: ChangeMark, deployment: Json): Run {
  const { team } = trust;
  const call = vercelCalls(team);
  return {
    readReference: readDeploymentId,
    url: () => pageOf(deployment),
    find: undefined,
    status: async ({ read }, id) => readChange(await read(projectCall(call, project)), { ...mark, deployment: id }),
    ...NOTHING_MORE,
    cancellation: undefined,
    conclude: (session, _id, status) =>
      concludeChange(vercelApi(team, session), mark.type, project, status, addressOf(deployment)),
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
  vercel: VercelApi,
  type: ChangeType,
  project: string,
  status: RunStatus,
  address: string | undefined,
): Promise<Conclusion> {
  const failed = status.word === 'failed' ? await failedAliases(vercel, type, project) : [];
  return {
    outputs: defined({
      'deployment-url': address,
      production: productionOf(status.source),
      'failed-aliases': failed.length === 0 ? undefined : JSON.stringify(failed),
    }),
    notes: [
      ...(failed.length === 0 ? [] : [{ title: 'Domains that could not be moved', lines: failed }]),
      ...(type === 'rollback' && status.phase === 'succeeded' ? [KEPT_BACK] : []),
    ],
  };
}

/** https://vercel.com/docs/rest-api/projects/gets-a-list-of-aliases-with-status-for-the-current-promote */
async function failedAliases({ call, read }: VercelApi, type: ChangeType, project: string): Promise<readonly string[]> {
  const path = `${PATHS[type].aliases}/${urlPart(project)}/${type}/aliases`;
  const query = { failedOnly: 'true', limit: String(MOST_ALIASES) };
  // That it failed is known; which domains it was is only more of it.
  const list = await read(call('GET', path, { query })).catch(() => undefined);
  return listAt(list, 'aliases').flatMap((entry) => {
    const name = textAt(objectAt(entry, 'alias'), 'alias') ?? textAt(entry, 'alias');
    return name === undefined ? [] : [plainLine(name, 260)];
  });
}
