import { abortOnSignals, checkoutFiles, describeFault, network, systemClock } from '../shared/edge/node.ts';
import { EXIT } from '../shared/errors.ts';
import { createHttp, HTTP_TIMINGS } from '../shared/http.ts';
import { allSettings } from '../shared/jobs/all-settings.ts';
import { JOB_KINDS } from '../shared/jobs/index.ts';
import { run } from '../shared/run.ts';
import { BITBUCKET_PROTECTED, bitbucketHost } from './bitbucket-host.ts';
import { bitbucketSettings, readPipeVariables } from './bitbucket-settings.ts';

/** The pipe: Bitbucket's variables in, exit code out. */
async function main(): Promise<number> {
  const { env } = process;
  const files = checkoutFiles(env.BITBUCKET_CLONE_DIR ?? process.cwd());
  const settings = readPipeVariables(env, { ...allSettings(JOB_KINDS), ...bitbucketSettings });
  const host = bitbucketHost({ env, settings, files, write: (text) => process.stdout.write(text) });
  const { fetch, reach, simulators } = network(env);
  if (simulators !== undefined)
    host.log.warning(`Simulators: every request goes to ${simulators}, none to a real service`);
  return run({
    host,
    hostSettings: bitbucketSettings,
    kinds: JOB_KINDS,
    files,
    env,
    protectedVariables: BITBUCKET_PROTECTED,
    http: createHttp(fetch, systemClock, HTTP_TIMINGS),
    clock: systemClock,
    reach,
    signal: abortOnSignals(process),
  });
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stdout.write(
      `\n✖ keyless-submit stopped by a fault of its own; please report it:\n${describeFault(error)}\n`,
    );
    process.exit(EXIT.fault);
  },
);
