import { SubmitError } from '../../errors.ts';
import { type Answer, answerJson } from '../../http/http.ts';
import { oddId } from '../../http/odd-id.ts';
import { isObject, type Json, type JsonObject, listAt, objectAt, textAt } from '../../json.ts';
import type { CancellationRefusal, FoundRun, Job, JobEnvironment } from '../../kind.ts';
import { plainLine, withoutTrailing } from '../../remote-text.ts';
import { attemptToken } from '../../submission-key.ts';
import type { PrefectAccess } from './access.ts';
import { artifactNotes, artifactsOutput, readArtifacts } from './artifacts.ts';
import { prefectCall } from './call.ts';
import { type Deployment, describeDeployment, membersOf, readDeployment } from './deployment.ts';
import { type DeploymentReference, deploymentPath, isUuid, uuidAt } from './deployment-reference.ts';
import { explainPrefect } from './errors.ts';
import { type ScheduledTime, scheduledState } from './flow-run-body.ts';
import { flowRunFacts } from './flow-run-conclusion.ts';
import { isLate, readFlowRun } from './flow-run-status.ts';
import { type LogTail, logTail, untilLogged } from './log-tail.ts';
import { parameterFaults } from './parameter-schema.ts';
import { whyLate } from './waiting-run.ts';

/** What is asked for. */
export interface FlowRunWish {
  /** Undefined when an earlier run is attached to without naming its deployment. */
  readonly reference: DeploymentReference | undefined;
  readonly scheduled: ScheduledTime | undefined;
  readonly body: JsonObject | undefined;
}

/** Attempts that are looked for by a key: more re-runs of one step are nobody's. */
const MOST_ATTEMPTS = 50;
/** After so many looks at a late run, it is asked again what it waits for. */
const LATE_LOOKS = 20;

/** A flow run from its submission to its artifacts. https://docs.prefect.io/v3/concepts/flow-runs */
export function flowRunJob(access: PrefectAccess, wish: FlowRunWish): Job {
  const { server, identity } = access;
  const { reference, scheduled, body } = wish;
  const call = prefectCall(server);
  const wanted = reference === undefined ? undefined : (reference.id ?? `${reference.flow}/${reference.name}`);
  const url = (id: string) => `${server.ui}/runs/flow-run/${id}`;
  const tails = new Map<string, LogTail>();
  let waitsFor: string | undefined;
  let lateLooks = 0;

  /** What is known of the deployment: before it is read, its id where that is how it is named. */
  const submission = (
    deploymentId: string | undefined,
    startTime: string | undefined,
  ): Pick<Job, 'submissionCall'> => ({
    submissionCall: ({ deployment: _named, scheduled_after: _after, ...run }, { token }) => {
      const id = deploymentId ?? 'DEPLOYMENT-ID';
      const content = {
        ...run,
        ...(startTime === undefined ? {} : { state: scheduledState(run, startTime) }),
        idempotency_key: idempotencyKey(id, token),
      };
      return access.shown(call('POST', `/deployments/${id}/create_flow_run`, content));
    },
  });

  const job: Job = {
    title: `${wanted === undefined ? 'a run' : `deployment ${wanted}`} on ${server.host}`,
    identity,
    origin: server.base,
    payload:
      body === undefined
        ? undefined
        : {
            ...body,
            deployment: wanted ?? '',
            // A time that is reckoned from the submission may not make each re-run another submission.
            ...(scheduled !== undefined && 'afterSeconds' in scheduled
              ? { scheduled_after: scheduled.afterSeconds }
              : {}),
            ...(scheduled !== undefined && 'time' in scheduled ? { state: scheduledState(body, scheduled.time) } : {}),
          },
    serverTimeoutSeconds: undefined,
    callsBefore: [
      ...access.callsBefore,
      ...(reference === undefined || body === undefined ? [] : [access.shown(call('GET', deploymentPath(reference)))]),
    ],
    credential: access.credential,
    ...submission(
      reference?.id,
      scheduled !== undefined && 'afterSeconds' in scheduled
        ? `${scheduled.afterSeconds} s after the submission`
        : undefined,
    ),
    ...(reference === undefined || body === undefined
      ? {}
      : {
          prepare: async (environment: JobEnvironment) => {
            const deployment = await readDeployment(access, reference, environment.client, environment.signal);
            describeDeployment(deployment, environment);
            const queue = textAt(body, 'work_queue_name');
            if (queue !== undefined)
              environment.log.info(
                `  this run goes to the queue ${plainLine(queue, 100)}, which is made if there is none`,
              );
            await requireFitting(deployment, body);
            const startTime =
              scheduled !== undefined && 'afterSeconds' in scheduled
                ? new Date(environment.clock.now() + scheduled.afterSeconds * 1000).toISOString()
                : undefined;
            return { ...job, ...submission(deployment.id, startTime) };
          },
        }),
    readSubmission: (answer) => {
      const id = uuidAt(answerJson(answer), 'id');
      return id === undefined ? undefined : { id, isNew: answer.status === 201 };
    },
    recognisesRepeats: true,
    find:
      reference === undefined
        ? undefined
        : async (client, key, signal) => {
            const { id } = await readDeployment(access, reference, client, signal);
            const keys = Array.from({ length: MOST_ATTEMPTS }, (_, index) =>
              idempotencyKey(id, attemptToken(key, index + 1)),
            );
            const filter = { flow_runs: { idempotency_key: { any_: keys } }, limit: MOST_ATTEMPTS };
            return foundRuns(await client.read(call('POST', '/flow_runs/filter', filter), signal), keys, server.host);
          },
    status: async (client, id, signal) => {
      const run = await client.read(call('GET', `/flow_runs/${id}`), signal);
      // Why it is late takes several requests, and seldom changes.
      if (!isLate(run)) waitsFor = undefined;
      else if (lateLooks++ % LATE_LOOKS === 0) waitsFor = await whyLate(run, call, client, signal);
      const status = readFlowRun(run, url(id), waitsFor);
      // The first look only tells whether to attach: whoever goes on looking is shown the log from its beginning.
      const tail = tails.get(id);
      if (tail === undefined) tails.set(id, logTail(call, id));
      const newLines = status.phase === 'queued' ? undefined : await tail?.next(client, signal);
      return newLines === undefined ? status : { ...status, newLines };
    },
    cancellation: {
      call: (id) =>
        call('POST', `/flow_runs/${id}/set_state`, {
          state: { type: 'CANCELLING', name: 'Cancelling', message: 'Cancelled with the CI step that asked for it' },
          force: false,
        }),
      command: (id) => `prefect flow-run cancel ${id}`,
      refusal: cancellationRefusal,
    },
    conclude: async (client, id, { source }, signal, clock) => {
      await clock.sleep(untilLogged(source, clock.now()), signal);
      const rest = await (tails.get(id) ?? logTail(call, id)).rest(client, signal);
      const artifacts = await readArtifacts(id, call, client, signal).catch((error: unknown) => {
        if (error instanceof SubmitError) return error;
        throw error;
      });
      return {
        outputs: {
          ...flowRunFacts(source),
          ...(artifacts instanceof SubmitError || artifacts.length === 0
            ? {}
            : { artifacts: artifactsOutput(artifacts) }),
        },
        notes: [
          ...(rest.length === 0 ? [] : [{ title: "The end of the run's log", lines: rest }]),
          ...(artifacts instanceof SubmitError
            ? [{ title: 'The artifacts cannot be read', lines: [artifacts.message] }]
            : artifactNotes(artifacts)),
        ],
      };
    },
    readReference: (given) => {
      const id = given.startsWith(`${server.ui}/`) ? withoutTrailing(given, '/').split('/').at(-1) : given;
      return id !== undefined && isUuid(id) ? id.toLowerCase() : undefined;
    },
    url,
    explain: (request, answer) => explainPrefect(server, identity, request, answer),
    isCapacity: () => false,
  };
  return job;
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
    const parameters = { ...membersOf(source.parameters), ...objectAt(body, 'parameters') };
    faults.push(...(await parameterFaults(schema, parameters)).map((fault) => `«parameters».${fault}`));
  }
  if (faults.length === 0) return;
  throw new SubmitError('invalid-settings', {
    happened: 'What is set does not fit the deployment; no run was made',
    presented: faults,
    expected: [
      `what the flow of deployment ${id} takes, and ${plainLine(textAt(source, 'entrypoint') ?? 'its code', 200)} declares`,
    ],
    remedy: [
      'Correct the parameters. If the flow has changed, deploy it again first: the deployment keeps the schema of the last time.',
      'To have it run nevertheless: enforce_parameter_schema: false in «spec».',
    ],
    link: 'docs/prefect.md',
  });
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
