import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { defined } from '../shared/json.ts';
import { installRecordingAgent } from '../test/e2e/recording-agent.ts';
import { PREFECT } from '../test/simulators/prefect-tenant.ts';
import { DATABRICKS, providerName } from '../test/simulators/tenant.ts';
import { VERCEL } from '../test/simulators/vercel-tenant.ts';
import type { World } from '../test/simulators/world.ts';
import { type EndedStep, pipeStep, pluginStep, runStep, type StepPlan } from './ci-step.ts';
import type { Result, Story } from './demo-stories.ts';

/** A story that was told, with what the services know of it. */
export interface Told extends EndedStep {
  readonly story: Story;
  /** The submitted job; undefined when there is none. */
  readonly job: SeenJob | undefined;
  readonly result: Result | 'unfinished';
}

/** A job as the service has it. */
export interface SeenJob {
  readonly id: string;
  /** Whom the service took the submitter for. */
  readonly identity: string;
  readonly commit: string;
  readonly cancelled: boolean;
}

/** No step of the demo takes longer, unless something hangs. */
const LIMIT_MS = 60_000;
const OUTPUTS_FILE = 'checkout/.keyless-submit/outputs.json';

/** Runs the step of a story as its CI would, and looks at the services afterwards. */
export async function tell(story: Story, plan: StepPlan, world: World, token: string): Promise<Told> {
  const ended =
    story.ci === 'bitbucket' ? await runStep(pipeStep(plan, token), LIMIT_MS) : await runPlugin(story, plan);
  const { id, result } = await readOutputs(plan.folder);
  const job = id === undefined ? undefined : seenJob(world, id);
  return { ...ended, story, job, result: job === undefined ? 'refused' : job.cancelled ? 'cancelled' : result };
}

/** The audience that a step asks for: what the trust of its service expects. */
export function audienceOf({ ci, settings }: Pick<Story, 'ci' | 'settings'>): string {
  if (settings.job.startsWith('databricks-')) return `https://${DATABRICKS.host}/oidc/v1/token`;
  return settings.job.startsWith('vercel-') ? VERCEL.audience : `https://iam.googleapis.com/${providerName(ci)}`;
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
  const { id, result } = JSON.parse(text) as { id?: string; result?: Told['result'] };
  return { ...defined({ id }), result: result ?? 'unfinished' };
}

function seenJob(world: World, id: string): SeenJob | undefined {
  return customJob(world, id) ?? run(world, id) ?? flowRun(world, id) ?? deployment(world, id);
}

function customJob({ google }: World, id: string): SeenJob | undefined {
  const job = google.jobs().find(({ name }) => name === id);
  if (job === undefined) return undefined;
  const commit = job.job.labels?.ci_commit ?? '';
  return { id: id.split('/').at(-1) ?? '', identity: job.caller, commit, cancelled: job.cancelRequested };
}

function run({ databricks }: World, id: string): SeenJob | undefined {
  const found = databricks.runs().find(({ runId }) => runId === id);
  if (found === undefined) return undefined;
  const body = JSON.parse(found.body) as {
    git_source?: { git_commit: string };
    job_parameters?: Readonly<Record<string, string>>;
  };
  const commit = body.git_source?.git_commit ?? body.job_parameters?.git_commit ?? '';
  return { id, identity: found.createdBy, commit, cancelled: found.cancelledBy !== undefined };
}

/** A flow run, or the deployment that was pointed at another commit. */
function flowRun({ prefect }: World, id: string): SeenJob | undefined {
  const found = prefect.runs().find((each) => each.id === id);
  const made = found ?? prefect.deploymentUpdates().find(({ deploymentId }) => deploymentId === id);
  if (made === undefined) return undefined;
  const commit = /"(?:ci_commit|commit_sha)":"([0-9a-f]+)"/.exec(made.body)?.[1] ?? '';
  const key = made.headers.get('authorization')?.replace('Bearer ', '');
  const identity = key === PREFECT.keys.service ? 'key prefect-ci' : 'another key';
  return { id: id.slice(0, 8), identity, commit, cancelled: found?.cancelRequested === true };
}

function deployment({ vercel }: World, id: string): SeenJob | undefined {
  const found = vercel.deployments().find((each) => each.id === id);
  if (found === undefined) return undefined;
  const token = found.headers.get('authorization')?.replace('Bearer ', '');
  const policy = vercel.tokens().find(({ accessToken }) => accessToken === token)?.policy.name;
  const commit = /"commitSha":"([0-9a-f]+)"/.exec(found.json)?.[1] ?? '';
  return { id, identity: `policy ${policy}`, commit, cancelled: found.state === 'CANCELED' };
}
