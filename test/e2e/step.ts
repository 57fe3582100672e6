import type { Json } from '../../shared/json.ts';
import { CIS, type Ci, KIND_SAMPLES } from '../contract/kind-samples.ts';
import { AWS, VAULT } from '../simulators/brokers-tenant.ts';
import { VERCEL } from '../simulators/vercel-tenant.ts';
import type { World } from '../simulators/world.ts';
import type { FileTree, NewTree } from './folders.ts';
import { asVariables, pipeStep } from './pipe.ts';
import { pluginStep } from './plugin.ts';
import type { Ended, Env, Running } from './process.ts';
import type { RecordedCall } from './recording-agent.ts';

export { CIS, type Ci };

/** By canonical name; those without a value are not set. */
export type StepSettings = Readonly<Record<string, Json | undefined>>;

export interface StepOptions {
  /** The address of the simulators. */
  readonly simulators: string;
  /** What a Bitbucket step gets as its one token. */
  readonly token: string | undefined;
  readonly settings: StepSettings;
  readonly checkout?: NewTree;
  readonly env?: Env;
  /** Shell lines that run in every `buildkite-agent` before the stand-in does. */
  readonly beforeAgent?: string;
}

export interface StepEnded extends Ended {
  readonly files: FileTree;
  /** None on Bitbucket. */
  readonly agentCalls: readonly RecordedCall[];
}

export interface StartedStep extends Disposable {
  readonly running: Running;
  /** Waits for the step's end, with all that its CI still runs of it. */
  finish(): Promise<StepEnded>;
}

/** Starts the same settings in one of the packagings, as its own CI does. */
export async function startStep(ci: Ci, { token, settings: given, ...options }: StepOptions): Promise<StartedStep> {
  const settings = Object.fromEntries(
    Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
  if (ci === 'buildkite') {
    const step = await pluginStep({ config: settings, ...options });
    const running = step.command();
    const finish = async () => {
      const ended = await running.ended;
      const { output } = await step.preExit();
      return { ...ended, output: ended.output + output, agentCalls: step.agentCalls(), files: step.files() };
    };
    return { running, finish, [Symbol.dispose]: () => step[Symbol.dispose]() };
  }
  const step = await pipeStep({ token, variables: asVariables(settings), ...options });
  const running = step.run();
  const finish = async () => ({ ...(await running.ended), agentCalls: [], files: step.files() });
  return { running, finish, [Symbol.dispose]: () => step[Symbol.dispose]() };
}

export async function runStep(ci: Ci, options: StepOptions): Promise<StepEnded> {
  using step = await startStep(ci, options);
  return await step.finish();
}

/** What a step of the simulated company finds: its simulators, and the token of a Bitbucket step that asks for every service's audience. */
export async function stepIn(world: World): Promise<Pick<StepOptions, 'simulators' | 'token'>> {
  const audiences = [
    ...new Set(KIND_SAMPLES.map(({ audience }) => audience('bitbucket'))),
    VERCEL.visitorAudience,
    VAULT.audience,
    AWS.audience,
  ];
  return { simulators: world.url, token: await world.bitbucketToken({ audiences }) };
}
