import { defineKind } from '../../kind.ts';
import { changeOutputs } from './production-change.ts';
import { bindProductionChange, changeSettings } from './production-settings.ts';

/** Points production back at an earlier deployment. https://vercel.com/docs/instant-rollback */
export const vercelRollback = defineKind({
  id: 'vercel-rollback',
  title: 'Vercel rollback',
  settings: changeSettings('The deployment to go back to, which production served before.'),
  outputs: changeOutputs,
  bind: (values, binding) => bindProductionChange('rollback', values, binding),
});
