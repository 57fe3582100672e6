import { DATABRICKS } from '../simulators/tenant.ts';
import type { World } from '../simulators/world.ts';
import type { KindSample } from './kind-samples.ts';
import { databricksLife, type RemoteLife } from './remote-life.ts';

const HOST_PATH = `^/${DATABRICKS.host.replaceAll('.', '\\.')}`;
const databricksPath = (path: string) => new RegExp(`${HOST_PATH}${path}$`);

const databricks = {
  service: 'databricks',
  audience: () => `https://${DATABRICKS.host}/oidc/v1/token`,
  targets: {
    exchange: { method: 'POST', path: databricksPath('/oidc/v1/token') },
    status: { method: 'GET', path: databricksPath('/api/2.2/jobs/runs/get') },
    cancel: { method: 'POST', path: databricksPath('/api/2.2/jobs/runs/cancel') },
  },
  submitter: DATABRICKS.clientId,
  script: (world: World, life: RemoteLife) => world.databricks.nextLife(databricksLife(life)),
  otherName: (id: string) => id,
  fail: (world: World) =>
    world.databricks.nextLife({
      end: { kind: 'user-code-failure', error: 'ValueError: no data', trace: 'Traceback\n  in train' },
      logs: 'epoch 1\nepoch 2\n',
    }),
  story: {
    identity: `for service principal ${DATABRICKS.clientId}`,
    exchange: 'exchanged at ',
    states: ['queued    PENDING', 'running   RUNNING'],
    succeeds: { state: 'SUCCESS', words: [], timed: true },
    fails: { state: 'RUN_EXECUTION_ERROR', words: ['ValueError: no data', 'Traceback'], timed: true },
  },
} as const;

/** The runs of one way to make them. */
function runsOf(type: 'SUBMIT_RUN' | 'JOB_RUN'): KindSample['jobs'] {
  return (world) =>
    world.databricks
      .runs()
      .filter(({ runType }) => runType === type)
      .map(({ runId, jobId, body, headers, createdBy, cancelledBy }) => ({
        id: runId,
        body,
        headers,
        cancelled: cancelledBy !== undefined,
        submitter: createdBy,
        url: `https://${DATABRICKS.host}/jobs/${jobId}/runs/${runId}?o=${DATABRICKS.workspaceId}`,
      }));
}

export const databricksSubmitRun: KindSample = {
  ...databricks,
  id: 'databricks-submit-run',
  about:
    'The same commit trains on Databricks, for a service principal whose policy names this pipeline; the run checks out exactly this commit.',
  jobs: runsOf('SUBMIT_RUN'),
  settings: () => ({
    host: DATABRICKS.host,
    'client-id': DATABRICKS.clientId,
    'git-source': 'ci',
    spec: {
      run_name: 'resnet',
      tasks: [
        {
          task_key: 'train',
          spark_python_task: { python_file: 'train.py', parameters: ['--branch', '@{branch}'] },
          new_cluster: { spark_version: '17.3.x-scala2.13', node_type_id: 'i3.xlarge', num_workers: 1 },
        },
      ],
    },
  }),
  targets: { ...databricks.targets, submission: { method: 'POST', path: databricksPath('/api/2.2/jobs/runs/submit') } },
  serverTimeout: (body) => Number(/"timeout_seconds":(\d+)/.exec(body)?.[1]),
  findsByKey: true,
};

export const databricksRunNow: KindSample = {
  ...databricks,
  id: 'databricks-run-now',
  about: 'A job that exists on Databricks runs, with the commit as a parameter.',
  jobs: runsOf('JOB_RUN'),
  settings: (ci) => ({
    host: DATABRICKS.host,
    'client-id': DATABRICKS.clientId,
    // As YAML reads it, a number that a double cannot hold.
    'job-id': ci === 'buildkite' ? DATABRICKS.jobId : String(DATABRICKS.jobId),
    'job-parameters': { git_commit: '@{commit}' },
  }),
  targets: { ...databricks.targets, submission: { method: 'POST', path: databricksPath('/api/2.2/jobs/run-now') } },
  serverTimeout: () => undefined,
  findsByKey: false,
};
