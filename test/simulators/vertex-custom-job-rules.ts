/** A custom job in canonical JSON, as far as the rules look at it. */
export interface CustomJob {
  readonly displayName: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly jobSpec: {
    readonly workerPoolSpecs: readonly WorkerPoolSpec[];
    readonly serviceAccount?: string;
    readonly tensorboard?: string;
    readonly scheduling?: { readonly strategy?: string };
  };
}

interface WorkerPoolSpec {
  readonly machineSpec?: {
    readonly machineType?: string;
    readonly acceleratorType?: string;
    readonly acceleratorCount?: number;
  };
  readonly replicaCount?: string;
  readonly containerSpec?: { readonly env?: readonly unknown[] };
  readonly pythonPackageSpec?: { readonly env?: readonly unknown[]; readonly packageUris?: readonly unknown[] };
}

/** What the service finds wrong with a field. */
export interface FieldFault {
  readonly field: string;
  readonly description: string;
}

const MAX_DISPLAY_NAME = 128;
const MAX_LABELS = 64;
const MAX_ENTRIES = 100;
const MACHINE_FAMILIES = /^(a2|a3|a4|c2|c3|e2|g2|m1|n1|n2|n2d)-[a-z]+-\d+g?$/;

/**
 * The rules that are written in the descriptions of the fields, not in their types
 * (https://cloud.google.com/vertex-ai/docs/reference/rest/v1/CustomJobSpec).
 */
export function customJobFaults(job: CustomJob): FieldFault[] {
  return [...displayNameFaults(job), ...labelFaults(job.labels ?? {}), ...specFaults(job.jobSpec)];
}

function* displayNameFaults({ displayName }: CustomJob): Generator<FieldFault> {
  if ([...displayName].length > MAX_DISPLAY_NAME) {
    yield { field: 'display_name', description: `The length must not exceed ${MAX_DISPLAY_NAME} characters.` };
  }
}

/** Where Vertex AI and Google Cloud at large differ (64 or 63 characters, first character), the stricter rule holds. */
function* labelFaults(labels: Readonly<Record<string, string>>): Generator<FieldFault> {
  const entries = Object.entries(labels);
  if (entries.length > MAX_LABELS) yield { field: 'labels', description: `There are more than ${MAX_LABELS} labels.` };
  for (const [key, value] of entries) {
    if (!/^[\p{Ll}\p{Lo}][\p{Ll}\p{Lo}\p{N}_-]{0,62}$/u.test(key)) {
      yield { field: 'labels', description: `The label key "${key}" is invalid.` };
    }
    if (!/^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$/u.test(value)) {
      yield { field: 'labels', description: `The value "${value}" of the label "${key}" is invalid.` };
    }
  }
}

function* specFaults(spec: CustomJob['jobSpec']): Generator<FieldFault> {
  for (const [index, pool] of spec.workerPoolSpecs.entries()) {
    // A pool is known by its position, so one that is not wanted stays empty.
    if (index > 0 && Object.keys(pool).length === 0) continue;
    yield* poolFaults(pool, `job_spec.worker_pool_specs[${index}]`);
  }
  if (spec.tensorboard !== undefined && spec.serviceAccount === undefined) {
    yield { field: 'job_spec.service_account', description: 'A service account is required with `tensorboard`.' };
  }
}

function* poolFaults(pool: WorkerPoolSpec, path: string): Generator<FieldFault> {
  const { machineType, acceleratorType, acceleratorCount } = pool.machineSpec ?? {};
  if (machineType === undefined) {
    yield { field: `${path}.machine_spec.machine_type`, description: 'Required field is not set.' };
  } else if (!MACHINE_FAMILIES.test(machineType)) {
    yield {
      field: `${path}.machine_spec.machine_type`,
      description: `Machine type "${machineType}" is not supported.`,
    };
  }
  if ((acceleratorType === undefined) !== (acceleratorCount === undefined)) {
    yield {
      field: `${path}.machine_spec.accelerator_type`,
      description: 'Both `accelerator_type` and `accelerator_count` should be specified or none.',
    };
  }
  const task = pool.containerSpec ?? pool.pythonPackageSpec;
  if (task === undefined) yield { field: `${path}.task`, description: 'Required field is not set.' };
  const lists = { env: task?.env, package_uris: pool.pythonPackageSpec?.packageUris };
  for (const [name, list] of Object.entries(lists)) {
    if ((list?.length ?? 0) > MAX_ENTRIES) {
      const spec = pool.containerSpec === undefined ? 'python_package_spec' : 'container_spec';
      yield { field: `${path}.${spec}.${name}`, description: `There are more than ${MAX_ENTRIES} entries.` };
    }
  }
}

/** How many accelerators a job takes from each quota metric. */
export function acceleratorUse({ jobSpec }: CustomJob): ReadonlyMap<string, number> {
  const use = new Map<string, number>();
  const capacity = jobSpec.scheduling?.strategy === 'SPOT' ? 'preemptible_' : '';
  for (const { machineSpec, replicaCount = '0' } of jobSpec.workerPoolSpecs) {
    const { acceleratorType, acceleratorCount = 0 } = machineSpec ?? {};
    if (acceleratorType === undefined) continue;
    const accelerator = acceleratorType.toLowerCase().replace('_tesla_', '_');
    const metric = `aiplatform.googleapis.com/custom_model_training_${capacity}${accelerator}_gpus`;
    use.set(metric, (use.get(metric) ?? 0) + acceleratorCount * Number(replicaCount));
  }
  return use;
}
