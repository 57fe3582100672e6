import { checkoutFiles } from '../shared/edge/checkout-files.ts';
import { runMain, runStep } from '../shared/main.ts';
import { JOB_KINDS, KIND_SETTINGS } from '../shared/services/index.ts';
import { runSettings } from '../shared/settings/run-settings.ts';
import { BITBUCKET_PROTECTED, bitbucketHost } from './bitbucket-host.ts';
import { bitbucketSettings, readPipeVariables } from './bitbucket-settings.ts';

/** The pipe: Bitbucket's variables in, exit code out. */
runMain((signal) => {
  const { env } = process;
  const files = checkoutFiles(env.BITBUCKET_CLONE_DIR ?? process.cwd());
  const common = runSettings(JOB_KINDS.map(({ id }) => id));
  const settings = readPipeVariables(env, { ...common, ...KIND_SETTINGS, ...bitbucketSettings });
  const host = bitbucketHost({ env, settings, files, write: (text) => process.stdout.write(text) });
  return runStep({ host, hostSettings: bitbucketSettings, protectedVariables: BITBUCKET_PROTECTED, files, signal });
});
