import { isJsonObject, type JsonObject } from './json-object.ts';
import {
  type Deployment,
  type DeploymentSettings,
  ensureQueue,
  type Flow,
  isServed,
  NEW_DEPLOYMENT,
  newPool,
  type WorkPool,
} from './prefect-inventory.ts';
import type { RunLife } from './prefect-run-life.ts';
import { meetWorker, type Run } from './prefect-runs.ts';

/** What a workspace holds when the simulator starts. */
export interface WorkspaceContents {
  readonly flows: readonly { readonly id: string; readonly name: string }[];
  readonly pools: readonly {
    readonly name: string;
    readonly type: string;
    readonly baseJobTemplate: JsonObject;
    readonly workers: readonly string[];
  }[];
  readonly deployments: readonly (Partial<DeploymentSettings> & {
    readonly id: string;
    readonly flowId: string;
    readonly name: string;
  })[];
  readonly variables?: JsonObject;
}

/** One workspace of Cloud, or all of a self-hosted server. */
export interface Workspace {
  readonly host: string;
  readonly edition: 'cloud' | 'server';
  readonly now: () => number;
  readonly flows: Flow[];
  readonly pools: WorkPool[];
  readonly deployments: Deployment[];
  readonly runs: Run[];
  readonly variables: JsonObject;
  /** Runs that were deleted, or whose retention is over. */
  readonly deleted: Set<string>;
  readonly cancellingTimeoutMs: number;
  /** Who made what a request makes, where the edition keeps that. */
  readonly creatorOf: (headers: Headers) => JsonObject | null;
  /** The script of the run that is created next. */
  readonly takeLife: () => RunLife;
  readonly onRun: (run: Run) => void;
  readonly onDeploymentUpdate: (update: DeploymentUpdate) => void;
}

/** An update of a deployment as it was received. */
export interface DeploymentUpdate {
  readonly host: string;
  readonly deploymentId: string;
  readonly body: string;
  readonly headers: Headers;
}

export type WorkspaceHooks = Pick<
  Workspace,
  'host' | 'edition' | 'now' | 'cancellingTimeoutMs' | 'creatorOf' | 'takeLife' | 'onRun' | 'onDeploymentUpdate'
>;

const DAY_MS = 86_400_000;

export function createWorkspace(contents: WorkspaceContents, hooks: WorkspaceHooks): Workspace {
  const created = hooks.now() - 30 * DAY_MS;
  const pools = contents.pools.map(({ name, type, baseJobTemplate, workers }) => {
    const pool = newPool(name, type, baseJobTemplate, created);
    const seen = { created, status: 'ONLINE' as const, lastHeartbeat: created };
    pool.workers.push(...workers.map((worker) => ({ id: crypto.randomUUID(), name: worker, ...seen })));
    return pool;
  });
  const deployments = contents.deployments.map(({ id, flowId, name, ...settings }): Deployment => {
    const pool = pools.find((candidate) => candidate.name === settings.workPoolName);
    if (pool !== undefined && settings.workQueueName) ensureQueue(pool, settings.workQueueName, created);
    const versionId = crypto.randomUUID();
    return { id, flowId, name, created, updated: created, versionId, settings: { ...NEW_DEPLOYMENT, ...settings } };
  });
  return {
    ...hooks,
    flows: contents.flows.map((flow) => ({ ...flow, tags: [], labels: {}, created })),
    pools,
    deployments,
    runs: [],
    variables: contents.variables ?? {},
    deleted: new Set(),
  };
}

export function poolNamed(workspace: Workspace, name: string | null): WorkPool | undefined {
  return workspace.pools.find((pool) => pool.name === name);
}

/** Whether somebody takes a run of this pool: a run without one is served by a process that listens for it. */
export function workerIsThere(workspace: Workspace, poolName: string | null): boolean {
  if (poolName === null) return true;
  const pool = poolNamed(workspace, poolName);
  return pool !== undefined && isServed(pool);
}

/** Brings all workers of a pool up or down; runs that wait are taken, or wait again. */
export function setWorkers(workspace: Workspace, poolName: string, status: 'ONLINE' | 'OFFLINE'): void {
  const now = workspace.now();
  for (const worker of poolNamed(workspace, poolName)?.workers ?? []) {
    if (worker.status !== status) Object.assign(worker, { status, lastHeartbeat: now });
  }
  for (const run of workspace.runs.filter((candidate) => candidate.workPoolName === poolName)) {
    if (status === 'ONLINE') meetWorker(run, now);
    else if (run.takenAt > now) run.takenAt = Number.POSITIVE_INFINITY;
  }
}

/** A text field of a body: undefined where it is absent, null where it is null. */
export function text(body: JsonObject, key: string): string | null | undefined {
  const value = body[key];
  return value === null ? null : typeof value === 'string' ? value : undefined;
}

export function object(value: unknown): JsonObject {
  return isJsonObject(value) ? value : {};
}

export function strings(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
