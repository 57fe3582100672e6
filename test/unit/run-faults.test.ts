import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { BITBUCKET_PROTECTED, bitbucketHost } from '../../pipe/bitbucket-host.ts';
import { bitbucketSettings } from '../../pipe/bitbucket-settings.ts';
import { checkoutFiles } from '../../shared/edge/checkout-files.ts';
import { network } from '../../shared/edge/network.ts';
import { systemClock } from '../../shared/edge/node.ts';
import { createHttp, HTTP_TIMINGS } from '../../shared/http/http.ts';
import type { Json } from '../../shared/json.ts';
import { run } from '../../shared/run/run.ts';
import { JOB_KINDS, KIND_SETTINGS } from '../../shared/services/index.ts';

const SETTINGS = new Map<string, Json>([
  ['job', 'databricks-run-now'],
  ['host', 'dbc-a1b2c3d4-e5f6.cloud.databricks.com'],
  ['job-id', '1'],
]);

/** Runs a step whose CI's tokens end as `getSubjectToken` does. */
function runWith(getSubjectToken: () => Promise<never>, signal: AbortSignal) {
  const printed: string[] = [];
  const files = checkoutFiles(tmpdir());
  const host = bitbucketHost({ env: {}, settings: SETTINGS, files, write: (text) => void printed.push(text) });
  const ended = run({
    host: { ...host, subjectTokens: { ...host.subjectTokens, getSubjectToken } },
    hostSettings: bitbucketSettings,
    kinds: JOB_KINDS,
    kindSettings: KIND_SETTINGS,
    files,
    env: {},
    protectedVariables: BITBUCKET_PROTECTED,
    http: createHttp(network({}).transport, systemClock, HTTP_TIMINGS),
    clock: systemClock,
    signal,
  });
  return { ended, printed: () => printed.join('') };
}

test('a fault of the program in a step that is being cancelled is one, and says nothing about the job', async () => {
  const cancel = new AbortController();
  const fault = new TypeError('not as it should be');
  const { ended, printed } = runWith(async () => {
    cancel.abort('SIGTERM');
    throw fault;
  }, cancel.signal);
  await expect(ended).rejects.toBe(fault);
  expect(printed()).not.toMatch(/submitted/);
});

test('a step that is cancelled before its submission says so', async () => {
  const cancel = new AbortController();
  const { ended, printed } = runWith(async () => {
    cancel.abort('SIGTERM');
    cancel.signal.throwIfAborted();
    throw new Error('not reached');
  }, cancel.signal);
  expect(await ended).toBe(143);
  expect(printed()).toContain('cancelled before anything was submitted');
});
