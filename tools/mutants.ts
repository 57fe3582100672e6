import { parseArgs } from 'node:util';
import { Stryker } from '@stryker-mutator/core';

/**
 * Where a wrong line makes a step lie, leak or hang: the sources of each part, by the name of the tests in test/unit that must notice when
 * they are changed. Those run in the process and in moments: every mutant runs them, so a slow test costs its time hundreds of times.
 */
const PARTS: Readonly<Record<string, readonly string[]>> = {
  watch: ['shared/run/watch.ts'],
  ending: ['shared/run/ending.ts'],
  attach: ['shared/run/attach.ts'],
  'outputs-file': ['shared/host/outputs-file.ts'],
  deliver: ['deliver', 'earlier', 'send', 'by-token', 'by-name', 'by-mark', 'by-state'].map(
    (name) => `shared/run/deliver/${name}.ts`,
  ),
  session: ['shared/identity/session.ts'],
  credential: ['shared/identity/credential.ts'],
  redaction: ['shared/host/redaction.ts'],
  'secret-index': ['shared/host/secret-index.ts', 'shared/host/reading.ts'],
  'key-shapes': ['shared/host/key-shapes.ts'],
  'bind-run': ['shared/run/bind.ts'],
  http: ['shared/http/http.ts'],
  'look-up': ['shared/run/deliver/look-up.ts', 'shared/http/pages.ts'],
  agent: ['buildkite-plugin/agent.ts'],
  'databricks-run-conclusion': ['shared/services/databricks/run-conclusion.ts'],
  'remembered-job': ['buildkite-plugin/remembered-job.ts'],
  'cancel-remembered': ['shared/run/cancel-remembered.ts'],
  'checkout-files': ['shared/edge/checkout-files.ts'],
  logs: ['pipe/bitbucket-log.ts', 'buildkite-plugin/buildkite-log.ts', 'buildkite-plugin/annotation.ts'],
  hosts: [
    'pipe/bitbucket-host.ts',
    'pipe/bitbucket-reports.ts',
    'buildkite-plugin/buildkite-host.ts',
    'buildkite-plugin/buildkite-context.ts',
    'buildkite-plugin/buildkite-tokens.ts',
  ],
  status: [
    'shared/services/vertex-ai/job-status.ts',
    'shared/services/databricks/run-status.ts',
    'shared/services/prefect/flow-run-status.ts',
    'shared/services/vercel/deployment-status.ts',
    'shared/services/vercel/production-status.ts',
  ],
  refusals: ['google', 'services/databricks', 'services/prefect', 'services/vercel'].map(
    (name) => `shared/${name}/errors.ts`,
  ),
};
/** Tests of a part that are not called like it. */
const OTHER_TESTS: Readonly<Record<string, readonly string[]>> = {
  deliver: ['deliver-by-*'],
  logs: ['remote-text'],
  hosts: ['logs', 'plugin-configuration'],
  status: ['*-status'],
};

type Mutants = Awaited<ReturnType<Stryker['runMutationTest']>>;

/** What a part must reach, in per cent of its mutants. */
const ENOUGH = 80;

async function runPart(
  name: string,
  sources: readonly string[],
  { survivors, fresh }: { readonly survivors: boolean; readonly fresh: boolean },
): Promise<Mutants> {
  const tests = [name, ...(OTHER_TESTS[name] ?? [])].map((test) => `test/unit/${test}.test.ts`);
  process.env.MUTANTS_TESTS = tests.join(',');
  const stryker = new Stryker({
    testRunner: 'vitest',
    plugins: ['@stryker-mutator/vitest-runner'],
    // Stryker's own choice of test files would leave tables at the top of a module unchanged (10.1.1).
    vitest: { related: false, configFile: 'vitest.mutants.config.ts' },
    mutate: [...sources],
    coverageAnalysis: 'perTest',
    concurrency: 2,
    // The tests take milliseconds: a mutant under which they take seconds hangs.
    timeoutMS: 3_000,
    incremental: true,
    force: fresh,
    incrementalFile: `build/mutants/${name}.json`,
    tempDirName: 'build/mutants/sandbox',
    // The words of messages are free to change; what is sent is compared whole by the golden files.
    mutator: { excludedMutations: ['StringLiteral'] },
    // Stryker would rewrite tsconfig.json by TypeScript's former API. Nothing in the sandbox reads it.
    tsconfigFile: 'none',
    ignorePatterns: ['build', 'buildkite-plugin/dist', 'docs'],
    reporters: survivors ? ['clear-text'] : [],
    clearTextReporter: { logTests: false, reportScoreTable: false },
    allowEmpty: false,
  });
  return stryker.runMutationTest();
}

function scoreOf(mutants: Mutants): string {
  const noticed = mutants.filter(({ status }) => status === 'Killed' || status === 'Timeout').length;
  const valid = mutants.filter(({ status }) => status !== 'Ignored' && !status.endsWith('Error')).length;
  return ((100 * noticed) / valid).toFixed(1);
}

/** Changes the chosen parts in many small ways and counts which changes the tests notice. */
async function main(): Promise<void> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { survivors: { type: 'boolean', default: false }, fresh: { type: 'boolean', default: false } },
  });
  const names = positionals.length === 0 ? Object.keys(PARTS) : positionals;
  for (const name of names) {
    const sources = PARTS[name];
    if (sources === undefined) throw new Error(`${name} is none of ${Object.keys(PARTS).join(', ')}`);
    const mutants = await runPart(name, sources, values);
    for (const source of sources) {
      const own = mutants.filter(({ fileName }) => fileName.endsWith(source));
      process.stdout.write(`${scoreOf(own).padStart(6)} %  ${String(own.length).padStart(4)} mutants  ${source}\n`);
    }
    if (Number(scoreOf(mutants)) < ENOUGH) process.exitCode = 1;
  }
}

await main();
