import { checkoutFiles } from '../shared/edge/checkout-files.ts';
import { runMain } from '../shared/edge/main.ts';
import { type Network, network } from '../shared/edge/network.ts';
import { systemClock } from '../shared/edge/node.ts';
import { EXIT, SubmitError } from '../shared/errors.ts';
import type { Host } from '../shared/host/host.ts';
import { createHttp, HTTP_TIMINGS } from '../shared/http/http.ts';
import { cancelRemembered } from '../shared/run/cancel-remembered.ts';
import { type RunEnvironment, run } from '../shared/run/run.ts';
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
  try {
    if (job !== undefined) await cancelRemembered(job, environment());
  } catch (error) {
    const { message, explanation } =
      error instanceof SubmitError ? error : { message: 'a fault of keyless-submit', explanation: { remedy: [] } };
    log.warning(`The job that the step left running could not be cancelled and may still be running: ${message}`);
    for (const line of explanation.remedy) log.info(line);
  }
  await forgetJob(env);
}

runMain((signal) => main(process.argv[2], signal), '^^^ +++\n');
