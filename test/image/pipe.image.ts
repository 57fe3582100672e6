import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { temporaryFolder } from '../e2e/folders.ts';
import { KINDS_IN_USE } from '../e2e/kinds.ts';
import { asVariables } from '../e2e/pipe.ts';
import { stepIn } from '../e2e/step.ts';
import { COMMIT, DATABRICKS, GOOGLE, providerName } from '../simulators/tenant.ts';
import { createWorld, type World } from '../simulators/world.ts';
import { buildImage, type PipeImage, pipeEnvironment, runPipe } from './container.ts';

// The port of Bitbucket's own proxy, which the pipe finds through DOCKER_HOST alone.
const PROXY_PORT = 29_418;
const PROVIDER = providerName('bitbucket');
const AUDIENCES = [`https://iam.googleapis.com/${PROVIDER}`, `https://${DATABRICKS.host}/oidc/v1/token`];

let image: PipeImage;
let world: World;
let cloneDir: string;
let variablesDir: string;

beforeAll(async () => {
  image = await buildImage();
  world = await createWorld({ port: PROXY_PORT });
  cloneDir = await mkdtemp(join(tmpdir(), 'keyless-clone-'));
  variablesDir = await mkdtemp(join(tmpdir(), 'keyless-variables-'));
  await mkdir(join(cloneDir, 'training'));
  await writeFile(
    join(cloneDir, 'training/job.yaml'),
    `jobSpec:
  workerPoolSpecs:
    - machineSpec: { machineType: n1-standard-4 }
      replicaCount: 1
      containerSpec: { imageUri: "us-docker.pkg.dev/acme-ml/train/image:@{commit}" }
`,
  );
}, 600_000);

afterAll(async () => {
  await world.close();
  await rm(cloneDir, { recursive: true, force: true });
  await rm(variablesDir, { recursive: true, force: true });
});

async function step(variables: Record<string, string | readonly string[]>, more: Record<string, string> = {}) {
  const env = pipeEnvironment(variables, {
    KEYLESS_SUBMIT_SIMULATORS: world.url,
    BITBUCKET_STEP_OIDC_TOKEN: await world.bitbucketToken({ audiences: AUDIENCES }),
    ...more,
  });
  return runPipe({ image, env, cloneDir, variablesDir });
}

const vertex = {
  JOB: 'vertex-custom-job',
  PROJECT: GOOGLE.project,
  REGION: GOOGLE.region,
  WORKLOAD_IDENTITY_PROVIDER: PROVIDER,
  SERVICE_ACCOUNT: GOOGLE.trainer,
  SPEC: 'training/job.yaml',
};

test('a Vertex AI job runs from the mounted checkout, and its outputs reach checkout and variables file', async () => {
  const { exitCode, output } = await step({
    ...vertex,
    LABELS: ['team=vision'],
    OUTPUT_VARIABLES: ['KEYLESS_ID', 'KEYLESS_RESULT'],
  });
  expect(output).toContain('✔ The job succeeded');
  expect(exitCode).toBe(0);
  const [job] = world.google.jobs();
  expect(job?.caller).toBe(GOOGLE.trainer);
  const body = JSON.parse(job?.rawBody ?? '{}');
  expect(body.jobSpec.workerPoolSpecs[0].containerSpec.imageUri).toContain(COMMIT);
  expect(body.labels).toMatchObject({ team: 'vision', ci_commit: COMMIT, ci_repository: 'acme-vision' });

  const outputs = JSON.parse(await readFile(join(cloneDir, '.keyless-submit/outputs.json'), 'utf8'));
  expect(outputs).toMatchObject({ id: job?.name, result: 'succeeded', commit: COMMIT });
  expect(await readFile(join(variablesDir, 'variables.env'), 'utf8')).toBe(
    `KEYLESS_ID=${job?.name}\nKEYLESS_RESULT=succeeded\n`,
  );
  const { stdout } = await promisify(execFile)('sh', ['-c', '. .keyless-submit/outputs.env; printf %s "$KEYLESS_ID"'], {
    cwd: cloneDir,
  });
  expect(stdout).toBe(job?.name);
});

test('reports go through the proxy that DOCKER_HOST names', async () => {
  // Without the simulators' address the pipe has only DOCKER_HOST to go by; a step without a token has something to report.
  const settings = { JOB: 'databricks-run-now', HOST: 'http://127.0.0.1:9', JOB_ID: '5' };
  const alone = { KEYLESS_SUBMIT_SIMULATORS: '', BITBUCKET_STEP_OIDC_TOKEN: '', BITBUCKET_BUILD_NUMBER: '8' };
  const before = world.reports.reports().length;
  expect((await step(settings, alone)).exitCode).toBe(3);
  expect(world.reports.reports().slice(before)).toMatchObject([{ current: { result: 'FAILED' } }]);
  expect(world.reports.refusals()).toEqual([]);
});

test('a Databricks run from an inline spec, with a list of objects', async () => {
  const spec = {
    tasks: [{ task_key: 'train', notebook_task: { notebook_path: '/Shared/train', source: 'WORKSPACE' } }],
  };
  const { exitCode, output } = await step({
    JOB: 'databricks-submit-run',
    HOST: DATABRICKS.host,
    CLIENT_ID: DATABRICKS.clientId,
    SPEC: JSON.stringify(spec),
    ACCESS_CONTROL_LIST: ['{"group_name": "ml-team", "permission_level": "CAN_VIEW"}'],
  });
  expect(output).toContain('✔ The job succeeded');
  expect(exitCode).toBe(0);
  const body = JSON.parse(world.databricks.runs().at(-1)?.body ?? '{}');
  expect(body.access_control_list).toEqual([{ group_name: 'ml-team', permission_level: 'CAN_VIEW' }]);
});

test.each(KINDS_IN_USE)('$id runs in the image', async (kind) => {
  await using own = await createWorld();
  kind.setUp?.(own);
  using clone = temporaryFolder('clone', kind.checkout);
  const before = kind.submitted(own);
  const { simulators, token = '' } = await stepIn(own);
  const env = pipeEnvironment(asVariables(kind.settings('bitbucket')), {
    KEYLESS_SUBMIT_SIMULATORS: simulators,
    BITBUCKET_STEP_OIDC_TOKEN: token,
  });
  const { exitCode, output } = await runPipe({ image, env, cloneDir: clone.path });
  expect(output).toContain('✔ The job succeeded');
  expect(output).toContain(kind.story.exchange);
  expect(exitCode).toBe(0);
  const outputs = JSON.parse(await readFile(join(clone.path, '.keyless-submit/outputs.json'), 'utf8'));
  expect(outputs).toMatchObject({ ...kind.jobIn(own), kind: kind.id, result: 'succeeded' });
  expect(kind.submitted(own)).toBe(before + 1);
});

test('a missing token says what to add, with exit code 3', async () => {
  const { exitCode, output } = await step(vertex, { BITBUCKET_STEP_OIDC_TOKEN: '' });
  expect(exitCode).toBe(3);
  expect(output).toContain('token-missing');
  expect(output).toContain('oidc: true');
  expect(output).toContain(`- https://iam.googleapis.com/${PROVIDER}`);
});

test('wrong settings end with exit code 2 and one message', async () => {
  const { exitCode, output } = await step({ ...vertex, REGION: 'mars', SERVICE_ACOUNT: 'x' });
  expect(exitCode).toBe(2);
  expect(output).toContain('REGION: expected a region');
  expect(output).toContain('SERVICE_ACOUNT: is not a setting; did you mean SERVICE_ACCOUNT?');
});

test.each(['--require /nowhere/tracer.js', '--flag-of-another-node'])(
  'NODE_OPTIONS of the step is meant for other Nodes: %s',
  async (NODE_OPTIONS) => {
    const { exitCode, output } = await step({ ...vertex, REGION: 'mars' }, { NODE_OPTIONS });
    expect(output).toContain('REGION: expected a region');
    expect(exitCode).toBe(2);
  },
);

test('the image has neither npm nor sources, runs as root, and can describe itself', async () => {
  const listing = await runPipe({
    image,
    cloneDir,
    env: {},
    command: [
      ...['node', '--input-type=module', '--eval'],
      `import { existsSync, readdirSync, readFileSync } from 'node:fs';
       console.log(JSON.stringify({
         uid: process.getuid(), version: process.versions.node,
         bundle: readdirSync('/opt/keyless-submit'), pipe: existsSync('/pipe.yml'),
         authorities: /BEGIN CERTIFICATE/.test(readFileSync('/etc/ssl/certs/ca-certificates.crt', 'utf8')),
         npm: ['/usr/local/bin/npm', '/usr/local/lib/node_modules', '/build', '/root/.npm'].filter((path) => existsSync(path)),
       }));`,
    ],
  });
  const found = JSON.parse(listing.output);
  expect(found).toMatchObject({ uid: 0, pipe: true, authorities: true, npm: [] });
  expect(Number(found.version.split('.')[0])).toBe(24);
  expect(found.bundle.filter((name: string) => !/\.mjs$|^LICENSES\.txt$/.test(name))).toEqual([]);
});

test('the pipe writes its outputs into the checkout, and nothing else', async () => {
  const { stdout } = await promisify(execFile)('find', ['.', '-type', 'f'], { cwd: cloneDir });
  const names = stdout
    .trim()
    .replace(/-[0-9a-f]{12}\./g, '-KEY.')
    .split('\n');
  expect([...new Set(names)].toSorted()).toEqual([
    './.keyless-submit/outputs-KEY.env',
    './.keyless-submit/outputs-KEY.json',
    './.keyless-submit/outputs.env',
    './.keyless-submit/outputs.json',
    './training/job.yaml',
  ]);
});
