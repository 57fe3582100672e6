import { checkoutFiles } from '../shared/edge/checkout-files.ts';
import { runMain } from '../shared/edge/main.ts';
import { network } from '../shared/edge/network.ts';
import { systemClock } from '../shared/edge/node.ts';
import { createHttp, HTTP_TIMINGS } from '../shared/http/http.ts';
import { run } from '../shared/run/run.ts';
import { allSettings } from '../shared/services/all-settings.ts';
import { JOB_KINDS } from '../shared/services/index.ts';
import { BITBUCKET_PROTECTED, bitbucketHost } from './bitbucket-host.ts';
import { bitbucketSettings, readPipeVariables } from './bitbucket-settings.ts';

/** The pipe: Bitbucket's variables in, exit code out. */
async function main(signal: AbortSignal): Promise<number> {
  const { env } = process;
  const files = checkoutFiles(env.BITBUCKET_CLONE_DIR ?? process.cwd());
  const settings = readPipeVariables(env, { ...allSettings(JOB_KINDS), ...bitbucketSettings });
  const host = bitbucketHost({ env, settings, files, write: (text) => process.stdout.write(text) });
  const { transport, warnings } = network(env);
  for (const warning of warnings) host.log.warning(warning);
  return run({
    host,
    hostSettings: bitbucketSettings,
    kinds: JOB_KINDS,
    files,
    env,
    protectedVariables: BITBUCKET_PROTECTED,
    http: createHttp(transport, systemClock, HTTP_TIMINGS),
    clock: systemClock,
    signal,
  });
}

runMain(main);
