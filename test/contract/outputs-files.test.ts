import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { pipeVariable } from '../../pipe/bitbucket-settings.ts';
import { EXIT } from '../../shared/errors.ts';
import { runStep, type Stage } from './harness.ts';
import { CIS } from './kind-samples.ts';
import { stagePool } from './stage-pool.ts';

const stages = stagePool();
const KIND = 'vertex-custom-job';

type Put = (path: string) => Promise<unknown>;

function fifo(path: string): Promise<unknown> {
  return promisify(execFile)('mkfifo', [path]);
}

/** What a checkout may have where the outputs are to be written, and what is said of it. */
const OBSTACLES: readonly (readonly [what: string, path: string, put: Put, says: string])[] = [
  ['a FIFO', 'build/outputs.json', fifo, 'build/outputs.json is not a file'],
  ['a FIFO where the file for shells goes', 'build/outputs.env', fifo, 'build/outputs.env is not a file'],
  ['a directory', 'build/outputs.json', mkdir, 'build/outputs.json is a directory'],
  ['a link', 'build/outputs.json', (path) => symlink('../train.py', path), 'build/outputs.json is a symbolic link'],
  ['a link that leads out', 'build', (path) => symlink('../../..', path), 'build/outputs.json is outside the checkout'],
  ['a file on the way', 'build', (path) => writeFile(path, ''), 'leads through build, which is not a directory'],
];

async function checkoutWith(stage: Stage, path: string, put: Put): Promise<string> {
  const checkout = await mkdtemp(join(stage.directory, 'checkout-'));
  await mkdir(dirname(join(checkout, path)), { recursive: true });
  await put(join(checkout, path));
  return checkout;
}

test.each(CIS.flatMap((ci) => OBSTACLES.map(([what, path, put, says]) => [ci, what, { path, put, says }] as const)))(
  'on %s, outputs that %s is in the way of are refused before anything is sent',
  (ci, _what, { path, put, says }) =>
    stages.use(async (stage, build) => {
      const checkout = await checkoutWith(stage, path, put);
      const settings = { 'outputs-file': 'build/outputs.json' };
      const { exitCode, log, requests } = await runStep(stage, { kind: KIND, ci, build, checkout, settings });
      expect(exitCode, log).toBe(EXIT.settings);
      const spelt = ci === 'bitbucket' ? pipeVariable('outputs-file') : 'outputs-file';
      expect(log).toContain(`${spelt}: `);
      expect(log).toContain(says);
      expect(requests).toEqual([]);
    }),
);

test('on bitbucket, the file that is written without being asked for is looked at as well', () =>
  stages.use(async (stage, build) => {
    const checkout = await checkoutWith(stage, '.keyless-submit/outputs.json', mkdir);
    const { exitCode, log, requests } = await runStep(stage, { kind: KIND, ci: 'bitbucket', build, checkout });
    expect(exitCode, log).toBe(EXIT.settings);
    expect(log).toContain('.keyless-submit/outputs.json is a directory');
    expect(requests).toEqual([]);
  }));

const WANTED = { 'output-variables': ['KEYLESS_RESULT'] };

async function sharing(stage: Stage, build: number, put: Put) {
  const folder = await mkdtemp(join(stage.directory, 'agent-'));
  const path = join(folder, 'variables.env');
  await put(path);
  const env = { BITBUCKET_PIPELINES_VARIABLES_PATH: path };
  return { path, step: { kind: KIND, ci: 'bitbucket', build, settings: WANTED, env } as const };
}

test.each([
  ['a FIFO', fifo, /cannot be written \(ENXIO\)/],
  ['a directory', mkdir, /cannot be written \(EISDIR\)/],
  ['a device', (path: string) => symlink('/dev/null', path), /variables\.env is not a file/],
  ['in no directory', (path: string) => symlink('nowhere/variables.env', path), /cannot be written \(ENOENT\)/],
])("bitbucket's file for variables that is %s is refused before anything is sent", (_what, put, says) =>
  stages.use(async (stage, build) => {
    const { step } = await sharing(stage, build, put);
    const { exitCode, log, requests } = await runStep(stage, step);
    expect(exitCode, log).toBe(EXIT.settings);
    expect(log).toMatch(/OUTPUT_VARIABLES: /);
    expect(log).toMatch(says);
    expect(requests).toEqual([]);
  }),
);

test('variables that bitbucket has no file for are refused before anything is sent', () =>
  stages.use(async (stage, build) => {
    const { exitCode, log, requests } = await runStep(stage, { kind: KIND, ci: 'bitbucket', build, settings: WANTED });
    expect(exitCode, log).toBe(EXIT.settings);
    expect(log).toContain('OUTPUT_VARIABLES: Bitbucket gave no BITBUCKET_PIPELINES_VARIABLES_PATH');
    expect(requests).toEqual([]);
  }));

test("bitbucket's file for variables keeps what the step has put there before", () =>
  stages.use(async (stage, build) => {
    const { step, path } = await sharing(stage, build, (file) => writeFile(file, 'OTHER=1\n'));
    const { exitCode, log } = await runStep(stage, step);
    expect(exitCode, log).toBe(EXIT.done);
    expect(await readFile(path, 'utf8')).toBe('OTHER=1\nKEYLESS_RESULT=succeeded\n');
  }));
