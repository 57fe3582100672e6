import { PREFECT } from '../simulators/prefect-tenant.ts';
import { GOOGLE, providerName } from '../simulators/tenant.ts';
import type { CancellableKind, KindInUse } from './kinds.ts';
import type { Ci } from './step.ts';

/** Where the company's secrets lie at Google. */
export function googleSecret(name: string): string {
  return `google:projects/${GOOGLE.project}/secrets/${name}`;
}

/** The settings of a step that reads its API key with its own identity. */
function onCloud(ci: Ci) {
  return {
    'api-url': PREFECT.cloudApi,
    'secret-from': { 'api-key': googleSecret('prefect-ci') },
    'workload-identity-provider': providerName(ci),
    deployment: `${PREFECT.flow}/${PREFECT.deployments.prod.name}`,
  };
}

const PAGES = `https://app.prefect.cloud/account/${PREFECT.accountId}/workspace/${PREFECT.workspaceId}`;
const identity = `API key from Google Secret Manager projects/${GOOGLE.project}/secrets/prefect-ci`;

export const FLOW_RUN: CancellableKind = {
  id: 'prefect-flow-run',
  settings: (ci) => ({ job: 'prefect-flow-run', ...onCloud(ci), parameters: { epochs: 20 } }),
  checkout: {},
  fail: (world) => world.prefect.nextLife({ end: { kind: 'failed' } }),
  hang: (world) => world.prefect.nextLife({ scheduledMs: 0, pendingMs: 0, end: { kind: 'hang' } }),
  submitted: (world) => world.prefect.runs().length,
  cancels: /\/flow_runs\/[0-9a-f-]+\/set_state$/,
  jobIn: (world) => {
    const id = world.prefect.runs()[0]?.id ?? '';
    return { id, url: `${PAGES}/runs/flow-run/${id}` };
  },
  story: {
    identity,
    exchange: 'read api-key, version 3',
    held: [PREFECT.keys.service],
    states: ['running   Running'],
    succeeds: { state: 'Completed', words: [], timed: true },
    fails: { state: 'Failed', words: ['ValueError: loss is not finite'], timed: true },
  },
};

export const DEPLOYMENT_UPDATE: KindInUse = {
  id: 'prefect-deployment-update',
  settings: (ci) => ({
    job: 'prefect-deployment-update',
    ...onCloud(ci),
    // The deployment clones the repository that is built on Bitbucket.
    'pull-commit': ci === 'bitbucket',
    image: 'registry.acme.example/train:@{short-commit}',
  }),
  checkout: {},
  submitted: (world) => world.prefect.deploymentUpdates().length,
  jobIn: () => ({
    id: PREFECT.deployments.prod.id,
    url: `${PAGES}/deployments/deployment/${PREFECT.deployments.prod.id}`,
  }),
  story: {
    identity,
    exchange: 'read api-key, version 3',
    held: [PREFECT.keys.service],
    states: [],
    succeeds: { state: '', words: [] },
  },
};
