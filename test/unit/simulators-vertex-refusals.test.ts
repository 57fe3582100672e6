import { describe, expect, test } from 'vitest';
import { errorMessage, googleWorld } from './google-world.ts';
import { BATCH_PREDICTION_JOB, CUSTOM_JOB, HOST, PARENT, POOL, SENT_JOBS, type SentJob } from './vertex-jobs.ts';

type Refusal = readonly [why: string, body: unknown, message: string];

function found(...faults: readonly (readonly [field: string, message: string])[]): string {
  const list = faults.map(([field, message], index) => `\t${index + 1}.Field: ${field}; Message: ${message}`);
  return `List of found errors:${list.join('')}\t `;
}

function ofEveryJob({ at, body, withMachine, machineAt, withServiceAccount }: SentJob): Refusal[] {
  return [
    [
      'an unknown field',
      { ...body, imageUri: 'x' },
      `Invalid JSON payload received. Unknown name "imageUri" at '${at}': Cannot find field.`,
    ],
    [
      'both spellings of a field',
      { ...body, display_name: 'x' },
      `Invalid JSON payload received. Unknown name "display_name" at '${at}': Proto field is not repeating, cannot start list.`,
    ],
    ['no name', { ...body, displayName: '' }, found(['display_name', 'Required field is not set.'])],
    [
      'a name that is too long',
      { ...body, displayName: 'x'.repeat(129) },
      found(['display_name', 'The length must not exceed 128 characters.']),
    ],
    [
      'a label in capitals',
      { ...body, labels: { branch: 'Main' } },
      found(['labels', 'The value "Main" of the label "branch" is invalid.']),
    ],
    [
      'an output field',
      { ...body, state: 'JOB_STATE_RUNNING' },
      found(['state', 'Output only field must not be set.']),
    ],
    [
      'no machine type',
      withMachine({}),
      found([`${machineAt}.machine_spec.machine_type`, 'Required field is not set.']),
    ],
    [
      'what is no machine type',
      withMachine({ machineType: 'N1_STANDARD_4' }),
      found([`${machineAt}.machine_spec.machine_type`, 'Machine type "N1_STANDARD_4" is not supported.']),
    ],
    [
      'accelerators without their number',
      withMachine({ machineType: 'n1-standard-4', acceleratorType: 'NVIDIA_TESLA_T4' }),
      found([
        `${machineAt}.machine_spec.accelerator_type`,
        'Both `accelerator_type` and `accelerator_count` should be specified or none.',
      ]),
    ],
    [
      'a service account of others',
      withServiceAccount('x@y.iam.gserviceaccount.com'),
      'You do not have permission to act as service_account: x@y.iam.gserviceaccount.com. (or it may not exist).',
    ],
  ];
}

function withPool(changes: Readonly<Record<string, unknown>>): unknown {
  return { ...CUSTOM_JOB.body, jobSpec: { workerPoolSpecs: [{ ...POOL, ...changes }] } };
}
const IN_POOL = 'job_spec.worker_pool_specs[0]';

const ofCustomJobs: readonly Refusal[] = [
  [
    'an enum value that is none',
    { ...CUSTOM_JOB.body, jobSpec: { workerPoolSpecs: [POOL], scheduling: { strategy: 'FAST' } } },
    `Invalid value at 'custom_job.job_spec.scheduling.strategy' (type.googleapis.com/google.cloud.aiplatform.v1.Scheduling.Strategy), "FAST"`,
  ],
  [
    'a missing image',
    withPool({ containerSpec: {} }),
    found([`${IN_POOL}.container_spec.image_uri`, 'Required field is not set.']),
  ],
  ['no task', withPool({ containerSpec: null }), found([`${IN_POOL}.task`, 'Required field is not set.'])],
  [
    'an empty variable',
    withPool({ containerSpec: { ...POOL.containerSpec, env: [{ name: 'A', value: '' }] } }),
    found([`${IN_POOL}.container_spec.env[0].value`, 'Required field is not set.']),
  ],
  [
    'a tensorboard without a service account',
    { ...CUSTOM_JOB.body, jobSpec: { workerPoolSpecs: [POOL], tensorboard: `${PARENT}/tensorboards/1` } },
    found(['job_spec.service_account', 'A service account is required with `tensorboard`.']),
  ],
];

const { body: batch } = BATCH_PREDICTION_JOB;
const jsonlFrom = { instancesFormat: 'jsonl', gcsSource: { uris: ['gs://b/in.jsonl'] } };
const jsonlTo = { predictionsFormat: 'jsonl', gcsDestination: { outputUriPrefix: 'gs://b/out' } };
const MODEL = String(batch.model);
const ONE_MODEL = 'Exactly one of model and unmanaged_container_model must be set.';
const machineSpec = { machineType: 'n1-standard-4' };

const ofBatchPredictionJobs: readonly Refusal[] = [
  [
    'no input and no output',
    { ...batch, inputConfig: null, outputConfig: null },
    found(['input_config', 'Required field is not set.'], ['output_config', 'Required field is not set.']),
  ],
  [
    'empty input and output',
    { ...batch, inputConfig: {}, outputConfig: {} },
    found(
      ['input_config.instances_format', 'Required field is not set.'],
      ['output_config.predictions_format', 'Required field is not set.'],
    ),
  ],
  [
    'no source and no destination',
    { ...batch, inputConfig: { instancesFormat: 'csv' }, outputConfig: { predictionsFormat: 'csv' } },
    found(
      ['input_config.source', 'Required field is not set.'],
      ['output_config.destination', 'Required field is not set.'],
    ),
  ],
  [
    'two sources',
    { ...batch, inputConfig: { ...jsonlFrom, bigquerySource: { inputUri: 'bq://p.d.t' } } },
    "Invalid value at 'batch_prediction_job.input_config' (oneof), oneof field 'source' is already set. Cannot set 'bigquerySource'",
  ],
  [
    'a source without files',
    { ...batch, inputConfig: { ...jsonlFrom, gcsSource: { uris: [] } } },
    found(['input_config.gcs_source.uris', 'Required field is not set.']),
  ],
  [
    'formats that there are not',
    {
      ...batch,
      inputConfig: { ...jsonlFrom, instancesFormat: 'parquet' },
      outputConfig: { ...jsonlTo, predictionsFormat: 'file-list' },
    },
    found(
      [
        'input_config.instances_format',
        `Instance format "parquet" is not supported for Model ${MODEL}. Supported values are: [jsonl, csv, tf-record, tf-record-gzip, bigquery, file-list].`,
      ],
      [
        'output_config.predictions_format',
        `Prediction format "file-list" is not supported for Model ${MODEL}. Supported values are: [jsonl, csv, bigquery].`,
      ],
    ),
  ],
  [
    'formats of other places',
    {
      ...batch,
      inputConfig: { ...jsonlFrom, instancesFormat: 'bigquery' },
      outputConfig: { predictionsFormat: 'csv', bigqueryDestination: { outputUri: 'bq://p' } },
    },
    found(
      ['input_config.instances_format', 'The format "bigquery" uses bigquery_source, not gcs_source.'],
      ['output_config.predictions_format', 'The format "csv" uses gcs_destination, not bigquery_destination.'],
    ),
  ],
  [
    'what are no addresses',
    {
      ...batch,
      inputConfig: { ...jsonlFrom, gcsSource: { uris: ['gs://b/in.jsonl', 's3://b/in.jsonl'] } },
      outputConfig: { predictionsFormat: 'bigquery', bigqueryDestination: { outputUri: 'p.d.t' } },
    },
    found(
      ['input_config.gcs_source', 'The URI "s3://b/in.jsonl" is invalid.'],
      ['output_config.bigquery_destination', 'The URI "p.d.t" is invalid.'],
    ),
  ],
  ['no model', { ...batch, model: '' }, found(['model', ONE_MODEL])],
  [
    'two models',
    { ...batch, unmanagedContainerModel: {}, dedicatedResources: { machineSpec } },
    found(['model', ONE_MODEL]),
  ],
  [
    'a model of another place',
    { ...batch, model: 'projects/ml-prod/locations/europe-west4/models/1' },
    found([
      'model',
      '"projects/ml-prod/locations/europe-west4/models/1" is not the name of a Model in the Location us-central1.',
    ]),
  ],
  [
    'half a model name',
    { ...batch, model: 'models/1' },
    found(['model', '"models/1" is not the name of a Model in the Location us-central1.']),
  ],
  [
    'a container without an image and without machines',
    { ...batch, model: null, unmanagedContainerModel: { containerSpec: {} } },
    found(
      ['dedicated_resources', 'This config must be provided, because the Model does not support AUTOMATIC_RESOURCES.'],
      ['unmanaged_container_model.container_spec.image_uri', 'Required field is not set.'],
    ),
  ],
  [
    'more machines at first than at most',
    { ...batch, dedicatedResources: { machineSpec, startingReplicaCount: 11 } },
    found(['dedicated_resources.starting_replica_count', 'The value must not be greater than max_replica_count (10).']),
  ],
  [
    'fields included and excluded',
    { ...batch, instanceConfig: { includedFields: ['a'], excludedFields: ['b'] } },
    found(['instance_config.excluded_fields', 'When included_fields is populated, excluded_fields must be empty.']),
  ],
  [
    'an explanation that is not wanted',
    { ...batch, explanationSpec: { parameters: {} } },
    found(['explanation_spec', 'Can be specified only if generate_explanation is set to `true`.']),
  ],
];

const REFUSALS = [
  ...SENT_JOBS.flatMap((sent) => ofEveryJob(sent).map((refusal) => [sent, ...refusal] as const)),
  ...ofCustomJobs.map((refusal) => [CUSTOM_JOB, ...refusal] as const),
  ...ofBatchPredictionJobs.map((refusal) => [BATCH_PREDICTION_JOB, ...refusal] as const),
];

test.each(REFUSALS.map(([sent, why, body, message]) => ({ message: sent.message, why, sent, body, text: message })))(
  'a $message is refused for $why',
  async ({ sent, body, text }) => {
    await using world = await googleWorld();
    const answer = await world.post(`${HOST}/${PARENT}/${sent.collection}`, body, await world.submitterToken());
    expect(answer).toMatchObject({ status: 400, body: { error: { message: text, status: 'INVALID_ARGUMENT' } } });
    expect(world.jobs()).toEqual([]);
  },
);

describe.each(SENT_JOBS)('for a $message', ({ collection, at, body: job, withMachine, quota }) => {
  const JOBS = `${HOST}/${PARENT}/${collection}`;

  test('an unknown field is named in a BadRequest detail', async () => {
    await using world = await googleWorld();
    const { body } = await world.post(JOBS, { ...job, jobSpecs: {} }, await world.submitterToken());
    const description = `Invalid JSON payload received. Unknown name "jobSpecs" at '${at}': Cannot find field.`;
    expect(body.error).toMatchObject({
      details: [
        { '@type': 'type.googleapis.com/google.rpc.BadRequest', fieldViolations: [{ field: at, description }] },
      ],
    });
  });

  test('accelerators are limited by quota', async () => {
    const gpu = withMachine({
      machineType: 'n1-standard-4',
      acceleratorType: 'NVIDIA_TESLA_T4',
      acceleratorCount: 1,
    });
    await using world = await googleWorld({ acceleratorQuota: { [quota]: 1 } });
    const token = await world.submitterToken();
    expect((await world.post(JOBS, gpu, token)).status).toBe(200);
    expect(await world.post(JOBS, gpu, token)).toMatchObject({
      status: 429,
      body: {
        error: { message: `The following quota metrics exceed quota limits: ${quota}`, status: 'RESOURCE_EXHAUSTED' },
      },
    });
  });

  test('callers without a token, permission or the right host are refused', async () => {
    await using world = await googleWorld();
    expect(await world.post(JOBS, job)).toMatchObject({
      status: 401,
      body: { error: { message: expect.stringMatching(/^Request is missing required authentication credential/) } },
    });
    expect(await world.post(JOBS, job, 'ya29.c.other')).toMatchObject({
      status: 401,
      body: {
        error: { message: expect.stringMatching(/^Request had invalid authentication credentials\. Expected OAuth 2/) },
      },
    });
    const permission = `aiplatform.${collection}.create`;
    expect(await world.post(JOBS, job, await world.federatedToken())).toMatchObject({
      status: 403,
      body: {
        error: {
          message: `Permission '${permission}' denied on resource '//aiplatform.googleapis.com/${PARENT}' (or it may not exist).`,
          details: [{ reason: 'IAM_PERMISSION_DENIED', metadata: { permission } }],
        },
      },
    });
    const token = await world.submitterToken();
    expect((await world.post(JOBS.replace('/us-central1/', '/europe-west4/'), job, token)).status).toBe(400);
    expect((await world.post(JOBS.replace('ml-prod', 'other'), job, token)).status).toBe(403);
    const missing = await world.get(`${JOBS}/1`, token);
    expect(missing.status).toBe(404);
    expect(errorMessage(missing.body)).toContain(`projects/987654/locations/us-central1/${collection}/1`);
    world.clock.now += 3_600_000;
    expect((await world.get(JOBS, token)).status).toBe(401);
  });
});
