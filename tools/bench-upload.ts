import { join } from 'node:path';
import { MACHINE, roundsWanted } from './bench-measure.ts';
import { type Deployer, deployersOf, medians, type Upload, uploadBench } from './bench-upload-measure.ts';
import { writeLargeOutput } from './bench-upload-output.ts';
import { type Condition, type UploadResults, uploadMarkdown } from './bench-upload-table.ts';
import { makePackagings } from './packagings.ts';
import { temporaryFolder } from './temporary-folder.ts';

const SIZE = { files: 5_000, bytes: 200_000_000 };
const ROUND_TRIP_MS = 50;

/** Deploys one large build with everything that can, one after the other, and gives the medians. */
async function benchUpload(folder: string, rounds: number): Promise<UploadResults> {
  const packagings = await makePackagings(folder);
  writeLargeOutput(join(folder, 'checkout'), SIZE);
  const deployers = deployersOf(folder, packagings);
  const taken = new Map<Deployer, Record<Condition, Upload>[]>(deployers.map((deployer) => [deployer, []]));
  for (let round = 1; round <= rounds; round += 1) {
    for (const [deployer, list] of taken) list.push(await everyCondition(deployer, folder));
    if (process.stderr.isTTY) process.stderr.write(`\rround ${round} of ${rounds}\r`);
  }
  return {
    machine: MACHINE,
    rounds,
    roundTripMs: ROUND_TRIP_MS,
    size: SIZE,
    deployers: [...taken].map(([{ title }, list]) => ({
      title,
      medians: {
        cold: medians(list.map(({ cold }) => cold)),
        warm: medians(list.map(({ warm }) => warm)),
        far: medians(list.map(({ far }) => far)),
      },
    })),
  };
}

async function everyCondition(deployer: Deployer, folder: string): Promise<Record<Condition, Upload>> {
  await using near = await uploadBench();
  const cold = await near.deploy(deployer, folder, 0);
  const warm = await near.deploy(deployer, folder, 0);
  await using away = await uploadBench();
  return { cold, warm, far: await away.deploy(deployer, folder, ROUND_TRIP_MS) };
}

console.log(uploadMarkdown(await benchUpload(temporaryFolder('bench'), roundsWanted(3))));
