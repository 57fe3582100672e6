import type { CiContext } from '../../host/ci-context.ts';
import { originOf } from '../../host/origin.ts';
import { defined, isObject, type Json, type JsonObject, objectAt } from '../../json.ts';
import type { Faults } from '../../settings/settings.ts';
import type { OutputFile } from './build-output.ts';

/** The settings that say what a deployment is for. */
interface DeploymentSettings {
  readonly project: string;
  readonly target: 'production' | 'preview';
  /** The slug of a custom environment, which takes the place of the target. */
  readonly environment: string | undefined;
  readonly 'skip-domain': boolean;
  readonly labels: Readonly<Record<string, string>> | undefined;
  readonly 'provenance-labels': boolean;
  readonly 'git-metadata': boolean;
}

const KEY = 'keyless_submit_key';
const ATTEMPT = 'keyless_submit_attempt';

// What settings say, or what would make another thing of the deployment than a build that is uploaded.
const NOT_IN_SPEC: Readonly<Record<string, string>> = {
  files: 'the files come from directory',
  name: 'use project',
  project: 'use project',
  target: 'use target',
  customEnvironmentSlugOrId: 'use environment',
  autoAssignCustomDomains: 'use skip-domain',
  deploymentId: 'it would build another deployment again',
  gitSource: 'it would have Vercel build the repository',
};

/** Adds a fault for each field that does not belong into a spec. */
export function checkDeploymentSpec(spec: JsonObject, faults: Faults): void {
  for (const [name, advice] of Object.entries(NOT_IN_SPEC)) {
    if (name in spec) faults.add('spec', `${name} cannot be set here: ${advice}`);
  }
  for (const name of ['meta', 'gitMetadata', 'projectSettings']) {
    if (name in spec && !isObject(spec[name])) faults.add('spec', `${name} must be a mapping`);
  }
  for (const name of Object.keys(objectAt(spec, 'meta'))) {
    if (name === KEY || name === ATTEMPT) faults.add('spec', `meta.${name} is set by keyless-submit; remove it`);
  }
}

/**
 * The body of a deployment before its project is known by id and its files by their contents.
 * https://vercel.com/docs/rest-api/deployments/create-a-new-deployment
 */
export function deploymentBody(spec: JsonObject, values: DeploymentSettings, context: CiContext): JsonObject {
  const { environment, labels, project, target } = values;
  const git = { ...(values['git-metadata'] ? gitMetadataOf(context) : {}), ...objectAt(spec, 'gitMetadata') };
  return {
    version: 2,
    ...spec,
    name: project,
    project,
    ...defined({
      customEnvironmentSlugOrId: environment,
      // A preview is what a deployment without a target is.
      target: target === 'production' ? target : undefined,
      autoAssignCustomDomains: values['skip-domain'] ? false : undefined,
    }),
    meta: { ...(values['provenance-labels'] ? originOf(context) : {}), ...labels, ...objectAt(spec, 'meta') },
    ...(Object.keys(git).length === 0 ? {} : { gitMetadata: git }),
    // The files are sent as if the project were the whole repository, wherever it is in this one.
    projectSettings: {
      sourceFilesOutsideRootDirectory: true,
      rootDirectory: null,
      ...objectAt(spec, 'projectSettings'),
    },
  };
}

/** How the body names a file. */
export function fileEntry({ name, bytes, mode, sha }: OutputFile & { readonly sha?: string }): JsonObject {
  return { file: name, size: bytes, mode, ...defined({ sha }) };
}

/**
 * What the CI built. The author is left out: the service refuses deployments of authors who have no seat in the team, and the
 * deployer is the pipeline.
 */
function gitMetadataOf({ branch, commit, repositoryUrl, tag }: CiContext): JsonObject {
  const ref = branch ?? tag;
  // A checkout is detached, so git itself would call both of them HEAD.
  const named = (text: string | undefined) => (text === 'HEAD' ? undefined : text);
  return defined({ remoteUrl: repositoryUrl, commitSha: named(commit), commitRef: named(ref) });
}

/** Puts the key where `attemptOf` looks for it. */
export function markDeployment(body: JsonObject, key: string, attempt: number): JsonObject {
  return { ...body, meta: { ...objectAt(body, 'meta'), [KEY]: key, [ATTEMPT]: String(attempt) } };
}

/** Which attempt at a submission made a deployment; undefined when it is none. */
export function attemptOf(deployment: Json, key: string): number | undefined {
  const meta = objectAt(deployment, 'meta');
  if (meta[KEY] !== key) return undefined;
  const attempt = Number(meta[ATTEMPT]);
  return Number.isSafeInteger(attempt) && attempt > 0 ? attempt : 1;
}
