import { type FieldFault, type Job, type MachineSpec, type Machines, notSet } from './vertex-job-rules.ts';

/** A custom job in canonical JSON, as far as the rules look at it. */
export interface CustomJob extends Job {
  readonly jobSpec: {
    readonly workerPoolSpecs: readonly WorkerPoolSpec[];
    readonly serviceAccount?: string;
    readonly tensorboard?: string;
    readonly scheduling?: { readonly strategy?: string };
  };
}

interface WorkerPoolSpec {
  readonly machineSpec?: MachineSpec;
  readonly replicaCount?: string;
  readonly containerSpec?: { readonly env?: readonly unknown[] };
  readonly pythonPackageSpec?: { readonly env?: readonly unknown[]; readonly packageUris?: readonly unknown[] };
}

const MAX_ENTRIES = 100;

/**
 * The rules that are written in the descriptions of the fields, not in their types
 * (https://cloud.google.com/vertex-ai/docs/reference/rest/v1/CustomJobSpec).
 */
export function* customJobFaults({ jobSpec }: CustomJob): Generator<FieldFault> {
  for (const { at, pool } of wantedPools(jobSpec)) {
    const task = pool.containerSpec ?? pool.pythonPackageSpec;
    if (task === undefined) yield notSet(`${at}.task`);
    const lists = { env: task?.env, package_uris: pool.pythonPackageSpec?.packageUris };
    for (const [name, list] of Object.entries(lists)) {
      if ((list?.length ?? 0) > MAX_ENTRIES) {
        const spec = pool.containerSpec === undefined ? 'python_package_spec' : 'container_spec';
        yield { field: `${at}.${spec}.${name}`, description: `There are more than ${MAX_ENTRIES} entries.` };
      }
    }
  }
  if (jobSpec.tensorboard !== undefined && jobSpec.serviceAccount === undefined) {
    yield { field: 'job_spec.service_account', description: 'A service account is required with `tensorboard`.' };
  }
}

/** The machines of all pools. */
export function customJobMachines({ jobSpec }: CustomJob): Machines[] {
  const preemptible = jobSpec.scheduling?.strategy === 'SPOT';
  return wantedPools(jobSpec).map(({ at, pool: { machineSpec, replicaCount = '0' } }) => ({
    at,
    machineSpec,
    replicas: Number(replicaCount),
    preemptible,
  }));
}

/** A pool is known by its position, so one that is not wanted stays empty. */
function wantedPools({ workerPoolSpecs }: CustomJob['jobSpec']) {
  return workerPoolSpecs
    .map((pool, index) => ({ at: `job_spec.worker_pool_specs[${index}]`, pool }))
    .filter(({ pool }, index) => index === 0 || Object.keys(pool).length > 0);
}
