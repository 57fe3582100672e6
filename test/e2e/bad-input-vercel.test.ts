import { describe, it } from 'vitest';
import type { NewTree } from './folders.ts';
import { HOSTILE_HOST, hostileText } from './hostile.ts';
import { DEPLOY, PROMOTE, ROLLBACK } from './kinds-vercel.ts';
import { type BadInput, expectRefusal, withEachCi } from './refusals.ts';

const HOSTILE = hostileText('x');
const CONFIG = '{"version":3}';

/** A build in a folder of its own, with what is wrong with it. */
function build(name: string, checkout: NewTree, words: readonly string[], more: Partial<BadInput> = {}): BadInput {
  return {
    name: `a build ${name}`,
    settings: { directory: 'out', ...more.settings },
    checkout,
    says: (spell) => [`${spell('directory')}: `, ...words],
  };
}

const BUILDS: readonly BadInput[] = [
  build('that is not there', {}, ['out does not exist in the checkout; a build made by `vercel build` is expected']),
  build('that is a file', { out: 'x' }, ['out']),
  build('of nothing', { 'out/static/.gitkeep': '' }, ['out has no config.json']),
  build('behind a link out of the checkout', { out: { linkTo: '/etc' } }, ['out is outside the checkout']),
  build('behind a link to itself', { out: { linkTo: 'out' } }, ['out']),
  build('without config.json', { 'out/static/index.html': 'x' }, ['out has no config.json']),
  build('with a config.json that is cut off', { 'out/config.json': '{"version":' }, [
    'config.json is not a JSON object',
  ]),
  build('with a config.json that is a list', { 'out/config.json': '[3]' }, ['config.json is not a JSON object']),
  build('with a config.json of bytes', { 'out/config.json': new Uint8Array([0xff, 0xfe]) }, ['is not UTF-8 text']),
  build('with a config.json of 50 MB', { 'out/config.json': { zeros: 50 * 1024 * 1024 } }, ['has 50.0 MiB']),
  build('with a config.json that leads out of the checkout', { 'out/config.json': { linkTo: '/etc/passwd' } }, [
    'out/config.json is outside the checkout',
  ]),
  build('of version 2', { 'out/config.json': '{"version":2}' }, ['has the version 2; expected 3']),
  build('of no version', { 'out/config.json': '{}' }, ['has the version none; expected 3']),
  build(
    'that failed',
    { 'out/config.json': CONFIG, 'out/builds.json': `{"error":{"message":${JSON.stringify(HOSTILE)}}}` },
    ['the build failed: x'],
  ),
  build(
    'of which one failed',
    {
      'out/config.json': CONFIG,
      'out/builds.json': JSON.stringify({ builds: [{ src: HOSTILE, error: { message: 'no handler' } }] }),
    },
    ['the build of x'],
  ),
  {
    name: 'a build for production as a preview',
    settings: { directory: 'out' },
    checkout: { 'out/config.json': CONFIG, 'out/builds.json': `{"target":"production"}` },
    says: (spell) => [`${spell('target')}: the build was made for production and would be deployed to preview`],
  },
  build(
    'whose functions need files of others',
    {
      'out/config.json': `{"version":2}`,
      'out/functions/a.func/.vc-config.json':
        '{"filePathMap":{"a":"../../etc/passwd","b":"/etc/passwd","c":"none.js"}}',
      'out/functions/b.func/.vc-config.json': 'no JSON',
    },
    [
      'has the version 2; expected 3',
      'out/functions/b.func/.vc-config.json is not a JSON object',
      'leads outside of the checkout: ../../etc/passwd',
      'needs none.js, which is not in the checkout',
    ],
  ),
  ...['/etc', '../out', 'a/../../etc', `${HOSTILE_HOST}\n/x`, '$(touch pwned)', '`touch pwned`'].map((directory) =>
    build(`at ${JSON.stringify(directory)}`, {}, [], { settings: { directory } }),
  ),
];

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
  {
    name: 'names of files',
    settings: { directory: 'out' },
    checkout: {
      'out/functions/a.func/.vc-config.json': JSON.stringify({ filePathMap: { a: HOSTILE, b: `/${HOSTILE}` } }),
      'out/config.json': JSON.stringify({ version: HOSTILE }),
      'out/builds.json': JSON.stringify({ target: HOSTILE }),
    },
    says: (spell) => [`${spell('directory')}: `, `${spell('target')}: the build was made for x`],
  },
];

const of = (kind: BadInput['kind'], inputs: readonly BadInput[]) =>
  withEachCi(inputs.map((input) => ({ ...(kind === undefined ? {} : { kind }), ...input })));
/** What is found in the checkout is found by the core, whichever packaging looks. */
const inTurn = (inputs: readonly BadInput[]) =>
  inputs.map((input, at): BadInput => ({ ...input, ci: input.ci ?? (at % 2 === 0 ? 'bitbucket' : 'buildkite') }));

describe.concurrent('a deployment is refused before anything is sent:', () => {
  it.each(of(DEPLOY, [...inTurn(BUILDS), ...DEPLOYMENTS]))('$title', ({ ci, input }) => expectRefusal(ci, input));
});

describe.concurrent('a change of production is refused before anything is sent:', () => {
  it.each(of(PROMOTE, CHANGES))('$title', ({ ci, input }) => expectRefusal(ci, input));
});

describe.concurrent('what is quoted of a deployment does no harm to the log:', () => {
  it.each(of(DEPLOY, TEXTS))('$title', ({ ci, input }) => expectRefusal(ci, input));
});
