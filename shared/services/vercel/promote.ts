import { defineKind } from '../../kind.ts';
import { changeOutputs } from './production-change.ts';
import { bindProductionChange, changeSettings } from './production-settings.ts';

/** Points production at a deployment that was built for it. https://vercel.com/docs/deployments/promoting-a-deployment */
export const vercelPromote = defineKind({
  id: 'vercel-promote',
  title: 'Vercel promotion',
  settings: changeSettings('The deployment to promote.'),
  outputs: changeOutputs,
  bind: (values, binding) => bindProductionChange('promote', values, binding),
});
