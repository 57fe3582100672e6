import type { LifeView } from './vertex-job-life.ts';
import { type FieldFault, type Job, type MachineSpec, type Machines, notSet } from './vertex-job-rules.ts';

/** A batch prediction job in canonical JSON, as far as the rules look at it. */
export interface BatchPredictionJob extends Job {
  readonly model?: string;
  readonly unmanagedContainerModel?: { readonly containerSpec?: { readonly imageUri?: string } };
  readonly inputConfig: {
    readonly instancesFormat: string;
    readonly gcsSource?: { readonly uris: readonly string[] };
    readonly bigquerySource?: { readonly inputUri: string };
  };
  readonly outputConfig: {
    readonly predictionsFormat: string;
    readonly gcsDestination?: { readonly outputUriPrefix: string };
    readonly bigqueryDestination?: { readonly outputUri: string };
  };
  readonly instanceConfig?: {
    readonly includedFields?: readonly string[];
    readonly excludedFields?: readonly string[];
  };
  readonly dedicatedResources?: {
    readonly machineSpec?: MachineSpec;
    readonly startingReplicaCount?: number;
    readonly maxReplicaCount?: number;
  };
  readonly generateExplanation?: boolean;
  readonly explanationSpec?: unknown;
  readonly serviceAccount?: string;
}

/** One end of a job's data. */
interface Storage {
  readonly at: string;
  /** The field that is required, of which each place is one form. */
  readonly oneof: string;
  readonly word: string;
  /** The place that each format goes with (`supported_input_storage_formats` and …`output`… of a Model). */
  readonly formats: Readonly<Record<string, string>>;
}

const INPUT: Storage = {
  at: 'input_config',
  oneof: 'source',
  word: 'Instance',
  formats: {
    jsonl: 'gcs_source',
    csv: 'gcs_source',
    'tf-record': 'gcs_source',
    'tf-record-gzip': 'gcs_source',
    bigquery: 'bigquery_source',
    'file-list': 'gcs_source',
  },
};
const OUTPUT: Storage = {
  at: 'output_config',
  oneof: 'destination',
  word: 'Prediction',
  formats: { jsonl: 'gcs_destination', csv: 'gcs_destination', bigquery: 'bigquery_destination' },
};

/** A model of a project, with its location and its version, or one of a publisher. */
const MODEL_NAME =
  /^(?:projects\/[^/]+\/locations\/([^/]+)\/(publishers\/[^/]+\/)?|publishers\/[^/]+\/)models\/([^/@]+)(?:@([\w-]+))?$/;
const DEFAULT_MAX_REPLICAS = 10;
const MAX_BIGQUERY_URI = 2000;
const ALL_INSTANCES = 100;

/**
 * The rules that are written in the descriptions of the fields, not in their types
 * (https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.batchPredictionJobs).
 */
export function batchPredictionFaults(job: BatchPredictionJob, location: string): FieldFault[] {
  const { model, unmanagedContainerModel, inputConfig, outputConfig, instanceConfig, dedicatedResources } = job;
  const { startingReplicaCount = 0, maxReplicaCount = DEFAULT_MAX_REPLICAS } = dedicatedResources ?? {};
  const { containerSpec } = unmanagedContainerModel ?? {};
  const [whole, modelLocation = location] = MODEL_NAME.exec(model ?? '') ?? [];
  const rules: readonly (readonly [broken: boolean, field: string, description: string])[] = [
    [
      (model === undefined) === (unmanagedContainerModel === undefined),
      'model',
      'Exactly one of model and unmanaged_container_model must be set.',
    ],
    [
      model !== undefined && (whole === undefined || modelLocation !== location),
      'model',
      `"${model}" is not the name of a Model in the Location ${location}.`,
    ],
    [
      unmanagedContainerModel !== undefined && dedicatedResources === undefined,
      'dedicated_resources',
      'This config must be provided, because the Model does not support AUTOMATIC_RESOURCES.',
    ],
    [
      containerSpec !== undefined && containerSpec.imageUri === undefined,
      'unmanaged_container_model.container_spec.image_uri',
      'Required field is not set.',
    ],
    [
      startingReplicaCount > maxReplicaCount,
      'dedicated_resources.starting_replica_count',
      `The value must not be greater than max_replica_count (${maxReplicaCount}).`,
    ],
    [
      instanceConfig?.includedFields !== undefined && instanceConfig.excludedFields !== undefined,
      'instance_config.excluded_fields',
      'When included_fields is populated, excluded_fields must be empty.',
    ],
    [
      job.explanationSpec !== undefined && job.generateExplanation !== true,
      'explanation_spec',
      'Can be specified only if generate_explanation is set to `true`.',
    ],
  ];
  const of = model === undefined ? 'the unmanaged container model' : `Model ${model}`;
  return [
    ...rules.filter(([broken]) => broken).map(([, field, description]) => ({ field, description })),
    ...storageFaults(INPUT, of, inputConfig.instancesFormat, {
      gcs_source: inputConfig.gcsSource?.uris,
      bigquery_source: inputConfig.bigquerySource?.inputUri,
    }),
    ...storageFaults(OUTPUT, of, outputConfig.predictionsFormat, {
      gcs_destination: outputConfig.gcsDestination?.outputUriPrefix,
      bigquery_destination: outputConfig.bigqueryDestination?.outputUri,
    }),
  ];
}

/** Checks one end's format, that it has a place, and the addresses there. */
function* storageFaults(
  { at, oneof, word, formats }: Storage,
  of: string,
  format: string,
  places: Readonly<Record<string, string | readonly string[] | undefined>>,
): Generator<FieldFault> {
  const field = `${at}.${word.toLowerCase()}s_format`;
  const goesWith = Object.hasOwn(formats, format) ? formats[format] : undefined;
  const [place, uris] = Object.entries(places).find(([, given]) => given !== undefined) ?? [];
  if (goesWith === undefined) {
    const supported = Object.keys(formats).join(', ');
    const description = `${word} format "${format}" is not supported for ${of}. Supported values are: [${supported}].`;
    yield { field, description };
  } else if (place !== undefined && goesWith !== place) {
    yield { field, description: `The format "${format}" uses ${goesWith}, not ${place}.` };
  }
  if (place === undefined) yield notSet(`${at}.${oneof}`);
  for (const uri of [uris ?? []].flat()) {
    const fits =
      place?.startsWith('gcs_') === true
        ? /^gs:\/\/[^/\s]+(\/.*)?$/.test(uri)
        : /^bq:\/\/[^/\s]+$/.test(uri) && uri.length <= MAX_BIGQUERY_URI;
    if (!fits) yield { field: `${at}.${place}`, description: `The URI "${uri}" is invalid.` };
  }
}

/** The machines that were asked for. */
export function batchPredictionMachines({ dedicatedResources }: BatchPredictionJob): Machines[] {
  if (dedicatedResources === undefined) return [];
  const { machineSpec, startingReplicaCount: replicas = 1 } = dedicatedResources;
  return [{ at: 'dedicated_resources', machineSpec, replicas }];
}

/** What the service adds to a job as it gets on. One that succeeds, and of which no more is said, has predicted all. */
export function batchPredictionOutputs(
  job: BatchPredictionJob,
  { state, startTime, endTime, partialFailures, ...view }: LifeView,
  createdAt: number,
): Record<string, unknown> {
  const { model = '', unmanagedContainerModel, dedicatedResources } = job;
  const instances = view.instances ?? (state === 'JOB_STATE_SUCCEEDED' ? { successful: ALL_INSTANCES } : undefined);
  const [, location, publisher, , version = ''] = MODEL_NAME.exec(model) ?? [];
  const replicas = dedicatedResources?.startingReplicaCount ?? 1;
  return {
    // Its container_spec is input only.
    unmanagedContainerModel: unmanagedContainerModel && { ...unmanagedContainerModel, containerSpec: undefined },
    modelVersionId: location === undefined || publisher !== undefined ? undefined : versionId(version),
    partialFailures,
    completionStats: instances && {
      successfulCount: instances.successful ?? 0,
      failedCount: instances.failed ?? 0,
      incompleteCount: instances.incomplete ?? 0,
    },
    outputInfo: instances && outputInfo(job, new Date(createdAt).toISOString()),
    resourcesConsumed:
      dedicatedResources && startTime && endTime
        ? { replicaHours: ((endTime - startTime) / 3_600_000) * replicas }
        : undefined,
  };
}

/** Of every model there is one version, to which its aliases lead, besides those that requests name. */
function versionId(version: string): string {
  return /^\d+$/.test(version) ? version : '1';
}

function outputInfo({ displayName, model, outputConfig }: BatchPredictionJob, createTime: string): unknown {
  const { gcsDestination, bigqueryDestination } = outputConfig;
  const modelName = MODEL_NAME.exec(model ?? '')?.[3] ?? displayName;
  if (gcsDestination !== undefined) {
    const prefix = gcsDestination.outputUriPrefix.replace(/\/?$/, '/');
    return { gcsOutputDirectory: `${prefix}prediction-${modelName}-${createTime}` };
  }
  const compatible = (text: string) => text.replace(/\W/g, '_');
  const [project, dataset, table] = (bigqueryDestination?.outputUri ?? '').split('.');
  return {
    bigqueryOutputDataset: `${project}.${dataset ?? `prediction_${compatible(`${modelName}_${createTime}`)}`}`,
    bigqueryOutputTable: table ?? `predictions_${compatible(createTime)}`,
  };
}
