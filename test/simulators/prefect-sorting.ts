import type { JsonObject } from './json-object.ts';

/** Rows in the order that a word such as `START_TIME_DESC` asks for; equals stay as they are. */
export function sortRows(rows: readonly JsonObject[], sort: string): readonly JsonObject[] {
  const [, field = 'id', direction] = /^(.+)_(ASC|DESC)$/.exec(sort) ?? [];
  const key = field.toLowerCase();
  const isTime = /_time$|^(created|updated|timestamp)$/.test(key);
  const value = (row: JsonObject) => (isTime ? Date.parse(String(row[key])) || 0 : String(row[key] ?? ''));
  const sign = direction === 'DESC' ? -1 : 1;
  return rows.toSorted((one, other) => {
    const [left, right] = [value(one), value(other)];
    return left < right ? -sign : left > right ? sign : 0;
  });
}
