import type { Json } from '../../shared/json.ts';
import { readable } from '../e2e/log-text.ts';
import { type Ci, type StartedStep, type StepEnded, type StepSettings, startStep } from '../e2e/step.ts';
import type { World } from '../simulators/world.ts';
import type { PrefectServer } from './prefect-server.ts';

/** A flow run as the server has it. */
export interface FlowRun {
  readonly id: string;
  readonly name: string;
  readonly state: { readonly type: string; readonly name: string; readonly message: string | null };
  readonly parameters: Readonly<Record<string, Json>>;
  readonly labels: Readonly<Record<string, Json>>;
  readonly tags: readonly string[];
  readonly run_count: number;
}

export interface FlowRunLog {
  readonly level: number;
  readonly message: string;
  readonly timestamp: string;
}

/** What tells a step from all others: given again, it is the same step once more. */
export type StepEnv = Readonly<Record<string, string>>;

export function newStepEnv(): StepEnv {
  const id = crypto.randomUUID();
  return { BITBUCKET_STEP_UUID: `{${id}}`, BUILDKITE_STEP_ID: id, BUILDKITE_STEP_KEY: `step-${id}` };
}

export interface PrefectStepEnded extends StepEnded {
  /** Its output as people read it. */
  readonly log: string;
  /** What it hands on to later steps. */
  readonly outputs: Readonly<Record<string, string>>;
}

/** Steps of both CIs that ask one server, one after the other. */
export interface PrefectSteps {
  start(ci: Ci, settings: StepSettings, env?: StepEnv): Promise<StartedStep>;
  /** From its start to its end. */
  run(ci: Ci, settings: StepSettings, env?: StepEnv): Promise<PrefectStepEnded>;
}

/** `audience` is what a Bitbucket step's token is for, besides the default. */
export function prefectSteps(server: PrefectServer, world: World, audience?: string): PrefectSteps {
  const start = async (ci: Ci, settings: StepSettings, env: StepEnv = newStepEnv()) =>
    await startStep(ci, {
      simulators: world.url,
      token: await world.bitbucketToken(audience === undefined ? {} : { audiences: [audience] }),
      settings: { job: 'prefect-flow-run', 'api-url': server.api, ...settings },
      env,
    });
  return {
    start,
    run: async (ci, settings, env = newStepEnv()) => {
      using step = await start(ci, settings, env);
      const ended = await step.finish();
      const outputs =
        ci === 'bitbucket'
          ? ended.files['checkout/.keyless-submit/outputs.json']
          : world.agentApi.metaData().get(`keyless-submit:${env.BUILDKITE_STEP_KEY}`);
      return { ...ended, log: readable(ended.output), outputs: JSON.parse(outputs ?? '{}') };
    },
  };
}

/** Reads the runs as the server has them. */
export interface RunReader {
  read(id: string): Promise<FlowRun>;
  ofDeployment(id: string): Promise<readonly FlowRun[]>;
  logs(id: string): Promise<readonly FlowRunLog[]>;
}

export function runsOf(server: PrefectServer): RunReader {
  const list = async <Row>(path: string, body: unknown) =>
    (await server.call('POST', path, body)).body as readonly Row[];
  return {
    read: async (id: string) => (await server.call('GET', `/flow_runs/${id}`)).body as FlowRun,
    ofDeployment: (id: string) => list<FlowRun>('/flow_runs/filter', { deployments: { id: { any_: [id] } } }),
    logs: (id: string) =>
      list<FlowRunLog>('/logs/filter', { logs: { flow_run_id: { any_: [id] } }, sort: 'TIMESTAMP_ASC' }),
  };
}

/** The id of the run that a step has submitted or attached to. */
export function runIdIn(log: string): string {
  const id = /(?:Submitted|Attaching to) ([0-9a-f-]{36})/.exec(log)?.[1];
  if (id === undefined) throw new Error(`There is no run in:\n${log}`);
  return id;
}

const LEVELS: Readonly<Record<number, string>> = { 10: 'DEBUG', 20: 'INFO', 30: 'WARNING', 40: 'ERROR' };

/** The first line of each entry as a step prints it, without the times. */
export function linesOf(logs: readonly FlowRunLog[]): readonly string[] {
  return logs.map(({ level, message }) => `${LEVELS[level]} ${message.split('\n')[0]}`.trim());
}

/** The entries of a run's log that a step has printed, first lines only. */
export function printedEntries(log: string): readonly string[] {
  return [...log.matchAll(/(?<=^\W*)\d\d:\d\d:\d\d ([A-Z]+) +(.*)$/gm)].map(([, level, text]) =>
    `${level} ${text}`.trim(),
  );
}

/** What Prefect says of a run after its end, and may store seconds later on a busy machine. */
const AFTERWORD =
  /^(?:DEBUG Stopped flow run heartbeat|(?:INFO|ERROR) Finished in state|ERROR Engine execution exited)/;

/** Entries that were printed twice or are no entries, and those that were not printed; the order is left aside. */
export function missedOrForeign(printed: readonly string[], stored: readonly string[]): readonly string[] {
  const rest = [...stored];
  const foreign = printed.filter((line) => {
    const at = rest.indexOf(line);
    if (at >= 0) rest.splice(at, 1);
    return at < 0;
  });
  return [...foreign, ...rest.filter((line) => !AFTERWORD.test(line))];
}
