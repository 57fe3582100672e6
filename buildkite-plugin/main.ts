import { cancelRemembered } from '../shared/cancel-remembered.ts';
import { checkoutFiles } from '../shared/edge/checkout-files.ts';
import { abortOnSignals, describeFault, network, silenceLibraries, systemClock } from '../shared/edge/node.ts';
import { EXIT, SubmitError } from '../shared/errors.ts';
import { createHttp, HTTP_TIMINGS } from '../shared/http.ts';
import { JOB_KINDS } from '../shared/jobs/index.ts';
import { type RunEnvironment, run } from '../shared/run.ts';
import { buildkiteAgent } from './agent.ts';
import { BUILDKITE_PROTECTED, buildkiteHost } from './buildkite-host.ts';
import { buildkiteSettings, readPluginConfiguration } from './buildkite-settings.ts';
import { forgetJob, recallJob } from './remembered-job.ts';

/** The plugin: `run` is the command hook, `cancel` the pre-exit hook. */
async function main(): Promise<number> {
  const { env } = process;
  silenceLibraries(env);
  const files = checkoutFiles(process.cwd());
  const { settings, problem } = readPluginConfiguration(
    env,
    JOB_KINDS.map(({ id }) => id),
  );
  const agent = buildkiteAgent(env);
  const host = buildkiteHost({ env, settings, files, agent, write: (text) => process.stdout.write(text) });
  const { transport, simulators } = network(env);
  const environment: RunEnvironment = {
    host,
    hostSettings: buildkiteSettings,
    kinds: JOB_KINDS,
    files,
    env,
    protectedVariables: BUILDKITE_PROTECTED,
    http: createHttp(transport, systemClock, HTTP_TIMINGS),
    clock: systemClock,
    signal: abortOnSignals(process),
  };
  if (phase === 'cancel') {
    const job = await recallJob(env);
    if (job !== undefined) await cancelRemembered(job, environment);
    await forgetJob(env);
    return EXIT.done;
  }
  if (problem !== undefined) host.log.warning(problem);
  if (simulators !== undefined)
    host.log.warning(`Simulators: every https request goes to ${simulators}, none to a real service`);
  if (env.BUILDKITE_COMMAND) host.log.warning("The step's own command is not run: this plugin takes its place");
  return run(environment);
}

const phase = process.argv[2];

/** Ends the process for what `run` cannot explain. */
function stop(error: unknown): never {
  if (phase === 'cancel') {
    // The step has its result, which a fault here must not change.
    process.stdout.write(
      '\n^^^ +++\n⚠ The job that the step left running could not be cancelled; it may still be running\n',
    );
    process.exit(EXIT.done);
  }
  if (error instanceof SubmitError) {
    const { happened, presented = [], expected = [], remedy } = error.explanation;
    process.stdout.write(`\n^^^ +++\n✖ ${[happened, ...presented, ...expected, ...remedy].join('\n  ')}\n`);
    process.exit(error.exitCode);
  }
  process.stdout.write(
    `\n^^^ +++\n✖ keyless-submit stopped by a fault of its own; please report it:\n${describeFault(error)}\n`,
  );
  process.exit(EXIT.fault);
}

// A log that nobody reads any more must not keep the job from being cancelled.
process.stdout.on('error', () => undefined);
process.on('uncaughtException', stop);
process.on('unhandledRejection', stop);
main().then((code) => process.exit(code), stop);
