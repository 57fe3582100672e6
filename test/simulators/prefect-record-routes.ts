import type { JsonObject } from './json-object.ts';
import { detail } from './prefect-errors.ts';
import {
  ARTIFACT_FILTER,
  FLOW_RUN_FILTER,
  filterShape,
  LATEST_ARTIFACT_FILTER,
  LOG_FILTER,
  passes,
} from './prefect-filters.ts';
import { shownRun } from './prefect-flow-run-routes.ts';
import { type Call, page, type Route } from './prefect-router.ts';
import { isTerminal, type LogLine } from './prefect-run-life.ts';
import { derivedId, historyOf, presentState, type Run, timestamp } from './prefect-runs.ts';
import { integer, model, optional, word } from './prefect-shapes.ts';
import { sortRows } from './prefect-sorting.ts';
import type { Workspace } from './prefect-workspace.ts';

const PAGE = { limit: optional(integer()), offset: optional(integer({ ge: 0 })) };
const LOGS = model(
  { ...PAGE, logs: optional(filterShape(LOG_FILTER)), sort: optional(word(['TIMESTAMP_ASC', 'TIMESTAMP_DESC'])) },
  'allowed',
);
const ARTIFACT_SORT = optional(word(['CREATED_DESC', 'UPDATED_DESC', 'ID_DESC', 'KEY_DESC', 'KEY_ASC']));
const FLOW_RUNS = optional(filterShape(FLOW_RUN_FILTER));
const ARTIFACTS = model(
  { ...PAGE, sort: ARTIFACT_SORT, artifacts: optional(filterShape(ARTIFACT_FILTER)), flow_runs: FLOW_RUNS },
  'allowed',
);
const LATEST = model(
  { ...PAGE, sort: ARTIFACT_SORT, artifacts: optional(filterShape(LATEST_ARTIFACT_FILTER)), flow_runs: FLOW_RUNS },
  'allowed',
);

/** What runs leave behind: logs and artifacts (https://docs.prefect.io/v3/api-ref/rest-api/server/logs/read-logs). */
export function recordRoutes(workspace: Workspace): readonly Route[] {
  const { now } = workspace;
  const runs = () => workspace.runs.filter(({ id }) => !workspace.deleted.has(id));

  const logs = ({ body }: Call): Response => {
    const rows = runs()
      .flatMap((run) => logRows(workspace, run, now()))
      .filter((row) => passes(row, body.logs));
    return Response.json(page(sortRows(rows, String(body.sort ?? 'TIMESTAMP_ASC')), body));
  };

  const artifacts = ({ body }: Call): Response => {
    const rows = runs()
      .filter((run) => passes(shownRun(workspace, run), body.flow_runs))
      .flatMap((run) => artifactRows(run, now()))
      .filter((row) => passes(row, body.artifacts));
    return Response.json(page(sortRows(rows, String(body.sort ?? 'ID_DESC')), body));
  };

  const latest = (): readonly JsonObject[] => {
    const byKey = new Map<string, JsonObject>();
    const keyed = runs()
      .flatMap((run) => artifactRows(run, now()))
      .filter(({ key }) => key !== null);
    for (const row of sortRows(keyed, 'CREATED_ASC')) {
      const key = String(row.key);
      const collection = byKey.get(key) ?? { id: derivedId(String(row.id), 'collection', 0), created: row.created };
      byKey.set(key, { ...row, id: collection.id, created: collection.created, latest_id: row.id });
    }
    return [...byKey.values()];
  };

  return [
    { method: 'POST', path: '/logs/filter', body: { shape: LOGS, required: false, paged: true }, handle: logs },
    {
      method: 'POST',
      path: '/artifacts/filter',
      body: { shape: ARTIFACTS, required: false, paged: true },
      handle: artifacts,
    },
    {
      method: 'POST',
      path: '/artifacts/latest/filter',
      body: { shape: LATEST, required: false, paged: true },
      handle: ({ body }) => {
        const rows = latest().filter((row) => passes(row, body.artifacts));
        return Response.json(page(sortRows(rows, String(body.sort ?? 'ID_DESC')), body));
      },
    },
    {
      method: 'GET',
      path: '/artifacts/{name}/latest',
      handle: ({ segments: [key] }) => {
        const found = latest().find((row) => row.key === key);
        if (found === undefined) return detail(404, 'Artifact not found.');
        const { latest_id: _, ...row } = found;
        return Response.json(row);
      },
    },
  ];
}

/** The moment from which the script of a run counts, and the one after which nothing more happens. */
function span(run: Run, now: number): { begin: number; end: number } | undefined {
  const history = historyOf(run, now);
  const begin = history.find(({ type }) => type === 'RUNNING')?.at;
  if (begin === undefined) return undefined;
  const present = presentState(history);
  return { begin, end: isTerminal(present.type) ? present.at : now };
}

function logRows(workspace: Workspace, run: Run, now: number): readonly JsonObject[] {
  const lived = span(run, now);
  if (lived === undefined) return [];
  const flow = workspace.flows.find(({ id }) => id === run.flowId)?.name;
  const greeting: LogLine = { atMs: 0, message: `Beginning flow run '${run.name}' for flow '${flow}'` };
  return [greeting, ...(run.life.logs ?? [])].flatMap((line, index) => {
    const at = lived.begin + line.atMs;
    const arrived = lived.begin + Math.max(line.atMs, line.arrivesMs ?? 0);
    if (at > lived.end || arrived > now) return [];
    const taskRunId = line.ofTask === true ? derivedId(run.id, 'task', 0) : null;
    return [
      {
        id: derivedId(run.id, 'log', index),
        created: timestamp(arrived),
        updated: timestamp(arrived),
        name: line.name ?? (taskRunId === null ? 'prefect.flow_runs' : 'prefect.task_runs'),
        level: line.level ?? 20,
        message: line.message,
        timestamp: timestamp(at),
        flow_run_id: run.id,
        task_run_id: taskRunId,
      },
    ];
  });
}

function artifactRows(run: Run, now: number): readonly JsonObject[] {
  const lived = span(run, now);
  if (lived === undefined) return [];
  return (run.life.artifacts ?? []).flatMap((artifact, index) => {
    const at = lived.begin + artifact.atMs;
    if (at > lived.end) return [];
    return [
      {
        id: derivedId(run.id, 'artifact', index),
        created: timestamp(at),
        updated: timestamp(at),
        key: artifact.key ?? null,
        type: artifact.type,
        description: artifact.description ?? null,
        data: artifact.data,
        metadata_: artifact.metadata ?? null,
        flow_run_id: run.id,
        task_run_id: null,
      },
    ];
  });
}
