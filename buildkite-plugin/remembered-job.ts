import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, mkdtemp, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod/mini';
import type { RememberedJob } from '../shared/host/host.ts';
import { parseJson } from '../shared/json.ts';
import type { Env } from './buildkite-settings.ts';

/** Fixed, because TMPDIR and HOME may differ from hook to hook. Everybody may write here, so names are random and owners checked. */
const PARENT = '/tmp';
const FILE = 'job.json';
const LONGEST_NAME = 150;
const LARGEST_FILE = 4096;
const OTHERS = 0o077;

/** The beginning of the names of all folders of this Buildkite job; hooks/pre-exit looks for the same one. */
function namesOfJob({ BUILDKITE_JOB_ID: job = '', BUILDKITE_AGENT_ENDPOINT: endpoint = '' }: Env): string {
  const name = `${job || 'job'}-${endpoint}`.replace(/[^\w-]/g, '').slice(0, LONGEST_NAME);
  return `keyless-submit-${name}.`;
}

/** The same for one entry of the plugin, since a step may have several. */
function namesOfEntry(env: Env): string {
  const configuration = createHash('sha256').update(env.BUILDKITE_PLUGIN_CONFIGURATION ?? '');
  return `${namesOfJob(env)}${configuration.digest('hex').slice(0, 16)}.`;
}

/** Folders with the right name that only this user can have made and can write to. */
async function ownFolders(env: Env): Promise<readonly string[]> {
  const start = namesOfEntry(env);
  const names = (await readdir(PARENT)).filter((name) => name.startsWith(start));
  const folders = names.map((name) => join(PARENT, name));
  const checked = await Promise.all(
    folders.map(async (folder) => {
      const info = await lstat(folder).catch(() => undefined);
      return info?.isDirectory() === true && isPrivate(info) ? [folder] : [];
    }),
  );
  return checked.flat();
}

function isPrivate({ uid, mode }: { readonly uid: number; readonly mode: number }): boolean {
  return uid === process.geteuid?.() && (mode & OTHERS) === 0;
}

/** Keeps what was sent or is running where only this user can read and write it, until `forgetJob`. It holds no secret. */
export async function rememberJob(env: Env, job: RememberedJob): Promise<void> {
  const [present] = await ownFolders(env);
  const folder = present ?? (await mkdtemp(join(PARENT, namesOfEntry(env))));
  const next = join(folder, 'next');
  await rm(next, { force: true });
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  await using file = await open(next, flags, 0o600);
  await file.writeFile(JSON.stringify(job));
  // A process that is killed now leaves either the old content or the new, never half of one.
  await rename(next, join(folder, FILE));
}

/** Removes what `rememberJob` kept. */
export async function forgetJob(env: Env): Promise<void> {
  for (const folder of await ownFolders(env)) await rm(folder, { recursive: true, force: true });
}

/** What this entry of the step left behind; undefined when there is nothing, or nothing that can be trusted. */
export async function recallJob(env: Env): Promise<RememberedJob | undefined> {
  for (const folder of await ownFolders(env)) {
    const job = await readJob(join(folder, FILE)).catch(() => undefined);
    if (job !== undefined) return job;
  }
  return undefined;
}

async function readJob(path: string): Promise<RememberedJob | undefined> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const info = await file.stat();
  if (!info.isFile() || !isPrivate(info) || info.nlink !== 1 || info.size > LARGEST_FILE) return undefined;
  return rememberedJob().parse(parseJson(await file.readFile('utf8')));
}

function rememberedJob(): z.ZodMiniType<RememberedJob> {
  const kind = z.string().check(z.regex(/^[a-z-]+$/));
  return z.union([
    z.strictObject({ kind, id: z.string().check(z.regex(/^[!-~]{1,1000}$/)) }),
    z.strictObject({ kind, key: z.string().check(z.regex(/^[0-9a-f]{64}$/)), attempt: z.int().check(z.minimum(1)) }),
  ]);
}
