import { type Json, parseJson } from '../../shared/json.ts';
import type { RunLife } from '../simulators/prefect-run-life.ts';
import { runStep, type Stage, type Step } from './harness.ts';

/** What a test sets beside the sample's settings, and how its run lives. */
export interface Given {
  readonly settings?: Readonly<Record<string, Json>>;
  readonly life?: RunLife;
  readonly step?: Partial<Step>;
}

/** Runs a step of the sample; `remote` are the lines that the run itself wrote. */
export async function runFlow(stage: Stage, build: number, { settings = {}, life, step = {} }: Given) {
  if (life !== undefined) stage.world.prefect.nextLife(life);
  const before = stage.world.prefect.runs().length;
  const result = await runStep(stage, { kind: 'prefect-flow-run', ci: 'buildkite', build, settings, ...step });
  const [run] = stage.world.prefect.runs().slice(before);
  const body = run === undefined ? undefined : (parseJson(run.body) as Record<string, unknown>);
  const remote = result.lines.flatMap((line) => (line.startsWith('  │ ') ? [line.slice(4)] : []));
  return { ...result, run, body, remote };
}
