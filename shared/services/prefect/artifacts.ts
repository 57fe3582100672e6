import { isArray, isObject, type Json, type JsonObject, stringifyJson, textAt, tryParseJson } from '../../json.ts';
import type { Conclusion } from '../../kind.ts';
import { plainLine, plainText } from '../../remote-text.ts';
import type { PrefectApi } from './api.ts';

/** So many are read, shown with so many lines each, and handed on with so many characters each and together. */
const READ_ARTIFACTS = 100;
const SHOWN_ARTIFACTS = 20;
const SHOWN_LINES = 40;
const MOST_COLUMNS = 100;
const DATA_LIMIT = 10_000;
const TOTAL_LIMIT = 30_000;

/**
 * What a run has published, the newest of each key. Results are left out: every task has one, and they are references to
 * where the flow keeps them.
 * https://docs.prefect.io/v3/concepts/artifacts
 * @throws SubmitError when they cannot be read.
 */
export async function readArtifacts({ call, read }: PrefectApi, id: string): Promise<readonly Json[]> {
  const body = {
    artifacts: { flow_run_id: { any_: [id] }, type: { not_any_: ['result'] } },
    sort: 'CREATED_DESC',
    limit: READ_ARTIFACTS,
    offset: 0,
  };
  const rows = await read(call('POST', '/artifacts/filter', body));
  return isArray(rows) ? newestOfEach(rows) : [];
}

function newestOfEach(rows: readonly Json[]): readonly Json[] {
  const keys = new Set<string>();
  const newest = rows.filter((row) => {
    const key = textAt(row, 'key');
    return key === undefined || (!keys.has(key) && keys.add(key));
  });
  return newest.toReversed();
}

/** The artifacts as texts for people. */
export function artifactNotes(artifacts: readonly Json[]): Conclusion['notes'] {
  const shown = artifacts.slice(0, SHOWN_ARTIFACTS).map((artifact) => {
    const description = textAt(artifact, 'description') ?? '';
    const title = `Artifact ${plainLine(textAt(artifact, 'key') ?? 'without a key', 100)} (${plainLine(typeOf(artifact), 40)})`;
    const texts = [...(description === '' ? [] : [description]), ...artifactLines(artifact)];
    return { title, lines: texts.flatMap(cutLines) };
  });
  const hidden = artifacts.length - shown.length;
  return hidden > 0 ? [...shown, { title: 'More artifacts', lines: [`… and ${hidden} more`] }] : shown;
}

function cutLines(text: string): readonly string[] {
  return plainText(text.slice(0, DATA_LIMIT)).split('\n');
}

function artifactLines(artifact: Json): readonly string[] {
  const data = isObject(artifact) ? artifact.data : undefined;
  const { lines, count } = linesOf(typeOf(artifact), data);
  return count > SHOWN_LINES ? [...lines.slice(0, SHOWN_LINES), `… and ${count - SHOWN_LINES} more lines`] : lines;
}

/** The first lines of something, and how many it has. */
interface Lines {
  readonly lines: readonly string[];
  readonly count: number;
}

function allOf(lines: readonly string[]): Lines {
  return { lines, count: lines.length };
}

function linesOf(type: string, data: Json | undefined): Lines {
  if (data === undefined || data === null || type === 'image' || type === 'result') return allOf([]);
  if (type === 'progress') return allOf([`${textAt({ data }, 'data') ?? ''} %`]);
  if (type === 'table') return tableLines(structured(data));
  return allOf(typeof data === 'string' ? cutLines(data) : [stringifyJson(data)]);
}

/** Tables come as JSON text: a list of rows (by column or in order), or columns by name. */
function tableLines(table: Json): Lines {
  if (isArray(table)) {
    const columns = isObject(table[0]) ? Object.keys(table[0]).slice(0, MOST_COLUMNS) : undefined;
    const rows = table
      .slice(0, SHOWN_LINES)
      .map((row) => (isArray(row) ? row : isObject(row) ? (columns ?? []).map((name) => row[name] ?? null) : [row]));
    const heading = columns === undefined ? [] : [cells(columns)];
    return { lines: [...heading, ...rows.map(cells)], count: heading.length + table.length };
  }
  if (!isObject(table)) return allOf([cell(table)]);
  const columns = Object.entries(table).map(([name, values]) => [name, isArray(values) ? values : [values]] as const);
  const length = columns.reduce((longest, [, values]) => Math.max(longest, values.length), 0);
  const shown = columns.slice(0, MOST_COLUMNS);
  const rows = Array.from({ length: Math.min(length, SHOWN_LINES) }, (_, index) =>
    cells(shown.map(([, values]) => values[index] ?? null)),
  );
  return { lines: [cells(shown.map(([name]) => name)), ...rows], count: length + 1 };
}

function cells(row: readonly Json[]): string {
  return row.slice(0, MOST_COLUMNS).map(cell).join(' | ');
}

function cell(value: Json): string {
  return plainLine(typeof value === 'string' ? value : stringifyJson(value).slice(0, 2_000), 200);
}

function structured(data: Json): Json {
  return typeof data === 'string' ? (tryParseJson(data) ?? data) : data;
}

/** The artifacts for programs: key and type, description and data as far as there is room. */
export function artifactsOutput(artifacts: readonly Json[]): string {
  let room = TOTAL_LIMIT;
  const rows = artifacts.map((artifact): JsonObject => {
    const { key = null, data = null, description = null } = isObject(artifact) ? artifact : {};
    const type = typeOf(artifact);
    const value = type === 'table' ? structured(data) : data;
    const takesRoom = (part: Json): boolean => {
      const size = stringifyJson(part).length;
      if (part === null || size > Math.min(DATA_LIMIT, room)) return false;
      room -= size;
      return true;
    };
    return {
      key,
      type,
      ...(takesRoom(description) ? { description } : {}),
      ...(type !== 'image' && takesRoom(value) ? { data: value } : {}),
    };
  });
  return stringifyJson(rows);
}

function typeOf(artifact: Json): string {
  return textAt(artifact, 'type') ?? 'unknown';
}
