import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { styleText } from 'node:util';
import { stringifyJson } from '../shared/json.ts';
import type { Ci } from '../test/contract/kind-samples.ts';
import { installRecordingAgent } from '../test/e2e/recording-agent.ts';
import type { Handler } from '../test/simulators/serve.ts';
import { createWorld, type RequestLine } from '../test/simulators/world.ts';
import { pipeStep, pipeVariables, pluginStep, type StepProcess } from './ci-step.ts';
import { STEPS } from './demo-stories.ts';
import { livesByName, NAMES_THAT_MATTER } from './lives-by-name.ts';
import { temporaryFolder } from './temporary-folder.ts';

const PORT = 8700;
const ROOT = join(import.meta.dirname, '..');
/** What the steps of all kinds find. */
const CHECKOUT = Object.assign({}, ...STEPS.map(({ checkout }) => checkout));

/** Serves the simulators until Ctrl-C, with what a shell needs to play a step of either CI. */
async function serveSimulators(folder: string): Promise<void> {
  const agentBin = installRecordingAgent(folder).bin;
  let builds = 0;

  const tokens: Handler = async (request) => {
    const { pathname, searchParams } = new URL(request.url);
    const audiences = searchParams.getAll('audience');
    return pathname === '/bitbucket'
      ? new Response(await world.bitbucketToken({ audiences: audiences.length === 0 ? everyAudience() : audiences }))
      : new Response('Try /tokens/bitbucket?audience=…\n', { status: 404 });
  };

  const steps: Handler = async (request) => {
    const { pathname } = new URL(request.url);
    builds += 1;
    if (pathname === '/bitbucket') {
      const build = {
        BITBUCKET_BUILD_NUMBER: String(builds),
        BITBUCKET_PIPELINE_UUID: `{${randomUUID()}}`,
        BITBUCKET_STEP_OIDC_TOKEN: await world.bitbucketToken({ audiences: everyAudience() }),
      };
      return new Response(shellScript(pipe, build, 'pipe', ['pipe/main.ts']));
    }
    if (pathname === '/buildkite') {
      const build = { BUILDKITE_BUILD_NUMBER: String(builds), BUILDKITE_BUILD_ID: randomUUID() };
      return new Response(shellScript(plugin, build, 'plugin', ['buildkite-plugin/main.ts', 'run']));
    }
    return new Response('Try /steps/bitbucket or /steps/buildkite\n', { status: 404 });
  };

  const world = await createWorld({ ...livesByName, port: PORT, hosts: { tokens, steps }, onAnswer: printRequest });
  for (const { kind } of STEPS) kind.setUp?.(world);
  const plan = {
    packagings: { pipe: join(ROOT, 'pipe/main.ts'), plugin: ROOT },
    simulators: world.url,
    folder,
    files: CHECKOUT,
    settings: {},
  };
  const pipe = pipeStep(plan, '');
  const plugin = pluginStep(plan, 'command', agentBin);
  console.log(usage(world.url, pipe.cwd));
}

/** Audiences for every service, so that one token will do for all. */
function everyAudience(): readonly string[] {
  return [...new Set(STEPS.map(({ kind, ci }) => kind.audience(ci)))];
}

/** What a shell evaluates to become a step: the CI's variables, and a function that runs the packaging's sources. */
function shellScript(
  step: StepProcess,
  build: Readonly<Record<string, string>>,
  name: string,
  [main = '', ...args]: readonly string[],
): string {
  const { HOME: _home, TMPDIR: _tmpdir, ...env } = step.env;
  const exports = Object.entries({ ...env, ...build }).map(
    ([variable, value]) => `export ${variable}=${quoted(value)}`,
  );
  const command = [process.execPath, join(ROOT, main), ...args].map(quoted).join(' ');
  return `${exports.join('\n')}\n${name}() { (cd ${quoted(step.cwd)} && ${command}); }\n`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function printRequest({ method, host, path }: RequestLine, status: number): void {
  // A HEAD only opens a connection ahead of its use.
  if (method === 'HEAD') return;
  const colour = status < 400 ? 'green' : 'red';
  console.log(`${styleText(colour, String(status))} ${method.padEnd(4)} ${styleText('bold', host)}${path}`);
}

function usage(url: string, checkout: string): string {
  const steps = (ci: Ci) => STEPS.filter((step) => step.ci === ci);
  const pipe = steps('bitbucket').map(({ settings }) =>
    [...Object.entries(pipeVariables(settings)).map(([name, value]) => `${name}=${quoted(value)}`), 'pipe'].join(
      ' \\\n    ',
    ),
  );
  const plugin = steps('buildkite').map(
    ({ settings }) => `BUILDKITE_PLUGIN_CONFIGURATION=${quoted(stringifyJson(settings))} \\\n    plugin`,
  );
  const names = Object.entries(NAMES_THAT_MATTER).map(
    ([name, what]) => `  A job of Vertex AI or Databricks with "${name}" in its name: ${what}.`,
  );
  return `${styleText('bold', `Bitbucket, Buildkite, Google Cloud, Databricks, Prefect, Vercel and the secret brokers, simulated on ${url}`)}

This variable sends every request of both packagings here, from wherever they are run:

  export KEYLESS_SUBMIT_SIMULATORS=${url}

The functions "pipe" and "plugin" below run the sources. The image's bundle (npm run bundle, build/pipe/main.mjs) and hooks/command
take the very same variables.

${styleText('bold', 'A Bitbucket step, in another shell')} (each eval is a new build with a new token for all services):

  eval "$(curl -s ${url}/steps/bitbucket)"
  ${pipe.join('\n  ')}

${styleText('bold', 'A Buildkite step')} (with a small stand-in for the command buildkite-agent):

  eval "$(curl -s ${url}/steps/buildkite)"
  ${plugin.join('\n  ')}

${styleText('bold', 'A Bitbucket token alone')} (?audience=… for another audience than the services expect):

  export BITBUCKET_STEP_OIDC_TOKEN="$(curl -s ${url}/tokens/bitbucket)"

${styleText('bold', 'The checkout of both')} is ${checkout}
  with ${Object.keys(CHECKOUT).join(', ')}
${names.join('\n')}

Every request is shown below. Ctrl-C ends.
`;
}

await serveSimulators(temporaryFolder('simulators', 0)).catch((error: NodeJS.ErrnoException) => {
  if (error.code !== 'EADDRINUSE') throw error;
  console.error(`Port ${PORT} is in use; are the simulators running already?`);
  process.exitCode = 1;
});
