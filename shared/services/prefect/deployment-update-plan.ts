import type { CiContext } from '../../host/ci-context.ts';
import type { Outputs } from '../../host/host.ts';
import {
  defined,
  isObject,
  type Json,
  type JsonObject,
  mapMembers,
  objectAt,
  stringifyJson,
  textAt,
} from '../../json.ts';
import { type ByState, type Difference, NOTHING_MORE, type Plan, type Run, type RunStatus } from '../../kind.ts';
import { plainLine } from '../../remote-text.ts';
import type { PrefectAccess } from './access.ts';
import { prefectApi, prefectCall } from './api.ts';
import { type Deployment, deploymentUrl, describeDeployment, readDeployment } from './deployment.ts';
import { changesOf, type DeploymentState, desiredState, isSame, unappliedFields } from './deployment-changes.ts';
import { type DeploymentReference, deploymentPath, nameOf } from './deployment-reference.ts';
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
export function deploymentUpdatePlan(
  access: PrefectAccess,
  reference: DeploymentReference,
  wanted: DeploymentState,
  context: CiContext,
): Plan {
  const { server } = access;
  const call = prefectCall(server);
  const name = nameOf(reference);
  const payload = { deployment: name, ...desiredState(wanted, context) };
  return {
    does: 'change',
    title: `deployment ${name} on ${server.host}`,
    access,
    longestSeconds: undefined,
    run: updatedRun(access, undefined, {}),
    submission: {
      stage: 'draft',
      payload,
      lookUps: [call('GET', deploymentPath(reference))],
      preview: () => {
        const { deployment: _named, ...changes } = payload;
        return call('PATCH', `/deployments/${reference.id ?? 'DEPLOYMENT-ID'}`, changes);
      },
      prepare: async (session) => {
        const prefect = prefectApi(access, session);
        const before = await readDeployment(prefect, reference);
        const { id, source } = before;
        await session.conceal(pullSecrets(source.pull_steps));
        describeDeployment(before, prefect);
        const changes = await changesOf(name, source, wanted, context, server.workspace !== undefined);
        const delivery: ByState = {
          by: 'state',
          id,
          differences: differencesOf(changes, source),
          isUnderWay: false,
          apply: call('PATCH', `/deployments/${id}`, changes),
          readBack: async ({ read }) => {
            const now = await read(call('GET', `/deployments/${id}`));
            return isObject(now) && unappliedFields(changes, now).length === 0 ? now : undefined;
          },
          run: () => updatedRun(access, before, changes),
        };
        return { stage: 'ready', payload, delivery };
      },
    },
  };
}

/**
 * What is to be changed, by name, as it was and as it is to be. Of variables and parameters only the names: a deployment may keep
 * passwords in them.
 */
function differencesOf(changes: JsonObject, before: JsonObject): readonly Difference[] {
  return unappliedFields(changes, before).flatMap((name): readonly Difference[] => {
    switch (name) {
      case 'pull_steps':
        return [{ name: 'commit', before: clonedCommit(before[name]), after: clonedCommit(changes[name]) ?? 'none' }];
      case 'job_variables':
      case 'parameters':
        return changedMembers(objectAt(before, name), objectAt(changes, name));
      default:
        return [{ name, before: shown(before[name]), after: shown(changes[name]) ?? 'none' }];
    }
  });
}

function changedMembers(before: JsonObject, after: JsonObject): readonly Difference[] {
  const names = Object.keys(after).filter((name) => !isSame(after[name] ?? null, before[name]));
  return names.map((name) =>
    name === 'image'
      ? { name, before: shown(before[name]), after: shown(after[name]) ?? 'none' }
      : { name, before: name in before ? 'not shown' : undefined, after: 'as set' },
  );
}

function shown(value: Json | undefined): string | undefined {
  return value === undefined || value === null ? undefined : typeof value === 'string' ? value : stringifyJson(value);
}

/** A deployment that was changed: what was sent is read back. */
function updatedRun(access: PrefectAccess, before: Deployment | undefined, changes: JsonObject): Run {
  const call = prefectCall(access.server);
  const url = (id: string) => deploymentUrl(access.server, id);
  return {
    readReference: () => undefined,
    url,
    find: undefined,
    status: async (session, id) => readUpdated(await session.read(call('GET', `/deployments/${id}`)), changes, url(id)),
    ...NOTHING_MORE,
    cancellation: undefined,
    conclude: async (_session, _id, { source }) => ({
      outputs: before === undefined ? {} : outputsOf(before, source),
      notes: [],
    }),
  };
}

/** Whether the deployment is what was sent: its fields are read back. */
function readUpdated(deployment: Json, changes: JsonObject, url: string): RunStatus {
  const missing = isObject(deployment) ? unappliedFields(changes, deployment) : Object.keys(changes);
  const common = { parts: [], source: deployment, url };
  if (missing.length === 0) return { ...common, phase: 'succeeded', word: 'Updated' };
  const message = `The update was accepted, but the deployment differs now in ${missing.join(', ')}: someone else has changed it since.`;
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
  return mapMembers(defined(facts), (value) => plainLine(value, 500));
}
