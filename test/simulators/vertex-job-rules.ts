/** A job in canonical JSON, as far as those of all collections are alike. */
export interface Job {
  readonly displayName: string;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface MachineSpec {
  readonly machineType?: string;
  readonly acceleratorType?: string;
  readonly acceleratorCount?: number;
}

/** Machines of one sort that a job asks for. */
export interface Machines {
  /** The field whose `machine_spec` describes them, in proto spelling. */
  readonly at: string;
  readonly machineSpec: MachineSpec | undefined;
  readonly replicas: number;
  readonly preemptible?: boolean;
}

/** What the service finds wrong with a field. */
export interface FieldFault {
  readonly field: string;
  readonly description: string;
}

const MAX_DISPLAY_NAME = 128;
const MAX_LABELS = 64;

/** The rules for a job's name, its labels and its machines that are written in the descriptions of the fields. */
export function jobFaults(job: Job, machines: readonly Machines[]): FieldFault[] {
  return [...displayNameFaults(job), ...labelFaults(job.labels ?? {}), ...machines.flatMap(machineFaults)];
}

function displayNameFaults({ displayName }: Job): FieldFault[] {
  if ([...displayName].length <= MAX_DISPLAY_NAME) return [];
  return [{ field: 'display_name', description: `The length must not exceed ${MAX_DISPLAY_NAME} characters.` }];
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

/** Which types there are changes too often for a list: what has the form of one is taken for one. */
function machineFaults({ at, machineSpec = {} }: Machines): FieldFault[] {
  const { machineType, acceleratorType, acceleratorCount } = machineSpec;
  const faults: FieldFault[] = [];
  if (machineType === undefined) faults.push(notSet(`${at}.machine_spec.machine_type`));
  else if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)+$/.test(machineType)) {
    const description = `Machine type "${machineType}" is not supported.`;
    faults.push({ field: `${at}.machine_spec.machine_type`, description });
  }
  if ((acceleratorType === undefined) !== (acceleratorCount === undefined)) {
    const description = 'Both `accelerator_type` and `accelerator_count` should be specified or none.';
    faults.push({ field: `${at}.machine_spec.accelerator_type`, description });
  }
  return faults;
}

/** A field that is required by its description alone, such as one of several. */
export function notSet(field: string): FieldFault {
  return { field, description: 'Required field is not set.' };
}

/** How many accelerators a job's machines take from each quota metric of a family such as `custom_model_training`. */
export function acceleratorUse(family: string, machines: readonly Machines[]): ReadonlyMap<string, number> {
  const use = new Map<string, number>();
  for (const { machineSpec: { acceleratorType, acceleratorCount = 0 } = {}, replicas, preemptible } of machines) {
    if (acceleratorType === undefined) continue;
    const accelerator = acceleratorType.toLowerCase().replace('_tesla_', '_');
    const capacity = preemptible === true ? 'preemptible_' : '';
    const metric = `aiplatform.googleapis.com/${family}_${capacity}${accelerator}_gpus`;
    use.set(metric, (use.get(metric) ?? 0) + acceleratorCount * replicas);
  }
  return use;
}
