import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  globSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { forgetJob, recallJob, rememberJob } from '../../buildkite-plugin/remembered-job.ts';

const JOB = { kind: 'databricks-submit-run', id: '42' };
const SENT = { kind: 'databricks-submit-run', key: 'ab'.repeat(32), attempt: 2 };
const job = `remembered-${process.pid}`;
// Of this process alone, so that whatever is left of them can be removed.
const CONFIGURATIONS = ['databricks-submit-run', 'vertex-custom-job'].map(
  (kind) => `{"job":"${kind}","name":"${job}"}`,
);
const env = { BUILDKITE_JOB_ID: job, BUILDKITE_PLUGIN_CONFIGURATION: CONFIGURATIONS[0] };
const otherEntry = { ...env, BUILDKITE_PLUGIN_CONFIGURATION: CONFIGURATIONS[1] };

const folders = () => globSync(`/tmp/keyless-submit-${job}-.*`);

afterEach(() => {
  const entries = CONFIGURATIONS.map((text) => createHash('sha256').update(text).digest('hex').slice(0, 16));
  const wherever = globSync(entries.map((entry) => `/tmp/keyless-submit-*.${entry}.*`));
  for (const folder of new Set([...folders(), ...wherever])) rmSync(folder, { recursive: true });
});

/** Where the job of `env` is kept. */
async function kept(): Promise<string> {
  await rememberJob(env, JOB);
  return join(folders()[0] ?? '', 'job.json');
}

it('keeps what was remembered last, for its user alone, until it is forgotten', async () => {
  await rememberJob(env, SENT);
  expect(await recallJob(env)).toEqual(SENT);
  await rememberJob(env, JOB);
  expect(await recallJob(env)).toEqual(JOB);
  const [folder = '', ...more] = folders();
  expect(more).toEqual([]);
  expect([folder, join(folder, 'job.json')].map((path) => statSync(path).mode & 0o777)).toEqual([0o700, 0o600]);
  await forgetJob(env);
  expect([await recallJob(env), folders()]).toEqual([undefined, []]);
  await forgetJob(env);
});

it('keeps several entries of one step apart, and jobs whose names begin alike', async () => {
  await rememberJob(env, JOB);
  await rememberJob(otherEntry, { kind: 'vertex-custom-job', id: 'projects/a' });
  expect(await recallJob(env)).toEqual(JOB);
  await forgetJob(otherEntry);
  expect([await recallJob(env), await recallJob(otherEntry)]).toEqual([JOB, undefined]);
  expect(await recallJob({ ...env, BUILDKITE_JOB_ID: 'remembered' })).toBeUndefined();
  expect(await recallJob({ ...env, BUILDKITE_AGENT_ENDPOINT: 'https://agent.example' })).toBeUndefined();
});

it.each([
  ['nothing', ''],
  ['no JSON', '{'],
  ['a list', '[]'],
  ['neither id nor key', JSON.stringify({ kind: JOB.kind })],
  ['both id and key', JSON.stringify({ ...JOB, ...SENT })],
  ['something more', JSON.stringify({ ...JOB, command: 'x' })],
  ['an id with a line feed', JSON.stringify({ ...JOB, id: '42\n+++ group' })],
  ['an id with a control character', JSON.stringify({ ...JOB, id: '42\u001b[0m' })],
  ['an id that is no text', JSON.stringify({ ...JOB, id: 42 })],
  ['an empty id', JSON.stringify({ ...JOB, id: '' })],
  ['a kind that is none', JSON.stringify({ ...JOB, kind: 'a\nb' })],
  ['a key that is none', JSON.stringify({ ...SENT, key: 'ab' })],
  ['a key with more after it', JSON.stringify({ ...SENT, key: `${SENT.key}0` })],
  ['a key with more before it', JSON.stringify({ ...SENT, key: `x${SENT.key}` })],
  ['an attempt that is none', JSON.stringify({ ...SENT, attempt: 0 })],
  ['too much', JSON.stringify({ ...JOB }) + ' '.repeat(5_000)],
])('recalls nothing from a file with %s', async (_, text) => {
  writeFileSync(await kept(), text);
  expect(await recallJob(env)).toBeUndefined();
});

it.each<[string, (path: string) => void]>([
  ['a file that others can read', (path) => chmodSync(path, 0o604)],
  ['a file that its group can write to', (path) => chmodSync(path, 0o620)],
  ['a folder that others can write to', (path) => chmodSync(dirname(path), 0o722)],
  ['a file with a second name', (path) => linkSync(path, `${path}.too`)],
  [
    'a link',
    (path) => {
      renameSync(path, `${path}.moved`);
      symlinkSync(`${path}.moved`, path);
    },
  ],
  [
    'a FIFO',
    (path) => {
      rmSync(path);
      execFileSync('mkfifo', ['-m', '600', path]);
    },
  ],
  ['no file', (path) => rmSync(path)],
])('recalls nothing from %s', async (_, change) => {
  const path = await kept();
  expect(readFileSync(path, 'utf8')).toBe(JSON.stringify(JOB));
  change(path);
  expect(await recallJob(env)).toBeUndefined();
});

it('passes over a file in the place of a folder', async () => {
  const path = await kept();
  const folder = dirname(path);
  rmSync(folder, { recursive: true });
  writeFileSync(folder, '', { mode: 0o600 });
  await rememberJob(env, SENT);
  expect(await recallJob(env)).toEqual(SENT);
});

it('passes over a folder with nothing to trust, whichever of two it is', async () => {
  const first = await kept();
  const second = `${dirname(first)}2`;
  mkdirSync(second, { mode: 0o700 });
  expect(await recallJob(env)).toEqual(JOB);
  renameSync(first, join(second, 'job.json'));
  expect(await recallJob(env)).toEqual(JOB);
  await forgetJob(env);
  expect(folders()).toEqual([]);
});

it('keeps a job whose name is longer than that of a folder can be', async () => {
  const long = { ...env, BUILDKITE_AGENT_ENDPOINT: `https://${'agent.'.repeat(60)}example` };
  await rememberJob(long, JOB);
  expect(await recallJob(long)).toEqual(JOB);
  await forgetJob(long);
  expect(await recallJob(long)).toBeUndefined();
});
