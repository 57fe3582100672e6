import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PROJECT } from '../shared/project.ts';

const ROOT = join(import.meta.dirname, '..');
const DOCKERFILE = join(ROOT, 'Dockerfile');
/** The image that the hooks run where an agent has no suitable Node, by its digest. */
const RELEASED_IMAGE = join(ROOT, 'hooks/released-image');
const BASE = /^ARG NODE_IMAGE=([^\s@]+)(?:@(\S+))?$/m;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const IMAGE = `${PROJECT.image}:${PROJECT.version}`;

/**
 * The digest that a registry has for a tag now.
 * https://docs.docker.com/reference/cli/docker/buildx/imagetools/inspect/
 */
async function digestOf(image: string): Promise<string> {
  const inspect = ['buildx', 'imagetools', 'inspect', '--format', '{{json .Manifest}}', image];
  const { stdout } = await promisify(execFile)('docker', inspect);
  const { digest } = JSON.parse(stdout) as { readonly digest?: unknown };
  if (typeof digest !== 'string' || !DIGEST.test(digest)) throw new Error(`docker gave no digest for ${image}`);
  return digest;
}

/** Pins the image's base in the Dockerfile to what its tag means now. */
async function recordBase(): Promise<void> {
  const text = await readFile(DOCKERFILE, 'utf8');
  const tag = BASE.exec(text)?.[1];
  if (tag === undefined) throw new Error('Dockerfile has no ARG NODE_IMAGE with a default');
  const pinned = `${tag}@${await digestOf(tag)}`;
  await writeFile(DOCKERFILE, text.replace(BASE, `ARG NODE_IMAGE=${pinned}`));
  console.log(`Dockerfile: ${pinned}`);
}

/** Records the image of this version, once it is pushed. */
async function recordImage(): Promise<void> {
  const released = `${IMAGE}@${await digestOf(IMAGE)}`;
  await writeFile(RELEASED_IMAGE, `${released}\n`);
  console.log(`hooks/released-image: ${released}`);
}

/** What is missing for a release; nothing when it may be tagged. */
async function missing(): Promise<readonly string[]> {
  const base = BASE.exec(await readFile(DOCKERFILE, 'utf8'))?.[2] ?? '';
  const released = (await readFile(RELEASED_IMAGE, 'utf8').catch(() => '')).trim();
  const [image, digest = ''] = released.split('@');
  return [
    ...(DIGEST.test(base) ? [] : ['Dockerfile: NODE_IMAGE has no digest. Run: npm run release base']),
    ...(image === IMAGE && DIGEST.test(digest)
      ? []
      : [
          `hooks/released-image: expected ${IMAGE} with its digest, found ${released || 'nothing'}. Push the image, then run: npm run release image`,
        ]),
  ];
}

const steps: Readonly<Record<string, () => Promise<void>>> = {
  base: recordBase,
  image: recordImage,
  check: async () => {
    const faults = await missing();
    for (const fault of faults) console.error(fault);
    if (faults.length > 0) process.exitCode = 1;
    else console.log(`${PROJECT.version} can be tagged`);
  },
};
const step = steps[process.argv[2] ?? ''];
if (step === undefined) throw new Error(`expected one of ${Object.keys(steps).join(', ')}`);
await step();
