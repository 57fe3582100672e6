import { expect, test } from 'vitest';
import type { Session } from '../../shared/identity/session.ts';
import { prefectCall } from '../../shared/services/prefect/api.ts';
import { logTail } from '../../shared/services/prefect/log-tail.ts';
import { answerOf, fakeSession } from './fake-plan.ts';

const BEGIN = Date.parse('2026-11-21T08:00:00Z');
const SPACING_MS = 50;

/** A server with so many lines, one every 50 ms. */
function serverOf(count: number): Session {
  return fakeSession({
    attempt: async ({ body }) => {
      const { logs, limit, offset } = JSON.parse(String(body));
      const after = logs.timestamp === undefined ? BEGIN : Date.parse(logs.timestamp.after_);
      const first = Math.max(0, Math.ceil((after - BEGIN) / SPACING_MS)) + offset;
      const rows = Array.from({ length: Math.max(0, Math.min(limit, count - first)) }, (_, index) => ({
        id: String(first + index),
        level: 20,
        message: `line ${first + index}`,
        timestamp: new Date(BEGIN + (first + index) * SPACING_MS).toISOString(),
      }));
      return answerOf(200, JSON.stringify(rows));
    },
  });
}

test('a log that was ahead of its reader for hundreds of pages is caught up with, each line once', async () => {
  const count = 130_050;
  const call = prefectCall({
    base: 'https://prefect.example/api',
    host: 'prefect.example',
    workspace: undefined,
    ui: '',
  });
  const tail = logTail(call, 'run');
  const server = serverOf(count);
  let lines = 0;
  for (let poll = 0; poll < count / 200 + 10; poll += 1) lines += (await tail.next(server)).length;
  expect(lines).toBe(count);
});
