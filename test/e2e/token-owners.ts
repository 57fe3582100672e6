import { AWS, AZURE, HELD_SECRETS, VAULT } from '../simulators/brokers-tenant.ts';
import { PREFECT } from '../simulators/prefect-tenant.ts';
import { DATABRICKS } from '../simulators/tenant.ts';
import { VERCEL } from '../simulators/vercel-tenant.ts';
import type { RecordedRequest, World } from '../simulators/world.ts';

const OWNERS = [
  'ci',
  'google',
  'databricks',
  'vault',
  'aws',
  'azure',
  'prefect',
  'vercel',
  'nobody',
  'settings',
] as const;

/** Every token and key that a step had or could have had, by whose it is; `settings` are those that its own settings hold. */
export type Secrets = Readonly<Record<(typeof OWNERS)[number], readonly string[]>>;

export function secretsOf(
  world: World,
  subjectTokens: readonly (string | undefined)[],
  settings: readonly string[] = [],
): Secrets {
  const given = subjectTokens.filter((token) => token !== undefined);
  const forgery = world.requests.flatMap(({ headers }) => headers.get('prefect-csrf-token') ?? []);
  const { vault, aws, azure } = world.brokers;
  return {
    ci: [...new Set([...given, ...world.agentApi.oidcRequests().map(({ token }) => token)])],
    google: world.google.issuedTokens(),
    databricks: world.databricks.issued().map(({ accessToken }) => accessToken),
    vault: vault.issuedTokens(),
    aws: aws.issuedTokens(),
    azure: azure.issuedTokens(),
    prefect: [...world.prefect.issuedTokens(), ...forgery],
    vercel: [...world.vercel.issuedTokens(), ...Object.values(VERCEL.tokens)],
    nobody: [HELD_SECRETS.finance, HELD_SECRETS.withdrawn, VERCEL.bypassSecret],
    settings,
  };
}

const PREFECT_HOSTS: readonly string[] = [PREFECT.cloudHost, PREFECT.serverHost, PREFECT.iapHost];
const TOKEN_ENDPOINTS: readonly (readonly [host: string, path: RegExp])[] = [
  ['sts.googleapis.com', /^\/v1\/token$/],
  [DATABRICKS.host, /^\/oidc\/v1\/token$/],
  [VAULT.host, /^\/v1\/auth\/[\w/-]+\/login$/],
  [`sts.${AWS.region}.amazonaws.com`, /^\/$/],
  ['login.microsoftonline.com', /\/oauth2\/v2\.0\/token$/],
  ['api.vercel.com', /^\/login\/oauth\/token$/],
];

const MAY_HAVE: Readonly<Record<keyof Secrets, (request: RecordedRequest) => boolean>> = {
  // A page that is protected is shown the CI's token in a header of its own.
  ci: ({ host, path, headers }) =>
    TOKEN_ENDPOINTS.some(([name, endpoint]) => name === host && endpoint.test(path)) ||
    (host.endsWith('.vercel.app') && headers.has('x-vercel-trusted-oidc-idp-token')),
  google: ({ host }) =>
    ['iamcredentials.googleapis.com', 'secretmanager.googleapis.com', PREFECT.iapHost].includes(host) ||
    /^[a-z0-9-]+-aiplatform\.googleapis\.com$/.test(host),
  databricks: ({ host }) => host === DATABRICKS.host,
  vault: ({ host }) => host === VAULT.host,
  aws: ({ host }) => host === `secretsmanager.${AWS.region}.amazonaws.com`,
  azure: ({ host }) => host === `${AZURE.vault}.vault.azure.net`,
  prefect: ({ host }) => PREFECT_HOSTS.includes(host),
  vercel: ({ host }) => host === 'api.vercel.com',
  nobody: () => false,
  settings: ({ host }) => PREFECT_HOSTS.includes(host) || host === 'api.vercel.com',
};

/** Requests that carried a token to somebody who is not meant to have it. */
export async function astray(secrets: Secrets, world: World): Promise<readonly string[]> {
  const found: string[] = [];
  for (const request of world.requests) {
    const { method, host, path, headers, body } = request;
    const sent = `${JSON.stringify([...headers])}${await body()}`;
    for (const owner of OWNERS) {
      const carried = secrets[owner].some(
        (secret) => sent.includes(secret) || sent.includes(encodeURIComponent(secret)),
      );
      if (carried && !MAY_HAVE[owner](request)) found.push(`${method} ${host}${path} has a token of ${owner}`);
    }
  }
  return found;
}
