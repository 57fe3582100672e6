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

/** Each format, and the field beside it that it goes with (`Model.supportedInputStorageFormats`, …`OutputStorageFormats`). */
const INSTANCES = new Map([
  ...['jsonl', 'csv', 'tf-record', 'tf-record-gzip', 'file-list'].map((format) => [format, 'gcs_source'] as const),
  ['bigquery', 'bigquery_source'] as const,
]);
const PREDICTIONS = new Map([
  ['jsonl', 'gcs_destination'],
  ['csv', 'gcs_destination'],
  ['bigquery', 'bigquery_destination'],
]);

const DEFAULT_MAX_REPLICAS = 10;
const MAX_BIGQUERY_URI = 2000;
const ALL_INSTANCES = 100;
const FIRST_VERSION = '1';

/**
 * The rules that are written in the descriptions of the fields, not in their types
 * (https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.batchPredictionJobs).
 */
export function batchPredictionFaults(job: BatchPredictionJob, location: string): FieldFault[] {
  const { model, unmanagedContainerModel, inputConfig, outputConfig, instanceConfig, dedicatedResources } = job;
  const { startingReplicaCount = 0, maxReplicaCount = DEFAULT_MAX_REPLICAS } = dedicatedResources ?? {};
  const { gcsSource, bigquerySource } = inputConfig;
  const { gcsDestination, bigqueryDestination } = outputConfig;
  const own = `projects/[^/]+/locations/${location}/`;
  const modelName = new RegExp(`^(${own}models/[\\w-]+(@[\\w-]+)?|(${own})?publishers/[^/]+/models/[^/]+)$`);
  const rules: readonly (readonly [broken: boolean, field: string, description: string])[] = [
    [
      (model === undefined) === (unmanagedContainerModel === undefined),
      'model',
      'Exactly one of model and unmanaged_container_model must be set.',
    ],
    [
      model !== undefined && !modelName.test(model),
      'model',
      `"${model}" is not the name of a Model in the Location ${location}.`,
    ],
    [
      unmanagedContainerModel !== undefined && dedicatedResources === undefined,
      'dedicated_resources',
      'This config must be provided, because the Model does not support AUTOMATIC_RESOURCES.',
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
  const container = unmanagedContainerModel?.containerSpec;
  const of = model === undefined ? 'the unmanaged container model' : `Model ${model}`;
  return [
    ...rules.filter(([broken]) => broken).map(([, field, description]) => ({ field, description })),
    ...(container !== undefined && container.imageUri === undefined
      ? [notSet('unmanaged_container_model.container_spec.image_uri')]
      : []),
    ...storageFaults('input_config', 'Instance', inputConfig.instancesFormat, INSTANCES, of, {
      gcs_source: gcsSource?.uris,
      bigquery_source: bigquerySource?.inputUri,
    }),
    ...storageFaults('output_config', 'Prediction', outputConfig.predictionsFormat, PREDICTIONS, of, {
      gcs_destination: gcsDestination?.outputUriPrefix,
      bigquery_destination: bigqueryDestination?.outputUri,
    }),
  ];
}

/** Checks one end of a job's data: its format, that it is there, and its addresses. */
function* storageFaults(
  at: string,
  word: 'Instance' | 'Prediction',
  format: string,
  formats: ReadonlyMap<string, string>,
  of: string,
  places: Readonly<Record<string, string | readonly string[] | undefined>>,
): Generator<FieldFault> {
  const field = `${at}.${word.toLowerCase()}s_format`;
  const goesWith = formats.get(format);
  const given = Object.entries(places).find(([, uris]) => uris !== undefined);
  if (goesWith === undefined) {
    const supported = [...formats.keys()].join(', ');
    const description = `${word} format "${format}" is not supported for ${of}. Supported values are: [${supported}].`;
    yield { field, description };
  }
  if (given === undefined) {
    yield notSet(`${at}.${word === 'Instance' ? 'source' : 'destination'}`);
    return;
  }
  const [place, uris = []] = given;
  if (goesWith !== undefined && goesWith !== place) {
    yield { field, description: `The format "${format}" uses ${goesWith}, not ${place}.` };
  }
  for (const uri of [uris].flat()) {
    const fits = place.startsWith('gcs_')
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
  const version = /^projects\/[^/]+\/locations\/[^/]+\/models\/[^@]+(?:@(\d+))?/.exec(model);
  const replicas = dedicatedResources?.startingReplicaCount ?? 1;
  return {
    // Its container_spec is input only.
    unmanagedContainerModel: unmanagedContainerModel && { ...unmanagedContainerModel, containerSpec: undefined },
    modelVersionId: version && (version[1] ?? FIRST_VERSION),
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

function outputInfo({ displayName, model, outputConfig }: BatchPredictionJob, createTime: string): unknown {
  const { gcsDestination, bigqueryDestination } = outputConfig;
  const modelName = model?.split('/').at(-1)?.replace(/@.*/, '') ?? displayName;
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
