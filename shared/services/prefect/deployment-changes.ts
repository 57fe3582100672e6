import type { CiContext } from '../../host/ci-context.ts';
import { canonicalJson, defined, isArray, isObject, type Json, type JsonObject, listAt, objectAt } from '../../json.ts';
import { plainLine } from '../../remote-text.ts';
import { CORRECT_PARAMETERS, doesNotFit } from './deployment.ts';
import { merged, unlessEmpty } from './flow-run-body.ts';
import { isResolvedByServer, parameterFaults } from './parameter-schema.ts';
import { pinPullSteps } from './pull-steps.ts';

/** What a deployment is to become, as the settings say it. */
export interface DeploymentState {
  readonly pullCommit: boolean;
  readonly jobVariables: JsonObject;
  readonly parameters: JsonObject;
  readonly tags: readonly string[];
  readonly version: string;
  readonly versionMessage: string | undefined;
}

/** What is wanted as one object: the same for every run of the step, whatever the deployment is like by then. */
export function desiredState(wanted: DeploymentState, context: CiContext): JsonObject {
  const { jobVariables, parameters, tags, version } = wanted;
  return {
    version,
    ...defined({
      pull_steps: wanted.pullCommit ? [{ git_clone: { commit_sha: context.commit } }] : undefined,
      job_variables: unlessEmpty(jobVariables),
      parameters: unlessEmpty(parameters),
      tags: tags.length === 0 ? undefined : [...tags],
    }),
  };
}

/**
 * What to send so that the deployment becomes what is wanted.
 * @throws SubmitError `invalid-settings` with all that stands against it.
 */
export async function changesOf(
  name: string,
  deployment: JsonObject,
  wanted: DeploymentState,
  context: CiContext,
  isCloud: boolean,
): Promise<JsonObject> {
  const faults: string[] = [];
  const pinned = wanted.pullCommit
    ? pinPullSteps(deployment.pull_steps, context.commit, context.repositoryUrl)
    : undefined;
  if (pinned?.problem !== undefined) faults.push(`«pull-commit»: ${pinned.problem}`);
  const parameters = { ...objectAt(deployment, 'parameters'), ...wanted.parameters };
  const schema = deployment.parameter_openapi_schema;
  if (
    unlessEmpty(wanted.parameters) !== undefined &&
    deployment.enforce_parameter_schema !== false &&
    isObject(schema)
  ) {
    // A run may still bring what is required.
    const { required: _required, ...optional } = schema;
    faults.push(...(await parameterFaults(optional, parameters)).map((fault) => `«parameters».${fault}`));
  }
  if (faults.length > 0) {
    const remedy =
      pinned?.problem === undefined
        ? [CORRECT_PARAMETERS]
        : [
            'For code in an image, build one with this commit and set «image» instead of «pull-commit».',
            'For code from Git, deploy the flow once with a git_clone step for this repository.',
          ];
    throw doesNotFit(
      'nothing was changed',
      faults,
      `what deployment ${plainLine(name, 200)} has and its flow takes`,
      remedy,
    );
  }
  return {
    version: wanted.version,
    ...defined({
      pull_steps: pinned?.steps,
      // The server puts what is sent in the place of all that was there.
      job_variables:
        unlessEmpty(wanted.jobVariables) && merged(objectAt(deployment, 'job_variables'), wanted.jobVariables),
      parameters: unlessEmpty(wanted.parameters) && parameters,
      tags: wanted.tags.length === 0 ? undefined : [...new Set([...listAt(deployment, 'tags'), ...wanted.tags])],
      version_info: isCloud ? versionInfo(wanted, context) : undefined,
    }),
  };
}

/** What Prefect Cloud keeps of a version. Servers of one's own drop it, and older ones refuse it. */
function versionInfo({ version, versionMessage }: DeploymentState, context: CiContext): JsonObject {
  return {
    type: 'vcs:git',
    version,
    commit_sha: context.commit,
    message: versionMessage ?? `build ${context.buildNumber} of ${context.repository}`,
    branch: context.branch ?? context.tag ?? '',
    repository: context.repository,
    url: context.buildUrl,
  };
}

/** The fields of a deployment that are not what was sent. */
export function unappliedFields(changes: JsonObject, deployment: JsonObject): readonly string[] {
  return Object.entries(changes)
    .filter(([name, value]) => name !== 'version_info' && !isApplied(value, deployment[name], name))
    .map(([name]) => name);
}

function isApplied(sent: Json, found: Json | undefined, name: string): boolean {
  if (name === 'tags' && isArray(found)) return listAt({ sent }, 'sent').every((tag) => found.includes(tag));
  if (name === 'parameters' && isObject(sent)) {
    const known = Object.entries(sent).filter(([, value]) => !isResolvedByServer(value));
    return known.every(([parameter, value]) => isObject(found) && isSame(value, found[parameter]));
  }
  return isSame(sent, found);
}

/** Whether two values are the same document. */
export function isSame(left: Json, right: Json | undefined): boolean {
  return right !== undefined && canonicalJson(left) === canonicalJson(right);
}
