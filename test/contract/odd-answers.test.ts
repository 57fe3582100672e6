import { expect, test } from 'vitest';
import { EXIT } from '../../shared/errors.ts';
import { createStage, runStep, type Stage } from './harness.ts';
import { CIS, RUN_SAMPLES, sampleOf, type Target } from './kind-samples.ts';

/** Ids that no service gives, as JSON. */
const ODD_IDS: readonly string[] = [
  '"1\\n+++ INJECTED"',
  '"1\\u001b[2JINJECTED"',
  '"\\ud800"',
  '"INJECTED\\u202e"',
  '"../../INJECTED"',
  '"INJECTED x"',
  '1.5',
  '-1',
  '1e400',
  '123456789012345678901234567890',
  '""',
  'true',
  '["INJECTED"]',
  '{"__proto__": "INJECTED"}',
];

/** Answers all that goes to `target` from now on; each call changes the answer. */
function answering({ world }: Stage, { method, path }: Target): (text: string) => void {
  let current = '{}';
  const answer = {
    status: 200,
    type: 'application/json',
    get text() {
      return current;
    },
  };
  world.fault({ kind: 'answer', method, path, times: 1_000_000, answer });
  return (text) => {
    current = text;
  };
}

function withId(id: string, more = ''): string {
  return `{${['name', 'run_id', 'id', 'uid'].map((member) => `"${member}": ${id}`).join(', ')}${more}}`;
}

const cases = CIS.flatMap((ci) => RUN_SAMPLES.map(({ id }) => [ci, id] as const));

test.each(cases)(
  'on %s, %s: an id that is none leaves the submission unknown and is shown nowhere',
  async (ci, kind) => {
    await using stage = await createStage();
    const answer = answering(stage, sampleOf(kind).targets.submission);
    for (const [build, id] of ODD_IDS.entries()) {
      answer(withId(id));
      const { exitCode, log, reports, outputs, requests } = await runStep(stage, { kind, ci, build });
      expect(exitCode, `${id}: ${log}`).toBe(EXIT.service);
      expect(log).toContain('submission-unknown');
      const seen = [log, ...reports, JSON.stringify(outputs), ...requests.map(({ path }) => path)].join('\n');
      expect(seen, id).not.toMatch(/INJECTED|\u202e|\u001b\[2J/);
    }
  },
);

/** What a list of runs looks like, with one that carries the key. */
const LISTS: Readonly<Record<string, (id: string, key: string) => string>> = {
  'vertex-custom-job': (id) => `{"customJobs": [${withId(id)}]}`,
  'databricks-submit-run': (id, key) => `{"runs": [${withId(id, `, "run_name": "x [ks-${key.slice(0, 16)}]"`)}]}`,
  'prefect-flow-run': (id) => `[${withId(id)}]`,
  'vercel-deployment': (id, key) => `{"deployments": [${withId(id, `, "meta": {"keyless_submit_key": "${key}"}`)}]}`,
};
const LOOK_UPS: Readonly<Record<string, Target>> = {
  'databricks-submit-run': { method: 'GET', path: /\/jobs\/runs\/list$/ },
};
const KEY = 'a'.repeat(64);

test.each(Object.keys(LISTS).filter((kind) => kind !== 'prefect-flow-run'))(
  '%s: a run that carries the key and has an odd id is no reason to submit another',
  async (kind) => {
    await using stage = await createStage();
    const { targets, jobs } = sampleOf(kind);
    const target = LOOK_UPS[kind] ?? targets.lookUp;
    if (target === undefined) throw new Error(`${kind} has no look-up`);
    const answer = answering(stage, target);
    for (const [build, id] of ODD_IDS.entries()) {
      answer(LISTS[kind]?.(id, KEY) ?? '');
      const step = { kind, ci: 'buildkite', build, settings: { attach: `key:${KEY}`, spec: null, set: null } } as const;
      const { exitCode, log } = await runStep(stage, step);
      expect(exitCode, `${id}: ${log}`).toBe(EXIT.service);
      expect(log, id).toContain('unreadable-answer');
      expect(log, id).not.toMatch(/INJECTED|\u202e|\u001b\[2J/);
      expect(jobs(stage.world)).toEqual([]);
    }
  },
);

/** Members of an answer about a run that are not what they should be. */
const ODD_RUNS: Readonly<Record<string, readonly string[]>> = {
  'vertex-custom-job': [
    '{"state": "JOB_STATE_SUCCEEDED", "startTime": "never", "endTime": "\\ud800", "displayName": "\\ud800"}',
    '{"state": "JOB_STATE_FAILED", "error": {"code": 1e308, "message": "\\ud800"}}',
    '{"state": "JOB_STATE_SUCCEEDED", "jobSpec": {"__proto__": {"baseOutputDirectory": 1}}}',
  ],
  'databricks-run-now': [
    '{"status": {"state": "TERMINATED", "termination_details": {"code": "SUCCESS"}}, "start_time": 1e300, "end_time": -1e300, "run_duration": 1e308}',
    '{"status": {"state": "TERMINATED", "termination_details": {"code": "SUCCESS"}}, "tasks": [{"task_key": "\\ud800", "run_id": "x\\n/../y"}]}',
  ],
  'prefect-flow-run': [
    '{"state": {"type": "COMPLETED", "name": "\\ud800"}, "start_time": "never", "end_time": "9999999-01-01", "total_run_time": 1e308}',
  ],
  'vercel-deployment': [
    '{"id": "dpl_x", "readyState": "READY", "aliasAssigned": true, "ready": 1e300, "createdAt": -1e300, "url": "\\ud800", "inspectorUrl": "https://x\\u001b[2J"}',
  ],
};

test.each(Object.entries(ODD_RUNS))(
  '%s: odd times, names and tokens in an answer about a run end no step with a fault',
  async (kind, runs) => {
    await using stage = await createStage();
    const { status } = sampleOf(kind).targets;
    const answer = answering(stage, status);
    for (const [build, run] of runs.entries()) {
      answer(run);
      const { exitCode, log } = await runStep(stage, { kind, ci: 'buildkite', build });
      expect([EXIT.done, EXIT.jobFailed], `${run}: ${log}`).toContain(exitCode);
      expect(log, run).toContain('Result');
      expect(log, run).not.toContain('output cannot be read');
    }
  },
);

test('a name that no address can hold ends no step: a late run of a pool with half a character', async () => {
  await using stage = await createStage();
  const answer = answering(stage, sampleOf('prefect-flow-run').targets.status);
  const late =
    '"state": {"type": "SCHEDULED", "name": "Late"}, "work_pool_name": "\\ud800", "work_queue_name": "\\udfff"';
  answer(`{${late}}`);
  const step = { kind: 'prefect-flow-run', ci: 'buildkite', settings: { timeout: '2m' } } as const;
  const { exitCode, log } = await runStep(stage, step);
  expect(exitCode, log).toBe(EXIT.deadline);
  expect(log).toContain('no worker has picked it up');
});

test.each(['null', '{}', '[]', '"ok"', '{"alias": {}}', '{"message": "Sign in"}'])(
  'a domain is assigned only where the answer names it, and the step is no success else: %s',
  async (text) => {
    await using stage = await createStage();
    const { completion } = sampleOf('vercel-deployment').targets;
    if (completion === undefined) throw new Error('nothing is completed');
    answering(stage, completion)(text);
    const { exitCode, log } = await runStep(stage, { kind: 'vercel-deployment', ci: 'buildkite' });
    expect(exitCode, log).toBe(EXIT.jobFailed);
    expect(log).toContain('it answered 200 without the expected content');
  },
);

test('a page token that no address can hold ends no step', async () => {
  await using stage = await createStage();
  const { lookUp } = sampleOf('vertex-custom-job').targets;
  if (lookUp === undefined) throw new Error('there is no look-up');
  const { method, path } = lookUp;
  const text = '{"nextPageToken": "\\ud800"}';
  stage.world.fault({
    kind: 'answer',
    method,
    path,
    times: 1,
    answer: { status: 200, type: 'application/json', text },
  });
  const settings = { attach: `key:${KEY}`, spec: null };
  const { exitCode, log } = await runStep(stage, { kind: 'vertex-custom-job', ci: 'bitbucket', settings });
  expect(exitCode, log).toBe(EXIT.service);
  expect(log).toContain('The page token is invalid.');
});

/** What an exchange must not give: what no header can carry. */
const TOKENS = ['"a\\nb"', '"a\\u0000b"', '"t\\u00f6ken\\ud800"', '""', '" "'];

test.each(['vertex-custom-job', 'databricks-run-now', 'vercel-deployment'])(
  '%s: a token that no header can carry is an unreadable answer at once',
  async (kind) => {
    await using stage = await createStage();
    const answer = answering(stage, sampleOf(kind).targets.exchange);
    for (const [build, token] of TOKENS.entries()) {
      answer(`{"access_token": ${token}, "expires_in": 1e300, "token_type": "Bearer", "issued_token_type": "x"}`);
      const { exitCode, log } = await runStep(stage, { kind, ci: 'buildkite', build });
      expect(exitCode, `${token}: ${log}`).toBe(EXIT.service);
      expect(log, token).toContain('unreadable-answer');
    }
  },
);
