import type { Handler } from '../simulators/serve.ts';
import { DATABRICKS, GOOGLE, googleTenant, providerName } from '../simulators/tenant.ts';
import type { WorldOptions } from '../simulators/world.ts';
import { JOB_YAML, RUN_NOW, RUN_YAML, SUBMIT_RUN, VERTEX } from './kinds.ts';
import { STRAY_TOKEN } from './leaks.ts';
import { always, OTHER_AUDIENCE, type SecretPath, signed } from './secret-paths.ts';

const VERTEX_HOST = `${GOOGLE.region}-aiplatform.googleapis.com`;
const NEVER_USED = '9d57f3f6-0000-4000-8000-c2f1f7a10abc';
const LOGIN_PAGE = '<!doctype html><html><head><title>Sign in</title></head><body>Sign in</body></html>';
const withOtherAudience = {
  settings: () => ({ audience: OTHER_AUDIENCE }),
  subject: (ci, world) => signed(ci, world, { aud: OTHER_AUDIENCE }),
} satisfies Partial<SecretPath>;

function providers(changes: object): () => WorldOptions {
  return () => ({ google: { providers: googleTenant().providers.map((provider) => ({ ...provider, ...changes })) } });
}

function answering(host: string, handler: Handler): () => WorldOptions {
  return () => ({ hosts: { [host]: handler } });
}

function provider(name: string): string {
  return `${providerName('bitbucket').replace(/[^/]+$/, '')}${name}`;
}

/** A proxy's page in the place of an answer, and no use in asking again soon. */
const outOfOrder: Handler = async () =>
  new Response('<html><body><h1>502 Bad Gateway</h1></body></html>', {
    status: 502,
    headers: { 'content-type': 'text/html', 'retry-after': '600' },
  });
const otherShape: Handler = async () => Response.json({ token: STRAY_TOKEN, type: 'Bearer' });

/** Services that put what they were sent into their words, as badly written ones do. */
async function echoed(request: Request): Promise<string> {
  return `cannot use ${new URLSearchParams(await request.text()).get('subject_token') ?? request.headers.get('authorization')}`;
}

export const EXCHANGES: readonly SecretPath[] = [
  {
    name: 'an unknown provider',
    kind: VERTEX,
    exit: 3,
    says: 'exchange-provider',
    settings: () => ({ 'workload-identity-provider': provider('unknown') }),
  },
  {
    name: 'an audience that the provider does not allow',
    kind: VERTEX,
    exit: 3,
    says: 'exchange-audience',
    ...withOtherAudience,
  },
  {
    name: 'a provider of another issuer',
    kind: VERTEX,
    exit: 3,
    says: 'exchange-issuer',
    settings: (ci) => ({ 'workload-identity-provider': providerName(ci === 'bitbucket' ? 'buildkite' : 'bitbucket') }),
  },
  {
    name: 'a token that STS finds stale',
    kind: VERTEX,
    exit: 3,
    says: 'exchange-stale',
    world: () => ({ google: { now: () => Date.now() + 7_200_000 } }),
  },
  {
    name: 'a wrong signature',
    kind: VERTEX,
    exit: 3,
    says: 'exchange-signature',
    subject: (ci, world) => signed(ci, world, {}, { key: 'unpublished' }),
  },
  {
    name: 'a condition that does not hold',
    kind: VERTEX,
    exit: 3,
    says: 'exchange-condition',
    world: providers({ attributeCondition: 'false' }),
  },
  {
    name: 'a mapping without a value',
    kind: VERTEX,
    exit: 3,
    says: 'exchange-mapping',
    world: providers({ attributeMapping: { 'google.subject': 'assertion.nothing' } }),
  },
  {
    name: 'STS out of order',
    kind: VERTEX,
    exit: 4,
    says: 'service-unavailable',
    world: answering('sts.googleapis.com', outOfOrder),
  },
  {
    name: 'IAM out of order',
    kind: VERTEX,
    exit: 4,
    says: 'service-unavailable',
    world: answering('iamcredentials.googleapis.com', outOfOrder),
  },
  {
    name: 'Databricks out of order',
    kind: SUBMIT_RUN,
    exit: 4,
    says: 'service-unavailable',
    world: answering(DATABRICKS.host, outOfOrder),
  },
  {
    name: 'an answer of IAM in another shape',
    kind: VERTEX,
    exit: 4,
    says: 'unreadable-answer',
    world: answering('iamcredentials.googleapis.com', otherShape),
  },
  {
    name: 'an answer of Databricks in another shape',
    kind: SUBMIT_RUN,
    exit: 4,
    says: 'unreadable-answer',
    world: answering(DATABRICKS.host, otherShape),
  },
  {
    name: 'an impersonation that is denied',
    kind: VERTEX,
    exit: 3,
    says: 'impersonation-denied',
    settings: () => ({ 'service-account': `stranger@${GOOGLE.project}.iam.gserviceaccount.com` }),
  },
  {
    name: 'an impersonation that would last too long',
    kind: VERTEX,
    exit: 3,
    says: 'impersonation-lifetime',
    settings: () => ({ 'token-lifetime': '12h' }),
  },
  {
    name: 'no federation policy',
    kind: SUBMIT_RUN,
    exit: 3,
    says: 'exchange-policy',
    settings: () => ({ 'client-id': NEVER_USED }),
  },
  {
    name: 'an audience that no federation policy allows',
    kind: SUBMIT_RUN,
    exit: 3,
    says: 'exchange-audience',
    ...withOtherAudience,
  },
  {
    name: 'a login page in the place of the token endpoint',
    kind: SUBMIT_RUN,
    exit: 4,
    says: 'unreadable-answer',
    world: () => ({ databricks: { unified: true } }),
  },
  {
    name: 'an STS that repeats the token',
    kind: VERTEX,
    exit: 3,
    says: 'exchange-rejected',
    world: answering('sts.googleapis.com', async (request) =>
      Response.json({ error: 'invalid_grant', error_description: await echoed(request) }, { status: 400 }),
    ),
  },
];

export const SERVICES: readonly SecretPath[] = [
  {
    name: 'no permission in the project',
    kind: VERTEX,
    exit: 3,
    says: 'permission-denied',
    world: () => ({ google: { projects: [{ id: GOOGLE.project, number: GOOGLE.projectNumber, bindings: [] }] } }),
  },
  {
    name: 'no permission to act as the runtime account',
    kind: VERTEX,
    exit: 3,
    says: 'act-as-denied',
    checkout: { 'training/job.yaml': JOB_YAML.replace(GOOGLE.runtime, GOOGLE.trainer) },
  },
  {
    name: 'a spec that Vertex AI refuses',
    kind: VERTEX,
    exit: 4,
    says: 'request-rejected',
    checkout: { 'training/job.yaml': `${JOB_YAML}surprise: 1\n` },
  },
  {
    name: 'a quota',
    kind: VERTEX,
    exit: 4,
    says: 'quota-exceeded',
    checkout: { 'training/job.yaml': JOB_YAML.replace('acceleratorCount: 1', 'acceleratorCount: 16') },
  },
  {
    name: 'a credential that the service does not take',
    kind: VERTEX,
    exit: 3,
    says: 'credential-rejected',
    world: answering(VERTEX_HOST, async () =>
      Response.json({ error: { code: 401, message: 'Invalid credentials.' } }, { status: 401 }),
    ),
  },
  {
    name: 'a page in the place of the API',
    kind: VERTEX,
    exit: 4,
    says: 'unreadable-answer',
    world: answering(
      VERTEX_HOST,
      async () => new Response(LOGIN_PAGE, { status: 404, headers: { 'content-type': 'text/html' } }),
    ),
  },
  {
    name: 'an API that limits the rate',
    kind: VERTEX,
    exit: 4,
    says: 'rate-limited',
    arrange: always('status-429', /customJobs$/),
  },
  {
    name: 'an API that repeats the credential',
    kind: VERTEX,
    exit: 4,
    says: 'request-rejected',
    world: answering(VERTEX_HOST, async (request) =>
      Response.json({ error: { code: 400, message: await echoed(request) } }, { status: 400 }),
    ),
  },
  {
    name: 'a principal that is no member of the workspace',
    kind: SUBMIT_RUN,
    exit: 3,
    says: 'permission-denied',
    settings: () => ({ 'client-id': DATABRICKS.outsiderId }),
  },
  {
    name: 'a spec that Databricks refuses',
    kind: SUBMIT_RUN,
    exit: 4,
    says: 'request-rejected',
    checkout: { 'training/run.yaml': `${RUN_YAML}surprise: 1\n` },
  },
  { name: 'an unknown job', kind: RUN_NOW, exit: 4, says: 'not-found', settings: () => ({ 'job-id': '12' }) },
];
