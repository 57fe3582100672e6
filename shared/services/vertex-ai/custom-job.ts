import { urlPart } from '../../http/url-part.ts';
import { isArray, objectAt, textAt } from '../../json.ts';
import { vertexJob } from './job.ts';
import { checkMessage, fieldOf, hasField, messageOf, withField } from './proto-json.ts';

/** A Vertex AI custom job. https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.customJobs */
export const kind = vertexJob({
  id: 'vertex-custom-job',
  title: 'Vertex AI custom job',
  collection: 'customJobs',
  noun: 'custom job',
  gcloudGroup: 'custom-jobs',
  consolePage: 'training',
  spec: {
    description:
      'The job: a CustomJob, as for REST, or a CustomJobSpec, as for `gcloud ai custom-jobs create --config`.',
    example: 'training/job.yaml',
  },
  settings: {},
  outputs: {
    'output-directory': "where the job was told to write: the spec's `baseOutputDirectory`",
    'model-directory': '`AIP_MODEL_DIR` of the job, where the output directory is set',
    'logs-url': "the job's log in the console",
  },
  // A CustomJobSpec is what a CustomJob has as its jobSpec.
  read: (spec) => (hasField(spec, 'workerPoolSpecs') ? { jobSpec: spec } : spec),
  check: (job, faults) => {
    if (!hasField(job, 'jobSpec')) {
      faults.add('spec', 'has neither jobSpec (a CustomJob) nor workerPoolSpecs (a CustomJobSpec)');
      return;
    }
    const jobSpec = checkMessage(job, 'jobSpec', faults);
    if (jobSpec === undefined) return;
    checkMessage(jobSpec, 'scheduling', faults);
    if (!isArray(fieldOf(jobSpec, 'workerPoolSpecs')) && !hasField(jobSpec, 'persistentResourceId'))
      faults.add('spec', 'jobSpec.workerPoolSpecs must be a list of worker pools');
  },
  complete: (job, _values, { timeoutSeconds }) => {
    const jobSpec = messageOf(job, 'jobSpec');
    const scheduling = { timeout: `${timeoutSeconds}s`, ...messageOf(jobSpec, 'scheduling') };
    return withField(job, 'jobSpec', withField(jobSpec, 'scheduling', scheduling));
  },
  timeoutSeconds: (job) => {
    const { timeout } = messageOf(messageOf(job, 'jobSpec'), 'scheduling');
    const seconds = typeof timeout === 'string' ? /^(\d+)(?:\.\d+)?s$/.exec(timeout)?.[1] : undefined;
    return seconds === undefined ? undefined : Number(seconds);
  },
  judge: (status) => status,
  outputsOf: (job, project) => {
    const directory = textAt(objectAt(objectAt(job, 'jobSpec'), 'baseOutputDirectory'), 'outputUriPrefix');
    const query = urlPart(`resource.labels.job_id="${textAt(job, 'name')?.split('/').at(-1)}"`);
    return {
      'output-directory': directory,
      'model-directory': directory === undefined ? undefined : `${directory.replace(/\/$/, '')}/model/`,
      'logs-url': `https://console.cloud.google.com/logs/query;query=${query}?project=${project}`,
    };
  },
});
