import type { JsonObject } from './json-object.ts';
import { deploymentFlowRunCreate, setStateBody } from './prefect-bodies.ts';
import { poolJobVariablesFailure } from './prefect-deployment-settings.ts';
import { detail, exceptionMessage } from './prefect-errors.ts';
import { DEPLOYMENT_FILTER, FLOW_FILTER, FLOW_RUN_FILTER, filterShape, passes } from './prefect-filters.ts';
import { hydrate } from './prefect-hydration.ts';
import { type Deployment, deploymentView, ensureQueue, flowView } from './prefect-inventory.ts';
import { schemaFailure } from './prefect-json-schema.ts';
import { type Call, page, type Route } from './prefect-router.ts';
import type { StateType } from './prefect-run-life.ts';
import { runView } from './prefect-run-view.ts';
import { createRun, type Run } from './prefect-runs.ts';
import { type ProposedState, setState } from './prefect-set-state.ts';
import { integer, model, optional, word } from './prefect-shapes.ts';
import { sortRows } from './prefect-sorting.ts';
import { object, poolNamed, strings, text, type Workspace, workerIsThere } from './prefect-workspace.ts';

const SORTS = [
  'ID_DESC',
  'START_TIME_ASC',
  'START_TIME_DESC',
  'EXPECTED_START_TIME_ASC',
  'EXPECTED_START_TIME_DESC',
  'NAME_ASC',
  'NAME_DESC',
  'NEXT_SCHEDULED_START_TIME_ASC',
  'END_TIME_DESC',
];

const FILTER = model(
  {
    flows: optional(filterShape(FLOW_FILTER)),
    flow_runs: optional(filterShape(FLOW_RUN_FILTER)),
    deployments: optional(filterShape(DEPLOYMENT_FILTER)),
    sort: optional(word(SORTS)),
    limit: optional(integer()),
    offset: optional(integer({ ge: 0 })),
  },
  'allowed',
);

/** Runs of flows (https://docs.prefect.io/v3/api-ref/rest-api/server/flow-runs). */
export function flowRunRoutes(workspace: Workspace): readonly Route[] {
  const { now } = workspace;

  const create = ({ segments: [id], body, bodyText, headers }: Call): Response => {
    const deployment = workspace.deployments.find((candidate) => candidate.id === id);
    if (deployment === undefined) return detail(404, 'Deployment not found');
    const parameters = checkedParameters(workspace, deployment, body);
    if (parameters instanceof Response) return parameters;
    const { settings } = deployment;
    const jobVariables = object(body.job_variables);
    const all = { ...settings.jobVariables, ...jobVariables };
    const failure = poolJobVariablesFailure(workspace, settings.workPoolName, all, 'complete');
    if (failure !== undefined) return detail(422, `Error creating flow run: ${failure.sentence}`);

    const queueName = text(body, 'work_queue_name') || settings.workQueueName;
    const pool = poolNamed(workspace, settings.workPoolName);
    if (text(body, 'work_queue_name')) {
      if (pool === undefined) {
        return detail(
          400,
          `Cannot create flow run in work queue ${queueName} because deployment ${deployment.id} is not associated with a work pool. Please remove work_pool_name and try again.`,
        );
      }
      if (queueName !== null) ensureQueue(pool, queueName, now());
    }

    const key = text(body, 'idempotency_key') ?? null;
    const earlier =
      key === null
        ? undefined
        : workspace.runs.find((run) => run.flowId === deployment.flowId && run.idempotencyKey === key);
    if (earlier !== undefined && !workspace.deleted.has(earlier.id)) return Response.json(shownRun(workspace, earlier));

    const state = object(body.state);
    const type = (typeof state.type === 'string' ? state.type : 'SCHEDULED') as StateType;
    const scheduled = object(state.state_details).scheduled_time;
    const run = createRun(
      {
        id: crypto.randomUUID(),
        flowId: deployment.flowId,
        deploymentId: deployment.id,
        deploymentVersion: settings.version,
        workPoolName: settings.workPoolName,
        workQueueName: queueName,
        name: text(body, 'name') || `steady-${crypto.randomUUID().slice(0, 8)}`,
        parameters,
        tags: [...new Set([...settings.tags, ...strings(body.tags)])],
        labels: {
          ...settings.labels,
          'prefect.flow.id': deployment.flowId,
          'prefect.deployment.id': deployment.id,
          ...object(body.labels),
        },
        context: object(body.context),
        jobVariables,
        empiricalPolicy: policyView(object(body.empirical_policy)),
        idempotencyKey: key,
        parentTaskRunId: text(body, 'parent_task_run_id') ?? null,
        state: {
          type,
          name: text(state, 'name') ?? `${type.charAt(0)}${type.slice(1).toLowerCase()}`,
          message: text(state, 'message') ?? null,
        },
        scheduledFor: typeof scheduled === 'string' ? Date.parse(scheduled) : now(),
        body: bodyText,
        headers,
      },
      workspace.takeLife(),
      now(),
      workerIsThere(workspace, settings.workPoolName),
    );
    workspace.runs.push(run);
    workspace.onRun(run);
    return Response.json(shownRun(workspace, run), { status: 201 });
  };

  const find = (id: string | undefined) =>
    workspace.runs.find((run) => run.id === id?.toLowerCase() && !workspace.deleted.has(run.id));

  const filter = ({ body }: Call): Response => {
    const rows = workspace.runs
      .filter(({ id }) => !workspace.deleted.has(id))
      .map((run) => ({ run, row: shownRun(workspace, run) }))
      .filter(({ run, row }) => {
        const deployment = workspace.deployments.find(({ id }) => id === run.deploymentId);
        const flow = workspace.flows.find(({ id }) => id === run.flowId);
        return (
          passes(row, body.flow_runs) &&
          (flow === undefined || passes(flowView(flow), body.flows)) &&
          (deployment === undefined ||
            passes(deploymentView(deployment, undefined, workspace.edition), body.deployments))
        );
      })
      .map(({ row }) => row);
    return Response.json(page(sortRows(rows, String(body.sort ?? 'ID_DESC')), body));
  };

  return [
    {
      method: 'POST',
      path: '/deployments/{id}/create_flow_run',
      body: { shape: deploymentFlowRunCreate, required: true },
      handle: create,
    },
    {
      method: 'POST',
      path: '/flow_runs/filter',
      body: { shape: FILTER, required: false, paged: true },
      handle: filter,
    },
    {
      method: 'GET',
      path: '/flow_runs/{id}',
      handle: ({ segments: [id] }) => {
        const run = find(id);
        return run === undefined ? detail(404, 'Flow run not found') : Response.json(shownRun(workspace, run));
      },
    },
    {
      method: 'POST',
      path: '/flow_runs/{id}/set_state',
      body: { shape: setStateBody, required: true, parts: true },
      handle: ({ segments: [id], body }) => {
        const run = find(id);
        if (run === undefined) return exceptionMessage(404, `Flow run with id ${id} not found`);
        return setState(run, object(body.state) as unknown as ProposedState, {
          now: now(),
          force: body.force === true,
          workerIsThere: workerIsThere(workspace, run.workPoolName),
          cancellingTimeoutMs: workspace.cancellingTimeoutMs,
        });
      },
    },
  ];
}

/** A run as the API shows it now. */
export function shownRun(workspace: Workspace, run: Run): JsonObject {
  const pool = poolNamed(workspace, run.workPoolName);
  const queue = pool?.queues.find(({ name }) => name === run.workQueueName);
  return runView(run, workspace.now(), {
    workPoolId: pool?.id ?? null,
    workQueueId: queue?.id ?? null,
    createdBy: workspace.creatorOf(run.headers),
  });
}

/** The deployment's parameters under the run's own, hydrated and checked. */
function checkedParameters(workspace: Workspace, { settings }: Deployment, body: JsonObject): JsonObject | Response {
  const hydrated = hydrate({ ...settings.parameters, ...object(body.parameters) }, workspace.variables);
  if ('unhydratable' in hydrated) {
    return detail(400, `Error hydrating flow run parameters: ${hydrated.unhydratable}`);
  }
  const parameters = hydrated.values;
  const enforced = typeof body.enforce_parameter_schema === 'boolean' ? body.enforce_parameter_schema : undefined;
  if (!(enforced ?? settings.enforceParameterSchema)) return parameters;
  if (settings.parameterSchema === null) {
    return detail(
      409,
      'Error updating deployment: Cannot update parameters because parameter schema enforcement is enabled and the deployment does not have a valid parameter schema.',
    );
  }
  const failure = schemaFailure(parameters, settings.parameterSchema);
  if (failure === undefined) return parameters;
  return failure === 'circular'
    ? detail(422, 'Invalid schema: Unable to validate schema with circular references.')
    : detail(409, `Error creating flow run: ${failure.sentence}`);
}

function policyView(policy: JsonObject): JsonObject {
  return {
    max_retries: 0,
    retry_delay_seconds: 0,
    retries: null,
    retry_delay: null,
    pause_keys: [],
    resuming: false,
    retry_type: null,
    ...policy,
  };
}
