import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunningJob } from '../shared/host.ts';
import { isObject, parseJson, textAt } from '../shared/json.ts';
import type { Env } from './buildkite-settings.ts';

/** A file beside the checkout's reach, named for the Buildkite job: hooks/pre-exit looks for the same name. */
export function rememberedPath(env: Env): string {
  return join(env.TMPDIR ?? '/tmp', `keyless-submit-${(env.BUILDKITE_JOB_ID ?? 'job').replace(/[^\w-]/g, '')}.json`);
}

/** Tells the plugin's entries of one step apart. */
function configurationId(env: Env): string {
  return createHash('sha256')
    .update(env.BUILDKITE_PLUGIN_CONFIGURATION ?? '')
    .digest('hex')
    .slice(0, 16);
}

/** Keeps what is running in a file that only its owner can read. It holds no secret. */
export async function rememberJob(env: Env, job: RunningJob): Promise<void> {
  await forgetJob(env);
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  await using file = await open(rememberedPath(env), flags, 0o600);
  await file.writeFile(JSON.stringify({ ...job, configuration: configurationId(env) }));
}

/** Removes what `rememberJob` kept. */
export async function forgetJob(env: Env): Promise<void> {
  await rm(rememberedPath(env), { force: true });
}

/** What this entry of the step left running; undefined when it is over, or another entry's. */
export async function recallJob(env: Env): Promise<RunningJob | undefined> {
  const text = await readFile(rememberedPath(env), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const job = parseJson(text);
    const kind = textAt(job, 'kind');
    const id = textAt(job, 'id');
    return isObject(job) && kind !== undefined && id !== undefined && job.configuration === configurationId(env)
      ? { kind, id }
      : undefined;
  } catch {
    return undefined;
  }
}
