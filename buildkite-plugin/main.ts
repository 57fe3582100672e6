import { cancelRemembered } from '../shared/cancel-remembered.ts';
import { runMain } from '../shared/edge/main.ts';
import { type Network, network } from '../shared/edge/network.ts';
import { checkoutFiles, systemClock } from '../shared/edge/node.ts';
import { EXIT, SubmitError } from '../shared/errors.ts';
import type { Host } from '../shared/host.ts';
import { createHttp, HTTP_TIMINGS } from '../shared/http.ts';
import { JOB_KINDS } from '../shared/jobs/index.ts';
import { type RunEnvironment, run } from '../shared/run.ts';
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
  const environment = ({ transport }: Network): RunEnvironment => ({
    host,
    hostSettings: buildkiteSettings,
    kinds: JOB_KINDS,
    files,
    env,
    protectedVariables: BUILDKITE_PROTECTED,
    http: createHttp(transport, systemClock, HTTP_TIMINGS),
    clock: systemClock,
    signal,
  });
  if (phase === 'cancel') {
    await cancel(host, () => environment(network(env)));
    return EXIT.done;
  }
  const reached = network(env);
  for (const warning of reached.warnings) host.log.warning(warning);
  if (problem !== undefined) host.log.warning(problem);
  if (env.BUILDKITE_COMMAND) host.log.warning("The step's own command is not run: this plugin takes its place");
  return run(environment(reached));
}

/** The second chance after a kill. The step keeps its exit code, so what goes wrong here is only a warning. */
async function cancel({ log }: Host, environment: () => RunEnvironment): Promise<void> {
  const { env } = process;
  const job = await recallJob(env);
  if (job === undefined) return;
  try {
    await cancelRemembered(job, environment());
  } catch (error) {
    if (!(error instanceof SubmitError)) throw error;
    log.warning(`${job.id} may still be running: ${error.message}`);
    for (const line of error.explanation.remedy) log.info(line);
  }
  await forgetJob(env);
}

runMain((signal) => main(process.argv[2], signal), '^^^ +++\n');
