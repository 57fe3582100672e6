import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import metadata from '../../package.json' with { type: 'json' };
import { NODE, ROOT, temporaryFolder } from '../e2e/folders.ts';

const IMAGE = `${metadata.keylessSubmit.image}:${metadata.version}`;
const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`;

/** The release tool in a checkout of its own, where docker answers as the script says. */
function checkout(docker: string) {
  const folder = temporaryFolder('release');
  for (const file of ['tools/release.ts', 'shared/project.ts', 'package.json', 'Dockerfile'])
    cpSync(join(ROOT, file), join(folder.path, file));
  mkdirSync(join(folder.path, 'hooks'));
  writeFileSync(join(folder.path, 'docker'), `#!/bin/sh\n${docker}\n`);
  chmodSync(join(folder.path, 'docker'), 0o755);
  return {
    [Symbol.dispose]: () => folder[Symbol.dispose](),
    run: (step: string) => {
      const options = { cwd: folder.path, env: { PATH: `${folder.path}:/bin:/usr/bin` }, encoding: 'utf8' } as const;
      const { status, stdout, stderr } = spawnSync(NODE, ['tools/release.ts', step], options);
      return { status, output: stdout + stderr };
    },
    read: (path: string) => readFileSync(join(folder.path, path), 'utf8'),
    write: (path: string, text: string) => writeFileSync(join(folder.path, path), text),
  };
}

/** Knows the digest of every tag, and keeps what was asked. */
const REGISTRY = `echo "$@" >> asked; echo '{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"${DIGEST}"}'`;

it('a release is refused until both digests are recorded, as docker tells them', () => {
  using release = checkout(REGISTRY);
  const before = release.run('check');
  expect(before.status).toBe(1);
  expect(before.output).toContain('NODE_IMAGE has no digest');
  expect(before.output).toContain(`expected ${IMAGE} with its digest, found nothing`);

  expect(release.run('base')).toMatchObject({ status: 0 });
  expect(release.read('Dockerfile')).toContain(`\nARG NODE_IMAGE=node:24-slim@${DIGEST}\n`);
  expect(release.run('check')).toMatchObject({ status: 1 });
  expect(release.run('image')).toMatchObject({ status: 0 });
  expect(release.read('hooks/released-image')).toBe(`${IMAGE}@${DIGEST}\n`);
  expect(release.run('check')).toMatchObject({ status: 0 });
  expect(release.read('asked')).toMatch(
    new RegExp(`imagetools inspect .* node:24-slim\\n.*imagetools inspect .* ${IMAGE}\\n`),
  );

  // A later base replaces the earlier one.
  expect(release.run('base')).toMatchObject({ status: 0 });
  expect(release.read('Dockerfile').match(/^ARG NODE_IMAGE=.*$/m)?.[0]).toBe(`ARG NODE_IMAGE=node:24-slim@${DIGEST}`);
});

it.each([
  ['of an earlier version', `${metadata.keylessSubmit.image}:0.0.9@${DIGEST}`],
  ['of another repository', `docker.io/other/image:${metadata.version}@${DIGEST}`],
  ['by a tag alone', IMAGE],
  ['by a digest that is cut', `${IMAGE}@${DIGEST.slice(0, -1)}`],
])('a release is refused with an image %s', (_, image) => {
  using release = checkout(REGISTRY);
  expect(release.run('base')).toMatchObject({ status: 0 });
  release.write('hooks/released-image', `${image}\n`);
  const { status, output } = release.run('check');
  expect([status, output]).toEqual([1, expect.stringContaining(`found ${image}`)]);
});

it.each(['exit 1', 'echo not JSON', `echo '{"digest":"sha256:12"}'`, 'echo null'])(
  'nothing is recorded that docker does not tell: %s',
  (docker) => {
    using release = checkout(docker);
    expect(release.run('base').status).not.toBe(0);
    expect(release.run('image').status).not.toBe(0);
    expect(release.read('Dockerfile')).toBe(readFileSync(join(ROOT, 'Dockerfile'), 'utf8'));
    expect(() => release.read('hooks/released-image')).toThrow();
  },
);

it.each([
  ['node:24-slim', false],
  ['node:24-slim@sha256:12', false],
  [`node:24-slim@${DIGEST}`, true],
  [`registry.example/node@${DIGEST}`, true],
  ['localhost/node:24-slim', true],
  ['localhost.example/node:24', false],
])('the image is built on %s: %s', (base, isTaken) => {
  const check =
    /^RUN (case "\$\{NODE_IMAGE\}"[\s\S]*?esac)$/m.exec(readFileSync(join(ROOT, 'Dockerfile'), 'utf8'))?.[1] ??
    'exit 9';
  const { status, stderr } = spawnSync('sh', ['-c', check], { env: { NODE_IMAGE: base }, encoding: 'utf8' });
  expect([status, stderr.includes(`NODE_IMAGE is ${base}`)]).toEqual(isTaken ? [0, false] : [1, true]);
});
