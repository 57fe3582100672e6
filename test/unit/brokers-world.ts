import { type BuildkiteClaimOptions, buildkiteClaims } from '../simulators/oidc-issuer.ts';
import { BUILDKITE_JOB, providerName } from '../simulators/tenant.ts';
import { createWorld, type World, type WorldOptions } from '../simulators/world.ts';

export const START = Date.parse('2026-11-21T08:00:00Z');

export interface BrokersWorld extends AsyncDisposable {
  readonly world: World;
  /** Milliseconds since the epoch; a test moves it on. */
  readonly clock: { now: number };
  bitbucket(audience: string): Promise<string>;
  buildkite(audience: string, asked?: Partial<BuildkiteClaimOptions>): Promise<string>;
  /** Asks `HOST/PATH`; gives the status, the headers and the body, parsed if it is JSON. */
  ask(address: string, init?: RequestInit): Promise<Answer>;
  /** A federated Google token. */
  googleToken(ci: 'bitbucket' | 'buildkite'): Promise<string>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Of a JSON answer. */
  readonly body: Readonly<Record<string, unknown>>;
}

/** The company's world at a time of its own. */
export async function brokersWorld(options: WorldOptions = {}): Promise<BrokersWorld> {
  const clock = { now: START };
  const world = await createWorld({ now: () => clock.now, ...options });
  const made: BrokersWorld = {
    world,
    clock,
    bitbucket: (audience) => world.bitbucketToken({ audiences: [audience] }),
    buildkite: (audience, asked = {}) =>
      world.issuers.buildkite.sign(
        buildkiteClaims({ ...BUILDKITE_JOB, audience, jti: crypto.randomUUID(), now: clock.now, ...asked }),
      ),
    ask: async (address, init = {}) => {
      const response = await fetch(`${world.url}/${address}`, init);
      const text = await response.text();
      return {
        status: response.status,
        headers: response.headers,
        text,
        body: text.startsWith('{') ? JSON.parse(text) : {},
      };
    },
    googleToken: async (ci) => {
      const audience = `//iam.googleapis.com/${providerName(ci)}`;
      const subject_token =
        ci === 'bitbucket'
          ? await made.bitbucket(`https:${audience}`)
          : await made.buildkite(`https:${audience}`, { claims: ['pipeline_id', 'organization_id'] });
      const { body } = await made.ask('sts.googleapis.com/v1/token', {
        method: 'POST',
        body: new URLSearchParams({
          grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
          audience,
          scope: 'https://www.googleapis.com/auth/cloud-platform',
          requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
          subject_token,
          subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
        }),
      });
      return String(body.access_token);
    },
    [Symbol.asyncDispose]: () => world.close(),
  };
  return made;
}
