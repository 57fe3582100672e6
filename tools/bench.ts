import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { agentStandIn, type BenchCase, benchCases } from './bench-cases.ts';
import {
  bundleBytes,
  createBench,
  footprint,
  MACHINE,
  median,
  roundsWanted,
  type Timing,
  wallTime,
} from './bench-measure.ts';
import { type BenchResults, type CaseResults, markdown } from './bench-table.ts';
import { makePackagings, type Packagings } from './packagings.ts';
import { temporaryFolder } from './temporary-folder.ts';

const ROUND_TRIP_MS = 50;
const FOOTPRINTS = 3;

/** Measures everything side by side, one process at a time, and gives the medians. */
async function bench(folder: string, rounds: number): Promise<BenchResults> {
  const packagings = await makePackagings(folder);
  const { world, time, close } = await createBench();
  const cases = benchCases(world, packagings, folder);
  const times = new Map(cases.map((each) => [each, { near: [] as Timing[], far: [] as Timing[] }]));
  const empty = emptyProcess(folder);
  const agent = agentCall(folder);
  const emptyTimes: number[] = [];
  const agentTimes: number[] = [];

  // The first round warms the simulators and the disk up, and counts for nothing.
  for (let round = 0; round <= rounds; round += 1) {
    const keep = <T>(list: T[], value: T) => {
      if (round > 0) list.push(value);
    };
    keep(emptyTimes, await wallTime(empty));
    keep(agentTimes, await wallTime(agent));
    for (const [each, { near, far }] of times) {
      world.setDelay(0);
      keep(near, await time(await each.prepare()));
      world.setDelay(ROUND_TRIP_MS);
      keep(far, await time(await each.prepare()));
    }
    if (process.stderr.isTTY) process.stderr.write(`\rround ${round} of ${rounds}\r`);
  }
  world.setDelay(0);

  const results: CaseResults[] = [];
  for (const [each, { near, far }] of times) {
    results.push({
      ...each,
      firstByteMs: median(near.map(({ firstByte }) => firstByte)),
      nearMs: median(near.map(({ accepted }) => accepted)),
      farMs: median(far.map(({ accepted }) => accepted)),
      ...(await largestFootprint(each, packagings, folder)),
    });
  }
  await close();
  const file = join(folder, 'footprint.json');
  return {
    rounds,
    roundTripMs: ROUND_TRIP_MS,
    machine: MACHINE,
    emptyMs: median(emptyTimes),
    emptyMib: (await footprint(empty, folder, file)).peakMib,
    agentMs: median(agentTimes),
    totalBytes: {
      bitbucket: await bundleBytes(packagings.pipe),
      buildkite: await bundleBytes(pluginMain(packagings)),
    },
    cases: results,
  };
}

async function largestFootprint(each: BenchCase, packagings: Packagings, folder: string) {
  const bundle = dirname(each.ci === 'bitbucket' ? packagings.pipe : pluginMain(packagings));
  const all = [];
  for (let run = 0; run < FOOTPRINTS; run += 1) {
    all.push(await footprint(await each.prepare(), bundle, join(folder, 'footprint.json')));
  }
  return {
    peakMib: Math.max(...all.map(({ peakMib }) => peakMib)),
    loadedBytes: Math.max(...all.map(({ loadedBytes }) => loadedBytes)),
  };
}

function pluginMain({ plugin }: Packagings): string {
  return join(plugin, 'buildkite-plugin/dist/main.mjs');
}

function emptyProcess(folder: string) {
  const file = join(folder, 'empty.mjs');
  writeFileSync(file, '');
  return { command: process.execPath, args: [file], cwd: folder, env: { PATH: process.env.PATH ?? '' } };
}

function agentCall(folder: string) {
  const { bin, give } = agentStandIn(join(folder, 'agent-alone'));
  give('a-token');
  return { command: join(bin, 'buildkite-agent'), args: ['oidc'], cwd: folder, env: {} };
}

console.log(markdown(await bench(temporaryFolder('bench'), roundsWanted(15))));
