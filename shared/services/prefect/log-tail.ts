import { isoTime } from '../../clock.ts';
import { SubmitError } from '../../errors.ts';
import type { Session } from '../../identity/session.ts';
import { defined, isArray, type Json, type JsonObject, numberAt, textAt } from '../../json.ts';
import type { RunLog } from '../../kind.ts';
import { plainLine, plainText } from '../../remote-text.ts';
import { glance, type PrefectCall } from './api.ts';

/** The most that a server gives at once by default. */
const PAGE = 200;
/** Lines of several processes may come in late: so far back they are looked for again. */
const OVERLAP_MS = 5_000;
/** How many pages the end of a run may take, and what one line may hold. */
const LAST_PAGES = 10;
const MESSAGE_LIMIT = 8_000;

/** A run's last lines are stored up to so long after its end: the process that ran it sends them before it goes. */
const LAST_LINES_MS = 2_000;

/** Milliseconds after which all that a run that is over has written can be read. */
function untilLogged(run: Json, now: number): number {
  const left = Date.parse(textAt(run, 'end_time') ?? '') + LAST_LINES_MS - now;
  return Number.isNaN(left) ? 0 : Math.min(Math.max(left, 0), LAST_LINES_MS);
}

/**
 * Follows the log of one flow run.
 * https://docs.prefect.io/v3/api-ref/rest-api/server/logs/read-logs
 */
export function logTail(call: PrefectCall, id: string): RunLog {
  /** Where the next page begins, and how many lines of that time are known to come first. */
  let after: string | undefined;
  let offset = 0;
  let pageWasFull = false;
  const seen = new Map<string, number>();
  let newest = Number.NEGATIVE_INFINITY;

  /** One page; undefined when it could not be had this time. */
  type ReadPage = (body: JsonObject, session: Session) => Promise<Json | undefined>;
  const once: ReadPage = (body, session) => glance(session, call('POST', '/logs/filter', body));
  const persistently: ReadPage = (body, session) => session.read(call('POST', '/logs/filter', body));

  const fresh = (rows: readonly Json[]): readonly Json[] =>
    rows.filter((row) => {
      const key = textAt(row, 'id') ?? '';
      if (seen.has(key)) return false;
      seen.set(key, Date.parse(textAt(row, 'timestamp') ?? ''));
      return true;
    });

  const next = async (page: ReadPage, session: Session): Promise<readonly Json[]> => {
    const rows = await page(logsAfter(id, after, 'TIMESTAMP_ASC', offset), session);
    if (!isArray(rows)) return [];
    const added = fresh(rows);
    pageWasFull = rows.length >= PAGE;
    const last = textAt(rows.at(-1), 'timestamp');
    for (const time of seen.values()) if (time > newest) newest = time;
    // Nothing from before is asked for again.
    forgetBefore(seen, newest - OVERLAP_MS);
    if (pageWasFull && last !== undefined) {
      // Times are inclusive, and a whole page may have the same one: then only an offset leads on.
      offset = last === after ? offset + PAGE : 0;
      after = last;
    } else {
      after = isoTime(newest - OVERLAP_MS);
      offset = 0;
    }
    return added;
  };

  return {
    next: async (session) => (await next(once, session)).flatMap(logLines),
    rest: async (session, { source }) => {
      await session.clock.sleep(untilLogged(source, session.clock.now()), session.signal);
      const lines: string[] = [];
      try {
        for (let count = 0; count < LAST_PAGES; count += 1) {
          lines.push(...(await next(persistently, session)).flatMap(logLines));
          if (!pageWasFull) return lines;
        }
        const end = await persistently(logsAfter(id, after, 'TIMESTAMP_DESC', 0), session);
        const last = isArray(end) ? fresh(end).toReversed() : [];
        return [...lines, '… (lines left out; the page of the run has all)', ...last.flatMap(logLines)];
      } catch (error) {
        if (!(error instanceof SubmitError)) throw error;
        return [...lines, `… (the rest cannot be read: ${plainLine(error.message, 200)})`];
      }
    },
  };
}

function forgetBefore(seen: Map<string, number>, time: number): void {
  for (const [key, at] of seen) if (at < time) seen.delete(key);
}

function logsAfter(id: string, after: string | undefined, sort: string, offset: number): JsonObject {
  const timestamp = after === undefined ? undefined : { after_: after };
  return { logs: { flow_run_id: { any_: [id] }, ...defined({ timestamp }) }, sort, limit: PAGE, offset };
}

const LEVELS: readonly (readonly [number, string])[] = [
  [50, 'CRITICAL'],
  [40, 'ERROR'],
  [30, 'WARNING'],
  [20, 'INFO'],
  [10, 'DEBUG'],
];

/** The lines of one entry: time and level before the first, the others indented below it. */
export function logLines(entry: Json): readonly string[] {
  const level = numberAt(entry, 'level') ?? 0;
  const word = LEVELS.find(([from]) => level >= from)?.[1] ?? String(level);
  const time = /T(\d\d:\d\d:\d\d)/.exec(textAt(entry, 'timestamp') ?? '')?.[1] ?? '';
  const [first = '', ...others] = plainText((textAt(entry, 'message') ?? '').slice(0, MESSAGE_LIMIT)).split('\n');
  return [`${time} ${word.padEnd(7)} ${first}`.trim(), ...others.map((line) => `  ${line}`)];
}
