import type { FailureCause } from '../../shared/kind.ts';
import type { RunEnd, RunLife } from '../simulators/prefect-run-life.ts';
import { PREFECT } from '../simulators/prefect-tenant.ts';
import { GOOGLE, providerName } from '../simulators/tenant.ts';
import type { World } from '../simulators/world.ts';
import type { Ci, KindSample } from './kind-samples.ts';
import type { RemoteLife } from './remote-life.ts';

const WORKSPACE_PATH = `^/api\\.prefect\\.cloud/api/accounts/${PREFECT.accountId}/workspaces/${PREFECT.workspaceId}`;
const workspacePath = (path: string) => new RegExp(`${WORKSPACE_PATH}${path}$`);

const PAGES = `https://app.prefect.cloud/account/${PREFECT.accountId}/workspace/${PREFECT.workspaceId}`;

/** The company's workspace, with a key that the step's own identity opens. */
const cloud = {
  service: 'prefect',
  settings: (ci: Ci) => ({
    'api-url': PREFECT.cloudApi,
    'secret-from': { 'api-key': `google:projects/${GOOGLE.project}/secrets/prefect-ci` },
    'workload-identity-provider': providerName(ci),
    'service-account': GOOGLE.trainer,
    deployment: `${PREFECT.flow}/${PREFECT.deployments.prod.name}`,
  }),
  audience: (ci: Ci) => `https://iam.googleapis.com/${providerName(ci)}`,
  targets: {
    exchange: { method: 'POST', path: /^\/sts\.googleapis\.com\/v1\/token$/ },
    impersonation: { method: 'POST', path: /^\/iamcredentials\.googleapis\.com\/.*:generateAccessToken$/ },
    secret: { method: 'GET', path: /^\/secretmanager\.googleapis\.com\/.*:access$/ },
    preparation: { method: 'GET', path: workspacePath('/deployments/name/[^/]+/[^/]+') },
  },
  serverTimeout: () => undefined,
  hasKey: true,
  submitter: 'key prefect-ci',
  story: {
    identity: `API key from Google Secret Manager projects/${GOOGLE.project}/secrets/prefect-ci`,
    exchange: 'read api-key, version 3',
    held: [PREFECT.keys.service],
  },
} as const;

/** The key that a request came with, by its name at Prefect. */
function submitterOf(headers: Headers): string | undefined {
  return headers.get('authorization') === `Bearer ${PREFECT.keys.service}` ? cloud.submitter : undefined;
}

const ENDS: Readonly<Partial<Record<FailureCause, RunEnd>>> = {
  code: { kind: 'failed' },
  infrastructure: { kind: 'crashed' },
  quota: { kind: 'cancelled', message: 'Deployment concurrency limit reached.' },
  timeout: { kind: 'timed-out' },
};

/** The life of a flow run. */
export function prefectLife({ queuedMs = 10_000, runningMs = 30_000, end }: RemoteLife): RunLife {
  const last: RunEnd | undefined =
    end === 'success' ? { kind: 'completed' } : end === 'cancelled' ? { kind: 'cancelled' } : ENDS[end.cause];
  if (last === undefined) throw new Error('no flow run ends so');
  return { scheduledMs: queuedMs / 2, pendingMs: queuedMs / 2, runningMs, end: last };
}

export const prefectFlowRun: KindSample = {
  ...cloud,
  id: 'prefect-flow-run',
  about: 'A flow run of a Prefect deployment, with its log.',
  settings: (ci) => ({
    ...cloud.settings(ci),
    parameters: { epochs: 20, optimizer: { name: 'adam', learning_rate: 0.001 } },
    tags: ['ci'],
    'job-variables': { env: { GIT_SHA: '@{commit}' } },
  }),
  targets: {
    ...cloud.targets,
    submission: { method: 'POST', path: workspacePath('/deployments/[^/]+/create_flow_run') },
    status: { method: 'GET', path: workspacePath('/flow_runs/[^/]+') },
    cancel: { method: 'POST', path: workspacePath('/flow_runs/[^/]+/set_state') },
  },
  jobs: (world: World) =>
    world.prefect.runs().map(({ id, body, headers, cancelRequested }) => ({
      id,
      body,
      headers,
      cancelled: cancelRequested,
      submitter: submitterOf(headers),
      url: `${PAGES}/runs/flow-run/${id}`,
    })),
  script: (world, life) => world.prefect.nextLife(prefectLife(life)),
  fail: (world) => world.prefect.nextLife({ end: { kind: 'failed' } }),
  otherName: (id) => `${PAGES}/runs/flow-run/${id}`,
  nobodysName: '00000000-0000-4000-8000-000000000404',
  findsByKey: true,
  ends: ['code', 'infrastructure', 'quota', 'timeout', 'cancelled'],
  story: {
    ...cloud.story,
    states: ['running   Running'],
    succeeds: { state: 'Completed', words: [], timed: true },
    fails: { state: 'Failed', words: ['ValueError: loss is not finite'], timed: true },
  },
};

export const prefectDeploymentUpdate: KindSample = {
  ...cloud,
  id: 'prefect-deployment-update',
  about:
    "Prefect takes no OIDC token: the step's identity opens the key in Secret Manager, and points a deployment at this commit.",
  settings: (ci) => ({
    ...cloud.settings(ci),
    'pull-commit': true,
    image: 'registry.acme.example/train:@{short-commit}',
    'job-variables': { env: { GIT_SHA: '@{commit}' } },
    tags: ['ci'],
    // Else what one build asks for, another finds done.
    version: '@{short-commit}.@{build-number}',
  }),
  targets: {
    ...cloud.targets,
    submission: { method: 'PATCH', path: workspacePath('/deployments/[^/]+') },
    status: { method: 'GET', path: workspacePath('/deployments/[0-9a-f-]+') },
  },
  jobs: (world) =>
    world.prefect.deploymentUpdates().map(({ deploymentId, body, headers }) => ({
      id: deploymentId,
      body,
      headers,
      cancelled: false,
      submitter: submitterOf(headers),
      url: `${PAGES}/deployments/deployment/${deploymentId}`,
    })),
  script: () => undefined,
  otherName: (id) => id,
  findsByKey: false,
  repeatable: true,
  ends: [],
  story: { ...cloud.story, states: [], succeeds: { state: '', words: [] } },
};
