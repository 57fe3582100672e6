import type { Binding, Plan } from '../../kind.ts';
import { type SettingValues, text } from '../../settings/settings.ts';
import { bindReference, REFERENCE } from './deployment-reference.ts';
import { productionPlan } from './production-change.ts';
import type { ChangeType } from './production-status.ts';
import { vercelAccess, vercelSettings } from './trust-settings.ts';

/** Settings of a change of what production serves. */
export function changeSettings(what: string) {
  return {
    ...vercelSettings,
    deployment: text({
      description: `${what} Its id or address, or the outputs of the step that made it: \`step:KEY\` (Buildkite) or \`file:PATH\`.`,
      expected: "a deployment's id (dpl_…) or address, step:KEY or file:PATH",
      example: 'file:.keyless-submit/outputs.json',
      pattern: REFERENCE,
    }),
  };
}

/** The change that the settings describe; undefined when a fault was added. */
export async function bindProductionChange(
  type: ChangeType,
  values: SettingValues<ReturnType<typeof changeSettings>>,
  binding: Binding,
): Promise<Plan | undefined> {
  const { attach, faults } = binding;
  const access = vercelAccess(values, binding);
  const { deployment, project } = values;
  if (deployment === undefined && !attach)
    faults.add('deployment', `is required: ${changeSettings('').deployment.expected}`);
  const reference = deployment === undefined || attach ? undefined : await bindReference(deployment, binding);
  return faults.messages.length > 0 ? undefined : productionPlan(access, { type, project, reference });
}
