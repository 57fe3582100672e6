import type { ListedKind } from '../kind.ts';
import type { ListedSetting } from '../settings/settings.ts';
import kindSettings from './kind-settings.json' with { type: 'json' };

/** Every kind of job, of which a run loads one. A new one is a file and a line here. */
export const JOB_KINDS: readonly ListedKind[] = [
  { id: 'vertex-custom-job', title: 'Vertex AI custom job', load: () => import('./vertex-ai/custom-job.ts') },
  {
    id: 'vertex-batch-prediction-job',
    title: 'Vertex AI batch prediction job',
    load: () => import('./vertex-ai/batch-prediction-job.ts'),
  },
  { id: 'databricks-submit-run', title: 'Databricks run', load: () => import('./databricks/submit-run.ts') },
  { id: 'databricks-run-now', title: 'Databricks job', load: () => import('./databricks/run-now.ts') },
  { id: 'prefect-flow-run', title: 'Prefect flow run', load: () => import('./prefect/flow-run.ts') },
  {
    id: 'prefect-deployment-update',
    title: 'Prefect deployment',
    load: () => import('./prefect/deployment-update.ts'),
  },
  { id: 'vercel-deployment', title: 'Vercel deployment', load: () => import('./vercel/deployment.ts') },
  { id: 'vercel-promote', title: 'Vercel promotion', load: () => import('./vercel/promote.ts') },
  { id: 'vercel-rollback', title: 'Vercel rollback', load: () => import('./vercel/rollback.ts') },
];

/** The settings of all kinds by name, for what does not load them. Generated from the kinds. */
export const KIND_SETTINGS = kindSettings as Readonly<Record<string, ListedSetting>>;
