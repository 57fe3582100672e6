import { SubmitError } from '../../errors.ts';
import { type Answer, answerJson, type HttpCall } from '../../http/http.ts';
import { oddId } from '../../http/odd-id.ts';
import { defined, isObject, type Json, type JsonObject, listAt, objectAt, textAt } from '../../json.ts';
import type { ByToken, CancellationRefusal, FoundRun, Plan, Run, SubmissionMark } from '../../kind.ts';
import { plainLine, withoutTrailing } from '../../remote-text.ts';
import { attemptToken } from '../../submission-key.ts';
import type { PrefectAccess } from './access.ts';
import { prefectApi, prefectCall } from './api.ts';
import { artifactNotes, artifactsOutput, readArtifacts } from './artifacts.ts';
import { CORRECT_PARAMETERS, type Deployment, describeDeployment, doesNotFit, readDeployment } from './deployment.ts';
import { type DeploymentReference, deploymentPath, isUuid, nameOf, uuidAt } from './deployment-reference.ts';
import { type ScheduledTime, scheduledState } from './flow-run-body.ts';
import { flowRunFacts } from './flow-run-conclusion.ts';
import { readFlowRun } from './flow-run-status.ts';
import { logTail } from './log-tail.ts';
import { parameterFaults } from './parameter-schema.ts';
import { whyLate } from './waiting-run.ts';

/** Attempts that are looked for by a key: more re-runs of one step are nobody's. */
const MOST_ATTEMPTS = 50;

/**
 * A flow run from its submission to its artifacts, or without a body an earlier one, which needs no deployment.
 * https://docs.prefect.io/v3/concepts/flow-runs
 */
export function flowRunPlan(
  access: PrefectAccess,
  reference: DeploymentReference | undefined,
  body: JsonObject | undefined,
  scheduled: ScheduledTime | undefined,
): Plan {
  const { server } = access;
  const wanted = reference === undefined ? undefined : nameOf(reference);
  const run = flowRun(access, reference);
  const title = `${wanted === undefined ? 'a run' : `deployment ${wanted}`} on ${server.host}`;
  const plan = { title, access, longestSeconds: undefined, run };
  if (reference === undefined || wanted === undefined || body === undefined) return { ...plan, does: 'attach' };

  const afterSeconds = scheduled !== undefined && 'afterSeconds' in scheduled ? scheduled.afterSeconds : undefined;
  const time = scheduled !== undefined && 'time' in scheduled ? scheduled.time : undefined;
  const payload = {
    ...body,
    deployment: wanted,
    ...defined({
      // A time that is reckoned from the submission may not make each re-run another submission.
      scheduled_after: afterSeconds,
      state: time === undefined ? undefined : scheduledState(body, time),
    }),
  };
  const call = prefectCall(server);
  const create =
    (deployment: string, start: string | undefined) =>
    ({ token }: SubmissionMark): HttpCall =>
      call('POST', `/deployments/${deployment}/create_flow_run`, {
        ...body,
        ...defined({ state: start === undefined ? undefined : scheduledState(body, start) }),
        idempotency_key: idempotencyKey(deployment, token),
      });
  return {
    ...plan,
    does: 'run',
    serverTimeoutSeconds: undefined,
    submission: {
      stage: 'draft',
      payload,
      lookUps: [call('GET', deploymentPath(reference))],
      preview: create(
        reference.id ?? 'DEPLOYMENT-ID',
        afterSeconds === undefined ? time : `${afterSeconds} s after the submission`,
      ),
      prepare: async (session) => {
        const prefect = prefectApi(access, session);
        const deployment = await readDeployment(prefect, reference);
        describeDeployment(deployment, prefect);
        const queue = textAt(body, 'work_queue_name');
        if (queue !== undefined)
          session.log.info(`  this run goes to the queue ${plainLine(queue, 100)}, which is made if there is none`);
        await requireFitting(deployment, body);
        const start =
          afterSeconds === undefined ? time : new Date(session.clock.now() + afterSeconds * 1000).toISOString();
        const delivery = { by: 'token', create: create(deployment.id, start), read: readCreated } as const;
        return { stage: 'ready', payload, delivery, run };
      },
    },
  };
}

function readCreated(answer: Answer): ReturnType<ByToken['read']> {
  const id = uuidAt(answerJson(answer), 'id');
  return id === undefined ? undefined : { id, made: answer.status === 201 ? 'now' : 'before' };
}

function flowRun(access: PrefectAccess, reference: DeploymentReference | undefined): Run {
  const { server } = access;
  const call = prefectCall(server);
  const url = (id: string) => `${server.ui}/runs/flow-run/${id}`;
  return {
    readReference: (given) => {
      const id = given.startsWith(`${server.ui}/`) ? withoutTrailing(given, '/').split('/').at(-1) : given;
      return id !== undefined && isUuid(id) ? id.toLowerCase() : undefined;
    },
    url,
    find:
      reference === undefined
        ? undefined
        : async (session, key) => {
            const { id } = await readDeployment(prefectApi(access, session), reference);
            const keys = Array.from({ length: MOST_ATTEMPTS }, (_, index) =>
              idempotencyKey(id, attemptToken(key, index + 1)),
            );
            const filter = { flow_runs: { idempotency_key: { any_: keys } }, limit: MOST_ATTEMPTS };
            return foundRuns(await session.read(call('POST', '/flow_runs/filter', filter)), keys, server.host);
          },
    status: async (session, id) => readFlowRun(await session.read(call('GET', `/flow_runs/${id}`)), url(id)),
    log: (id) => logTail(call, id),
    whyLate: (session, { source }) => whyLate(prefectApi(access, session), source),
    cancellation: {
      call: (id) =>
        call('POST', `/flow_runs/${id}/set_state`, {
          state: { type: 'CANCELLING', name: 'Cancelling', message: 'Cancelled with the CI step that asked for it' },
          force: false,
        }),
      command: (id) => `prefect flow-run cancel ${id}`,
      refusal: cancellationRefusal,
    },
    complete: undefined,
    conclude: async (session, id, { source }) => {
      const facts = flowRunFacts(source);
      try {
        const artifacts = await readArtifacts(prefectApi(access, session), id);
        const output = artifacts.length === 0 ? {} : { artifacts: artifactsOutput(artifacts) };
        return { outputs: { ...facts, ...output }, notes: artifactNotes(artifacts) };
      } catch (error) {
        if (!(error instanceof SubmitError)) throw error;
        return { outputs: facts, notes: [{ title: 'The artifacts cannot be read', lines: [error.message] }] };
      }
    },
  };
}

/** Keys are unique for each flow, and two deployments of a flow may be asked for the same: hence the deployment in it. */
function idempotencyKey(deploymentId: string, token: string): string {
  return `keyless-submit:${deploymentId}:${token}`;
}

function foundRuns(rows: Json, keys: readonly string[], host: string): readonly FoundRun[] {
  return listAt({ rows }, 'rows')
    .flatMap((row) => {
      const attempt = keys.indexOf(textAt(row, 'idempotency_key') ?? '') + 1;
      if (attempt === 0) return [];
      const id = uuidAt(row, 'id');
      // It is this submission's, so it may not count as none.
      if (id === undefined) throw oddId(host, "a flow run's id: a UUID");
      return [{ id, attempt }];
    })
    .sort((left, right) => left.attempt - right.attempt);
}

/**
 * Checks what only the deployment tells.
 * @throws SubmitError `invalid-settings` with all faults together.
 */
async function requireFitting({ id, source }: Deployment, body: JsonObject): Promise<void> {
  const faults: string[] = [];
  if (body.work_queue_name !== undefined && textAt(source, 'work_pool_name') === undefined)
    faults.push('«work-queue»: the deployment has no work pool, so there are no queues to choose from');
  const schema = source.parameter_openapi_schema;
  const enforced = body.enforce_parameter_schema ?? source.enforce_parameter_schema ?? true;
  if (enforced === true && isObject(schema)) {
    const parameters = { ...objectAt(source, 'parameters'), ...objectAt(body, 'parameters') };
    faults.push(...(await parameterFaults(schema, parameters)).map((fault) => `«parameters».${fault}`));
  }
  if (faults.length === 0) return;
  const code = plainLine(textAt(source, 'entrypoint') ?? 'its code', 200);
  throw doesNotFit('no run was made', faults, `what the flow of deployment ${id} takes, and ${code} declares`, [
    CORRECT_PARAMETERS,
    'To have it run nevertheless: enforce_parameter_schema: false in «spec».',
  ]);
}

/** Every answer to a change of state is a success by its status; its body tells what became of it. */
function cancellationRefusal(answer: Answer): CancellationRefusal | undefined {
  const body = answerJson(answer);
  const reason = plainLine(textAt(objectAt(body, 'details'), 'reason') ?? '', 300);
  switch (textAt(body, 'status')) {
    case 'ACCEPT':
      return undefined;
    case 'REJECT':
      // What had not begun, or was suspended, is cancelled at once and without a word to any worker.
      if (textAt(objectAt(body, 'state'), 'type') === 'CANCELLED') return undefined;
      return { reason: reason || 'Prefect rejected it', isFinal: true };
    case 'ABORT':
      return { reason: reason || 'it is over already', isFinal: true };
    case 'WAIT':
      return {
        reason: `Prefect wants to be asked again later${reason === '' ? '' : `: ${reason}`}`,
        isFinal: false,
      };
    default:
      return { reason: 'the answer does not say whether it was', isFinal: false };
  }
}
