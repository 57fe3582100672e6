import { describe, it } from 'vitest';
import { PREFECT } from '../simulators/prefect-tenant.ts';
import { HOSTILE_HOST, hostileLine, hostileText } from './hostile.ts';
import { DEPLOYMENT_UPDATE, FLOW_RUN } from './kinds.ts';
import { type BadInput, expectRefusal, withEachCi } from './refusals.ts';
import type { Ci } from './step.ts';

const HOSTILE = hostileText('x');
const PAGE = `https://app.prefect.cloud/account/${PREFECT.accountId}/workspace/${PREFECT.workspaceId}/dashboard`;
const NO_BROKER = { 'secret-from': undefined, 'workload-identity-provider': undefined };
const spec = (text: string | { zeros: number }): Partial<BadInput> => ({
  settings: { spec: 'training/flow-run.yaml' },
  checkout: { 'training/flow-run.yaml': text },
});

/** One packaging for each: both read a value in the same place. */
const inTurn = (at: number): Ci => (at % 2 === 0 ? 'bitbucket' : 'buildkite');

/** Addresses that are not an API's, with what is told of each. */
const ADDRESSES: readonly (readonly [string, string])[] = [
  [PAGE, `did you mean ${PREFECT.cloudApi}?`],
  [PREFECT.cloudApi.replace('/accounts/', '/account/'), `did you mean ${PREFECT.cloudApi}?`],
  [PREFECT.cloudApi.replace('https:', 'http:'), 'only https is allowed'],
  ['https://api.prefect.cloud/api', 'expected https://api.prefect.cloud/api/accounts/ACCOUNT-ID'],
  ['https://prefect.acme.example', 'does not end in /api; did you mean https://prefect.acme.example/api?'],
  ['https://prefect.acme.example/runs', 'did you mean https://prefect.acme.example/api?'],
  ['http://prefect.acme.example/api', 'only https is allowed'],
  ['http://169.254.169.254/api', 'only https is allowed'],
  ['https://prefect.acme.example/api?x=1', 'without ? and #'],
  ['prefect.acme.example', 'expected an address with https://'],
  ['file:///etc/passwd', 'expected an address with https://'],
  ['javascript:alert(1)', 'expected an address with https://'],
  [`https://${HOSTILE_HOST}/\u001b[31m$(touch pwned)\`touch pwned\`'`, 'does not end in /api'],
];

const FLOW_RUNS: readonly BadInput[] = [
  {
    name: 'several faults of all sorts, told at once',
    settings: {
      deployment: 'prod',
      parameters: '[1, 2]',
      'job-variables': 'image=train',
      'scheduled-time': 'tomorrow',
      'run-name': 7,
      'work-queu': 'gpu',
      'provenance-labels': 'perhaps',
      'vault-role': 'nobody needs it',
      wait: 'maybe',
    },
    says: (spell) => [
      `${spell('deployment')}: expected FLOW/DEPLOYMENT`,
      `${spell('parameters')}: expected values by name`,
      `${spell('job-variables')}: expected values by name`,
      `${spell('scheduled-time')}: expected a time such as`,
      `did you mean ${spell('work-queue')}?`,
      `${spell('vault-role')}: expected a role's name`,
      `${spell('wait')}: expected true or false`,
    ],
  },
  {
    name: 'tags that are no list',
    ci: 'buildkite',
    settings: { tags: { a: 'b' } },
    says: () => ['tags: expected a list of texts'],
  },
  ...['prod', '/prod', 'train/', 'a/b/c', ' / ', '6ba7b810-9dad-41d1', '../prod/..'].map((deployment, at) => ({
    name: `a deployment that is none: ${JSON.stringify(deployment)}`,
    ci: inTurn(at),
    settings: { deployment },
    says: (spell: (name: string) => string) => [`${spell('deployment')}: expected FLOW/DEPLOYMENT`],
  })),
  {
    name: 'no deployment',
    settings: { deployment: undefined },
    says: (spell) => [`${spell('deployment')}: is required`],
  },
  {
    name: 'no address',
    settings: { 'api-url': undefined },
    says: (spell) => [`${spell('api-url')}: is required`],
  },
  ...['yesterday', '2026-13-41T00:00:00Z', '-2h', '9999999999d', 'now; touch pwned'].map((time, at) => ({
    name: `a time that is none: ${time}`,
    ci: inTurn(at),
    settings: { 'scheduled-time': time },
    says: (spell: (name: string) => string) => [`${spell('scheduled-time')}: expected a time`],
  })),
  {
    name: 'parameters that Prefect would look up',
    settings: { parameters: { key: { __prefect_kind: 'jinja', template: '{{ prefect.variables.key }}' } } },
    says: (spell) => [`${spell('parameters')}: `],
  },
  {
    name: 'settings of another kind',
    settings: { 'pull-commit': true, image: 'x', team: 'acme', 'job-id': '12' },
    says: (spell) => [
      `${spell('pull-commit')}: belongs to prefect-deployment-update`,
      `${spell('image')}: belongs to prefect-deployment-update`,
      `${spell('team')}: belongs to `,
      `${spell('job-id')}: belongs to databricks-run-now`,
    ],
  },
  {
    name: 'no key for Cloud',
    settings: NO_BROKER,
    says: (spell) => [`${spell('api-key')}: is required for Prefect Cloud`],
  },
  {
    name: "what is for one's own servers",
    settings: { 'auth-string': 'ci:password', 'id-token-audience': 'x' },
    says: (spell) => [`${spell('auth-string')}: is for a server of your own`, `${spell('id-token-audience')}: `],
  },
  {
    name: 'headers that the pipe or plugin sets by itself',
    settings: { ...NO_BROKER, 'api-url': PREFECT.serverApi, headers: { Host: HOSTILE_HOST, 'Content-Length': '0' } },
    says: (spell) => [`${spell('headers')}: Host is set by`, 'Content-Length is set by'],
  },
  {
    name: 'headers with line feeds and signs',
    settings: { ...NO_BROKER, 'api-url': PREFECT.serverApi, headers: { 'X-A\r\nX-B': 'x', [HOSTILE]: HOSTILE } },
    says: (spell) => [`${spell('headers')}: expected texts by header`],
  },
  {
    name: 'a spec with fields that are not its own',
    ...spec('idempotency_key: x\nwork_pool_name: gpu\nparamters: {}\nlabels: { a: [] }\n'),
    says: () => ['idempotency_key is set by', 'work_pool_name belongs', 'did you mean parameters?', 'labels.a must be'],
  },
  { name: 'a spec of 50 MB', ...spec({ zeros: 50 * 1024 * 1024 }), says: () => ['has 50.0 MiB; at most 4.0 are read'] },
  { name: 'a spec that is a list', ...spec('- a\n'), says: () => ['expected a mapping', 'found a list'] },
  {
    name: 'an attachment to nothing',
    settings: { attach: 'yesterday', deployment: undefined },
    says: (spell) => [`${spell('attach')}: expected a job's id or name`],
  },
];

const UPDATES: readonly BadInput[] = [
  {
    name: 'nothing to change',
    settings: { 'pull-commit': false, image: undefined, version: undefined },
    says: (spell) => [`${spell('pull-commit')}: nothing is to be changed`],
  },
  {
    name: 'two images',
    settings: { 'job-variables': { image: 'a' }, image: 'b' },
    says: (spell) => [`${spell('image')}: ${spell('job-variables')} have an image of their own`],
  },
  {
    name: 'an attachment',
    settings: { attach: PREFECT.deployments.prod.id },
    says: () => ['an update is over at once'],
  },
  {
    name: 'a commit that is cut',
    env: { BITBUCKET_COMMIT: '4f0c5b1d', BUILDKITE_COMMIT: 'HEAD' },
    settings: { 'pull-commit': true },
    says: (spell) => [`${spell('pull-commit')}: needs the whole hash of the commit`],
  },
  {
    name: 'values of a wrong shape',
    settings: { image: 'a b', 'job-variables': '[]', parameters: '"x"', tags: 'x', version: {}, 'pull-commit': 'yes!' },
    says: (spell) => ['image', 'job-variables', 'parameters', 'pull-commit'].map((name) => `${spell(name)}: expected`),
  },
];

const TEXT_SETTINGS = [
  'api-url',
  'api-key',
  'auth-string',
  'deployment',
  'ui-url',
  'scheduled-time',
  'parameters',
  'job-variables',
  'id-token-audience',
  'secret-from',
  'secret-audience',
  'vault-address',
  'vault-role',
  'aws-role',
  'aws-region',
  'azure-tenant',
  'azure-client-id',
];

const TEXTS: readonly BadInput[] = [
  {
    name: 'texts',
    settings: Object.fromEntries(TEXT_SETTINGS.map((name) => [name, HOSTILE])),
    says: (spell) => TEXT_SETTINGS.filter((name) => name !== 'api-url').map((name) => `${spell(name)}: expected`),
  },
  {
    name: 'a deployment',
    settings: { deployment: hostileLine('a').replaceAll('/', '') },
    says: (spell) => [`${spell('deployment')}: expected`],
  },
  {
    name: 'names and values in maps',
    settings: {
      'secret-from': { [HOSTILE]: HOSTILE, 'api-key': HOSTILE },
      parameters: { [HOSTILE]: { __prefect_kind: HOSTILE } },
    },
    says: (spell) => [`${spell('secret-from')}: names what is not`, `${spell('secret-from')}: ${spell('api-key')}: `],
  },
  {
    name: 'a spec',
    ...spec(`${JSON.stringify(HOSTILE)}: ${JSON.stringify(HOSTILE)}\nlabels: { ${JSON.stringify(HOSTILE)}: [] }\n`),
    says: (spell) => [`${spell('spec')}: labels.`],
  },
  {
    name: 'a spec with a name of 3 MB',
    ...spec(`labels: { ? ${JSON.stringify(HOSTILE.repeat(3_000))} : [] }\n`),
    says: (spell) => [`${spell('spec')}: labels.`],
  },
];

const of = (kind: BadInput['kind'], inputs: readonly BadInput[]) =>
  withEachCi(inputs.map((input) => ({ ...(kind === undefined ? {} : { kind }), ...input })));

describe.concurrent('a flow run is refused before anything is sent:', () => {
  const addresses = ADDRESSES.map(([address, words], at) => ({
    name: `an address that is none: ${JSON.stringify(address)}`,
    ci: inTurn(at),
    settings: { 'api-url': address },
    says: (spell: (name: string) => string) => [`${spell('api-url')}: `, words],
  }));
  it.each(of(FLOW_RUN, [...addresses, ...FLOW_RUNS]))('$title', ({ ci, input }) => expectRefusal(ci, input));
});

describe.concurrent('a change of a deployment is refused before anything is sent:', () => {
  it.each(of(DEPLOYMENT_UPDATE, UPDATES))('$title', ({ ci, input }) => expectRefusal(ci, input));
});

describe.concurrent('what is quoted of a flow run does no harm to the log:', () => {
  it.each(of(FLOW_RUN, TEXTS))('$title', ({ ci, input }) => expectRefusal(ci, input));
});
