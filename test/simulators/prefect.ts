import { actorOf, type CloudKey, type CloudWorkspace, cloud } from './prefect-cloud.ts';
import { deploymentRoutes } from './prefect-deployment-routes.ts';
import { flowRunRoutes } from './prefect-flow-run-routes.ts';
import { recordRoutes } from './prefect-record-routes.ts';
import type { Route } from './prefect-router.ts';
import type { RunLife } from './prefect-run-life.ts';
import type { Run } from './prefect-runs.ts';
import { type SelfHostedAccess, selfHosted, type VerifyIdToken } from './prefect-self-hosted.ts';
import { workPoolRoutes } from './prefect-work-pool-routes.ts';
import {
  createWorkspace,
  type DeploymentUpdate,
  setWorkers,
  type Workspace,
  type WorkspaceContents,
} from './prefect-workspace.ts';
import type { Handler } from './serve.ts';

export type { VerifyIdToken } from './prefect-self-hosted.ts';

export interface PrefectOptions {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly verifyIdToken: VerifyIdToken;
  readonly cloud: {
    readonly host: string;
    readonly keys: readonly CloudKey[];
    readonly workspaces: readonly (CloudWorkspace & { readonly contents: WorkspaceContents })[];
  };
  readonly servers: readonly (Pick<SelfHostedAccess, 'host' | 'authString' | 'csrf' | 'iapAudience'> & {
    readonly contents: WorkspaceContents;
  })[];
  /** After so long the service itself ends a run that nobody cancels; default 300 s. */
  readonly cancellingTimeoutMs?: number;
}

/** A run as tests look at it. */
export interface RecordedRun {
  readonly id: string;
  readonly host: string;
  readonly deploymentId: string;
  readonly idempotencyKey: string | null;
  /** The body of the request that created it, as it came. */
  readonly body: string;
  readonly headers: Headers;
  readonly cancelRequested: boolean;
}

export interface PrefectSimulator {
  /** The simulator that answers for a host, if it is Cloud's or one of the company's servers. */
  hosts(host: string): Handler | undefined;
  /** Scripts the next run that is created, whichever host it is created on; runs without a script complete. */
  nextLife(life: RunLife): void;
  /** Every run on every host, oldest first. */
  runs(): readonly RecordedRun[];
  /** Every update of a deployment, by PATCH or by upsert. */
  deploymentUpdates(): readonly DeploymentUpdate[];
  /** Brings the workers of a pool up or down on every host. */
  setWorkers(status: 'ONLINE' | 'OFFLINE', pool: string): void;
  /** Deletes a run, as its owner or the retention does. */
  deleteRun(id: string): void;
  /** Every secret that opens one of the hosts. */
  issuedTokens(): readonly string[];
}

const SERVER_VERSION = '3.8.8';
const API_VERSION = '0.8.4';

/** Prefect Cloud and a company's own Prefect servers (https://docs.prefect.io/v3/api-ref/rest-api). */
export function prefectSimulator(options: PrefectOptions): PrefectSimulator {
  const { now } = options;
  const lives: RunLife[] = [];
  const recorded: { host: string; run: Run }[] = [];
  const updates: DeploymentUpdate[] = [];
  const workspaces: Workspace[] = [];

  const opened = (host: string, edition: Workspace['edition'], contents: WorkspaceContents): readonly Route[] => {
    const workspace = createWorkspace(contents, {
      host,
      edition,
      now,
      cancellingTimeoutMs: options.cancellingTimeoutMs ?? 300_000,
      creatorOf: (headers) => {
        const actor = edition === 'cloud' ? actorOf(headers, options.cloud.keys, 0) : undefined;
        return actor === undefined ? null : { id: actor.actorId, type: 'SERVICE', display_value: actor.actorName };
      },
      takeLife: () => lives.shift() ?? { end: { kind: 'completed' } },
      onRun: (run) => recorded.push({ host, run }),
      onDeploymentUpdate: (update) => updates.push(update),
    });
    workspaces.push(workspace);
    return [
      ...rootRoutes(edition),
      ...flowRunRoutes(workspace),
      ...deploymentRoutes(workspace),
      ...recordRoutes(workspace),
      ...workPoolRoutes(workspace),
    ];
  };

  const { host: cloudHost, workspaces: cloudWorkspaces } = options.cloud;
  const handlers = new Map<string, Handler>([
    [
      cloudHost,
      cloud(
        { ...options.cloud, now },
        cloudWorkspaces.map((workspace) => ({ ...workspace, routes: opened(cloudHost, 'cloud', workspace.contents) })),
      ),
    ],
    ...options.servers.map(({ contents, ...access }): [string, Handler] => [
      access.host,
      selfHosted({ ...access, now, verifyIdToken: options.verifyIdToken }, opened(access.host, 'server', contents)),
    ]),
  ]);

  return {
    hosts: (host) => handlers.get(host),
    nextLife: (life) => {
      lives.push(life);
    },
    runs: () =>
      recorded.map(({ host, run }) => ({
        id: run.id,
        host,
        deploymentId: run.deploymentId,
        idempotencyKey: run.idempotencyKey,
        body: run.body,
        headers: run.headers,
        cancelRequested: run.cancelRequested,
      })),
    deploymentUpdates: () => updates,
    setWorkers: (status, pool) => {
      for (const workspace of workspaces) setWorkers(workspace, pool, status);
    },
    deleteRun: (id) => {
      for (const workspace of workspaces) workspace.deleted.add(id);
    },
    issuedTokens: () => [
      ...options.cloud.keys.map(({ key }) => key),
      ...options.servers.flatMap(({ authString }) =>
        authString === undefined
          ? []
          : [authString, authString.slice(authString.indexOf(':') + 1), Buffer.from(authString).toString('base64')],
      ),
    ],
  };
}

function rootRoutes(edition: Workspace['edition']): readonly Route[] {
  const answering = (path: string, body: unknown): Route => ({
    method: 'GET',
    path,
    handle: () => Response.json(body),
  });
  return [
    { ...answering('/health', true), anyVersion: true },
    { ...answering('/version', API_VERSION), anyVersion: true },
    answering('/ready', { message: 'OK' }),
    answering('/hello', '👋'),
    // Whether Cloud tells its version is not documented.
    ...(edition === 'server' ? [answering('/admin/version', SERVER_VERSION)] : []),
  ];
}
