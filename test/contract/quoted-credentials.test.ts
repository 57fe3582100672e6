import { expect, test } from 'vitest';
import { DISGUISES } from '../simulators/disguises.ts';
import type { World } from '../simulators/world.ts';
import { joinedLines, longestShown } from '../unit/longest-shown.ts';
import { runStep } from './harness.ts';
import { CIS } from './kind-samples.ts';
import { stagePool } from './stage-pool.ts';

const stages = stagePool();

/** Runs whose service says in every place that it has what it was shown. */
const LIVES: Readonly<Record<string, (world: World) => void>> = {
  'vertex-custom-job': ({ google }) =>
    google.nextLife([
      { state: 'JOB_STATE_RUNNING QUOTED', forMs: 30_000 },
      { state: 'JOB_STATE_FAILED', error: { code: 3, message: 'refused: QUOTED' } },
    ]),
  'databricks-submit-run': ({ databricks }) =>
    databricks.nextLife({
      phases: [{ state: 'RUNNING QUOTED', span: { gets: 1 } }],
      end: { kind: 'user-code-failure', error: 'E: QUOTED', trace: 'T: QUOTED' },
      logs: 'printed: QUOTED',
    }),
  'databricks-run-now': ({ databricks }) =>
    databricks.nextLife({ phases: [], end: { kind: 'success' }, result: 'result: QUOTED' }),
  'prefect-flow-run': ({ prefect }) =>
    prefect.nextLife({
      runningMs: 60_000,
      logs: [
        { atMs: 1_000, message: 'whole: QUOTED' },
        // Each comes with another look at the log.
        ...Array.from({ length: 12 }, (_, n) => ({
          atMs: 5_000 + n * 4_000,
          message: `QUOTED(${n * 13},${n * 13 + 13})`,
        })),
      ],
      artifacts: [{ atMs: 2_000, type: 'markdown', key: 'report', data: 'artifact: QUOTED', description: 'QUOTED' }],
      end: { kind: 'failed', message: 'state: QUOTED' },
    }),
  'vercel-deployment': ({ vercel }) =>
    vercel.nextLife({ end: { kind: 'error', step: 'buildStep', code: 'BUILD_FAILED', message: 'message: QUOTED' } }),
};

const TOLD: readonly string[] = [
  'as it is',
  'with a colour in it',
  'with zero-width characters in it',
  'wrapped in lines of 11, with a ruler',
  'in JSON with every character escaped',
  'percent-encoded in small letters, everything',
  'in base64, behind a name',
  'without its first characters',
];

const cases = CIS.flatMap((ci) => Object.keys(LIVES).map((kind) => [ci, kind] as const));

test.each(cases)('on %s, %s: a service that quotes the credential in any way shows it to nobody', (ci, kind) =>
  stages.use(async (stage, build) => {
    const { world } = stage;
    for (const [index, how] of TOLD.entries()) {
      const disguise = DISGUISES[how] ?? String;
      world.quote(disguise);
      LIVES[kind]?.(world);
      const step = { kind, ci, build: build * 100 + index, settings: { debug: true } };
      const { exitCode, log, reports, outputs, requests } = await runStep(stage, step);
      world.quote(String);
      expect(exitCode, log).toBe(kind === 'databricks-run-now' ? 0 : 1);
      const seen = [log, ...reports, JSON.stringify(outputs), ...[...world.agentApi.metaData().values()]];
      expect(seen.join(''), log).toContain('[redacted]');
      const shown = requests.map(({ headers }) => (headers.get('authorization') ?? '').replace(/^\w+ /, ''));
      for (const credential of new Set(shown.filter((each) => each !== ''))) {
        const hidden = joinedLines(disguise(credential));
        // Fewer than 16 characters of the credential, however long the disguise makes each.
        const limit = 16 * Math.max(1, hidden.length / credential.length);
        for (const each of seen) expect(longestShown(hidden, joinedLines(each)), `${how}: ${each}`).toBeLessThan(limit);
      }
    }
  }),
);
