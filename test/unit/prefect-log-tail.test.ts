import { expect, test } from 'vitest';
import type { ServiceClient } from '../../shared/identity/service-client.ts';
import { prefectCall } from '../../shared/services/prefect/call.ts';
import { logTail } from '../../shared/services/prefect/log-tail.ts';

const BEGIN = Date.parse('2026-11-21T08:00:00Z');
const SPACING_MS = 50;

/** A server with so many lines, one every 50 ms. */
function serverOf(count: number): ServiceClient {
  const refuse = () => Promise.reject(new Error('only the log is asked for'));
  return {
    read: refuse,
    persist: refuse,
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
      return { kind: 'answer', status: 200, contentType: 'application/json', text: JSON.stringify(rows) };
    },
  };
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
  const { signal } = new AbortController();
  let lines = 0;
  for (let poll = 0; poll < count / 200 + 10; poll += 1) lines += (await tail.next(server, signal)).length;
  expect(lines).toBe(count);
});
