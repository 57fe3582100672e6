import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { createWorld, type World } from '../test/simulators/world.ts';
import { createsJob } from './bench-cases.ts';
import { runStep, type StepProcess } from './ci-step.ts';

/** Milliseconds since a process was started. */
export interface Timing {
  /** The first request reached a service. */
  readonly firstByte: number;
  /** The service had answered that the job exists. */
  readonly accepted: number;
}

interface Bench {
  readonly world: World;
  time(step: StepProcess): Promise<Timing>;
  close(): Promise<void>;
}

/** What was measured on. */
export const MACHINE = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, ${process.platform}, Node ${process.version}`;

/** How many rounds `--runs` asks for. */
export function roundsWanted(standard: number): number {
  const { values } = parseArgs({ options: { runs: { type: 'string', default: String(standard) } } });
  const rounds = Number(values.runs);
  if (!Number.isSafeInteger(rounds) || rounds < 1) throw new Error('--runs must be a whole number from 1');
  return rounds;
}

const LIMIT_MS = 30_000;

/** Simulators that time the one process that runs. */
export async function createBench(): Promise<Bench> {
  let firstByteAt: number | undefined;
  let acceptedAt: number | undefined;
  const world = await createWorld({
    // Jobs that go on would use the project's quota up.
    google: { script: () => [{ state: 'JOB_STATE_SUCCEEDED' }] },
    onRequest: () => {
      firstByteAt ??= performance.now();
    },
    onAnswer: (request, status) => {
      if (createsJob(request) && status < 300) acceptedAt ??= performance.now();
    },
  });
  return {
    world,
    close: world.close,
    time: async (step) => {
      firstByteAt = undefined;
      acceptedAt = undefined;
      const startedAt = performance.now();
      await succeed(step);
      if (firstByteAt === undefined || acceptedAt === undefined) throw new Error('no job was submitted');
      return { firstByte: firstByteAt - startedAt, accepted: acceptedAt - startedAt };
    },
  };
}

/** Milliseconds from start to end of a process. */
export async function wallTime(step: StepProcess): Promise<number> {
  const { seconds } = await succeed(step);
  return seconds * 1000;
}

const PRELOAD = pathToFileURL(join(import.meta.dirname, 'bench-preload.mjs')).href;

/** What one process takes, with the bytes of the bundle's files that it loads. Not timed: that is measured from inside. */
export async function footprint(step: StepProcess, bundle: string, file: string) {
  const { peakMib, loaded } = await observed(step, file);
  const own = loaded.filter((url) => url.startsWith(pathToFileURL(bundle).href));
  return { peakMib, loadedBytes: bytesOf(own.map((url) => fileURLToPath(url))) };
}

function bytesOf(files: readonly string[]): number {
  return files.reduce((sum, file) => sum + statSync(file).size, 0);
}

interface Observed {
  readonly seconds: number;
  readonly peakMib: number;
  /** Of its processors, in user and system mode. */
  readonly cpuSeconds: number;
  /** Addresses of the files. */
  readonly loaded: readonly string[];
}

/** Runs a process of Node that notes, in a file, what it takes. */
export async function observed(step: StepProcess, file: string, limitMs = LIMIT_MS): Promise<Observed> {
  const preload = `--import=${PRELOAD}`;
  // The hooks keep NODE_OPTIONS from their Node, so they are given one that has it built in.
  const node = `${file}.node`;
  writeFileSync(node, `#!/bin/sh\nexec '${process.execPath}' '${preload}' "$@"\n`, { mode: 0o755 });
  const env = { ...step.env, KEYLESS_SUBMIT_NODE: node, NODE_OPTIONS: preload, BENCH_FOOTPRINT_FILE: file };
  const { seconds } = await succeed({ ...step, env }, limitMs);
  const { peakKib, cpuUs, loaded } = JSON.parse(readFileSync(file, 'utf8')) as {
    readonly peakKib: number;
    readonly cpuUs: number;
    readonly loaded: readonly string[];
  };
  return { seconds, peakMib: peakKib / 1024, cpuSeconds: cpuUs / 1e6, loaded };
}

/** Bytes of all programs in a bundle. */
export async function bundleBytes(main: string): Promise<number> {
  const files = (await readdir(dirname(main))).filter((name) => name.endsWith('.mjs'));
  return bytesOf(files.map((name) => join(dirname(main), name)));
}

async function succeed(step: StepProcess, limitMs = LIMIT_MS) {
  const ended = await runStep(step, limitMs);
  if (ended.exitCode !== 0) throw new Error(`${step.command} ended with ${ended.exitCode}:\n${ended.log}`);
  return ended;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? 0) + (sorted[Math.floor(middle)] ?? 0)) / 2;
}
