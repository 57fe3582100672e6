import { createHash } from 'node:crypto';
import { bitbucketClaims, bitbucketIssuer, buildkiteClaims, buildkiteIssuer } from '../simulators/oidc-issuer.ts';
import type { Handler } from '../simulators/serve.ts';
import { BITBUCKET_STEP, BUILDKITE_JOB } from '../simulators/tenant.ts';
import { type VercelOptions, type VercelSimulator, vercelSimulator } from '../simulators/vercel.ts';
import { VERCEL, vercelTenant } from '../simulators/vercel-tenant.ts';

export type Json = Record<string, unknown>;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: AnswerJson;
}

/** What tests take from answers; whether it is there shows when they use it. */
export interface AnswerJson {
  readonly id: string;
  readonly url: string;
  readonly access_token: string;
  readonly error: unknown;
  readonly error_description: string | undefined;
  readonly deployments: readonly Json[];
  readonly pagination: { readonly count: number; readonly next: number | null };
  readonly [field: string]: unknown;
}

export interface World extends VercelSimulator {
  readonly ask: (method: string, path: string, options?: AskOptions) => Promise<Answer>;
  readonly visit: (host: string, headers?: Record<string, string>) => Promise<Answer>;
  readonly exchange: (subjectToken: string, changes?: Record<string, string>) => Promise<Answer>;
  readonly bitbucketToken: (claims?: Json, key?: 'unpublished') => Promise<string>;
  readonly buildkiteToken: (changes?: Partial<Parameters<typeof buildkiteClaims>[0]>) => Promise<string>;
  /** A token as a Bitbucket step gets it. */
  readonly appToken: () => Promise<string>;
  readonly upload: (bytes: string, token?: string) => Promise<Answer>;
  /** Uploads what is missing, and deploys. */
  readonly deploy: (changes?: Json, query?: string) => Promise<Answer>;
  readonly pass: (ms: number) => void;
  readonly now: () => number;
}

export interface AskOptions {
  readonly token?: string | undefined;
  readonly body?: unknown;
  /** Default the company's team. */
  readonly team?: string;
  readonly headers?: Record<string, string>;
}

// Issuers keep no state between tests, and their keys take a while to make.
const ISSUERS = Promise.all([bitbucketIssuer({ workspace: BITBUCKET_STEP.workspace }), buildkiteIssuer()]);

export const CONFIG = '{"version":3}';
export const PAGE = '<h1>edge</h1>';
export const FILES = [
  { file: '.vercel/output/config.json', mode: 33188, size: CONFIG.length, sha: sha1(CONFIG) },
  { file: '.vercel/output/static/index.html', mode: 33188, size: PAGE.length, sha: sha1(PAGE) },
];

export function sha1(text: string): string {
  return createHash('sha1').update(text).digest('hex');
}

/** The simulated company's team, on a clock of its own. */
export async function vercelWorld(options: Partial<VercelOptions> = {}): Promise<World> {
  let clock = Date.parse('2026-11-21T10:00:00Z');
  const now = () => clock;
  const [bitbucket, buildkite] = await ISSUERS;
  const issuers = new Map<string, Handler>([
    ['api.bitbucket.org', bitbucket.handle],
    ['agent.buildkite.com', buildkite.handle],
  ]);
  const simulator = vercelSimulator({
    ...vercelTenant(),
    outbound: async (url) => {
      const handle = issuers.get(new URL(url).host);
      return handle === undefined ? new Response('', { status: 502 }) : handle(new Request(url));
    },
    now,
    ...options,
  });

  const send = async (host: string, request: Request): Promise<Answer> => {
    const handle = simulator.hosts(host);
    if (handle === undefined) throw new Error(`no such host: ${host}`);
    const response = await handle(request);
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: jsonOf(text) as AnswerJson };
  };
  const ask: World['ask'] = (method, path, { token, body, team = VERCEL.teamId, headers = {} } = {}) => {
    const url = new URL(path, 'https://api.vercel.com');
    if (team !== '') url.searchParams.set('teamId', team);
    const isForm = body instanceof URLSearchParams;
    return send(
      'api.vercel.com',
      new Request(url, {
        method,
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined || isForm ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: isForm || typeof body === 'string' ? body : JSON.stringify(body) }),
      }),
    );
  };
  const exchange: World['exchange'] = (subjectToken, changes = {}) =>
    ask('POST', '/login/oauth/token', { team: '', body: new URLSearchParams(exchangeForm(subjectToken, changes)) });
  const bitbucketToken: World['bitbucketToken'] = (claims = {}, key) =>
    bitbucket.sign(
      { ...bitbucketClaims({ ...BITBUCKET_STEP, audiences: [VERCEL.audience], now: clock }), ...claims },
      key === undefined ? {} : { key },
    );
  const appToken = async () => (await exchange(await bitbucketToken())).json.access_token;
  const upload: World['upload'] = async (bytes, token = VERCEL.tokens.full) =>
    ask('POST', '/v2/files', {
      token,
      body: bytes,
      headers: {
        'content-type': 'application/octet-stream',
        'content-length': String(Buffer.byteLength(bytes)),
        'x-vercel-digest': sha1(bytes),
      },
    });

  return {
    ...simulator,
    ask,
    visit: (host, headers = {}) => send(host, new Request(`https://${host}/`, { headers })),
    exchange,
    bitbucketToken,
    buildkiteToken: (changes = {}) =>
      buildkite.sign(
        buildkiteClaims({
          ...BUILDKITE_JOB,
          jti: crypto.randomUUID(),
          audience: VERCEL.audience,
          claims: ['pipeline_id'],
          now: clock,
          ...changes,
        }),
      ),
    appToken,
    upload,
    deploy: async (changes = {}, query = 'prebuilt=1&skipAutoDetectionConfirmation=1&forceNew=1') => {
      await upload(CONFIG);
      await upload(PAGE);
      return ask('POST', `/v13/deployments?${query}`, {
        token: VERCEL.tokens.full,
        body: { name: VERCEL.project, project: VERCEL.projectId, files: FILES, version: 2, ...changes },
      });
    },
    pass: (ms) => {
      clock += ms;
    },
    now,
  };
}

/** The parameters of an exchange as they are documented. */
export function exchangeForm(subjectToken: string, changes: Record<string, string> = {}): Record<string, string> {
  return {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    client_id: VERCEL.cliClientId,
    subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
    requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    team_id_or_slug: VERCEL.teamId,
    subject_token: subjectToken,
    ...changes,
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
