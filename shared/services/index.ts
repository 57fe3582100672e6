import type { ListedKind } from '../kind.ts';

/** Every kind of job, of which a run loads one. A new one is a file and a line here. */
export const JOB_KINDS: readonly ListedKind[] = [
  {
    id: 'vertex-custom-job',
    title: 'Vertex AI custom job',
    load: async () => (await import('./vertex-ai/custom-job.ts')).vertexCustomJob,
  },
  {
    id: 'vertex-batch-prediction-job',
    title: 'Vertex AI batch prediction job',
    load: async () => (await import('./vertex-ai/batch-prediction-job.ts')).vertexBatchPredictionJob,
  },
  {
    id: 'databricks-submit-run',
    title: 'Databricks run',
    load: async () => (await import('./databricks/submit-run.ts')).databricksSubmitRun,
  },
  {
    id: 'databricks-run-now',
    title: 'Databricks job',
    load: async () => (await import('./databricks/run-now.ts')).databricksRunNow,
  },
  {
    id: 'prefect-flow-run',
    title: 'Prefect flow run',
    load: async () => (await import('./prefect/flow-run.ts')).prefectFlowRun,
  },
  {
    id: 'prefect-deployment-update',
    title: 'Prefect deployment',
    load: async () => (await import('./prefect/deployment-update.ts')).prefectDeploymentUpdate,
  },
  {
    id: 'vercel-deployment',
    title: 'Vercel deployment',
    load: async () => (await import('./vercel/deployment.ts')).vercelDeployment,
  },
  {
    id: 'vercel-promote',
    title: 'Vercel promotion',
    load: async () => (await import('./vercel/promote.ts')).vercelPromote,
  },
  {
    id: 'vercel-rollback',
    title: 'Vercel rollback',
    load: async () => (await import('./vercel/rollback.ts')).vercelRollback,
  },
];
