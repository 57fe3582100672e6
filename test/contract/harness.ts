import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { BUILDKITE_PROTECTED, buildkiteHost } from '../../buildkite-plugin/buildkite-host.ts';
import { buildkiteSettings, type Env, readPluginConfiguration } from '../../buildkite-plugin/buildkite-settings.ts';
import { forgetJob } from '../../buildkite-plugin/remembered-job.ts';
import { BITBUCKET_PROTECTED, bitbucketHost } from '../../pipe/bitbucket-host.ts';
import { bitbucketSettings, readPipeVariables } from '../../pipe/bitbucket-settings.ts';
import type { Clock } from '../../shared/clock.ts';
import { checkoutFiles } from '../../shared/edge/checkout-files.ts';
import { network } from '../../shared/edge/network.ts';
import type { Host } from '../../shared/host/host.ts';
import { createHttp, HTTP_TIMINGS, type HttpTimings } from '../../shared/http/http.ts';
import type { Json } from '../../shared/json.ts';
import { run } from '../../shared/run/run.ts';
import { JOB_KINDS, KIND_SETTINGS } from '../../shared/services/index.ts';
import { runSettings } from '../../shared/settings/run-settings.ts';
import { brokerSecrets } from '../simulators/brokers-tenant.ts';
import { VERCEL } from '../simulators/vercel-tenant.ts';
import { createWorld, type RecordedRequest, type World, type WorldOptions } from '../simulators/world.ts';
import { agentOverHttp } from './agent-over-http.ts';
import { type Ci, DEFAULT_BUILD, isSentTo, type KindSample, sampleOf, type Target } from './kind-samples.ts';
import { processLife } from './process-life.ts';
import { stepEnvironment } from './step-environment.ts';
import { type VirtualClock, virtualClock } from './virtual-clock.ts';

/** A world, the time that passes in it, and the machine that steps run on. */
export interface Stage extends AsyncDisposable {
  readonly world: World;
  readonly clock: VirtualClock;
  readonly directory: string;
}

export async function createStage(options: WorldOptions = {}): Promise<Stage> {
  const clock = virtualClock();
  const world = await createWorld({ now: clock.now, ...options });
  const directory = await mkdtemp(join(tmpdir(), 'keyless-contract-'));
  return {
    world,
    clock,
    directory,
    [Symbol.asyncDispose]: async () => {
      await world.close();
      await rm(directory, { recursive: true });
    },
  };
}

export interface Step {
  readonly kind: string;
  readonly ci: Ci;
  /** Beside the sample's settings; null takes one of them away. */
  readonly settings?: Readonly<Record<string, Json>>;
  readonly env?: Env;
  readonly signal?: AbortSignal;
  /** What started the step again; without it this is its first run. */
  readonly retry?: 'manual' | 'automatic';
  /** Which run of the step it is, 1 for the first. */
  readonly attempt?: number;
  /** Tells one build from another; steps of the same build share their outputs. */
  readonly build?: number;
  readonly stepKey?: string;
  /** Tells the jobs of one step apart, such as those of a matrix; 0 where there is one. */
  readonly sibling?: number;
  /** The request after which the process is killed: the service has processed it, and no response is read. */
  readonly killedAfter?: Target | undefined;
  /** The checkout of an earlier step, as artifacts hand it on. */
  readonly checkout?: string | undefined;
  readonly timings?: Partial<HttpTimings>;
}

/** What came of a step, as its user sees it. */
export interface StepResult {
  readonly exitCode: number;
  readonly log: string;
  /** The log without colours, one line each. */
  readonly lines: readonly string[];
  /** What later steps get; undefined when nothing was handed out. */
  readonly outputs: Readonly<Record<string, string>> | undefined;
  /** The bodies of the annotation (Buildkite) or of the Code Insights report (Bitbucket), in order. */
  readonly reports: readonly string[];
  /** The style of the annotation or the result of the report at the end. */
  readonly reportState: string | undefined;
  readonly requests: readonly RecordedRequest[];
  readonly checkout: string;
  /** What Buildkite's redactor was told to hide. */
  readonly concealed: readonly string[];
}

/** Runs one step in this process as its CI's packaging does, against the simulators over HTTP. */
export async function runStep(stage: Stage, step: Step): Promise<StepResult> {
  const { world, clock } = stage;
  const sample = sampleOf(step.kind);
  const checkout = step.checkout ?? (await mkdtemp(join(stage.directory, 'checkout-')));
  for (const [path, text] of Object.entries(sample.files?.(step.build ?? DEFAULT_BUILD) ?? {})) {
    await mkdir(join(checkout, dirname(path)), { recursive: true });
    await writeFile(join(checkout, path), text);
  }
  sample.setUp?.(world);
  const env = await stepEnvironment(stage, step, sample, checkout);
  const from = world.requests.length;
  const reportsBefore = reportBodies(world, step.ci).length;
  const tokensBefore = tokensOf(world);
  const chunks: string[] = [];
  const files = checkoutFiles(checkout);
  const life = processLife(step.killedAfter);
  const transport = life.transport(network(env).transport);
  const { agent: living, commandLines, concealed } = agentOverHttp(`${world.url}/agent-edge.buildkite.com`, env);
  const agent: typeof living = (...call) => life.whileAlive(() => living(...call));
  const stepClock: Clock = { now: clock.now, sleep: (ms, signal) => life.whileAlive(() => clock.sleep(ms, signal)) };
  const write = (text: string) => void chunks.push(text);

  const host: Host =
    step.ci === 'bitbucket'
      ? bitbucketHost({ env, files, write, settings: readPipeVariables(env, PIPE_SETTINGS) })
      : buildkiteHost({ env, files, write, agent, settings: readPluginConfiguration(env, KIND_IDS).settings });
  const running = run({
    host,
    hostSettings: step.ci === 'bitbucket' ? bitbucketSettings : buildkiteSettings,
    kinds: JOB_KINDS,
    kindSettings: KIND_SETTINGS,
    files,
    env,
    protectedVariables: step.ci === 'bitbucket' ? BITBUCKET_PROTECTED : BUILDKITE_PROTECTED,
    http: createHttp(transport, stepClock, { ...HTTP_TIMINGS, attemptMs: 5_000, ...step.timings }),
    clock: stepClock,
    signal: step.signal ?? new AbortController().signal,
  });
  const exitCode = await Promise.race([running, life.killed]);
  // What is left to the pre-exit hook, which does not run here.
  if (step.ci === 'buildkite') await forgetJob(env);

  const log = chunks.join('');
  const requests = world.requests.slice(from);
  const reports = reportBodies(world, step.ci).slice(reportsBefore);
  const outputs = await publishedOutputs(stage, step, requests, checkout);
  const tokens = [...tokensOf(world)].filter((token) => !tokensBefore.has(token));
  refuseLeaks(
    [...tokens, ...storedKeys(world), env.BITBUCKET_STEP_OIDC_TOKEN ?? ''],
    JSON.stringify({ log, reports, outputs, commandLines }),
  );
  const lines = log.replace(/\u001b\[\d+m/g, '').split('\n');
  const reportState = step.ci === 'bitbucket' ? lastReport(world)?.result : world.agentApi.annotations().at(-1)?.style;
  return { exitCode, log, lines, outputs, reports, reportState, requests, checkout, concealed };
}

const KIND_IDS = JOB_KINDS.map(({ id }) => id);
const PIPE_SETTINGS = { ...runSettings(KIND_IDS), ...KIND_SETTINGS, ...bitbucketSettings };

function lastReport(world: World) {
  return world.reports.reports().at(-1)?.current;
}

function reportBodies(world: World, ci: Ci): readonly string[] {
  return ci === 'bitbucket'
    ? world.reports.reports().flatMap(({ puts }) => puts.map((put) => JSON.stringify(put)))
    : world.agentApi.annotations().flatMap(({ bodies }) => bodies);
}

async function publishedOutputs(
  { world }: Stage,
  { ci, stepKey = 'train' }: Step,
  requests: readonly RecordedRequest[],
  checkout: string,
): Promise<Readonly<Record<string, string>> | undefined> {
  const published = requests.some(({ path }) => path.endsWith('/data/set'));
  const text =
    ci === 'bitbucket'
      ? await readFile(join(checkout, '.keyless-submit/outputs.json'), 'utf8').catch(() => undefined)
      : published
        ? world.agentApi.metaData().get(`keyless-submit:${stepKey}`)
        : undefined;
  return text === undefined ? undefined : (JSON.parse(text) as Record<string, string>);
}

/** The keys that brokers keep for services which take no other. */
function storedKeys({ prefect }: World): readonly string[] {
  return [...brokerSecrets(), ...prefect.issuedTokens(), ...Object.values(VERCEL.tokens)];
}

/** Every token that was given out so far. */
function tokensOf({ google, databricks, agentApi, brokers, vercel }: World): Set<string> {
  return new Set([
    ...google.issuedTokens(),
    ...brokers.issuedTokens(),
    ...vercel.issuedTokens(),
    ...databricks.issued().map(({ accessToken }) => accessToken),
    ...agentApi.oidcRequests().map(({ token }) => token),
  ]);
}

/** No token, nor a part of one, may be seen anywhere, whatever went wrong. */
function refuseLeaks(tokens: readonly string[], seen: string): void {
  for (const token of tokens) {
    // The header of a JSON Web Token is the same for all of them.
    const secret = token.startsWith('ey') ? token.slice(token.indexOf('.') + 1) : token;
    const part = (secret.match(/.{16}/g) ?? [secret]).find((chunk) => chunk !== '' && seen.includes(chunk));
    if (part !== undefined) throw new Error(`A part of a token can be seen (${part}…): ${seen}`);
  }
}

/** The requests that went to one target. */
export function sentTo(
  requests: readonly RecordedRequest[],
  target: KindSample['targets']['submission'] | undefined,
): readonly RecordedRequest[] {
  return requests.filter((request) => isSentTo(request, target));
}
