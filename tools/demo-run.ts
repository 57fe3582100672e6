import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RemoteJob } from '../test/contract/kind-samples.ts';
import { installRecordingAgent } from '../test/e2e/recording-agent.ts';
import type { World } from '../test/simulators/world.ts';
import { type EndedStep, pipeStep, pluginStep, runStep, type StepPlan } from './ci-step.ts';
import type { Result, Story } from './demo-stories.ts';

/** A story that was told, with what the services know of it. */
export interface Told extends EndedStep {
  readonly story: Story;
  /** The submitted job; undefined when there is none. */
  readonly job: RemoteJob | undefined;
  readonly result: Result | 'unfinished';
}

/** No step of the demo takes longer, unless something hangs. */
const LIMIT_MS = 60_000;
const OUTPUTS_FILE = 'checkout/.keyless-submit/outputs.json';

/** Runs the step of a story as its CI would, and looks at the services afterwards. */
export async function tell(story: Story, plan: StepPlan, world: World, token: string): Promise<Told> {
  const ended =
    story.ci === 'bitbucket' ? await runStep(pipeStep(plan, token), LIMIT_MS) : await runPlugin(story, plan);
  const { id, result } = await readOutputs(plan.folder);
  const job = story.kind.jobs(world).find((each) => each.id === id);
  return { ...ended, story, job, result: job === undefined ? 'refused' : job.cancelled ? 'cancelled' : result };
}

/** The agent runs the pre-exit hook after the command, however that ended. */
async function runPlugin({ cancelWhen }: Story, plan: StepPlan): Promise<EndedStep> {
  const { bin } = installRecordingAgent(plan.folder);
  const command = await runStep(pluginStep(plan, 'command', bin), LIMIT_MS, cancelWhen);
  const preExit = await runStep(pluginStep(plan, 'pre-exit', bin), LIMIT_MS);
  return { ...command, log: command.log + preExit.log };
}

async function readOutputs(folder: string): Promise<{ id?: string; result: Told['result'] }> {
  const text = await readFile(join(folder, OUTPUTS_FILE), 'utf8').catch(() => '{}');
  return { result: 'unfinished', ...JSON.parse(text) };
}
