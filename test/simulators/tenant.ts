import type { DatabricksOptions } from './databricks.ts';
import type { GoogleOptions } from './google.ts';
import type { BitbucketClaimOptions } from './oidc-issuer.ts';

/** One company's accounts in every simulated service, and the trust between them, as docs/ tells people to set it up. */

export const COMMIT = '4f0c5b1d9a7e3f2860b1c4d5e6f708192a3b4c5d';

export const BITBUCKET = {
  workspace: 'acme',
  workspaceUuid: '{1f7c1a52-0c3e-4a2b-9d55-0a1b2c3d4e5f}',
  repository: 'vision',
  repositoryUuid: '{7d9e2c10-5b3a-4f6e-8c21-9a8b7c6d5e4f}',
  pipelineUuid: '{2b4d6f80-1a3c-4e5f-9071-b2c3d4e5f607}',
  stepUuid: '{3c5e7091-2b4d-4f60-8182-c3d4e5f60718}',
};

export const BITBUCKET_STEP: Omit<BitbucketClaimOptions, 'now'> = {
  workspace: BITBUCKET.workspace,
  workspaceUuid: BITBUCKET.workspaceUuid,
  repositoryUuid: BITBUCKET.repositoryUuid,
  pipelineUuid: BITBUCKET.pipelineUuid,
  stepUuid: BITBUCKET.stepUuid,
  branchName: 'main',
};

export const BUILDKITE_JOB = {
  organizationSlug: 'acme',
  pipelineSlug: 'vision',
  buildNumber: 42,
  branch: 'main',
  commit: COMMIT,
  stepKey: 'train',
  jobId: '0190b1c2-1111-4abc-8def-000000000001',
  agentId: '0190b1c2-2222-4abc-8def-000000000002',
  ids: {
    organization_id: '5e6f7081-92a3-4b4c-8d5e-6f708192a3b4',
    pipeline_id: '8f9a0b1c-2d3e-4f50-8617-28394a5b6c7d',
    build_id: '0190b1c2-3333-4abc-8def-000000000003',
    cluster_id: '9a0b1c2d-3e4f-4061-9728-394a5b6c7d8e',
  },
};

export const AGENT_ACCESS_TOKEN = 'simulated-agent-access-token';

export const GOOGLE = {
  project: 'acme-ml',
  projectNumber: '123456789012',
  region: 'us-central1',
  pool: 'ci-pool',
  trainer: 'trainer@acme-ml.iam.gserviceaccount.com',
  runtime: 'runtime@acme-ml.iam.gserviceaccount.com',
};

const POOL = `projects/${GOOGLE.projectNumber}/locations/global/workloadIdentityPools/${GOOGLE.pool}`;

/** The full name of a provider: what the setting `workload-identity-provider` holds. */
export function providerName(ci: 'bitbucket' | 'buildkite'): string {
  return `${POOL}/providers/${ci}`;
}

export function googleTenant(): Pick<GoogleOptions, 'providers' | 'serviceAccounts' | 'projects' | 'acceleratorQuota'> {
  const principals = [
    `principalSet://iam.googleapis.com/${POOL}/attribute.repository_uuid/${BITBUCKET.repositoryUuid}`,
    `principalSet://iam.googleapis.com/${POOL}/attribute.pipeline_id/${BUILDKITE_JOB.ids.pipeline_id}`,
  ];
  return {
    providers: [
      {
        projectNumber: GOOGLE.projectNumber,
        pool: GOOGLE.pool,
        provider: 'bitbucket',
        issuer: `https://api.bitbucket.org/2.0/workspaces/${BITBUCKET.workspace}/pipelines-config/identity/oidc`,
        attributeMapping: {
          'google.subject': 'assertion.repositoryUuid',
          'attribute.workspace_uuid': 'assertion.workspaceUuid',
          'attribute.repository_uuid': 'assertion.repositoryUuid',
        },
        attributeCondition: `assertion.workspaceUuid == '${BITBUCKET.workspaceUuid}' && assertion.repositoryUuid in ['${BITBUCKET.repositoryUuid}']`,
      },
      {
        projectNumber: GOOGLE.projectNumber,
        pool: GOOGLE.pool,
        provider: 'buildkite',
        issuer: 'https://agent.buildkite.com',
        attributeMapping: {
          'google.subject': 'assertion.pipeline_id',
          'attribute.organization_id': 'assertion.organization_id',
          'attribute.pipeline_id': 'assertion.pipeline_id',
        },
        attributeCondition: `assertion.organization_id == '${BUILDKITE_JOB.ids.organization_id}' && assertion.pipeline_id in ['${BUILDKITE_JOB.ids.pipeline_id}']`,
      },
    ],
    serviceAccounts: [
      {
        email: GOOGLE.trainer,
        uniqueId: '104857600000000000001',
        bindings: principals.map((member) => ({ role: 'roles/iam.workloadIdentityUser', member })),
      },
      {
        email: GOOGLE.runtime,
        bindings: [{ role: 'roles/iam.serviceAccountUser', member: `serviceAccount:${GOOGLE.trainer}` }],
      },
    ],
    projects: [
      {
        id: GOOGLE.project,
        number: GOOGLE.projectNumber,
        bindings: [
          { role: 'roles/aiplatform.user', member: `serviceAccount:${GOOGLE.trainer}` },
          ...principals.map((member) => ({ role: 'roles/aiplatform.user' as const, member })),
        ],
      },
    ],
    acceleratorQuota: {
      'aiplatform.googleapis.com/custom_model_training_nvidia_t4_gpus': 8,
      'aiplatform.googleapis.com/custom_model_training_nvidia_l4_gpus': 8,
      'aiplatform.googleapis.com/custom_model_serving_nvidia_t4_gpus': 8,
      'aiplatform.googleapis.com/custom_model_serving_nvidia_l4_gpus': 8,
    },
  };
}

export const DATABRICKS = {
  host: 'dbc-a1b2c3d4-e5f6.cloud.databricks.com',
  workspaceId: '7474650000001',
  accountId: '5a1c0c1e-4b2d-4e3f-8a90-00000000acc0',
  clientId: '5f0f2d0a-7c1e-4b3e-9d57-3f6c2f1f7a10',
  /** A principal that may be acted for, but is not a member of the workspace. */
  outsiderId: '6a1b2c3d-0000-4000-8000-00000000f00d',
  /** Larger than a double holds exactly. */
  jobId: 9_007_199_254_740_995n,
};

export function databricksTenant(): Omit<DatabricksOptions, 'outbound' | 'now'> {
  const bitbucket = (clientId: string) => ({
    clientId,
    issuer: `https://api.bitbucket.org/2.0/workspaces/${BITBUCKET.workspace}/pipelines-config/identity/oidc`,
    audiences: [`https://${DATABRICKS.host}/oidc/v1/token`],
    subjectClaim: 'repositoryUuid',
    subject: BITBUCKET.repositoryUuid,
  });
  const buildkite = (clientId: string) => ({
    clientId,
    issuer: 'https://agent.buildkite.com',
    audiences: [`https://${DATABRICKS.host}/oidc/v1/token`],
    subjectClaim: 'pipeline_id',
    subject: BUILDKITE_JOB.ids.pipeline_id,
  });
  const clients = [DATABRICKS.clientId, DATABRICKS.outsiderId];
  return {
    workspaceHost: DATABRICKS.host,
    workspaceId: DATABRICKS.workspaceId,
    accountId: DATABRICKS.accountId,
    policies: clients.flatMap((clientId) => [bitbucket(clientId), buildkite(clientId)]),
    members: [DATABRICKS.clientId],
    jobs: [
      {
        jobId: DATABRICKS.jobId,
        name: 'nightly scoring',
        tasks: [{ task_key: 'score', notebook_task: { notebook_path: '/Shared/score', source: 'WORKSPACE' } }],
        parameters: [
          { name: 'git_commit', default: '' },
          { name: 'date', default: 'today' },
        ],
      },
    ],
  };
}
