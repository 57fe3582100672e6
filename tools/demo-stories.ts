import { CIS, type Ci, KIND_SAMPLES, type KindSample, sampleOf, stepOf } from '../test/contract/kind-samples.ts';
import type { BitbucketClaimOptions } from '../test/simulators/oidc-issuer.ts';
import type { StepSettings } from './ci-step.ts';

export type Result = 'succeeded' | 'failed' | 'cancelled' | 'refused';

/** One step of a pipeline, and how it must end. */
export interface Story {
  readonly ci: Ci;
  readonly kind: KindSample;
  /** What happens, in a sentence or two. */
  readonly about: string;
  readonly settings: StepSettings;
  readonly checkout: Readonly<Record<string, string>>;
  /** What is different about the step's token (Bitbucket only). */
  readonly token?: Partial<BitbucketClaimOptions>;
  /** The build is cancelled once the log matches. */
  readonly cancelWhen?: RegExp;
  readonly result: Result;
  readonly exitCode: number;
}

/** A kind's step on a CI that succeeds; `changes` to its settings may give the simulators a name that matters. */
function storyOf(kind: KindSample, ci: Ci, changes: StepSettings = {}): Story {
  const { settings, files } = stepOf(kind, ci);
  // Else the plugin's outputs are in the build's meta-data alone.
  const outputs = ci === 'buildkite' ? { 'outputs-file': '.keyless-submit/outputs.json' } : {};
  return {
    ci,
    kind,
    about: kind.about,
    settings: { ...settings, ...outputs, ...changes },
    checkout: files,
    result: 'succeeded',
    exitCode: 0,
  };
}

const vertex = sampleOf('vertex-custom-job');

/** Every kind, on one CI after the other, then a failure of each sort. */
export const STORIES: readonly Story[] = [
  ...KIND_SAMPLES.map((kind, index) => storyOf(kind, index % 2 === 0 ? 'bitbucket' : 'buildkite')),
  {
    ...storyOf(vertex, 'bitbucket'),
    about: 'Identity refused: another repository copies the step, and the condition does not know it.',
    token: { repositoryUuid: '{0e0e0e0e-1111-4222-8333-444444444444}' },
    result: 'refused',
    exitCode: 3,
  },
  {
    ...storyOf(sampleOf('databricks-submit-run'), 'bitbucket', { set: { run_name: 'resnet that fails' } }),
    about: 'Remote job failed: the training code raises an error.',
    result: 'failed',
    exitCode: 1,
  },
  {
    ...storyOf(vertex, 'buildkite', { 'display-name': 'endless-resnet' }),
    about: 'Cancelled: somebody cancels the build while the job runs, and the agent sends SIGTERM.',
    cancelWhen: /\brunning\b/,
    result: 'cancelled',
    exitCode: 143,
  },
];

/** A step of every kind on both CIs. */
export const STEPS: readonly Story[] = CIS.flatMap((ci) => KIND_SAMPLES.map((kind) => storyOf(kind, ci)));
