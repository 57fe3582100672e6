import { execFile } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type DatabricksOptions, databricksSimulators } from '../simulators/databricks.ts';
import { runNowRequest, submitRequest } from '../simulators/databricks-jobs-schema.ts';
import type { Schema } from '../simulators/databricks-schema-shapes.ts';
import { bitbucketClaims, bitbucketIssuer } from '../simulators/oidc-issuer.ts';
import { type Handler, serve } from '../simulators/serve.ts';

const HOST = 'dbc-a1b2.cloud.databricks.com';
const ACCOUNT_ID = '5a1c0c1e-0000-4000-8000-00000000acc0';
const CLIENT_ID = '11111111-1111-4111-8111-111111111111';
const REPOSITORY = '{aaaaaaaa-0000-4000-8000-000000000001}';
const HERE = import.meta.dirname;
const run = promisify(execFile);

/** A workspace on the loopback interface, and the SDK pointed at it with a step's token in its environment. */
async function workspace(options: Partial<DatabricksOptions> = {}, environment: Record<string, string> = {}) {
  const issuer = await bitbucketIssuer({ workspace: 'acme' });
  const asked: string[] = [];
  let origin = '';
  const simulators = databricksSimulators({
    workspaceHost: HOST,
    workspaceId: '7474650000001',
    accountId: ACCOUNT_ID,
    policies: [{ clientId: CLIENT_ID, issuer: issuer.issuer, subjectClaim: 'repositoryUuid', subject: REPOSITORY }],
    outbound: (url) => issuer.handle(new Request(url)),
    now: Date.now,
    urlOf: () => origin,
    ...options,
  });
  const handle = simulators.hosts(HOST) as Handler;
  const server = await serve((request) => {
    asked.push(`${request.method} ${new URL(request.url).pathname}`);
    return handle(request);
  });
  onTestFinished(() => server.close());
  origin = server.url;

  const token = await issuer.sign(
    bitbucketClaims({
      workspace: 'acme',
      workspaceUuid: 'cccccccc-0000-4000-8000-000000000003',
      repositoryUuid: REPOSITORY,
      pipelineUuid: 'dddddddd-0000-4000-8000-000000000004',
      stepUuid: crypto.randomUUID(),
      audiences: [ACCOUNT_ID],
      now: Date.now(),
    }),
  );
  const sdk = (...args: readonly string[]) =>
    python(args, {
      DATABRICKS_HOST: origin,
      DATABRICKS_AUTH_TYPE: 'env-oidc',
      DATABRICKS_CLIENT_ID: CLIENT_ID,
      DATABRICKS_OIDC_TOKEN_ENV: 'BITBUCKET_STEP_OIDC_TOKEN',
      BITBUCKET_STEP_OIDC_TOKEN: token,
      ...environment,
    });
  return { ...simulators, asked, sdk };
}

async function python(args: readonly string[], environment: Record<string, string> = {}): Promise<unknown> {
  const { stdout } = await run('python3', [join(HERE, 'databricks_sdk_peer.py'), ...args], {
    env: {
      PATH: process.env.PATH,
      HOME: await mkdtemp(join(tmpdir(), 'databricks-sdk-')),
      PYTHONPATH: join(HERE, '../../build/peers/databricks-sdk/lib'),
      ...environment,
    },
  });
  return JSON.parse(stdout);
}

beforeAll(() => run('sh', [join(HERE, 'install-databricks-sdk.sh')]), 300_000);

describe('databricks-sdk for Python', { timeout: 60_000 }, () => {
  it.each(['number', 'string'] as const)(
    'exchanges, submits, waits and reads outputs, with 64-bit integers as %s',
    async (int64As) => {
      const { sdk, asked, issued, runs, nextLife } = await workspace({ int64As });
      nextLife({
        phases: [
          { state: 'QUEUED', span: { gets: 1 } },
          { state: 'RUNNING', span: { gets: 1 } },
        ],
        end: { kind: 'success' },
        logs: 'epoch 1\n',
        result: 'done',
        usedCommit: 'c0ffee',
      });
      expect(await sdk('succeed')).toMatchObject({
        same: [true, true],
        run: {
          run_name: 'peer',
          state: { life_cycle_state: 'TERMINATED', result_state: 'SUCCESS' },
          status: { state: 'TERMINATED', termination_details: { code: 'SUCCESS', type: 'SUCCESS' } },
          git_source: { git_branch: 'main', git_snapshot: { used_commit: 'c0ffee' } },
          tasks: [{ task_key: 'main' }, { task_key: 'note' }],
        },
        outputs: [{ logs: 'epoch 1\n' }, { notebook_output: { result: 'done' } }],
      });
      expect(runs()).toMatchObject([{ createdBy: CLIENT_ID, runType: 'SUBMIT_RUN' }]);
      expect(issued()).toHaveLength(1);
      expect(asked.slice(0, 4)).toEqual([
        'GET /.well-known/databricks-config',
        'GET /oidc/.well-known/oauth-authorization-server',
        'POST /oidc/v1/token',
        'POST /api/2.2/jobs/runs/submit',
      ]);
    },
  );

  it('reads expires_in as a string, and names its workspace on a unified host', async () => {
    const { sdk, issued } = await workspace({ expiresInAs: 'string', unified: true });
    expect(await sdk('succeed')).toMatchObject({ same: [true, true] });
    expect(issued()).toMatchObject([{ level: 'account' }]);
  });

  it('knows every field of the answers', async () => {
    const { sdk } = await workspace();
    expect(await sdk('unknown_fields')).toEqual([]);
  });

  it('fails on failed user code', async () => {
    const { sdk, nextLife } = await workspace();
    nextLife({ phases: [], end: { kind: 'user-code-failure', error: 'ValueError: no data' }, logs: 'epoch 1\n' });
    expect(await sdk('fail')).toMatchObject({
      error: expect.stringContaining('INTERNAL_ERROR: Task main failed with message: Workload failed'),
      run: {
        state: { life_cycle_state: 'INTERNAL_ERROR', result_state: 'FAILED' },
        tasks: [{ state: { result_state: 'FAILED' } }, { state: { result_state: 'UPSTREAM_FAILED' } }],
      },
      output: { error: 'ValueError: no data', logs: 'epoch 1\n' },
    });
  });

  it('cancels and waits for the end', async () => {
    const { sdk, nextLife, runs } = await workspace();
    nextLife({ end: { kind: 'hang' } });
    expect(await sdk('cancel')).toMatchObject({
      run: { state: { result_state: 'CANCELED' }, status: { termination_details: { code: 'USER_CANCELED' } } },
    });
    expect(runs()[0]?.cancelledBy).toBe(CLIENT_ID);
  });

  it('runs a saved job', async () => {
    const jobId = 920_000_000_000_000_001n;
    const task = { task_key: 'main', notebook_task: { notebook_path: '/Shared/n' } };
    const { sdk } = await workspace({
      jobs: [{ jobId, name: 'nightly', tasks: [task], parameters: [{ name: 'epochs', default: '3' }] }],
    });
    expect(await sdk('run_job', String(jobId))).toMatchObject({
      job: { settings: { name: 'nightly' } },
      run: { run_type: 'JOB_RUN', job_parameters: [{ name: 'epochs', default: '3', value: '9' }] },
    });
  });

  it('reads all pages of tasks', async () => {
    const { sdk } = await workspace();
    expect(await sdk('many_tasks')).toEqual({ tasks: Array.from({ length: 120 }, (_, index) => `t${index}`) });
  });

  it('reads the errors', async () => {
    const { sdk } = await workspace();
    expect(await sdk('errors')).toEqual([
      ['ResourceDoesNotExist', 'INVALID_PARAMETER_VALUE', 'Run 1 does not exist.'],
      ['InvalidParameterValue', 'INVALID_PARAMETER_VALUE', expect.stringContaining('exactly one task type')],
      ['InvalidParameterValue', 'INVALID_PARAMETER_VALUE', expect.stringContaining('multiple tasks is not supported')],
      ['InvalidParameterValue', 'INVALID_PARAMETER_VALUE', 'Job 1 does not exist.'],
    ]);
  });

  it('reports a refused exchange and missing rights', async () => {
    const wrongClient = await workspace({}, { DATABRICKS_CLIENT_ID: '22222222-2222-4222-8222-222222222222' });
    expect(await wrongClient.sdk('authenticate')).toMatchObject({
      message: expect.stringContaining('invalid_grant: Failed to process token: TOKEN_INVALID'),
    });
    const noRights = await workspace({ members: [] });
    expect(await noRights.sdk('authenticate')).toMatchObject({ type: 'PermissionDenied' });
  });

  it('types the request bodies as the simulator describes them', async () => {
    const { submit, run_now } = (await python(['schema'])) as Record<string, Shape>;
    expect(differences('submit', submitRequest, submit)).toEqual([]);
    expect(differences('run_now', runNowRequest, run_now)).toEqual([]);
  });
});

interface Shape {
  readonly fields?: Readonly<Record<string, Shape>>;
  readonly items?: Shape;
  readonly map?: true;
  readonly enum?: readonly string[];
  readonly scalar?: string;
}

const SCALARS: Readonly<Record<string, readonly string[]>> = {
  str: ['string'],
  bool: ['boolean'],
  int: ['integer', 'integer,string'],
};

/** Where a description departs from the SDK's types; parts that it leaves open are not compared. */
function differences(path: string, schema: Schema, shape: Shape | undefined): readonly string[] {
  if (shape === undefined) return [`${path}: not in the SDK`];
  const { type, properties, items, enum: words } = schema;
  if (properties !== undefined) {
    const described = properties as Readonly<Record<string, Schema>>;
    const missing = Object.keys(shape.fields ?? {}).filter((name) => described[name] === undefined);
    return [
      ...missing.map((name) => `${path}.${name}: not described`),
      ...Object.entries(described).flatMap(([name, each]) =>
        differences(`${path}.${name}`, each, shape.fields?.[name]),
      ),
    ];
  }
  if (items !== undefined) return differences(`${path}[]`, items as Schema, shape.items);
  if (words !== undefined) {
    const sorted = (words as readonly string[]).toSorted();
    return String(sorted) === String(shape.enum) ? [] : [`${path}: ${sorted} but ${shape.enum}`];
  }
  const agrees =
    type === 'object'
      ? shape.map !== undefined || shape.fields !== undefined
      : shape.scalar === undefined
        ? shape.enum !== undefined && type === 'string'
        : SCALARS[shape.scalar]?.includes(String(type));
  return agrees === true ? [] : [`${path}: ${type} but ${JSON.stringify(shape)}`];
}
