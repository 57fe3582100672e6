import { describe, it } from 'vitest';
import type { NewTree } from './folders.ts';
import { hostileLine } from './hostile.ts';
import { JOB_YAML } from './kinds.ts';
import { type BadInput, expectRefusal, withEachCi } from './refusals.ts';

const HOSTILE = hostileLine('x');
const spec = (text: string): NewTree => ({ 'training/job.yaml': text });
/** Nine levels of nine aliases each. */
const BOMB = [
  'a0: &a0 [x, x, x, x, x, x, x, x, x]',
  ...Array.from({ length: 9 }, (_, n) => `a${n + 1}: &a${n + 1} [${Array(9).fill(`*a${n}`).join(', ')}]`),
].join('\n');

const SPECS: readonly BadInput[] = [
  {
    name: 'a missing spec',
    settings: { spec: 'training/jobs.yaml' },
    says: (spell) => [`${spell('spec')}: training/jobs.yaml does not exist in the checkout`],
  },
  { name: 'no spec', settings: { spec: undefined }, says: (spell) => [`${spell('spec')}: is required`] },
  {
    name: 'a spec above the checkout',
    settings: { spec: '../home/.netrc' },
    checkout: { '../home/.netrc': 'secret' },
    says: (spell) => [`${spell('spec')}: ../home/.netrc is outside the checkout`],
  },
  {
    name: 'an absolute path',
    settings: { spec: '/etc/passwd' },
    says: (spell) => [`${spell('spec')}: /etc/passwd is outside the checkout`],
  },
  {
    name: 'a link out of the checkout',
    checkout: { 'training/job.yaml': { linkTo: '/etc/passwd' } },
    says: () => ['training/job.yaml is outside the checkout'],
  },
  {
    name: 'a link to a folder out of the checkout',
    settings: { spec: 'etc/passwd' },
    checkout: { etc: { linkTo: '/etc' } },
    says: () => ['etc/passwd is outside the checkout'],
  },
  {
    name: 'a link to itself',
    checkout: { 'training/job.yaml': { linkTo: 'job.yaml' } },
    says: () => ['training/job.yaml cannot be read (ELOOP)'],
  },
  { name: 'a folder', settings: { spec: 'training' }, checkout: spec(''), says: () => ['training is a directory'] },
  {
    name: 'a device',
    checkout: { 'training/job.yaml': { linkTo: '/dev/zero' } },
    says: () => ['training/job.yaml is outside the checkout'],
  },
  {
    name: '50 MB',
    checkout: { 'training/job.yaml': { zeros: 50 * 1024 * 1024 } },
    says: () => ['training/job.yaml has 50.0 MiB; at most 4.0 are read'],
  },
  {
    name: 'bytes that are not text',
    checkout: { 'training/job.yaml': new Uint8Array([0xff, 0xfe, 0x00, 0xc3, 0x28]) },
    says: () => ['training/job.yaml is not UTF-8 text'],
  },
  {
    name: 'malformed YAML',
    checkout: spec('jobSpec:\n  workerPoolSpecs: [1, 2\n  next: }\n'),
    says: () => ['training/job.yaml:3:'],
  },
  {
    name: 'duplicate keys',
    checkout: spec('jobSpec: {}\njobSpec: {}\n'),
    says: () => ['training/job.yaml:2:1: Map keys must be unique'],
  },
  { name: 'aliases that multiply', checkout: spec(BOMB), says: () => ['training/job.yaml: Excessive alias count'] },
  {
    name: 'absurd nesting',
    checkout: spec('['.repeat(200_000)),
    says: () => ['training/job.yaml', 'nested too deeply'],
  },
  {
    name: 'a number that JSON has not',
    checkout: spec(`${JOB_YAML}labels: { a: .inf }\n`),
    says: () => ['training/job.yaml:11:14: .inf is not a number that JSON can carry'],
  },
  { name: 'a list', checkout: spec('- a\n'), says: () => ['training/job.yaml: expected a mapping', 'found a list'] },
  { name: 'nothing', checkout: spec(''), says: () => ['training/job.yaml: expected a mapping', 'found nothing'] },
  {
    name: 'a variable that is not set',
    checkout: spec(JOB_YAML.replace('@{commit}', '@{env:MODEL_TAGG}')),
    env: { MODEL_TAG: 'v1' },
    says: () => [
      'training/job.yaml:7:19: @{env:MODEL_TAGG}: the environment variable is not set in this step; did you mean @{env:MODEL_TAG}?',
    ],
  },
  {
    name: 'unknown placeholders',
    checkout: spec(JOB_YAML.replace('@{commit}', '@{comit}').replace('@{branch}', '@{branch')),
    says: () => [
      'training/job.yaml:7:19: @{comit} is not a placeholder; did you mean @{commit}?',
      'training/job.yaml:8:31: a placeholder is not closed',
    ],
  },
  {
    name: "the CI's own credentials",
    checkout: spec(
      JOB_YAML.replace('@{commit}', '@{env:PIPELINES_JWT_TOKEN}').replace(
        '@{branch}',
        '@{env:BITBUCKET_STEP_OIDC_TOKEN}',
      ),
    ),
    ci: 'bitbucket',
    says: () => [
      '@{env:PIPELINES_JWT_TOKEN} could copy a credential',
      '@{env:BITBUCKET_STEP_OIDC_TOKEN} could copy a credential',
    ],
  },
  {
    name: "the agent's own credentials",
    checkout: spec(
      JOB_YAML.replace('@{commit}', '@{env:BUILDKITE_AGENT_ACCESS_TOKEN}').replace(
        '@{branch}',
        '@{env:BUILDKITE_AGENT_JOB_API_TOKEN}',
      ),
    ),
    ci: 'buildkite',
    says: () => [
      '@{env:BUILDKITE_AGENT_ACCESS_TOKEN} could copy a credential',
      '@{env:BUILDKITE_AGENT_JOB_API_TOKEN} could copy a credential',
    ],
  },
  {
    name: 'paths into the spec that lead nowhere',
    settings: { set: { 'jobSpec.workerPoolSpecs[7].replicaCount': 2, 'a..b': 1 } },
    says: (spell) => [
      `${spell('set')}: jobSpec.workerPoolSpecs[7].replicaCount does not fit the spec`,
      `${spell('set')}: expected a path such as tasks[0].task_key`,
      'got a..b',
    ],
  },
];

/** Text of the file that a parser's message may quote. */
const QUOTED: readonly BadInput[] = [
  { name: 'a tag', checkout: spec(`a: !${HOSTILE} b\n`), says: () => ['training/job.yaml:1:4: '] },
  { name: 'an alias', checkout: spec(`a: *${HOSTILE}\n`), says: () => ['training/job.yaml'] },
  { name: 'an escape', checkout: spec(`a: "\\${HOSTILE}"\n`), says: () => ['training/job.yaml:1:'] },
  { name: 'a number', checkout: spec(`jobSpec: ${HOSTILE}\n`), says: () => ['training/job.yaml'] },
  { name: 'a directive', checkout: spec(`%${HOSTILE}\n---\na: b\n`), says: () => ['training/job.yaml:1:1: '] },
  {
    name: 'a placeholder',
    checkout: spec(JOB_YAML.replace('resnet-@{short-commit}', JSON.stringify(`@{${HOSTILE}}`))),
    says: () => ['training/job.yaml:1:14: @{'],
  },
  { name: 'a path', settings: { spec: `training/${HOSTILE}` }, says: (spell) => [`${spell('spec')}: training/`] },
];

describe.concurrent('a spec is refused before anything is sent:', () => {
  it.each(withEachCi(SPECS))('$title', ({ ci, input }) => expectRefusal(ci, input));
});

describe.concurrent('a spec that is quoted in its refusal does no harm to the log:', () => {
  it.each(withEachCi(QUOTED))('$title', ({ ci, input }) => expectRefusal(ci, input));
});
