import type { JobKind } from '../kind.ts';
import { databricksRunNow } from './databricks/run-now.ts';
import { databricksSubmitRun } from './databricks/submit-run.ts';
import { prefectDeploymentUpdate } from './prefect/deployment-update.ts';
import { prefectFlowRun } from './prefect/flow-run.ts';
import { vercelDeployment } from './vercel/deployment.ts';
import { vercelPromote } from './vercel/promote.ts';
import { vercelRollback } from './vercel/rollback.ts';
import { vertexBatchPredictionJob } from './vertex-ai/batch-prediction-job.ts';
import { vertexCustomJob } from './vertex-ai/custom-job.ts';

/** Every kind of job. A new one is a file and a line here. */
export const JOB_KINDS: readonly JobKind[] = [
  vertexCustomJob,
  vertexBatchPredictionJob,
  databricksSubmitRun,
  databricksRunNow,
  prefectFlowRun,
  prefectDeploymentUpdate,
  vercelDeployment,
  vercelPromote,
  vercelRollback,
];
