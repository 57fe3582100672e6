import { bitbucketClaims, buildkiteClaims, type SignOptions } from '../simulators/oidc-issuer.ts';
import type { FaultKind } from '../simulators/serve.ts';
import { BITBUCKET_STEP, BUILDKITE_JOB, DATABRICKS, providerName } from '../simulators/tenant.ts';
import type { World, WorldOptions } from '../simulators/world.ts';
import type { NewTree } from './folders.ts';
import { JOB_YAML, type KindInUse, RUN_NOW, SUBMIT_RUN, VERTEX } from './kinds.ts';
import type { Env } from './process.ts';
import type { Ci, StepSettings } from './step.ts';

/** One way through a step, on which no token may come to light. */
export interface SecretPath {
  readonly name: string;
  readonly kind: KindInUse;
  readonly exit: number | null;
  /** What the log says on this way, and on no other. */
  readonly says: string;
  readonly world?: () => WorldOptions;
  /** Called once for each step that is run. */
  readonly arrange?: ((world: World) => void) | undefined;
  readonly settings?: (ci: Ci) => StepSettings;
  readonly checkout?: NewTree;
  readonly env?: Env;
  /** The CI's token, where it is not the usual one; `null` for none. */
  readonly subject?: (ci: Ci, world: World) => Promise<string> | null;
  /** Sent once the job runs. */
  readonly signal?: NodeJS.Signals;
  /** Only where one CI can go this way. */
  readonly ci?: Ci;
  /** Keys that the settings themselves hold, or that a service of this world gives. */
  readonly secrets?: readonly string[];
  /** What else holds in the end. */
  readonly finally?: (world: World) => void | Promise<void>;
}

export const OTHER_AUDIENCE = 'https://elsewhere.example/audience';

/** A token of the CI with other claims, or another signature. */
export function signed(ci: Ci, world: World, changes: Record<string, unknown>, options?: SignOptions): Promise<string> {
  const aud = [`https://iam.googleapis.com/${providerName(ci)}`, `https://${DATABRICKS.host}/oidc/v1/token`];
  const claims =
    ci === 'bitbucket'
      ? bitbucketClaims({ ...BITBUCKET_STEP, now: Date.now() })
      : buildkiteClaims({
          ...BUILDKITE_JOB,
          jti: crypto.randomUUID(),
          now: Date.now(),
          claims: ['organization_id', 'pipeline_id'],
        });
  return world.issuers[ci].sign({ ...claims, aud, ...changes }, options);
}

function unsigned(payload: string): string {
  const encode = (text: string) => Buffer.from(text).toString('base64url');
  return `${encode('{"alg":"RS256"}')}.${encode(payload)}.${encode('the signature of a token that is none')}`;
}

/** Strikes every request to some paths. */
export function always(kind: FaultKind, path: RegExp): (world: World) => void {
  return (world) => world.fault({ kind, path, times: 100, retryAfterSeconds: 600 });
}

export const ENDS: readonly SecretPath[] = [
  { name: 'a custom job', kind: VERTEX, exit: 0, says: 'The job succeeded' },
  {
    name: 'a custom job under the federated identity itself',
    kind: VERTEX,
    exit: 0,
    says: 'The job succeeded',
    settings: () => ({ 'service-account': undefined }),
    checkout: { 'training/job.yaml': JOB_YAML.replace(/ *serviceAccount: .*\n/, '') },
  },
  {
    name: 'libraries that are told to print what they do',
    kind: VERTEX,
    exit: 0,
    says: 'The job succeeded',
    arrange: (world) => world.google.nextLife([{ state: 'JOB_STATE_SUCCEEDED' }]),
    env: { GOOGLE_SDK_NODE_LOGGING: '*', NODE_DEBUG: 'execa,gaxios' },
  },
  { name: 'a run', kind: SUBMIT_RUN, exit: 0, says: 'The job succeeded' },
  { name: 'a run that fails', kind: RUN_NOW, exit: 1, says: 'The job failed', arrange: RUN_NOW.fail },
  { name: 'a custom job that fails', kind: VERTEX, exit: 1, says: 'The job failed', arrange: VERTEX.fail },
  { name: 'a cancelled step', kind: VERTEX, exit: 143, says: 'was accepted', arrange: VERTEX.hang, signal: 'SIGTERM' },
  { name: 'a killed step', kind: SUBMIT_RUN, exit: null, says: 'RUNNING', arrange: SUBMIT_RUN.hang, signal: 'SIGKILL' },
  {
    name: 'an answer to the submission that is lost',
    kind: VERTEX,
    exit: 0,
    says: 'looking for the job by its key',
    arrange: (world) => world.fault({ kind: 'drop-after', method: 'POST', path: /\/customJobs$/, times: 1 }),
  },
  {
    name: 'answers that are cut short, some with half a token',
    kind: VERTEX,
    exit: 0,
    says: 'The job succeeded',
    arrange: (world) => {
      for (const path of [/\/v1\/token$/, /:generateAccessToken$/, /\/customJobs\/\d+$/])
        world.fault({ kind: 'truncated', path, times: 1 });
    },
  },
  {
    name: 'connections that are dropped',
    kind: SUBMIT_RUN,
    exit: 0,
    says: 'The job succeeded',
    arrange: (world) => world.fault({ kind: 'drop-before', path: /\/oidc\/v1\/token$|\/runs\/get$/, times: 2 }),
  },
];

export const TOKENS: readonly SecretPath[] = [
  {
    name: 'no token',
    kind: VERTEX,
    exit: 3,
    says: 'token-missing',
    subject: () => null,
    arrange: always('status-500', /oidc\/tokens$/),
  },
  {
    name: 'a token that is none',
    kind: VERTEX,
    exit: 3,
    says: 'token-malformed',
    subject: async () => 'some-text-that-somebody-put-where-the-token-belongs',
  },
  {
    name: 'a token whose payload is none',
    kind: SUBMIT_RUN,
    exit: 3,
    says: 'token-malformed',
    subject: async () => unsigned('the payload of a token, which is not JSON at all'),
  },
  {
    name: 'a token that lacks claims',
    kind: VERTEX,
    exit: 3,
    says: 'token-malformed',
    subject: async () => unsigned('{"iss":"https://agent.buildkite.com","sub":"somebody"}'),
  },
  {
    name: 'a token for another audience',
    kind: SUBMIT_RUN,
    exit: 3,
    says: 'token-audience',
    subject: (ci, world) => signed(ci, world, { aud: OTHER_AUDIENCE }),
  },
  {
    name: 'a token that has expired',
    kind: VERTEX,
    exit: 3,
    says: 'token-expired',
    subject: (ci, world) => signed(ci, world, { exp: Math.floor(Date.now() / 1000) - 5 }),
  },
];
