import type { SubmitError } from '../../errors.ts';
import type { Files } from '../../files.ts';
import { type Answer, answerJson, bearer, type HttpCall } from '../../http/http.ts';
import { oddId } from '../../http/odd-id.ts';
import { pagesOf } from '../../http/pages.ts';
import type { ServiceClient } from '../../identity/service-client.ts';
import { type Json, type JsonObject, listAt, objectAt, textAt } from '../../json.ts';
import { type FoundRun, type Job, type JobEnvironment, submissionOf } from '../../kind.ts';
import { Secret } from '../../secret.ts';
import { segment, VERCEL_ORIGIN, type VercelCall, vercelCalls } from './api.ts';
import type { OutputFile } from './build-output.ts';
import { attemptOf, fileEntry, markDeployment } from './deployment-body.ts';
import { type Completion, completeDeployment } from './deployment-completion.ts';
import { concludeDeployment, type Shipment } from './deployment-conclusion.ts';
import { DEPLOYMENT_ID_FORM, deploymentIdAt, readDeploymentId } from './deployment-id.ts';
import { hasChecks, readDeployment } from './deployment-status.ts';
import { explainVercel, isVercelCapacity } from './errors.ts';
import { fileUploads } from './file-uploads.ts';
import { hashFiles } from './hash-files.ts';
import { isRolledBack } from './production-status.ts';
import { amountOf, describeAmount } from './progress.ts';
import { projectCall, readProject } from './project.ts';
import { requireVisitorToken } from './smoke-test.ts';
import type { VercelIdentity } from './trust-settings.ts';

/** A deployment as its settings describe it. */
export interface DeploymentPlan {
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

const nextPageOf = (page: Json) => textAt(objectAt(page, 'pagination'), 'next');

/** A build that is deployed, under one identity. https://vercel.com/docs/rest-api/deployments */
export function deploymentJob(identity: VercelIdentity, plan: DeploymentPlan): Job {
  const call = vercelCalls(identity.trust.team);
  const explain = (request: HttpCall, answer: Answer): SubmitError => explainVercel(identity, request, answer);

  const job: Job = {
    title: plan.title,
    identity: identity.title,
    origin: VERCEL_ORIGIN,
    place: identity.trust.team,
    payload: plan.payload,
    serverTimeoutSeconds: undefined,
    longestSeconds: LONGEST_SECONDS,
    callsBefore: [
      ...identity.callsBefore,
      ...(plan.payload === undefined
        ? []
        : [{ ...projectCall(call, plan.project), secretHeaders: bearer(new Secret('')) }]),
    ],
    credential: identity.credential,
    prepare: (environment) => prepareDeployment(job, plan, call, environment),
    submissionCall: (payload, { key, attempt }) =>
      call('POST', '/v13/deployments', {
        // The service would else take a build of the same files for this one, with the other's metadata.
        query: { prebuilt: '1', forceNew: '1', skipAutoDetectionConfirmation: '1' },
        body: markDeployment(payload, key, attempt),
      }),
    readSubmission: (answer) => submissionOf(deploymentIdAt(answerJson(answer))),
    recognisesRepeats: false,
    find: (client, key, signal) => findDeployments(plan.project, key, call, client, signal),
    status: statusOf(call, plan.skipDomain),
    cancellation: {
      call: (id) => call('PATCH', `/v12/deployments/${segment(id)}/cancel`),
      command: (id) =>
        `curl -X PATCH -H "Authorization: Bearer $VERCEL_TOKEN" "${call('PATCH', `/v12/deployments/${segment(id)}/cancel`).url}"`,
    },
    ...(plan.completion.aliases.length === 0 && plan.completion.smoke === undefined
      ? {}
      : { complete: (id, ready, environment) => completeDeployment(id, ready, plan.completion, call, environment) }),
    conclude: (client, id, ended, signal) => concludeDeployment(id, ended, undefined, call, client, signal),
    readReference: readDeploymentId,
    url: () => undefined,
    explain,
    isCapacity: isVercelCapacity,
  };
  return job;
}

function statusOf(call: VercelCall, skipDomain: boolean): Job['status'] {
  return async (client, id, signal) => {
    const deployment = await client.read(call('GET', `/v13/deployments/${segment(id)}`), signal);
    const checkRuns = hasChecks(deployment)
      ? // They only tell more of what the deployment itself says.
        await client.read(call('GET', `/v2/deployments/${segment(id)}/check-runs`), signal).catch(() => undefined)
      : undefined;
    return readDeployment(deployment, { checkRuns, skipDomain });
  };
}

/** The same deployment with its project by id and every file by its contents. */
async function prepareDeployment(
  job: Job,
  { completion, files, output, payload, project, skipDomain }: DeploymentPlan,
  call: VercelCall,
  environment: JobEnvironment,
): Promise<Job> {
  const { client, log, signal } = environment;
  await requireVisitorToken(completion.smoke, environment);
  const { id, name, source } = await readProject(project, call, client, signal);
  // Its domains stay where they are, so nobody should wait for them.
  const isKept = textAt(payload, 'target') === 'production' && !skipDomain && isRolledBack(source);
  if (isKept)
    log.warning(
      `Production of ${name} was rolled back: this deployment gets none of its domains until one is promoted (vercel-promote).`,
    );
  const amount = amountOf(output);
  const elsewhere = output.filter((file) => !file.name.startsWith('.vercel/output/')).length;
  log.info(`build: ${describeAmount(amount)}${elsewhere === 0 ? '' : `, ${elsewhere} of them from outside of it`}`);
  const hashed = await hashFiles(output, files, environment);
  const uploads = fileUploads(hashed, files, call, job.explain);
  const shipment = (): Shipment => ({ ...amount, uploaded: uploads.count() });
  return {
    ...job,
    payload: { ...payload, name, project: id, files: hashed.map(fileEntry) },
    supply: uploads.supply,
    find: (found, key, until) => findDeployments(id, key, call, found, until, environment.clock.now() - LOOK_BACK_MS),
    ...(isKept ? { status: statusOf(call, true) } : {}),
    conclude: (reader, made, ended, until) => concludeDeployment(made, ended, shipment(), call, reader, until),
  };
}

/**
 * The deployments that carry a key, of all of the project's or of those made since a time in ms. Nothing but a deployment's
 * metadata can tell, and no filter of the service's looks at that.
 */
async function findDeployments(
  project: string,
  key: string,
  call: VercelCall,
  client: ServiceClient,
  signal: AbortSignal,
  since?: number,
): Promise<readonly FoundRun[]> {
  const projectId = project.startsWith('prj_') ? project : (await readProject(project, call, client, signal)).id;
  const wanted = { projectId, limit: String(PAGE), ...(since === undefined ? {} : { since: String(since) }) };
  const pages = pagesOf(VERCEL_ORIGIN, nextPageOf, (until) => {
    const query = { ...wanted, ...(until === '' ? {} : { until }) };
    return client.read(call('GET', '/v7/deployments', { query }), signal);
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
