import { buildkiteSettings } from '../buildkite-plugin/buildkite-settings.ts';
import { bitbucketSettings, pipeVariable } from '../pipe/bitbucket-settings.ts';
import { ERROR_CATALOGUE, EXIT_MEANINGS } from '../shared/errors.ts';
import { JOB_KINDS } from '../shared/jobs/index.ts';
import { variableName } from '../shared/output-names.ts';
import { PROJECT } from '../shared/project.ts';
import { runSettings } from '../shared/run-settings.ts';
import { secretSettings } from '../shared/secrets/secret-settings.ts';
import type { Setting, Settings } from '../shared/settings.ts';
import { PLACEHOLDERS } from '../shared/template.ts';

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

const VERTEX = [
  ['job', 'vertex-custom-job'],
  ['project', 'acme-ml'],
  ['region', 'us-central1'],
  ['workload-identity-provider', 'projects/123456789012/locations/global/workloadIdentityPools/ci-pool/providers/'],
  ['service-account', 'trainer@acme-ml.iam.gserviceaccount.com'],
  ['spec', 'training/job.yaml'],
] as const;
const DATABRICKS = [
  ['job', 'databricks-submit-run'],
  ['host', 'dbc-a1b2c3d4-e5f6.cloud.databricks.com'],
  ['client-id', '5f0f2d0a-7c1e-4b3e-9d57-3f6c2f1f7a10'],
  ['spec', 'training/run.yaml'],
] as const;

function bitbucketQuickStart(): string {
  const step = (
    name: string,
    audience: string,
    settings: readonly (readonly [string, string])[],
  ): string => `      - step:
          name: ${name}
          oidc:
            audiences:
              - ${audience}
          script:
            - pipe: ${PROJECT.pipe}:${PROJECT.version}
              variables:
${settings.map(([setting, value]) => `                ${pipeVariable(setting)}: '${value}${value.endsWith('providers/') ? 'bitbucket' : ''}'`).join('\n')}`;
  const provider = `https://iam.googleapis.com/${VERTEX[3][1]}bitbucket`;
  return `\`\`\`yaml
pipelines:
  branches:
    main:
${step('Train on Vertex AI', provider, VERTEX)}
${step('Train on Databricks', `https://${DATABRICKS[1][1]}/oidc/v1/token`, DATABRICKS)}
\`\`\``;
}

function buildkiteQuickStart(): string {
  const step = (
    label: string,
    key: string,
    settings: readonly (readonly [string, string])[],
  ): string => `  - label: '${label}'
    key: ${key}
    plugins:
      - ${PROJECT.plugin}#v${PROJECT.version}:
${settings.map(([setting, value]) => `          ${setting}: ${value}${value.endsWith('providers/') ? 'buildkite' : ''}`).join('\n')}`;
  return `\`\`\`yaml
steps:
${step('Train on Vertex AI', 'train-vertex', VERTEX)}
${step('Train on Databricks', 'train-databricks', DATABRICKS)}
\`\`\``;
}

function settingsSection(): string {
  const kinds = JOB_KINDS.map(({ id }) => id);
  const parts = [
    `### Every run\n\n${settingsTable(runSettings(kinds))}`,
    ...JOB_KINDS.map(({ id, title, settings }) => `### \`${id}\`: ${title}\n\n${kindTable(settings)}`),
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
  const ids = JOB_KINDS.filter(({ settings }) => takesSecrets(settings)).map(({ id }) => `\`${id}\``);
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
    '| `@{env:NAME}` | the environment variable `NAME` of the step |',
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
    ...JOB_KINDS.map(({ id, outputs }) => `### Outputs of \`${id}\`\n\n${outputsTable(outputs)}`),
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
