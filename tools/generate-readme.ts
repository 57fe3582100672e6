import { buildkiteSettings } from '../buildkite-plugin/buildkite-settings.ts';
import { bitbucketSettings, pipeVariable } from '../pipe/bitbucket-settings.ts';
import { ERROR_CATALOGUE, EXIT_MEANINGS } from '../shared/errors.ts';
import { variableName } from '../shared/host/output-names.ts';
import { PROJECT } from '../shared/project.ts';
import { secretSettings } from '../shared/secrets/secret-settings.ts';
import { runSettings } from '../shared/settings/run-settings.ts';
import type { Setting, Settings } from '../shared/settings/settings.ts';
import { PLACEHOLDERS } from '../shared/settings/template.ts';
import { KINDS } from './kinds.ts';

/** The generated parts of README.md by name. */
export function readmeSections(): ReadonlyMap<string, string> {
  return new Map([
    ['bitbucket-quick-start', bitbucketQuickStart()],
    ['buildkite-quick-start', buildkiteQuickStart()],
    ['settings', settingsSection()],
    ['placeholders', placeholderTable()],
    ['outputs', outputsSection()],
    ['exit-codes', exitCodeTable()],
    ['errors', errorTable()],
  ]);
}

type StepSettings = readonly (readonly [string, string | Readonly<Record<string, string>>])[];

const PROVIDER = 'projects/123456789012/locations/global/workloadIdentityPools/ci-pool/providers';
const DATABRICKS_HOST = 'dbc-a1b2c3d4-e5f6.cloud.databricks.com';

interface QuickStep {
  readonly name: string;
  readonly key: string;
  audience(ci: Ci): string;
  settings(ci: Ci): StepSettings;
}

type Ci = 'bitbucket' | 'buildkite';

const googleAudience = (ci: Ci) => `https://iam.googleapis.com/${PROVIDER}/${ci}`;

const QUICK_STEPS: readonly QuickStep[] = [
  {
    name: 'Train on Vertex AI',
    key: 'train-vertex',
    audience: googleAudience,
    settings: (ci) => [
      ['job', 'vertex-custom-job'],
      ['project', 'acme-ml'],
      ['region', 'us-central1'],
      ['workload-identity-provider', `${PROVIDER}/${ci}`],
      ['service-account', 'trainer@acme-ml.iam.gserviceaccount.com'],
      ['spec', 'training/job.yaml'],
    ],
  },
  {
    name: 'Train on Databricks',
    key: 'train-databricks',
    audience: () => `https://${DATABRICKS_HOST}/oidc/v1/token`,
    settings: () => [
      ['job', 'databricks-submit-run'],
      ['host', DATABRICKS_HOST],
      ['client-id', '5f0f2d0a-7c1e-4b3e-9d57-3f6c2f1f7a10'],
      ['spec', 'training/run.yaml'],
    ],
  },
  {
    name: 'Run a Prefect flow',
    key: 'run-flow',
    audience: googleAudience,
    settings: (ci) => [
      ['job', 'prefect-flow-run'],
      [
        'api-url',
        'https://api.prefect.cloud/api/accounts/9b649228-0419-40e1-9e0d-44954b5c0ab6/workspaces/96bd3cf8-85c9-4545-9713-b4e3c3e03466',
      ],
      ['deployment', 'train/nightly'],
      ['secret-from', { 'api-key': 'google:projects/acme-ml/secrets/prefect-ci/versions/7' }],
      ['workload-identity-provider', `${PROVIDER}/${ci}`],
      ['service-account', 'trainer@acme-ml.iam.gserviceaccount.com'],
    ],
  },
  {
    name: 'Deploy to Vercel',
    key: 'deploy',
    audience: () => 'https://vercel.com/api/login/oauth/token',
    settings: () => [
      ['job', 'vercel-deployment'],
      ['team', 'acme'],
      ['project', 'edge'],
      ['target', 'production'],
    ],
  },
];

function bitbucketQuickStart(): string {
  const steps = QUICK_STEPS.map(
    ({ name, audience, settings }) => `      - step:
          name: ${name}
          oidc:
            audiences:
              - ${audience('bitbucket')}
          script:
            - pipe: ${PROJECT.pipe}:${PROJECT.version}
              variables:
${settings('bitbucket')
  .map(
    ([name, value]) =>
      `                ${pipeVariable(name)}: '${typeof value === 'string' ? value : JSON.stringify(value)}'`,
  )
  .join('\n')}`,
  );
  return `\`\`\`yaml
pipelines:
  branches:
    main:
${steps.join('\n')}
\`\`\``;
}

function buildkiteQuickStart(): string {
  const steps = QUICK_STEPS.map(
    ({ name, key, settings }) => `  - label: '${name}'
    key: ${key}
    plugins:
      - ${PROJECT.plugin}#v${PROJECT.version}:
${settings('buildkite')
  .map(([name, value]) => yamlLines(name, value))
  .join('\n')}`,
  );
  return `\`\`\`yaml
steps:
${steps.join('\n')}
\`\`\``;
}

function yamlLines(name: string, value: StepSettings[number][1]): string {
  const indent = ' '.repeat(10);
  if (typeof value === 'string') return `${indent}${name}: ${value}`;
  const members = Object.entries(value).map(([key, text]) => `${indent}  ${key}: ${text}`);
  return [`${indent}${name}:`, ...members].join('\n');
}

function settingsSection(): string {
  const kinds = KINDS.map(({ id }) => id);
  const parts = [
    `### Every run\n\n${settingsTable(runSettings(kinds))}`,
    ...KINDS.map(({ id, title, settings }) => `### \`${id}\`: ${title}\n\n${kindTable(settings)}`),
    `### Secrets\n\n${secretsTable()}`,
    `### Buildkite only\n\n${settingsTable(buildkiteSettings)}`,
    `### Bitbucket only\n\n${settingsTable(bitbucketSettings)}`,
  ];
  return `${parts.join('\n\n')}\n\n_(*) = required._`;
}

/** The settings of secret brokers are the same wherever they are, so they are told once. */
function kindTable(settings: Settings): string {
  if (!takesSecrets(settings)) return settingsTable(settings);
  const own = Object.entries(settings).filter(([name, setting]) => !isOfBrokers(name, setting));
  return `${settingsTable(Object.fromEntries(own))}\n\nAnd those under [Secrets](#secrets).`;
}

function secretsTable(): string {
  const ids = KINDS.filter(({ settings }) => takesSecrets(settings)).map(({ id }) => `\`${id}\``);
  const shared = Object.entries<Setting>(secretSettings);
  return `Of ${ids.join(', ')}: where their secret settings come from, see [docs/secrets.md](docs/secrets.md).\n\n${settingsTable(Object.fromEntries(shared))}`;
}

function takesSecrets(settings: Settings): boolean {
  return 'secret-from' in settings;
}

function isOfBrokers(name: string, setting: Setting): boolean {
  return Object.entries<Setting>(secretSettings).some(([known, each]) => known === name && each === setting);
}

function settingsTable(settings: Settings): string {
  const rows = Object.entries(settings).map(([name, setting]) => {
    const mark = setting.required ? ' (*)' : '';
    return `| \`${name}\`${mark} | \`${pipeVariable(name)}\`${mark} | ${cell(describe(name, setting))} |`;
  });
  return ['| Buildkite | Bitbucket | Usage |', '| --- | --- | --- |', ...rows].join('\n');
}

/** @throws Error for a setting without a description: none may go undocumented. */
function describe(name: string, { description, default: standard, example }: Setting): string {
  if (description.trim() === '') throw new Error(`the setting ${name} has no description`);
  const value = (json: unknown) => (typeof json === 'string' ? json : JSON.stringify(json));
  if (standard !== undefined) return `${description} Default: \`${value(standard)}\`.`;
  return `${description} Example: \`${value(example)}\`.`;
}

function placeholderTable(): string {
  const rows = Object.entries(PLACEHOLDERS).map(([name, { meaning }]) => `| \`@{${name}}\` | ${cell(meaning)} |`);
  return [
    '| Placeholder | Value |',
    '| --- | --- |',
    ...rows,
    "| `@{env:NAME}` | the environment variable `NAME` of the step; of the CI's own variables only those that describe the build |",
    '| `@@{` | a literal `@{` |',
  ].join('\n');
}

/** Outputs that every run has. */
const ALWAYS: Readonly<Record<string, string>> = {
  kind: 'the kind of job',
  id: "the job's full name or run id: what `attach` takes",
  url: "the job's page",
  result: '`submitted`, `succeeded`, `failed`, `cancelled` or `unfinished`',
  state: "the service's own word for the last state",
  failure: 'for failed jobs: `code`, `infrastructure`, `quota`, `permission` or `timeout`',
  'submission-key': 'what makes the submission the same again when the step is re-run',
  attempt: 'which attempt of that submission it is',
  commit: 'the commit of the build',
};

function outputsSection(): string {
  return [
    `### Every run\n\n${outputsTable(ALWAYS)}`,
    ...KINDS.map(({ id, outputs }) => `### Outputs of \`${id}\`\n\n${outputsTable(outputs)}`),
  ].join('\n\n');
}

function outputsTable(outputs: Readonly<Record<string, string>>): string {
  const rows = Object.entries(outputs).map(
    ([name, meaning]) => `| \`${name}\` | \`${variableName(name)}\` | ${cell(meaning)} |`,
  );
  return ['| Output | In shells and Bitbucket variables | Meaning |', '| --- | --- | --- |', ...rows].join('\n');
}

function exitCodeTable(): string {
  return [
    '| Code | Meaning |',
    '| --- | --- |',
    ...[...EXIT_MEANINGS].map(([code, meaning]) => `| ${code} | ${cell(meaning)} |`),
  ].join('\n');
}

function errorTable(): string {
  const rows = Object.entries(ERROR_CATALOGUE).map(
    ([code, { exit, meaning }]) => `| \`${code}\` | ${exit} | ${cell(meaning)} |`,
  );
  return ['| Error | Exit | What it means and what to do |', '| --- | --- | --- |', ...rows].join('\n');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
