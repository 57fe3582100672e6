import { defineKind, type JobKind } from '../../kind.ts';
import { text } from '../../settings/settings.ts';
import { bindReference, REFERENCE } from './deployment-reference.ts';
import { changeOutputs, productionPlan } from './production-change.ts';
import type { ChangeType } from './production-status.ts';
import { vercelAccess, vercelSettings } from './trust-settings.ts';

/** A kind that changes what production serves; `which` describes the deployment that it is to serve. */
export function productionKind(type: ChangeType, title: string, which: string): JobKind {
  const settings = {
    ...vercelSettings,
    deployment: text({
      description: `${which} Its id or address, or the outputs of the step that made it: \`step:KEY\` (Buildkite) or \`file:PATH\`.`,
      expected: "a deployment's id (dpl_…) or address, step:KEY or file:PATH",
      example: 'file:.keyless-submit/outputs.json',
      pattern: REFERENCE,
    }),
  };
  return defineKind({
    id: `vercel-${type}`,
    title,
    settings,
    outputs: changeOutputs,
    bind: async (values, binding) => {
      const { attach, faults } = binding;
      const access = vercelAccess(values, binding);
      const { deployment, project } = values;
      if (deployment === undefined && !attach) faults.add('deployment', `is required: ${settings.deployment.expected}`);
      const reference = deployment === undefined || attach ? undefined : await bindReference(deployment, binding);
      return faults.messages.length > 0 ? undefined : productionPlan(access, type, project, reference);
    },
  });
}
