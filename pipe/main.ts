import { checkoutFiles } from '../shared/edge/checkout-files.ts';
import { abortOnSignals, describeFault, network, silenceLibraries, systemClock } from '../shared/edge/node.ts';
import { EXIT, SubmitError } from '../shared/errors.ts';
import { createHttp, HTTP_TIMINGS } from '../shared/http.ts';
import { allSettings } from '../shared/jobs/all-settings.ts';
import { JOB_KINDS } from '../shared/jobs/index.ts';
import { run } from '../shared/run.ts';
import { BITBUCKET_PROTECTED, bitbucketHost } from './bitbucket-host.ts';
import { bitbucketSettings, readPipeVariables } from './bitbucket-settings.ts';

/** The pipe: Bitbucket's variables in, exit code out. */
async function main(): Promise<number> {
  const { env } = process;
  silenceLibraries(env);
  const files = checkoutFiles(env.BITBUCKET_CLONE_DIR ?? process.cwd());
  const settings = readPipeVariables(env, { ...allSettings(JOB_KINDS), ...bitbucketSettings });
  const host = bitbucketHost({ env, settings, files, write: (text) => process.stdout.write(text) });
  const { transport, simulators } = network(env);
  if (simulators !== undefined)
    host.log.warning(`Simulators: every https request goes to ${simulators}, none to a real service`);
  return run({
    host,
    hostSettings: bitbucketSettings,
    kinds: JOB_KINDS,
    files,
    env,
    protectedVariables: BITBUCKET_PROTECTED,
    http: createHttp(transport, systemClock, HTTP_TIMINGS),
    clock: systemClock,
    signal: abortOnSignals(process),
  });
}

/** Ends the process for what `run` cannot explain. */
function stop(error: unknown): never {
  if (error instanceof SubmitError) {
    const { happened, presented = [], expected = [], remedy } = error.explanation;
    process.stdout.write(`\n✖ ${[happened, ...presented, ...expected, ...remedy].join('\n  ')}\n`);
    process.exit(error.exitCode);
  }
  process.stdout.write(
    `\n✖ keyless-submit stopped by a fault of its own; please report it:\n${describeFault(error)}\n`,
  );
  process.exit(EXIT.fault);
}

// A log that nobody reads any more must not keep the job from being cancelled.
process.stdout.on('error', () => undefined);
process.on('uncaughtException', stop);
process.on('unhandledRejection', stop);
main().then((code) => process.exit(code), stop);
