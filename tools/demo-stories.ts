import type { BitbucketClaimOptions } from '../test/simulators/oidc-issuer.ts';
import { PREFECT } from '../test/simulators/prefect-tenant.ts';
import { DATABRICKS, GOOGLE, providerName } from '../test/simulators/tenant.ts';
import { VERCEL } from '../test/simulators/vercel-tenant.ts';
import type { Ci, StepSettings } from './ci-step.ts';

export type Result = 'succeeded' | 'failed' | 'cancelled' | 'refused';

/** One step of a pipeline, and how it must end. */
export interface Story {
  readonly ci: Ci;
  /** What happens, in a sentence or two. */
  readonly about: string;
  readonly settings: StepSettings & { readonly job: string };
  /** What is different about the step's token (Bitbucket only). */
  readonly token?: Partial<BitbucketClaimOptions>;
  /** It runs when this other step of its build is over, in the same checkout. */
  readonly after?: Story;
  /** The build is cancelled once the log matches. */
  readonly cancelWhen?: RegExp;
  readonly result: Result;
  readonly exitCode: number;
}

const customJob = (name: string) => `displayName: ${name}
jobSpec:
  workerPoolSpecs:
    - machineSpec: { machineType: n1-standard-8, acceleratorType: NVIDIA_TESLA_T4, acceleratorCount: 1 }
      replicaCount: 1
      containerSpec:
        imageUri: us-docker.pkg.dev/acme-ml/train/resnet:@{commit}
        args: ["--epochs=20", "--branch=@{branch}"]
  serviceAccount: ${GOOGLE.runtime}
  baseOutputDirectory: { outputUriPrefix: "gs://acme-models/@{build-number}" }
`;

const oneTimeRun = (name: string) => `run_name: ${name}
tasks:
  - task_key: train
    spark_python_task: { python_file: train.py, parameters: ["--epochs", "20"] }
    environment_key: default
environments:
  - environment_key: default
    spec: { environment_version: "2", dependencies: [torch==2.8.0] }
`;

/** The checkout of every step; the names say to the simulators what becomes of a job. */
export const CHECKOUT: Readonly<Record<string, string>> = {
  'training/job.yaml': customJob('resnet-@{short-commit}'),
  'training/endless-job.yaml': customJob('endless-resnet'),
  'training/run.yaml': oneTimeRun('resnet'),
  'training/failing-run.yaml': oneTimeRun('resnet that fails'),
  '.vercel/output/config.json': '{"version":3}',
  '.vercel/output/static/index.html': '<h1>Which digit is it?</h1>\n',
  '.vercel/output/functions/predict.func/.vc-config.json': '{"runtime":"edge","entrypoint":"index.js"}',
  '.vercel/output/functions/predict.func/index.js': "export default () => new Response('7');\n",
};

const vertex = (ci: Ci, spec = 'training/job.yaml') => ({
  job: 'vertex-custom-job',
  project: GOOGLE.project,
  region: GOOGLE.region,
  'workload-identity-provider': providerName(ci),
  'service-account': GOOGLE.trainer,
  spec,
});

const workspace = { host: DATABRICKS.host, 'client-id': DATABRICKS.clientId };

const submitRun = (spec = 'training/run.yaml') => ({
  job: 'databricks-submit-run',
  ...workspace,
  spec,
  'git-source': 'ci',
});

const runNow = {
  job: 'databricks-run-now',
  ...workspace,
  'job-id': String(DATABRICKS.jobId),
  'job-parameters': { git_commit: '@{commit}', date: 'today' },
};

const flowRun = (ci: Ci) => ({
  job: 'prefect-flow-run',
  ...prefect(ci),
  parameters: { epochs: 20, day: '2026-11-21' },
});

/** The key is the company's secret, which the step's own identity opens. */
function prefect(ci: Ci) {
  return {
    'api-url': PREFECT.cloudApi,
    deployment: `${PREFECT.flow}/${PREFECT.deployments.prod.name}`,
    'secret-from': { 'api-key': `google:projects/${GOOGLE.project}/secrets/prefect-ci` },
    'workload-identity-provider': providerName(ci),
    'service-account': GOOGLE.trainer,
  };
}

const project = { team: VERCEL.team, project: VERCEL.project };
const site = { job: 'vercel-deployment', ...project, target: 'production' };

const well = { result: 'succeeded', exitCode: 0 } as const;
// Else the plugin's outputs are in the build's meta-data alone.
const outputs = { 'outputs-file': '.keyless-submit/outputs.json' };

const staged: Story = {
  ci: 'bitbucket',
  about: "On Vercel, what the build made: under the team's OIDC policy for this repository, and not yet on the domain.",
  settings: { ...site, 'skip-domain': true, 'smoke-path': '/' },
  ...well,
};
const deployed: Story = {
  ci: 'buildkite',
  about: "On Vercel in one step, domain and all. The token of the team's policy is revoked when the step ends.",
  settings: { ...site, ...outputs },
  ...well,
};

/** Every kind on both CIs, then a failure of each sort. */
export const STORIES: readonly Story[] = [
  {
    ci: 'bitbucket',
    about: 'A push to main trains on Vertex AI, as a service account that trusts this repository.',
    settings: vertex('bitbucket'),
    ...well,
  },
  {
    ci: 'bitbucket',
    about: 'The same commit trains on Databricks; the run checks out exactly this commit.',
    settings: submitRun(),
    ...well,
  },
  {
    ci: 'bitbucket',
    about: 'A job that exists on Databricks runs, with the commit as a parameter.',
    settings: runNow,
    ...well,
  },
  {
    ci: 'buildkite',
    about: 'The plugin in place of a command: the agent gives the token, an annotation shows the job.',
    settings: { ...vertex('buildkite'), ...outputs },
    ...well,
  },
  {
    ci: 'buildkite',
    about: 'On Databricks, for a service principal whose policy names this pipeline.',
    settings: { ...submitRun(), ...outputs },
    ...well,
  },
  {
    ci: 'buildkite',
    about: 'A job that exists on Databricks.',
    settings: { ...runNow, ...outputs },
    ...well,
  },
  {
    ci: 'bitbucket',
    about:
      "Prefect takes no OIDC token: the step's identity opens the key in Secret Manager, and points a deployment at this commit.",
    settings: { job: 'prefect-deployment-update', ...prefect('bitbucket'), 'pull-commit': true },
    ...well,
  },
  {
    ci: 'bitbucket',
    about: 'A flow run of a Prefect deployment, with its log.',
    settings: flowRun('bitbucket'),
    ...well,
  },
  {
    ci: 'buildkite',
    about: 'The same from Buildkite.',
    settings: { ...flowRun('buildkite'), ...outputs },
    ...well,
  },
  staged,
  {
    ci: 'bitbucket',
    about: 'A later step of that build promotes the deployment, once it was looked at.',
    settings: { job: 'vercel-promote', ...project, deployment: 'file:.keyless-submit/outputs.json' },
    after: staged,
    ...well,
  },
  deployed,
  {
    ci: 'bitbucket',
    about: 'Identity refused: another repository copies the step, and the condition does not know it.',
    settings: vertex('bitbucket'),
    token: { repositoryUuid: '{0e0e0e0e-1111-4222-8333-444444444444}' },
    result: 'refused',
    exitCode: 3,
  },
  {
    ci: 'bitbucket',
    about: 'Remote job failed: the training code raises an error.',
    settings: submitRun('training/failing-run.yaml'),
    result: 'failed',
    exitCode: 1,
  },
  {
    ci: 'buildkite',
    about: 'Cancelled: somebody cancels the build while the job runs, and the agent sends SIGTERM.',
    settings: { ...vertex('buildkite', 'training/endless-job.yaml'), ...outputs },
    cancelWhen: /\brunning\b/,
    result: 'cancelled',
    exitCode: 143,
  },
];
