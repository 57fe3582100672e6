import { SubmitError } from '../../errors.ts';
import type { CiContext } from '../../host/ci-context.ts';
import type { Outputs } from '../../host/host.ts';
import { isObject, type Json, type JsonObject, objectAt, textAt } from '../../json.ts';
import type { Job, JobEnvironment, RunStatus } from '../../kind.ts';
import { plainLine } from '../../remote-text.ts';
import type { PrefectAccess } from './access.ts';
import { prefectCall } from './call.ts';
import { type Deployment, deploymentUrl, describeDeployment, readDeployment } from './deployment.ts';
import { changesOf, type DeploymentWish, notThere, wishedChanges } from './deployment-changes.ts';
import { type DeploymentReference, deploymentPath } from './deployment-reference.ts';
import { explainPrefect } from './errors.ts';
import { clonedCommit, pullSecrets } from './pull-steps.ts';

/** What an update puts out. */
export const deploymentUpdateOutputs = {
  'deployment-name': "The deployment's name.",
  'deployment-version': 'Its version now.',
  'previous-version': 'Its version before, where it had one.',
  'deployment-commit': 'The commit (or `branch NAME`) that its first `git_clone` step fetches now, where it has one.',
  'previous-commit': 'What that step fetched before.',
  'deployment-image': 'The image of its runs now, where it has one of its own.',
  'previous-image': 'The image before.',
};

/** One change of a deployment. It may be asked for again: the same change leads to the same deployment. */
export function deploymentUpdateJob(
  access: PrefectAccess,
  reference: DeploymentReference,
  wish: DeploymentWish,
  context: CiContext,
): Job {
  const { server, identity } = access;
  const call = prefectCall(server);
  const wanted = reference.id ?? `${reference.flow}/${reference.name}`;
  const url = (id: string) => deploymentUrl(server, id);

  const job: Job = {
    title: `deployment ${wanted} on ${server.host}`,
    identity,
    origin: server.base,
    payload: { deployment: wanted, ...wishedChanges(wish, context) },
    serverTimeoutSeconds: undefined,
    callsBefore: [...access.callsBefore, access.shown(call('GET', deploymentPath(reference)))],
    credential: access.credential,
    prepare: async (environment: JobEnvironment) => {
      const before = await readDeployment(access, reference, environment.client, environment.signal);
      await environment.conceal(pullSecrets(before.source.pull_steps));
      describeDeployment(before, environment);
      const result = await changesOf(before.source, wish, context, server.workspace !== undefined);
      if ('faults' in result) throw refused(wanted, result.faults);
      const { changes } = result;
      return {
        ...job,
        submissionCall: () => call('PATCH', `/deployments/${before.id}`, changes),
        // The answer is empty. Nobody can tell a repeated change from the first, and nobody needs to.
        readSubmission: () => ({ id: before.id, isNew: true }),
        status: async (client, id, signal) =>
          readUpdated(await client.read(call('GET', `/deployments/${id}`), signal), changes, url(id)),
        conclude: async (_client, _id, { source }) => ({ outputs: outputsOf(before, source), notes: [] }),
      };
    },
    submissionCall: ({ deployment: _named, ...changes }) =>
      access.shown(call('PATCH', `/deployments/${reference.id ?? 'DEPLOYMENT-ID'}`, changes)),
    readSubmission: () => undefined,
    recognisesRepeats: true,
    repeatable: true,
    find: undefined,
    status: async (client, id, signal) =>
      readUpdated(await client.read(call('GET', `/deployments/${id}`), signal), {}, url(id)),
    conclude: async () => ({ outputs: {}, notes: [] }),
    readReference: () => undefined,
    cancellation: undefined,
    url,
    explain: (request, answer) => explainPrefect(server, identity, request, answer),
    isCapacity: () => false,
  };
  return job;
}

function refused(wanted: string, faults: readonly string[]): SubmitError {
  return new SubmitError('invalid-settings', {
    happened: 'What is set does not fit the deployment; nothing was changed',
    presented: faults,
    expected: [`what deployment ${plainLine(wanted, 200)} has and its flow takes`],
    remedy: faults.some((fault) => fault.startsWith('«pull-commit»'))
      ? [
          'For code in an image, build one with this commit and set «image» instead of «pull-commit».',
          'For code from Git, deploy the flow once with a git_clone step for this repository.',
        ]
      : [
          'Correct the parameters. If the flow has changed, deploy it again first: the deployment keeps the schema of the last time.',
        ],
    link: 'docs/prefect.md',
  });
}

/** Whether the deployment is what was sent: its fields are read back. */
function readUpdated(deployment: Json, changes: JsonObject, url: string): RunStatus {
  const missing = isObject(deployment) ? notThere(changes, deployment) : Object.keys(changes);
  const common = { parts: [], source: deployment, url };
  if (missing.length === 0) return { ...common, phase: 'succeeded', word: 'Updated' };
  const message = `The change was accepted, but ${missing.join(', ')} of the deployment is another by now: somebody else has changed it since.`;
  return { ...common, phase: 'failed', word: 'Overwritten', failure: { cause: 'code', message } };
}

function outputsOf({ source: before }: Deployment, after: Json): Outputs {
  const now = isObject(after) ? after : {};
  const facts = {
    'deployment-name': textAt(now, 'name'),
    'deployment-version': textAt(now, 'version'),
    'previous-version': textAt(before, 'version'),
    'deployment-commit': clonedCommit(now.pull_steps),
    'previous-commit': clonedCommit(before.pull_steps),
    'deployment-image': textAt(objectAt(now, 'job_variables'), 'image'),
    'previous-image': textAt(objectAt(before, 'job_variables'), 'image'),
  };
  return Object.fromEntries(
    Object.entries(facts).flatMap(([name, value]) => (value === undefined ? [] : [[name, plainLine(value, 500)]])),
  );
}
