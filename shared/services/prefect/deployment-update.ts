import { defined } from '../../json.ts';
import { type Binding, defineKind } from '../../kind.ts';
import { type Faults, flag, list, required, text, values } from '../../settings/settings.ts';
import { bindPrefect } from './access.ts';
import type { DeploymentState } from './deployment-changes.ts';
import { readDeploymentReference } from './deployment-reference.ts';
import { deploymentUpdateOutputs, deploymentUpdatePlan } from './deployment-update-plan.ts';
import { refuseResolved } from './parameter-schema.ts';
import { prefectSettings } from './trust-settings.ts';

const settings = {
  ...prefectSettings,
  deployment: required(
    text({
      description: 'The deployment to change.',
      expected: "FLOW/DEPLOYMENT as `prefect deployment ls` shows it, or the deployment's id",
      example: 'train/nightly',
      accepts: (value) => readDeploymentReference(value) !== undefined,
    }),
  ),
  'pull-commit': flag({
    description:
      "Have the deployment's `git_clone` pull steps fetch this build's commit, in the place of a branch or another commit. Other steps, and clones of other repositories, stay as they are.",
  }),
  image: text({
    description: 'The image that runs start with: the job variable `image`.',
    expected: 'the name of an image',
    example: 'registry.example.com/train:@{commit}',
    pattern: /^\S+$/,
  }),
  'job-variables': values({
    description:
      "Variables of the infrastructure, put over the deployment's own; objects such as `env` become one with those that are there.",
    expected: 'values by name, such as {"env": {"GIT_SHA": "@{commit}"}}',
    example: { env: { GIT_SHA: '@{commit}' } },
  }),
  parameters: values({
    description: "Default parameters of the deployment, put over its own, and checked against the flow's schema first.",
    expected: 'values by name, such as {"epochs": 20}',
    example: { epochs: 20 },
  }),
  tags: list({
    description: "Tags to add to the deployment's own.",
    expected: 'a list of texts',
    example: ['ci'],
  }),
  version: text({
    description: "The deployment's version; by default the first 8 characters of the commit.",
    expected: 'a version',
    example: '@{tag}',
  }),
  'version-message': text({
    description:
      'What Prefect Cloud shows of the version, such as the message of the commit; by default build and repository.',
    expected: 'a text',
    example: '@{env:COMMIT_MESSAGE}',
  }),
};

/**
 * Points an existing Prefect deployment at this build's commit or image.
 * https://docs.prefect.io/v3/api-ref/rest-api/server/deployments/update-deployment
 */
export const kind = defineKind({
  id: 'prefect-deployment-update',
  title: 'Prefect deployment',
  settings,
  outputs: deploymentUpdateOutputs,
  bind: (given, binding) => {
    const { attach, context, faults } = binding;
    const access = bindPrefect(given, binding);
    const reference = readDeploymentReference(given.deployment);
    if (attach) faults.add('attach', 'an update is over at once, so there is nothing to wait for; remove it');
    const { image, parameters = {}, tags = [], version } = given;
    const jobVariables = { ...given['job-variables'], ...defined({ image }) };
    if (image !== undefined && given['job-variables']?.image !== undefined)
      faults.add('image', `${faults.spell('job-variables')} have an image of their own`);
    const wanted: DeploymentState = {
      pullCommit: given['pull-commit'] === true,
      jobVariables,
      parameters,
      tags,
      version: version ?? context.commit.slice(0, 8),
      versionMessage: given['version-message'],
    };
    refuseResolved(parameters, faults);
    refuseEmpty(wanted, version !== undefined, faults);
    refuseCutCommit(wanted, binding);
    if (access === undefined || reference === undefined || faults.messages.length > 0) return undefined;
    return deploymentUpdatePlan(access, reference, wanted, context);
  },
});

function refuseEmpty(
  { pullCommit, jobVariables, parameters, tags }: DeploymentState,
  hasVersion: boolean,
  faults: Faults,
): void {
  const isEmpty = Object.keys(jobVariables).length + Object.keys(parameters).length + tags.length === 0;
  if (isEmpty && !pullCommit && !hasVersion) {
    const about = ['image', 'job-variables', 'parameters', 'tags', 'version'];
    const names = about.map(faults.spell).join(', ');
    faults.add('pull-commit', `nothing is to be changed: set it to true, or set ${names}`, { about });
  }
}

/** Git servers give a commit by its whole hash only. */
function refuseCutCommit({ pullCommit }: DeploymentState, { context, faults }: Binding): void {
  if (pullCommit && !/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(context.commit))
    faults.add('pull-commit', `needs the whole hash of the commit; the CI gives ${JSON.stringify(context.commit)}`);
}
