import { parseArgs } from 'node:util';
import { Stryker } from '@stryker-mutator/core';

/** A part of the sources with the tests that must notice when it is changed. */
interface Part {
  readonly sources: readonly string[];
  readonly tests: readonly string[];
}

/** The tests of every strategy to deliver a submission. */
const DELIVERY = ['test/unit/deliver*.test.ts'];
/** What holds for every strategy that makes a run, and for this one. */
const deliveryBy = (strategy: string) => ['test/unit/deliver.test.ts', `test/unit/deliver-by-${strategy}.test.ts`];

/**
 * Where a wrong line makes a step lie, leak or hang. Each part has tests of its own that run in the process and in moments:
 * every mutant runs them, so a slow test costs its time hundreds of times.
 */
const PARTS: Readonly<Record<string, Part>> = {
  watch: { sources: ['shared/run/watch.ts'], tests: ['test/unit/watch.test.ts'] },
  ending: { sources: ['shared/run/ending.ts'], tests: ['test/unit/ending.test.ts'] },
  attach: { sources: ['shared/run/attach.ts'], tests: ['test/unit/attach.test.ts'] },
  'outputs-file': { sources: ['shared/host/outputs-file.ts'], tests: ['test/unit/outputs-file.test.ts'] },
  send: { sources: ['shared/run/deliver/send.ts'], tests: DELIVERY },
  earlier: { sources: ['shared/run/deliver/earlier.ts', 'shared/run/deliver/deliver.ts'], tests: DELIVERY },
  'by-token': { sources: ['shared/run/deliver/by-token.ts'], tests: deliveryBy('token') },
  'by-mark': { sources: ['shared/run/deliver/by-mark.ts'], tests: deliveryBy('mark') },
  'by-name': { sources: ['shared/run/deliver/by-name.ts'], tests: deliveryBy('name') },
  'by-state': { sources: ['shared/run/deliver/by-state.ts'], tests: ['test/unit/deliver-by-state.test.ts'] },
  session: { sources: ['shared/identity/session.ts'], tests: ['test/unit/session.test.ts'] },
  credential: { sources: ['shared/identity/credential.ts'], tests: ['test/unit/credential.test.ts'] },
  redaction: { sources: ['shared/host/redaction.ts'], tests: ['test/unit/redaction.test.ts'] },
  'secret-index': { sources: ['shared/host/secret-index.ts'], tests: ['test/unit/secret-index.test.ts'] },
  reading: { sources: ['shared/host/reading.ts'], tests: ['test/unit/secret-index.test.ts'] },
  'key-shapes': { sources: ['shared/host/key-shapes.ts'], tests: ['test/unit/key-shapes.test.ts'] },
  'bind-run': { sources: ['shared/run/bind.ts'], tests: ['test/unit/bind-run.test.ts'] },
  http: { sources: ['shared/http/http.ts'], tests: ['test/unit/http.test.ts'] },
  'look-up': {
    sources: ['shared/run/deliver/look-up.ts', 'shared/http/pages.ts'],
    tests: ['test/unit/look-up.test.ts'],
  },
  agent: { sources: ['buildkite-plugin/agent.ts'], tests: ['test/unit/agent.test.ts'] },
  conclusion: {
    sources: ['shared/services/databricks/run-conclusion.ts'],
    tests: ['test/unit/databricks-run-conclusion.test.ts'],
  },
  'remembered-job': {
    sources: ['buildkite-plugin/remembered-job.ts'],
    tests: ['test/unit/remembered-job.test.ts'],
  },
  'cancel-remembered': {
    sources: ['shared/run/cancel-remembered.ts'],
    tests: ['test/unit/cancel-remembered.test.ts'],
  },
  files: { sources: ['shared/edge/checkout-files.ts'], tests: ['test/unit/checkout-files.test.ts'] },
  logs: {
    sources: ['pipe/bitbucket-log.ts', 'buildkite-plugin/buildkite-log.ts', 'buildkite-plugin/annotation.ts'],
    tests: ['test/unit/logs.test.ts', 'test/unit/remote-text.test.ts'],
  },
  hosts: {
    sources: [
      'pipe/bitbucket-host.ts',
      'pipe/bitbucket-reports.ts',
      'buildkite-plugin/buildkite-host.ts',
      'buildkite-plugin/buildkite-context.ts',
      'buildkite-plugin/buildkite-tokens.ts',
    ],
    tests: ['test/unit/hosts.test.ts', 'test/unit/logs.test.ts', 'test/unit/plugin-configuration.test.ts'],
  },
  status: {
    sources: [
      'shared/services/vertex-ai/job-status.ts',
      'shared/services/databricks/run-status.ts',
      'shared/services/prefect/flow-run-status.ts',
      'shared/services/vercel/deployment-status.ts',
      'shared/services/vercel/production-status.ts',
    ],
    tests: ['test/unit/*-status.test.ts'],
  },
  refusals: {
    sources: [
      'shared/google/errors.ts',
      'shared/services/databricks/errors.ts',
      'shared/services/prefect/errors.ts',
      'shared/services/vercel/errors.ts',
    ],
    tests: ['test/unit/refusals.test.ts'],
  },
};

type Mutants = Awaited<ReturnType<Stryker['runMutationTest']>>;

/** What a part must reach, in per cent of its mutants. */
const ENOUGH = 80;

async function runPart(
  name: string,
  { sources, tests }: Part,
  { survivors, fresh }: { readonly survivors: boolean; readonly fresh: boolean },
): Promise<Mutants> {
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
    const part = PARTS[name];
    if (part === undefined) throw new Error(`${name} is none of ${Object.keys(PARTS).join(', ')}`);
    const mutants = await runPart(name, part, values);
    for (const source of part.sources) {
      const own = mutants.filter(({ fileName }) => fileName.endsWith(source));
      process.stdout.write(`${scoreOf(own).padStart(6)} %  ${String(own.length).padStart(4)} mutants  ${source}\n`);
    }
    if (Number(scoreOf(mutants)) < ENOUGH) process.exitCode = 1;
  }
}

await main();
