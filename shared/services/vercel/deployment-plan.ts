import type { Files } from '../../files.ts';
import { answerJson, type HttpCall } from '../../http/http.ts';
import { oddId } from '../../http/odd-id.ts';
import { pagesOf } from '../../http/pages.ts';
import { urlPart } from '../../http/url-part.ts';
import type { Session } from '../../identity/session.ts';
import { defined, type Json, type JsonObject, listAt, objectAt, textAt } from '../../json.ts';
import type { FindRuns, FoundRun, Plan, Run, RunSubmission, SubmissionMark } from '../../kind.ts';
import { VERCEL_ORIGIN, type VercelApi, type VercelCall, vercelApi, vercelCalls } from './api.ts';
import type { OutputFile } from './build-output.ts';
import { attemptOf, fileEntry, markDeployment } from './deployment-body.ts';
import { type Completion, completeDeployment } from './deployment-completion.ts';
import { concludeDeployment, type UploadStats } from './deployment-conclusion.ts';
import { DEPLOYMENT_ID_FORM, deploymentIdAt, readDeploymentId } from './deployment-id.ts';
import { hasChecks, readDeployment } from './deployment-status.ts';
import { fileUploads } from './file-uploads.ts';
import { hashFiles } from './hash-files.ts';
import { isRolledBack } from './production-status.ts';
import { amountOf, describeAmount } from './progress.ts';
import { projectCall, readProject } from './project.ts';
import { requireVisitorToken } from './smoke-test.ts';
import type { VercelAccess } from './trust-settings.ts';

/** A deployment as its settings describe it. */
export interface DeploymentOrder {
  readonly title: string;
  /** Undefined when an earlier deployment is waited for. */
  readonly payload: JsonObject | undefined;
  readonly project: string;
  readonly output: readonly OutputFile[];
  readonly files: Files;
  readonly skipDomain: boolean;
  readonly completion: Completion;
}

/** What a build may take at the most, https://vercel.com/docs/builds. */
const LONGEST_SECONDS = 45 * 60;
/** A project's deployments are listed a hundred at a time. */
const PAGE = 100;
/** How far back a step looks for a deployment of its own: big projects have thousands of older ones. */
const LOOK_BACK_MS = 7 * 24 * 3_600_000;

/** A build that is deployed, under one identity. https://vercel.com/docs/rest-api/deployments */
export function deploymentPlan(access: VercelAccess, order: DeploymentOrder): Plan {
  const { completion, payload, project, skipDomain, title } = order;
  const { team } = access.trust;
  const call = vercelCalls(team);
  const find: FindRuns = (session, key) => findDeployments(vercelApi(team, session), project, key);
  const run = deploymentRun(access, completion, skipDomain, find, () => undefined);
  const plan = { title, access, longestSeconds: LONGEST_SECONDS, run };
  if (payload === undefined) return { ...plan, does: 'attach' };
  return {
    ...plan,
    does: 'run',
    serverTimeoutSeconds: undefined,
    submission: {
      stage: 'draft',
      payload,
      lookUps: [projectCall(call, project)],
      preview: (mark) => createCall(call, payload, mark),
      prepare: (session) => prepareDeployment(access, { ...order, payload }, session),
    },
  };
}

function createCall(call: VercelCall, payload: JsonObject, { key, attempt }: SubmissionMark): HttpCall {
  return call('POST', '/v13/deployments', {
    // The service would else take a build of the same files for this one, with the other's metadata.
    query: { prebuilt: '1', forceNew: '1', skipAutoDetectionConfirmation: '1' },
    body: markDeployment(payload, key, attempt),
  });
}

/** What can be done with a deployment; with `skipDomain` its project's domains stay where they are. */
function deploymentRun(
  { trust }: VercelAccess,
  completion: Completion,
  skipDomain: boolean,
  find: FindRuns,
  uploaded: () => UploadStats | undefined,
): Run {
  const { team } = trust;
  const call = vercelCalls(team);
  const cancelCall = (id: string) => call('PATCH', `/v12/deployments/${urlPart(id)}/cancel`);
  return {
    readReference: readDeploymentId,
    url: () => undefined,
    find,
    status: async ({ read }, id) => {
      const deployment = await read(call('GET', `/v13/deployments/${urlPart(id)}`));
      const checkRuns = hasChecks(deployment)
        ? // They only tell more of what the deployment itself says.
          await read(call('GET', `/v2/deployments/${urlPart(id)}/check-runs`)).catch(() => undefined)
        : undefined;
      return readDeployment(deployment, { checkRuns, skipDomain });
    },
    log: undefined,
    whyLate: undefined,
    cancellation: {
      call: cancelCall,
      command: (id) => `curl -X PATCH -H "Authorization: Bearer $VERCEL_TOKEN" "${cancelCall(id).url}"`,
      refusal: () => undefined,
    },
    complete:
      completion.aliases.length === 0 && completion.smoke === undefined
        ? undefined
        : (session, id, ready) => completeDeployment(vercelApi(team, session), id, ready, completion),
    conclude: (session, id, ended) => concludeDeployment(vercelApi(team, session), id, ended, uploaded()),
  };
}

/** The same deployment with its project by id and every file by its contents. */
async function prepareDeployment(
  access: VercelAccess,
  order: DeploymentOrder & { readonly payload: JsonObject },
  session: Session,
): Promise<RunSubmission> {
  const { completion, files, output, project, skipDomain } = order;
  const { log } = session;
  const vercel = vercelApi(access.trust.team, session);
  await requireVisitorToken(completion.smoke, session);
  const { id, name, source } = await readProject(vercel, project);
  // Its domains stay where they are, so nobody should wait for them.
  const isKept = textAt(order.payload, 'target') === 'production' && !skipDomain && isRolledBack(source);
  if (isKept)
    log.warning(
      `Production of ${name} was rolled back: this deployment gets none of its domains until one is promoted (vercel-promote).`,
    );
  const amount = amountOf(output);
  const elsewhere = output.filter((file) => !file.name.startsWith('.vercel/output/')).length;
  log.info(`build: ${describeAmount(amount)}${elsewhere === 0 ? '' : `, ${elsewhere} of them from outside of it`}`);
  const hashed = await hashFiles(output, files, session);
  const uploads = fileUploads(hashed, files, vercel.call, access.explain);
  const since = session.clock.now() - LOOK_BACK_MS;
  const find: FindRuns = (reading, key) => findDeployments(vercelApi(access.trust.team, reading), id, key, since);
  const payload = { ...order.payload, name, project: id, files: hashed.map(fileEntry) };
  return {
    stage: 'ready',
    payload,
    delivery: {
      by: 'mark',
      create: (mark) => createCall(vercel.call, payload, mark),
      read: (answer) => deploymentIdAt(answerJson(answer)),
      find,
      supply: uploads.supply,
    },
    run: deploymentRun(access, completion, skipDomain || isKept, find, () => ({
      ...amount,
      uploaded: uploads.count(),
    })),
  };
}

/**
 * The deployments that carry a key, of all of the project's or of those made since a time in ms. Nothing but a deployment's
 * metadata can tell, and no filter of the service's looks at that.
 */
async function findDeployments(
  vercel: VercelApi,
  project: string,
  key: string,
  since?: number,
): Promise<readonly FoundRun[]> {
  const projectId = project.startsWith('prj_') ? project : (await readProject(vercel, project)).id;
  const nextOf = (page: Json) => textAt(objectAt(page, 'pagination'), 'next');
  const pages = pagesOf(VERCEL_ORIGIN, nextOf, (until) => {
    const query = defined({ projectId, limit: String(PAGE), since: since?.toString(), until: until || undefined });
    return vercel.read(vercel.call('GET', '/v7/deployments', { query }));
  });
  const found: FoundRun[] = [];
  for await (const page of pages) {
    for (const deployment of listAt(page, 'deployments')) {
      const attempt = attemptOf(deployment, key);
      if (attempt === undefined) continue;
      const id = deploymentIdAt(deployment);
      // It is this submission's, so it may not count as none.
      if (id === undefined) throw oddId(new URL(VERCEL_ORIGIN).host, DEPLOYMENT_ID_FORM);
      found.push({ id, attempt });
    }
  }
  return found.sort((left, right) => left.attempt - right.attempt);
}
