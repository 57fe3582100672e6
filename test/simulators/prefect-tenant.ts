import type { JsonObject } from './json-object.ts';
import type { PrefectOptions } from './prefect.ts';
import type { WorkspaceContents } from './prefect-workspace.ts';
import { BITBUCKET, GOOGLE } from './tenant.ts';

const ACCOUNT = '0d8a1f2e-6b3c-4d5e-8f90-a1b2c3d4e5f6';
const WORKSPACE = '7c9e6679-7425-40de-944b-e07fc1f90ae7';
const OTHER_WORKSPACE = '1b671a64-40d5-491e-99b0-da01ff1f3341';
const CLOUD = 'api.prefect.cloud';
const SELF_HOSTED = 'prefect.acme.example';
const BEHIND_PROXY = 'prefect-iap.acme.example';

/** The company's Prefect: the same flows and deployments, under the same ids, in Cloud and on its own two servers. */
export const PREFECT = {
  accountId: ACCOUNT,
  accountHandle: 'acme',
  workspaceId: WORKSPACE,
  workspaceHandle: 'ml',
  /** A workspace of the same account of which only a user is a member. */
  otherWorkspaceId: OTHER_WORKSPACE,
  cloudHost: CLOUD,
  serverHost: SELF_HOSTED,
  iapHost: BEHIND_PROXY,
  cloudApi: `https://${CLOUD}/api/accounts/${ACCOUNT}/workspaces/${WORKSPACE}`,
  serverApi: `https://${SELF_HOSTED}/api`,
  iapApi: `https://${BEHIND_PROXY}/api`,
  iapAudience: `${GOOGLE.projectNumber}-iapclient.apps.googleusercontent.com`,
  keys: {
    /** The service account that CI uses. */
    service: 'pnb_5imulatedServiceAccountKey0000000001',
    user: 'pnu_5imulatedUserKey00000000000000000002',
    expired: 'pnb_5imulatedExpiredKey00000000000000003',
    /** Of an actor that is in no workspace of the company. */
    outsider: 'pnb_5imulatedOutsiderKey0000000000000004',
  },
  authString: 'ci:simulated-prefect-password',
  flow: 'train',
  flowId: '3fa85f64-5717-4562-b3fc-2c963f66afa6',
  deployments: {
    prod: { name: 'prod', id: '6ba7b810-9dad-41d1-80b4-00c04fd430c8' },
    /** Of the same flow, so that idempotency keys collide with those of `prod`. */
    staging: { name: 'staging', id: '6ba7b811-9dad-41d1-80b4-00c04fd430c8' },
    spaced: { name: 'nightly eu 100%', id: '6ba7b812-9dad-41d1-80b4-00c04fd430c8' },
    paused: { name: 'paused', id: '6ba7b814-9dad-41d1-80b4-00c04fd430c8' },
    /** Served by a process, without a work pool. */
    served: { name: 'served', id: '6ba7b815-9dad-41d1-80b4-00c04fd430c8' },
  },
  pool: 'gpu',
  queue: 'default',
  worker: 'gpu-worker-1',
  /** The commit that the deployment's pull steps clone: not the one that CI builds. */
  deployedCommit: '0badc0de0badc0de0badc0de0badc0de0badc0de',
  image: 'registry.acme.example/train:stable',
} as const;

const PARAMETER_SCHEMA: JsonObject = {
  title: 'Parameters',
  type: 'object',
  properties: {
    epochs: { title: 'epochs', type: 'integer', minimum: 1, position: 0 },
    day: { title: 'day', type: 'string', format: 'date', default: '2026-01-01', position: 1 },
    mode: { allOf: [{ $ref: '#/$defs/Mode' }], default: 'full', position: 2 },
    optimizer: { $ref: '#/$defs/Optimizer', position: 3 },
  },
  required: ['epochs'],
  $defs: {
    Mode: { title: 'Mode', type: 'string', enum: ['full', 'smoke'] },
    Optimizer: {
      title: 'Optimizer',
      type: 'object',
      properties: { name: { type: 'string' }, learning_rate: { type: 'number', exclusiveMinimum: 0 } },
      required: ['name'],
    },
  },
};

const BASE_JOB_TEMPLATE: JsonObject = {
  job_configuration: { command: '{{ command }}', env: '{{ env }}', image: '{{ image }}', gpus: '{{ gpus }}' },
  variables: {
    type: 'object',
    properties: {
      command: { title: 'Command', type: 'string' },
      env: {
        title: 'Environment Variables',
        type: 'object',
        additionalProperties: { anyOf: [{ type: 'string' }, { type: 'null' }] },
      },
      image: { title: 'Image', type: 'string', default: 'prefecthq/prefect:3-latest' },
      gpus: { title: 'GPUs', type: 'integer', minimum: 0, default: 1 },
    },
  },
};

function contents(): WorkspaceContents {
  const { prod, staging, spaced, paused, served } = PREFECT.deployments;
  const onPool = {
    flowId: PREFECT.flowId,
    version: 'stable',
    entrypoint: 'flows/train.py:train',
    parameterSchema: PARAMETER_SCHEMA,
    parameters: { mode: 'full' },
    tags: ['ml'],
    labels: { team: 'vision' },
    pullSteps: [
      {
        'prefect.deployments.steps.git_clone': {
          repository: `https://bitbucket.org/${BITBUCKET.workspace}/${BITBUCKET.repository}.git`,
          commit_sha: PREFECT.deployedCommit,
        },
      },
    ],
    jobVariables: { image: PREFECT.image, env: { STAGE: 'prod' } },
    workPoolName: PREFECT.pool,
    workQueueName: PREFECT.queue,
  };
  return {
    flows: [{ id: PREFECT.flowId, name: PREFECT.flow }],
    pools: [{ name: PREFECT.pool, type: 'kubernetes', baseJobTemplate: BASE_JOB_TEMPLATE, workers: [PREFECT.worker] }],
    deployments: [
      { ...onPool, ...prod },
      { ...onPool, ...staging, jobVariables: { image: PREFECT.image, env: { STAGE: 'staging' } } },
      { ...onPool, ...spaced },
      { ...onPool, ...paused, paused: true },
      { ...onPool, ...served, workPoolName: null, workQueueName: null, pullSteps: [], jobVariables: {} },
    ],
    variables: { region: 'eu-west-1' },
  };
}

/** Where and how the company runs Prefect; give `iapAuthString` to have a password behind the proxy as well. */
export function prefectTenant(
  changes: { readonly iapAuthString?: string } = {},
): Pick<PrefectOptions, 'cloud' | 'servers'> {
  const { keys } = PREFECT;
  const { iapAuthString } = changes;
  const account = { accountId: ACCOUNT, accountHandle: PREFECT.accountHandle };
  const actor = (actorName: string, key: string, workspaceIds: readonly string[]) => ({
    key,
    actorName,
    actorId: crypto.randomUUID(),
    workspaceIds,
  });
  return {
    cloud: {
      host: CLOUD,
      keys: [
        actor('ci', keys.service, [WORKSPACE]),
        actor('ana', keys.user, [WORKSPACE, OTHER_WORKSPACE]),
        { ...actor('old-ci', keys.expired, [WORKSPACE]), expiresAt: 0 },
        actor('outsider', keys.outsider, []),
      ],
      workspaces: [
        { ...account, workspaceId: WORKSPACE, workspaceHandle: PREFECT.workspaceHandle, contents: contents() },
        {
          ...account,
          workspaceId: OTHER_WORKSPACE,
          workspaceHandle: 'analytics',
          contents: { flows: [], pools: [], deployments: [] },
        },
      ],
    },
    servers: [
      { host: SELF_HOSTED, authString: PREFECT.authString, csrf: true, contents: contents() },
      {
        host: BEHIND_PROXY,
        iapAudience: PREFECT.iapAudience,
        contents: contents(),
        ...(iapAuthString === undefined ? {} : { authString: iapAuthString }),
      },
    ],
  };
}
