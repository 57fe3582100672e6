import { describe, it } from 'vitest';
import { hostileText } from './hostile.ts';
import { DEPLOY, PROMOTE, ROLLBACK } from './kinds.ts';
import { type BadInput, expectRefusal, withEachCi } from './refusals.ts';

const HOSTILE = hostileText('x');
const DEPLOYMENTS: readonly BadInput[] = [
  {
    name: 'several faults of all sorts, told at once',
    settings: {
      team: 'Acme Labs',
      project: undefined,
      target: 'prod',
      environment: 'QA 1',
      aliases: ['Acme', 'https://acme.example', '-a.example', HOSTILE],
      'skip-domain': 'perhaps',
      'smoke-path': 'api/health',
      'smoke-status': '99',
      'smoke-paht': '/',
      token: 'not a token',
      'policy-id': 'policy',
      'client-id': 'client',
      timeout: 'soon',
    },
    says: (spell) => [
      `${spell('team')}: expected a team's id`,
      `${spell('project')}: is required`,
      `${spell('target')}: expected production or preview; got "prod"`,
      `${spell('environment')}: expected a custom environment's slug`,
      `${spell('aliases')}: expected a list of domain names`,
      `${spell('skip-domain')}: expected true or false`,
      `${spell('smoke-path')}: expected a path that begins with /`,
      `${spell('smoke-status')}: expected an HTTP status`,
      `did you mean ${spell('smoke-path')}?`,
      `${spell('token')}: expected a Vercel token`,
      `${spell('policy-id')}: expected a policy's id`,
      `${spell('client-id')}: expected a client's id`,
      `${spell('timeout')}: expected a duration`,
    ],
  },
  {
    name: 'settings that do not fit together',
    settings: {
      environment: 'qa',
      target: 'production',
      'skip-domain': true,
      'smoke-status': '204',
      'smoke-audience': 'x',
      token: 'vcp_x',
      'policy-id': 'pol_x',
      'aws-role': 'arn:aws:iam::123456789012:role/ci',
    },
    says: (spell) => [
      `${spell('environment')}: takes the place of a target`,
      `${spell('smoke-status')}: needs ${spell('smoke-path')}`,
      `${spell('smoke-audience')}: needs ${spell('smoke-path')}`,
      `${spell('policy-id')}: is for the exchange`,
      `${spell('aws-role')}: is not used: no aws: reference stands in`,
    ],
  },
  {
    name: 'a preview without domains',
    settings: { 'skip-domain': true },
    says: (spell) => [`${spell('skip-domain')}: only deployments to production`],
  },
  ...['acme', '*.acme.example', 'https://acme.example', 'a..example', `${'a'.repeat(260)}.example`].map((alias) => ({
    name: `an alias that is none: ${alias.slice(0, 30)}`,
    ci: 'bitbucket' as const,
    settings: { aliases: [alias] },
    says: () => ['ALIASES: expected a list of domain names'],
  })),
  {
    name: 'aliases that are no list',
    ci: 'buildkite',
    settings: { aliases: 'acme' },
    says: () => ['aliases: expected a list of domain names'],
  },
  {
    name: 'a spec with fields that are not its own',
    settings: {
      spec: {
        files: [],
        name: 'x',
        target: 'production',
        gitSource: {},
        meta: { keyless_submit_key: 'x' },
        projectSettings: 'x',
      },
    },
    says: (spell) => [
      `${spell('spec')}: files cannot be set here`,
      'gitSource cannot be set here',
      'meta.keyless_submit_key is set by',
      'projectSettings must be a mapping',
    ],
  },
  {
    name: 'a spec of 50 MB',
    settings: { spec: 'vercel.yaml' },
    checkout: { 'vercel.yaml': { zeros: 50 * 1024 * 1024 } },
    says: (spell) => [`${spell('spec')}: vercel.yaml has 50.0 MiB`],
  },
  {
    name: 'settings of another kind',
    settings: { deployment: 'dpl_x', parameters: {}, 'api-key': 'pnb_x' },
    says: (spell) => [
      `${spell('deployment')}: belongs to prefect-flow-run and `,
      `${spell('api-key')}: belongs to prefect-flow-run and prefect-deployment-update`,
    ],
  },
];

const REFERENCES = [
  '',
  'prod',
  'dpl_',
  'dpl_x/y',
  'http://edge.vercel.app',
  'https://edge.vercel.app/path',
  'edge.app:80',
  HOSTILE,
];

const CHANGES: readonly BadInput[] = [
  ...REFERENCES.map((deployment, at) => ({
    name: `a deployment that is none: ${JSON.stringify(deployment.slice(0, 30))}`,
    kind: at % 2 === 0 ? PROMOTE : ROLLBACK,
    settings: { deployment: deployment === '' ? undefined : deployment },
    says: (spell: (name: string) => string) => [`${spell('deployment')}: `, "a deployment's id (dpl_…) or address"],
  })),
  {
    name: "a step's outputs where none are kept",
    ci: 'bitbucket',
    settings: { deployment: 'step:deploy' },
    says: () => ['DEPLOYMENT: this CI keeps no outputs of steps; use file:PATH'],
  },
  {
    name: 'several faults',
    kind: ROLLBACK,
    settings: { team: undefined, project: 'a/b', deploymnt: 'x', attach: 'yesterday', spec: 'x.yaml' },
    says: (spell) => [
      `${spell('team')}: is required`,
      `${spell('project')}: expected a project's id`,
      `did you mean ${spell('deployment')}?`,
      `${spell('spec')}: belongs to `,
    ],
  },
];

const TEXT_SETTINGS = [
  'team',
  'project',
  'client-id',
  'policy-id',
  'audience',
  'token',
  'target',
  'environment',
  'smoke-path',
  'smoke-status',
  'smoke-audience',
  'secret-from',
];

const TEXTS: readonly BadInput[] = [
  {
    name: 'texts',
    settings: Object.fromEntries([...TEXT_SETTINGS, 'aliases', 'directory', 'spec'].map((name) => [name, HOSTILE])),
    says: (spell) => TEXT_SETTINGS.filter((name) => name !== 'audience').map((name) => `${spell(name)}: expected`),
  },
];

const of = (kind: BadInput['kind'], inputs: readonly BadInput[]) =>
  withEachCi(inputs.map((input) => ({ ...(kind === undefined ? {} : { kind }), ...input })));

describe.concurrent('a deployment is refused before anything is sent:', () => {
  it.each(of(DEPLOY, DEPLOYMENTS))('$title', ({ ci, input }) => expectRefusal(ci, input));
});

describe.concurrent('a change of production is refused before anything is sent:', () => {
  it.each(of(PROMOTE, CHANGES))('$title', ({ ci, input }) => expectRefusal(ci, input));
});

describe.concurrent('what is quoted of a deployment does no harm to the log:', () => {
  it.each(of(DEPLOY, TEXTS))('$title', ({ ci, input }) => expectRefusal(ci, input));
});
