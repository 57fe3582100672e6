import { AWS, AZURE, HELD_SECRETS, VAULT } from '../simulators/brokers-tenant.ts';
import type { Handler } from '../simulators/serve.ts';
import { STRAY_TOKEN } from './leaks.ts';
import type { SecretPath } from './secret-paths.ts';
import { AT_GOOGLE, withKeyFrom } from './secret-paths-brokers.ts';

const PLACES: readonly (readonly [host: string, Pick<SecretPath, 'kind' | 'settings' | 'ci'>])[] = [
  ['secretmanager.googleapis.com', withKeyFrom('google', `${AT_GOOGLE}/prefect-ci`)],
  [VAULT.host, withKeyFrom('vault', 'secret/ci/prefect#api-key')],
  [`sts.${AWS.region}.amazonaws.com`, withKeyFrom('aws', 'ci/prefect')],
  [`secretsmanager.${AWS.region}.amazonaws.com`, withKeyFrom('aws', 'ci/prefect')],
  ['login.microsoftonline.com', withKeyFrom('azure', `${AZURE.vault}/prefect-ci`)],
  [`${AZURE.vault}.vault.azure.net`, withKeyFrom('azure', `${AZURE.vault}/prefect-ci`)],
];

const html = (status: number, text: string) =>
  new Response(`<!doctype html><html><head><title>Sign in</title></head><body>${text}</body></html>`, {
    status,
    headers: { 'content-type': 'text/html', 'retry-after': '600' },
  });

/** All of a request, as a badly written service puts it into its words. */
async function quoted(request: Request): Promise<string> {
  const body = await request.text();
  const headers = ['authorization', 'x-vault-token', 'x-amz-security-token'].map((name) => request.headers.get(name));
  const decoded = decodeURIComponent(body.replaceAll('+', ' '));
  return `cannot use ${[...headers, body, decoded].filter((each) => each !== null && each !== '').join(' and ')}`;
}

/** Refusals in the shapes of all of them: each reads its own. */
async function repeating(request: Request): Promise<Response> {
  const words = await quoted(request);
  const error = { code: 403, message: words, status: 'PERMISSION_DENIED', innererror: { code: words } };
  const own = { errors: [words], error, error_description: words, __type: 'AccessDeniedException', Message: words };
  const body = new URL(request.url).pathname.endsWith('/token') ? { ...own, error: 'invalid_client' } : own;
  return Response.json(body, { status: 403 });
}

async function repeatingXml(request: Request): Promise<Response> {
  const words = (await quoted(request)).replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  const xml = `<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>${words}</Message></Error></ErrorResponse>`;
  return new Response(xml, { status: 403, headers: { 'content-type': 'text/xml' } });
}

const ODD: Readonly<Record<string, { readonly exit: number; readonly says: string; readonly handler: Handler }>> = {
  'a login page': { exit: 4, says: 'unreadable-answer', handler: async (request) => html(200, await quoted(request)) },
  'a page of refusal': {
    exit: 4,
    says: 'unreadable-answer',
    handler: async (request) => html(403, await quoted(request)),
  },
  'another shape': {
    exit: 4,
    says: 'unreadable-answer',
    handler: async () =>
      Response.json({ secret: STRAY_TOKEN, value: { data: HELD_SECRETS.prefectKey }, type: 'Bearer' }),
  },
  'a gateway out of order': {
    exit: 4,
    says: 'service-unavailable',
    handler: async (request) => html(502, await quoted(request)),
  },
  'all that it was sent': {
    exit: 3,
    says: '[redacted]',
    handler: repeating,
  },
};

export const ODD_BROKERS: readonly SecretPath[] = PLACES.flatMap(([host, step]) =>
  Object.entries(ODD).map(([what, { exit, says, handler }]) => ({
    name: `${host}, which answers with ${what}`,
    ...step,
    exit,
    says,
    world: () => ({ hosts: { [host]: host.startsWith('sts.') && what.startsWith('all') ? repeatingXml : handler } }),
  })),
);
