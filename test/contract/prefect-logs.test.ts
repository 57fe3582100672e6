import { expect, test } from 'vitest';
import { EXIT } from '../../shared/errors.ts';
import { parseJson } from '../../shared/json.ts';
import type { LogLine } from '../simulators/prefect-run-life.ts';
import { breakRequests } from './breakable.ts';
import { runFlow } from './prefect-step.ts';
import { MINUTE } from './remote-life.ts';
import { stagePool } from './stage-pool.ts';

const stages = stagePool();
const COMPLETED = { kind: 'completed' } as const;

test('every line of the log is shown once, with its level, however many have the same time', () =>
  stages.use(async (stage, build) => {
    const burst = Array.from({ length: 450 }, (_, index): LogLine => ({ atMs: 0, message: `burst ${index}` }));
    const late: LogLine = { atMs: 1_000, arrivesMs: 4_000, message: 'came in late', ofTask: true };
    const logs = [
      ...burst,
      late,
      { atMs: 2_000, message: 'Traceback\n  line 1', level: 40 },
      { atMs: 59_000, message: 'almost done', level: 30 },
    ];
    const { exitCode, log, remote } = await runFlow(stage, build, {
      life: { runningMs: MINUTE, logs, end: COMPLETED },
    });
    expect(exitCode, log).toBe(EXIT.done);
    for (const { message } of burst) expect(remote.filter((line) => line.endsWith(` ${message}`))).toHaveLength(1);
    expect(remote.filter((line) => line.includes('came in late'))).toHaveLength(1);
    expect(remote).toContainEqual(expect.stringMatching(/^\d\d:\d\d:\d\d ERROR {3}Traceback$/));
    expect(remote).toContain('    line 1');
    expect(remote).toContainEqual(expect.stringMatching(/WARNING almost done$/));
  }));

test('of a log that nobody can follow, the beginning and the end are shown', () =>
  stages.use(async (stage, build) => {
    const logs = Array.from({ length: 6_000 }, (_, index): LogLine => ({ atMs: index, message: `line ${index}` }));
    const { remote } = await runFlow(stage, build, { life: { runningMs: 6_000, logs, end: { kind: 'failed' } } });
    expect(remote).toContainEqual(expect.stringMatching(/ line 0$/));
    expect(remote).toContainEqual(expect.stringMatching(/ line 5999$/));
    expect(remote).toContain('… (lines left out; the page of the run has all)');
    expect(new Set(remote).size).toBeGreaterThanOrEqual(remote.length - 1);
  }));

test('what a run writes after its end is shown too, and each poll reads the log at most once', () =>
  stages.use(async (stage, build) => {
    const logs = [{ atMs: 30_000, message: 'shutting down', arrivesMs: 30_000 }];
    const { remote, requests } = await runFlow(stage, build, { life: { runningMs: 30_000, logs, end: COMPLETED } });
    expect(remote).toContainEqual(expect.stringMatching(/shutting down$/));
    const polls = requests.filter(({ method, path }) => method === 'GET' && /\/flow_runs\//.test(path));
    const reads = requests.filter(({ path }) => path.endsWith('/logs/filter'));
    expect(reads.length).toBeLessThanOrEqual(polls.length + 1);
  }));

test('artifacts are shown and handed on', () =>
  stages.use(async (stage, build) => {
    const table = [
      { model: 'a', auc: 0.91 },
      { model: 'b', auc: 0.93 },
    ];
    const artifacts = [
      { atMs: 0, type: 'markdown', key: 'report', description: 'How it went', data: '# Report\n\nfine' },
      { atMs: 0, type: 'table', key: 'scores', data: JSON.stringify(table) },
      { atMs: 0, type: 'link', key: 'model', data: '[model](https://models.acme.example/7)' },
      { atMs: 0, type: 'progress', key: 'progress', data: 50 },
      { atMs: 500, type: 'progress', key: 'progress', data: 100 },
      { atMs: 0, type: 'image', key: 'curve', data: 'https://models.acme.example/curve.png' },
      { atMs: 0, type: 'result', data: { type: 'unpersisted' } },
    ];
    const { exitCode, log, remote, outputs, reports } = await runFlow(stage, build, {
      life: { artifacts, end: COMPLETED },
    });
    expect(exitCode, log).toBe(EXIT.done);
    for (const line of ['How it went', '# Report', 'fine', 'model | auc', 'b | 0.93', '100 %'])
      expect(remote).toContain(line);
    const handedOn = parseJson(outputs?.artifacts ?? '');
    expect(handedOn).toHaveLength(5);
    expect(handedOn).toContainEqual({ key: 'scores', type: 'table', data: table });
    expect(handedOn).toContainEqual({ key: 'curve', type: 'image' });
    expect(log).toContain('Artifact curve (image)');
    expect(reports.at(-1)).toContain('0.93');
  }));

const ARTIFACTS = [{ atMs: 0, type: 'markdown', key: 'report', data: 'fine' }];
const TRACEBACK = [{ atMs: 900, arrivesMs: 900, message: 'Traceback', level: 40 }];
const LOGS = { method: 'POST', path: /\/logs\/filter$/ } as const;
const PUBLISHED = { method: 'POST', path: /\/artifacts\/filter$/ } as const;

test.each(['status-429', 'status-503', 'drop-after', 'truncated'] as const)(
  'one %s at the end costs neither lines nor artifacts',
  (kind) =>
    stages.use(async (stage, build) => {
      breakRequests(stage.world, LOGS, { kind, times: 3 });
      breakRequests(stage.world, PUBLISHED, { kind, times: 1 });
      const life = { runningMs: 1_000, logs: TRACEBACK, artifacts: ARTIFACTS, end: { kind: 'failed' } } as const;
      const { exitCode, log, remote, outputs } = await runFlow(stage, build, { life });
      expect(exitCode, log).toBe(EXIT.jobFailed);
      expect(remote.filter((line) => line.endsWith('ERROR   Traceback'))).toHaveLength(1);
      expect(parseJson(outputs?.artifacts ?? '')).toHaveLength(1);
    }),
);

test('what cannot be read at the end is told, and the result stays', () =>
  stages.use(async (stage, build) => {
    const recover = [LOGS, PUBLISHED].map((target) =>
      breakRequests(stage.world, target, { kind: 'status-503', times: 999 }),
    );
    const { exitCode, log, remote, outputs } = await runFlow(stage, build, {
      life: { artifacts: ARTIFACTS, end: COMPLETED },
    });
    for (const each of recover) each();
    expect(exitCode, log).toBe(EXIT.done);
    expect(remote).toContainEqual(expect.stringContaining('… (the rest cannot be read: '));
    expect(log).toContain('The artifacts cannot be read:');
    expect(outputs).toMatchObject({ result: 'succeeded', 'work-pool': expect.any(String) });
  }));
