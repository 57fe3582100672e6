import { checkoutFiles } from '../shared/edge/checkout-files.ts';
import { EXIT, SubmitError } from '../shared/errors.ts';
import { type Ci, runMain, runStep, stepEnvironment } from '../shared/main.ts';
import { cancelRemembered } from '../shared/run/cancel-remembered.ts';
import { JOB_KINDS } from '../shared/services/index.ts';
import { buildkiteAgent } from './agent.ts';
import { BUILDKITE_PROTECTED, buildkiteHost } from './buildkite-host.ts';
import { buildkiteSettings, readPluginConfiguration } from './buildkite-settings.ts';
import { forgetJob, recallJob } from './remembered-job.ts';

/** The plugin: `run` is the command hook, `cancel` the pre-exit hook. */
async function main(phase: string | undefined, signal: AbortSignal): Promise<number> {
  const { env } = process;
  const files = checkoutFiles(process.cwd());
  const { settings, problem } = readPluginConfiguration(
    env,
    JOB_KINDS.map(({ id }) => id),
  );
  const agent = buildkiteAgent(env);
  const host = buildkiteHost({ env, settings, files, agent, write: (text) => process.stdout.write(text) });
  const ci = { host, hostSettings: buildkiteSettings, protectedVariables: BUILDKITE_PROTECTED, files, signal };
  if (phase === 'cancel') return cancel(ci);
  const ignored = env.BUILDKITE_COMMAND ? "The step's own command is not run: this plugin takes its place" : undefined;
  return runStep(ci, ...[problem, ignored].filter((warning) => warning !== undefined));
}

/** The second chance after a kill. The step keeps its exit code, so what goes wrong here is only a warning. */
async function cancel(ci: Ci): Promise<number> {
  const { env } = process;
  const { log } = ci.host;
  const job = await recallJob(env);
  try {
    if (job !== undefined) await cancelRemembered(job, stepEnvironment(ci).environment);
  } catch (error) {
    const { message, explanation } =
      error instanceof SubmitError ? error : { message: 'a fault of keyless-submit', explanation: { remedy: [] } };
    log.warning(`The job that the step left running could not be cancelled and may still be running: ${message}`);
    for (const line of explanation.remedy) log.info(line);
  }
  await forgetJob(env);
  return EXIT.done;
}

runMain((signal) => main(process.argv[2], signal), '^^^ +++\n');
