import type { JsonObject } from './json-object.ts';
import { deploymentBodies, flowCreate } from './prefect-bodies.ts';
import { changedSettings, placement, poolJobVariablesFailure } from './prefect-deployment-settings.ts';
import { detail, invalidRequest } from './prefect-errors.ts';
import { DEPLOYMENT_FILTER, FLOW_FILTER, filterShape, passes } from './prefect-filters.ts';
import { hydrate } from './prefect-hydration.ts';
import { type Deployment, deploymentView, type Flow, flowView, NEW_DEPLOYMENT } from './prefect-inventory.ts';
import { pythonRepr, schemaFailure } from './prefect-json-schema.ts';
import { type Call, page, type Route } from './prefect-router.ts';
import { integer, model, optional, violation, word } from './prefect-shapes.ts';
import { sortRows } from './prefect-sorting.ts';
import { object, poolNamed, strings, text, type Workspace } from './prefect-workspace.ts';

const FILTER = model(
  {
    flows: optional(filterShape(FLOW_FILTER)),
    deployments: optional(filterShape(DEPLOYMENT_FILTER)),
    sort: optional(word(['CREATED_DESC', 'UPDATED_DESC', 'NAME_ASC', 'NAME_DESC'])),
    limit: optional(integer()),
    offset: optional(integer({ ge: 0 })),
  },
  'allowed',
);

/** Flows and deployments (https://docs.prefect.io/v3/api-ref/rest-api/server/deployments). */
export function deploymentRoutes(workspace: Workspace): readonly Route[] {
  const { now } = workspace;
  const bodies = deploymentBodies(workspace.edition);
  const shown = (deployment: Deployment) =>
    deploymentView(deployment, poolNamed(workspace, deployment.settings.workPoolName), workspace.edition);
  const answer = (deployment: Deployment | undefined) =>
    deployment === undefined ? detail(404, 'Deployment not found') : Response.json(shown(deployment));

  const createFlow = ({ body }: Call): Response => {
    const name = String(body.name);
    const earlier = workspace.flows.find((flow) => flow.name === name);
    if (earlier !== undefined) return Response.json(flowView(earlier));
    const flow: Flow = {
      id: crypto.randomUUID(),
      name,
      tags: strings(body.tags),
      labels: object(body.labels),
      created: now(),
    };
    workspace.flows.push(flow);
    return Response.json(flowView(flow), { status: 201 });
  };

  const flow = (found: (candidate: Flow) => boolean): Response => {
    const one = workspace.flows.find(found);
    return one === undefined ? detail(404, 'Flow not found') : Response.json(flowView(one));
  };

  const upsert = ({ body, bodyText, headers }: Call): Response => {
    const unfit = body.enforce_parameter_schema === true ? misfit(body) : undefined;
    if (unfit !== undefined) {
      return invalidRequest(violation('value_error', ['body'], `Value error, ${unfit}`, body, { error: {} }), body);
    }
    const poolName = text(body, 'work_pool_name') ?? null;
    if (poolName !== null && poolNamed(workspace, poolName) === undefined) {
      return detail(404, `Work pool "${poolName}" not found.`);
    }
    const failure = poolJobVariablesFailure(workspace, poolName, object(body.job_variables));
    if (failure !== undefined) return detail(422, `Error creating deployment: ${failure.sentence}`);
    const flowId = String(body.flow_id);
    if (!workspace.flows.some(({ id }) => id === flowId)) {
      return integrityConflict();
    }
    const name = String(body.name);
    if (/[/%&><]/.test(name)) return Response.json({ exception_message: 'Internal Server Error' }, { status: 500 });
    const earlier = workspace.deployments.find(
      (deployment) => deployment.flowId === flowId && deployment.name === name,
    );
    const settings = {
      ...changedSettings(earlier?.settings ?? NEW_DEPLOYMENT, body),
      ...placement(workspace, body),
      // An upsert forgets the labels that it does not name.
      labels: { 'prefect.flow.id': flowId, ...object(body.labels) },
    };
    if (earlier !== undefined) {
      Object.assign(earlier, { settings, updated: now(), versionId: crypto.randomUUID() });
      workspace.onDeploymentUpdate({ host: workspace.host, deploymentId: earlier.id, body: bodyText, headers });
      return Response.json(shown(earlier));
    }
    const identity = { id: crypto.randomUUID(), versionId: crypto.randomUUID(), flowId, name };
    const deployment: Deployment = { ...identity, created: now(), updated: now(), settings };
    workspace.deployments.push(deployment);
    workspace.onDeploymentUpdate({ host: workspace.host, deploymentId: deployment.id, body: bodyText, headers });
    return Response.json(shown(deployment), { status: 201 });
  };

  const update = ({ segments: [id], body, bodyText, headers }: Call): Response => {
    const deployment = workspace.deployments.find((candidate) => candidate.id === id);
    if (deployment === undefined) return detail(404, 'Deployment not found.');
    const refusal = updateRefusal(workspace, deployment, body);
    if (refusal !== undefined) return refusal;
    const hydrated = hydrate(object(body.parameters), workspace.variables);
    const parameters = body.parameters && 'values' in hydrated ? { parameters: hydrated.values } : {};
    deployment.settings = {
      ...changedSettings(deployment.settings, { ...body, ...parameters }),
      ...placement(workspace, body),
    };
    Object.assign(deployment, { updated: now(), versionId: crypto.randomUUID() });
    workspace.onDeploymentUpdate({ host: workspace.host, deploymentId: deployment.id, body: bodyText, headers });
    return new Response(null, { status: 204 });
  };

  const filter = ({ body }: Call): Response => {
    const rows = workspace.deployments.filter((deployment) => {
      const itsFlow = workspace.flows.find(({ id }) => id === deployment.flowId);
      const flowPasses = itsFlow === undefined || passes(flowView(itsFlow), body.flows);
      return flowPasses && passes(shown(deployment), body.deployments);
    });
    return Response.json(page(sortRows(rows.map(shown), String(body.sort ?? 'NAME_ASC')), body));
  };

  return [
    { method: 'POST', path: '/flows/', body: { shape: flowCreate, required: true }, handle: createFlow },
    { method: 'GET', path: '/flows/{id}', handle: ({ segments: [id] }) => flow((candidate) => candidate.id === id) },
    {
      method: 'GET',
      path: '/flows/name/{name}',
      handle: ({ segments: [name] }) => flow((candidate) => candidate.name === name),
    },
    { method: 'POST', path: '/deployments/', body: { shape: bodies.create, required: true }, handle: upsert },
    {
      method: 'POST',
      path: '/deployments/filter',
      body: { shape: FILTER, required: false, paged: true },
      handle: filter,
    },
    {
      method: 'GET',
      path: '/deployments/{id}',
      handle: ({ segments: [id] }) => answer(workspace.deployments.find((deployment) => deployment.id === id)),
    },
    { method: 'PATCH', path: '/deployments/{id}', body: { shape: bodies.update, required: true }, handle: update },
    {
      method: 'GET',
      path: '/deployments/name/{name}/{name}',
      handle: ({ segments: [flowName, name] }) => {
        const flowId = workspace.flows.find((candidate) => candidate.name === flowName)?.id;
        return answer(workspace.deployments.find((one) => one.flowId === flowId && one.name === name));
      },
    },
  ];
}

/** Why the parameters of a body do not fit the schema beside them. */
function misfit(body: JsonObject): string | undefined {
  const failure = schemaFailure(object(body.parameters), object(body.parameter_openapi_schema), {
    ignoreRequired: true,
  });
  return failure === undefined || failure === 'circular' ? undefined : failure.sentence;
}

function integrityConflict(): Response {
  return detail(
    409,
    'Data integrity conflict. This usually means a unique or foreign key constraint was violated. See server logs for details.',
  );
}

function updateRefusal(workspace: Workspace, deployment: Deployment, body: JsonObject): Response | undefined {
  const poolName = text(body, 'work_pool_name') ?? null;
  if (poolName !== null) {
    if (poolNamed(workspace, poolName) === undefined) {
      return Response.json({ exception_message: 'Internal Server Error' }, { status: 500 });
    }
    const failure = poolJobVariablesFailure(workspace, poolName, object(body.job_variables), 'alone');
    if (failure !== undefined) {
      return detail(409, `Error creating deployment: <ValidationError: ${pythonRepr(failure.reason)}>`);
    }
  }
  const parameters = body.parameters
    ? hydrate(object(body.parameters), workspace.variables)
    : { values: deployment.settings.parameters };
  if ('unhydratable' in parameters) {
    return detail(400, `Error hydrating deployment parameters: ${parameters.unhydratable}`);
  }
  if (body.enforce_parameter_schema === null) return integrityConflict();
  if (!(body.enforce_parameter_schema ?? deployment.settings.enforceParameterSchema)) return undefined;
  const schema = object(body.parameter_openapi_schema ?? deployment.settings.parameterSchema);
  const failure = schemaFailure(parameters.values, schema, { ignoreRequired: true });
  if (failure === undefined) return undefined;
  return failure === 'circular'
    ? detail(422, 'Invalid schema: Unable to validate schema with circular references.')
    : detail(409, `Error updating deployment: ${failure.sentence}`);
}
