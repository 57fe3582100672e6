import { describe, it } from 'vitest';
import { DATABRICKS } from '../simulators/tenant.ts';
import { HOSTILE_HOST, hostileLine, hostileText } from './hostile.ts';
import { RUN_NOW, SUBMIT_RUN } from './kinds.ts';
import { type BadInput, expectRefusal, withEachCi } from './refusals.ts';

const HOSTS = [
  HOSTILE_HOST,
  `http://${DATABRICKS.host}`,
  `https://user:password@${DATABRICKS.host}`,
  `${DATABRICKS.host}@${HOSTILE_HOST}`,
  `https://${DATABRICKS.host}.${HOSTILE_HOST}`,
  `${HOSTILE_HOST}/.cloud.databricks.com`,
  `${HOSTILE_HOST}#.cloud.databricks.com`,
  `${HOSTILE_HOST}\\.cloud.databricks.com`,
  `https://${DATABRICKS.host}:8443`,
  `https://${DATABRICKS.host}/api/2.2`,
  `${DATABRICKS.host}\n${HOSTILE_HOST}`,
  'http://169.254.169.254',
  'file:///etc/passwd',
  'cloud.databricks.com.',
];

const SETTINGS: readonly BadInput[] = [
  {
    name: 'misspelt settings',
    settings: { 'service-acount': 'a@b.iam.gserviceaccount.com', time_out: '6h' },
    says: (spell) => [
      `${spell('service-acount')}: is not a setting; did you mean ${spell('service-account')}?`,
      `did you mean ${spell('timeout')}?`,
    ],
  },
  {
    name: 'a setting that no one has',
    ci: 'buildkite',
    settings: { colour: 'red' },
    says: () => ['colour: is not a setting; the settings are attach, audience, '],
  },
  {
    name: 'a setting of another kind',
    settings: { 'job-id': '12' },
    says: (spell) => [`${spell('job-id')}: belongs to databricks-run-now; remove it or change ${spell('job')}`],
  },
  {
    name: 'no job',
    settings: { job: undefined },
    says: (spell) => [`${spell('job')}: is required: one of vertex-custom-job, `],
  },
  {
    name: 'an unknown job',
    settings: { job: 'vertex' },
    says: (spell) => [`${spell('job')}: expected one of vertex-custom-job, `, 'got "vertex"'],
  },
  {
    name: 'several faults of all sorts, told at once',
    settings: {
      wait: 'maybe',
      timeout: '5 hours',
      region: 'us-central',
      labels: { Team: 'Vision' },
      'token-lifetime': '0s',
      'on-cancel': 'stop',
      project: undefined,
      regoin: 'x',
    },
    checkout: { 'training/other.yaml': '' },
    says: (spell) => [
      `${spell('wait')}: expected true or false; got "maybe"`,
      `${spell('timeout')}: expected a duration`,
      `${spell('region')}: expected a region such as us-central1; got "us-central"`,
      `${spell('labels')}: expected`,
      `${spell('token-lifetime')}: expected a duration`,
      `${spell('on-cancel')}: expected cancel or detach; got "stop"`,
      `${spell('project')}: is required`,
      `did you mean ${spell('region')}?`,
    ],
  },
  {
    name: 'values of a wrong shape',
    kind: SUBMIT_RUN,
    settings: {
      labels: ['a', 'b'],
      set: 'tasks',
      'access-control-list': { group_name: 'all' },
      'client-id': '123',
      wait: 2,
    },
    says: (spell) =>
      ['labels', 'set', 'access-control-list', 'client-id', 'wait'].map((name) => `${spell(name)}: expected`),
  },
  {
    name: 'JSON that is malformed',
    kind: RUN_NOW,
    settings: { 'job-parameters': '{"git_commit": ', set: '{only: [}' },
    says: (spell) => [`${spell('job-parameters')}: expected text by name`, `${spell('set')}: expected values by path`],
  },
  {
    name: 'a configuration that is not JSON',
    ci: 'buildkite',
    env: { BUILDKITE_PLUGIN_CONFIGURATION: '{"job": ' },
    says: () => ['BUILDKITE_PLUGIN_CONFIGURATION is not a JSON object'],
  },
  {
    name: 'outputs that would be written outside the checkout',
    settings: { 'outputs-file': '../outputs.json' },
    says: (spell) => [`${spell('outputs-file')}: `, 'outside the checkout'],
  },
  {
    name: "output variables that are not the job's",
    ci: 'bitbucket',
    settings: { 'output-variables': ['PATH'] },
    says: () => ['OUTPUT_VARIABLES: expected a list of variable names'],
  },
  {
    name: 'claims that are no claims',
    ci: 'buildkite',
    settings: { 'oidc-claims': ['pipeline_id --audience x'], 'oidc-subject-claim': 'sub' },
    says: () => ['oidc-claims: expected', 'oidc-subject-claim: expected one of'],
  },
  {
    name: 'an attachment to nothing',
    settings: { attach: 'yesterday' },
    says: (spell) => [`${spell('attach')}: expected a job's id or name`],
  },
  ...HOSTS.map((host) => ({
    name: `a host that is not the service's: ${JSON.stringify(host)}`,
    kind: SUBMIT_RUN,
    settings: { host },
    says: (spell: (name: string) => string) => [`${spell('host')}: `],
  })),
];

const HOSTILE = hostileText('x');
/** Every setting that is text, with what may be in no log. */
const TEXTS: readonly BadInput[] = [
  {
    name: 'texts for Vertex AI',
    settings: Object.fromEntries(
      [
        'project',
        'region',
        'workload-identity-provider',
        'service-account',
        'token-lifetime',
        'universe-domain',
        'display-name',
        'timeout',
        'on-cancel',
        'wait',
        'spec',
        'outputs-file',
      ].map((name) => [name, HOSTILE]),
    ),
    says: (spell) =>
      ['project', 'region', 'service-account', 'timeout', 'wait'].map((name) => `${spell(name)}: expected`),
  },
  {
    name: 'texts for Databricks',
    kind: RUN_NOW,
    settings: Object.fromEntries(['host', 'client-id', 'job-id', 'attach', 'set'].map((name) => [name, HOSTILE])),
    says: (spell) => ['host', 'client-id', 'job-id', 'set'].map((name) => `${spell(name)}: expected`),
  },
  { name: 'the job itself', settings: { job: HOSTILE }, says: (spell) => [`${spell('job')}: expected`] },
  {
    name: 'names in maps',
    settings: {
      labels: { [HOSTILE]: HOSTILE, team: HOSTILE },
      set: { [HOSTILE]: 1, [`${hostileLine('a').replaceAll(/[.[\]]/g, '')}[3]`]: 1 },
    },
    says: (spell) => [`${spell('labels')}: expected`, `${spell('set')}: `],
  },
  {
    name: 'names and values in lists',
    kind: SUBMIT_RUN,
    settings: { 'access-control-list': [{ [HOSTILE]: HOSTILE, permission_level: HOSTILE }] },
    says: (spell) => [`${spell('access-control-list')}: expected`],
  },
  {
    name: 'names of settings',
    ci: 'buildkite',
    settings: { [HOSTILE]: HOSTILE, [hostileLine('timeout')]: '1h' },
    says: () => ['is not a setting'],
  },
  {
    name: 'a configuration',
    ci: 'buildkite',
    env: { BUILDKITE_PLUGIN_CONFIGURATION: HOSTILE },
    says: () => ['is not a JSON object'],
  },
];

describe.concurrent('settings are refused before anything is sent:', () => {
  it.each(withEachCi(SETTINGS))('$title', ({ ci, input }) => expectRefusal(ci, input));
});

describe.concurrent('what is quoted in a refusal does no harm to the log:', () => {
  it.each(withEachCi(TEXTS))('$title', ({ ci, input }) => expectRefusal(ci, input));
});
