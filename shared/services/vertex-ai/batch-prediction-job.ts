import { type Json, numberAt, objectAt, textAt } from '../../json.ts';
import { id, withDefault } from '../../settings/settings.ts';
import { vertexJob } from './job.ts';
import { checkMessage, hasField } from './proto-json.ts';

/** A Vertex AI batch prediction job.
 * https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.batchPredictionJobs */
export const kind = vertexJob({
  id: 'vertex-batch-prediction-job',
  title: 'Vertex AI batch prediction job',
  collection: 'batchPredictionJobs',
  noun: 'batch prediction job',
  gcloudGroup: undefined,
  consolePage: 'batch-predictions',
  spec: { description: 'The job: a BatchPredictionJob, as for REST.', example: 'prediction/job.yaml' },
  settings: {
    'max-failed-instances': withDefault(
      id({
        description:
          'How many instances may fail. The service calls a job succeeded however many did; with more than this the step fails.',
        expected: 'a number of instances',
        example: '100',
        pattern: /^\d{1,15}$/,
      }),
      '0',
    ),
  },
  outputs: {
    'successful-instances': 'how many instances got a prediction',
    'failed-instances': 'how many did not',
    'output-directory': 'where the predictions are in Cloud Storage',
    'output-table': 'where they are in BigQuery: the table, or else the dataset',
  },
  read: (spec) => spec,
  check: (job, faults) => {
    if (hasField(job, 'model') === hasField(job, 'unmanagedContainerModel'))
      faults.add('spec', 'needs one of model and unmanagedContainerModel');
    for (const [config, format] of [
      ['inputConfig', 'instancesFormat'],
      ['outputConfig', 'predictionsFormat'],
    ] as const) {
      const message = checkMessage(job, config, faults);
      if (message === undefined ? !hasField(job, config) : !hasField(message, format))
        faults.add('spec', `${config}.${format} is missing`);
    }
  },
  complete: (job) => job,
  timeoutSeconds: () => undefined,
  judge: (status, values) => {
    const { failed, total } = countsOf(status.source);
    if (failed === 0 || (status.phase !== 'succeeded' && status.phase !== 'failed')) return status;
    const told = `${failed} of ${total} instances failed`;
    const most = Number(values['max-failed-instances']);
    if (status.phase === 'failed' || failed <= most) return { ...status, detail: told };
    const message = `${told}; max-failed-instances allows ${most}. The errors are next to the predictions.`;
    return { ...status, phase: 'failed', detail: told, failure: { cause: 'code', message } };
  },
  outputsOf: (job) => {
    const { failed, successful } = countsOf(job);
    const info = objectAt(job, 'outputInfo');
    return {
      'successful-instances': String(successful),
      'failed-instances': String(failed),
      'output-directory': textAt(info, 'gcsOutputDirectory'),
      'output-table': textAt(info, 'bigqueryOutputTable') ?? textAt(info, 'bigqueryOutputDataset'),
    };
  },
});

function countsOf(job: Json) {
  const stats = objectAt(job, 'completionStats');
  const successful = numberAt(stats, 'successfulCount') ?? 0;
  const failed = numberAt(stats, 'failedCount') ?? 0;
  return { successful, failed, total: successful + failed };
}
