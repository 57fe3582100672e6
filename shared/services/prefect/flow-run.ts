import { isObject, objectAt } from '../../json.ts';
import { defineKind } from '../../kind.ts';
import { originSettings, specSettings } from '../../settings/run-settings.ts';
import { list, text, values } from '../../settings/settings.ts';
import { bindPrefect } from './access.ts';
import { readDeploymentReference } from './deployment-reference.ts';
import { checkFlowRun, flowRunBody, readScheduledTime } from './flow-run-body.ts';
import { flowRunOutputs } from './flow-run-conclusion.ts';
import { flowRunPlan } from './flow-run-plan.ts';
import { refuseResolved } from './parameter-schema.ts';
import { prefectSettings } from './trust-settings.ts';

const settings = {
  ...prefectSettings,
  deployment: text({
    description: 'The deployment to run.',
    expected: "FLOW/DEPLOYMENT as `prefect deployment ls` shows it, or the deployment's id",
    example: 'train/nightly',
    accepts: (value) => readDeploymentReference(value) !== undefined,
  }),
  parameters: values({
    description:
      "Parameters of the flow, over the deployment's own. They are checked against the flow's schema before a run is made.",
    expected: 'values by name, such as {"epochs": 20}',
    example: { epochs: 20, commit: '@{commit}' },
  }),
  'run-name': text({
    description: "The run's name; by default repository, commit and build number.",
    expected: 'a name',
    example: 'nightly @{short-commit}',
  }),
  tags: list({
    description: "Tags of the run, besides the deployment's own.",
    expected: 'a list of texts',
    example: ['ci', 'nightly'],
  }),
  'job-variables': values({
    description:
      "Variables of the run's infrastructure, such as `image` or `env`, over the deployment's own. The work pool says which there are.",
    expected: 'values by name, such as {"image": "registry.example.com/train:@{commit}"}',
    example: { image: 'registry.example.com/train:@{commit}', env: { GIT_SHA: '@{commit}' } },
  }),
  'work-queue': text({
    description: "Another queue of the deployment's work pool; it is made if the pool has none of that name.",
    expected: "a queue's name",
    example: 'gpu',
  }),
  'scheduled-time': text({
    description: 'When the run is to start, if not at once: a time, or how long after it is asked for.',
    expected: 'a time such as 2026-11-21T18:00:00Z, or a duration such as 2h',
    example: '2h',
    accepts: (value) => readScheduledTime(value) !== undefined,
  }),
  ...specSettings('More of the body of `create_flow_run`, such as `empirical_policy`.', 'training/flow-run.yaml'),
  ...originSettings("the run's labels", '', { expected: 'labels such as {"team": "vision"}' }),
};

/**
 * A run of an existing Prefect deployment.
 * https://docs.prefect.io/v3/api-ref/rest-api/server/deployments/create-flow-run-from-deployment
 */
export const kind = defineKind({
  id: 'prefect-flow-run',
  title: 'Prefect flow run',
  settings,
  outputs: flowRunOutputs,
  checkSpec: (spec, _attach, faults) => {
    if (spec !== undefined) checkFlowRun(spec, faults);
  },
  bind: (given, binding) => {
    const { attach, context, faults, spec = {} } = binding;
    const access = bindPrefect(given, binding);
    const reference = readDeploymentReference(given.deployment ?? '');
    if (!attach && reference === undefined) faults.add('deployment', `is required: ${settings.deployment.expected}`);
    refuseResolved(given.parameters ?? {}, faults);
    const scheduled = readScheduledTime(given['scheduled-time'] ?? '');
    if (scheduled !== undefined && isObject(objectAt(spec, 'state').state_details))
      faults.add('scheduled-time', 'the spec has a state with state_details of its own');
    const body = flowRunBody(spec, given, context, faults);
    if (access === undefined || faults.messages.length > 0) return undefined;
    return flowRunPlan(access, reference, attach ? undefined : body, scheduled);
  },
});
