import { stringify } from 'yaml';
import { isObject, type Json } from '../../shared/json.ts';
import type { FailureCause } from '../../shared/kind.ts';
import type { RequestLine, World } from '../simulators/world.ts';
import { databricksRunNow, databricksSubmitRun } from './databricks-samples.ts';
import { prefectDeploymentUpdate, prefectFlowRun } from './prefect-samples.ts';
import type { RemoteLife } from './remote-life.ts';
import { vercelDeployment, vercelPromote, vercelRollback } from './vercel-samples.ts';
import { vertexBatchPredictionJob, vertexCustomJob } from './vertex-ai-samples.ts';

export type Ci = 'bitbucket' | 'buildkite';
export const CIS: readonly Ci[] = ['bitbucket', 'buildkite'];

/** A request of a run, as the simulators see it. */
export interface Target {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'PUT';
  readonly path: RegExp;
  /** How many requests of a run are of no interest, before the one that is meant. */
  readonly skip?: number;
}

/** The requests of a run by what they are for; those that a kind does not make are left out. */
export interface Targets {
  readonly exchange: Target;
  readonly impersonation?: Target;
  /** How a key is got that the service takes in the place of an identity. */
  readonly secret?: Target;
  /** What is asked of the service before the submission. */
  readonly preparation?: Target;
  readonly submission: Target;
  /** What the service is given before it accepts the submission. */
  readonly supply?: Target;
  /** How a submission without an answer is looked for. */
  readonly lookUp?: Target;
  readonly status: Target;
  /** Left out where an accepted submission cannot be taken back. */
  readonly cancel?: Target;
  /** What is done when the run has succeeded. */
  readonly completion?: Target;
}

/** A job as its service has it. */
export interface RemoteJob {
  readonly id: string;
  /** The submission's body as it came. */
  readonly body: string;
  readonly headers: Headers;
  readonly cancelled: boolean;
  /** Whom the service took the submitter for. */
  readonly submitter: string | undefined;
  /** Its page, where it has one. */
  readonly url?: string;
}

/** What a step prints that submits. */
export interface Story {
  readonly identity: string;
  /** How the credential was got. */
  readonly exchange: string;
  /** Keys that a broker kept for it. */
  readonly held?: readonly string[];
  /** States on the way that are always seen. */
  readonly states: readonly string[];
  readonly succeeds: Outcome;
  /** Left out where `fail` is. */
  readonly fails?: Outcome;
}

interface Outcome {
  /** The service's word for it. */
  readonly state: string;
  readonly words: readonly string[];
  /** Whether the outputs tell how long it took. */
  readonly timed?: boolean;
}

export type SampleSettings = Readonly<Record<string, Json>>;

/** The number of the build, where a test does not say. */
export const DEFAULT_BUILD = 42;

/** How one kind is used, and what a test can see and do at its service. */
export interface KindSample {
  readonly id: string;
  /** Its service, as the folders in `shared/services` and `examples` and the guide in `docs` are called. */
  readonly service: string;
  /** What its step in the demo does. */
  readonly about: string;
  settings(ci: Ci): SampleSettings;
  /** Other settings that must be accepted as well, by what is special about them. */
  readonly variants?: Readonly<Record<string, (ci: Ci) => SampleSettings>>;
  /** What the trust wants in the CI's token. */
  audience(ci: Ci): string;
  readonly targets: Targets;
  jobs(world: World): readonly RemoteJob[];
  /** Whom its service takes the submitter for. */
  readonly submitter: string;
  /** The life of the next job. */
  script(world: World, life: RemoteLife): void;
  /** The next job fails in its own code, soon by a clock that is real; left out where it never does. */
  readonly fail?: (world: World) => void;
  readonly story: Story;
  /** Another way to name the job, as a user may have it from the service's own pages. */
  otherName(id: string): string;
  /** A name in the service's form that no job has; `404` where it is digits. */
  readonly nobodysName?: string;
  /** The seconds after which the submission tells the service to end the job; undefined where a request cannot. */
  serverTimeout(body: string): number | undefined;
  /** Whether the service can be asked for a submission by its key. */
  readonly findsByKey: boolean;
  /** Puts what its settings name at the service, if it is not there. Called before each step. */
  readonly setUp?: (world: World) => void;
  /** What the checkout has, by path. */
  readonly files?: (build: number) => Readonly<Record<string, string>>;
  /** It changes something once and for all, and asking again does no harm: there is no run to find, to attach to or to cancel. */
  readonly repeatable?: true;
  /** The ends that its jobs can have besides success, where they are not all. */
  readonly ends?: readonly (FailureCause | 'cancelled')[];
  /** Its credential is a key that outlasts every wait. */
  readonly hasKey?: true;
}

/** One sample of each kind, by its id. */
export const KIND_SAMPLES: readonly KindSample[] = [
  vertexCustomJob,
  vertexBatchPredictionJob,
  databricksSubmitRun,
  databricksRunNow,
  prefectFlowRun,
  prefectDeploymentUpdate,
  vercelDeployment,
  vercelPromote,
  vercelRollback,
];

/** The services of all kinds. */
export const SERVICES: readonly string[] = [...new Set(KIND_SAMPLES.map(({ service }) => service))];

/** Those whose submission makes a run. */
export const RUN_SAMPLES: readonly KindSample[] = KIND_SAMPLES.filter(({ repeatable }) => repeatable === undefined);

export function sampleOf(id: string): KindSample {
  const sample = KIND_SAMPLES.find((each) => each.id === id);
  if (sample === undefined) throw new Error(`${id} has no sample in test/contract/kind-samples.ts`);
  return sample;
}

/** Whether a request is one of those that a target means. */
export function isSentTo({ method, host, path }: RequestLine, target: Target | undefined): boolean {
  return method === target?.method && target.path.test(`/${host}${path.replace(/\?.*/, '')}`);
}

/** A sample's step as its users have it: what is set, and the checkout, where the spec is a file. */
export function stepOf(
  sample: KindSample,
  ci: Ci,
): { settings: SampleSettings; files: Readonly<Record<string, string>> } {
  const { spec, ...others }: SampleSettings = { job: sample.id, ...sample.settings(ci) };
  const files = sample.files?.(DEFAULT_BUILD) ?? {};
  if (!isObject(spec)) return { settings: others, files };
  const path = `training/${sample.id}.yaml`;
  return { settings: { ...others, spec: path }, files: { ...files, [path]: stringify(spec) } };
}
