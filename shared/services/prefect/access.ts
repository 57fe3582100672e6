import { type GoogleAccountTrust, googleIdTokenCredential, idTokenCall } from '../../google/id-token.ts';
import { loginCalls } from '../../google/trust.ts';
import { bearer, type HttpCall } from '../../http/http.ts';
import { type CredentialSource, cachedCredential, joinedCredential } from '../../identity/credential.ts';
import type { ExchangeEnvironment } from '../../identity/exchange.ts';
import type { Access, Binding } from '../../kind.ts';
import { plainLine } from '../../remote-text.ts';
import { PLACEHOLDER, Secret } from '../../secret.ts';
import { bindSecrets, secretGoogleTrust } from '../../secrets/secret-settings.ts';
import { headerText, type SecretSource } from '../../secrets/secret-source.ts';
import type { SettingValues } from '../../settings/settings.ts';
import { csrfCall, csrfCredential } from './csrf.ts';
import { explainPrefect } from './errors.ts';
import { type PrefectServer, readApiUrl } from './server.ts';
import { HEADER_NAME, type prefectSettings } from './trust-settings.ts';

/** One server, and how it is reached. */
export interface PrefectAccess extends Access {
  readonly server: PrefectServer;
}

type PrefectValues = SettingValues<typeof prefectSettings>;

// What the client itself says of a request, or what forged requests are told by.
const RESERVED = /^(?:user-agent|host|accept|content-(?:type|length)|connection|transfer-encoding|prefect-csrf-.*)$/i;
const OF_HEADERS = 'headers.';

/** Checks how the server is reached; undefined when a fault was added. */
export function bindPrefect(values: PrefectValues, binding: Binding): PrefectAccess | undefined {
  const { faults } = binding;
  const before = faults.messages.length;
  const read = readApiUrl(values['api-url'], values['ui-url']);
  if ('problem' in read) faults.add('api-url', read.problem);
  const secrets = boundSecrets(values, binding);
  const idToken = boundIdToken(values, binding);
  const proxyHeader = secrets.has('authorization') ? 'proxy-authorization' : 'authorization';
  if (idToken !== undefined && secrets.has(proxyHeader))
    faults.add(
      'headers',
      'Proxy-Authorization is where the ID token goes when Authorization is taken; leave one of them out',
    );
  if ('server' in read) checkTogether(read.server, values, secrets, binding);
  if (faults.messages.length > before || 'problem' in read) return undefined;

  const { server } = read;
  const titles = [...secrets].map(([header, { form, title }]) => `${FORMS[form] ?? header} from ${title}`);
  const identity =
    [...titles, ...(idToken === undefined ? [] : [`ID token of ${idToken.trust.serviceAccount}`])].join(' and ') ||
    'nobody: the server is asked without a credential';
  const sources = [...secrets.values()];
  const secretHeaders = [...secrets.keys(), ...(idToken === undefined ? [] : [proxyHeader])];
  const hidden = Object.fromEntries(secretHeaders.map((name) => [name, PLACEHOLDER]));
  const explain: Access['explain'] = (call, answer) => explainPrefect(server, identity, call, answer);
  return {
    server,
    identity,
    origin: server.base,
    place: undefined,
    secretHeaders,
    explain,
    isCapacity: () => false,
    logins: [
      ...(idToken === undefined ? [] : idTokenCalls(idToken)),
      ...distinct(sources.flatMap(({ calls }) => calls)),
      ...(server.workspace === undefined ? [{ ...csrfCall(server.base, 'CLIENT'), secretHeaders: hidden }] : []),
    ],
    credential: (environment) => {
      const parts: CredentialSource[] = [];
      // The proxy stands first: what it refuses never reaches the server.
      if (idToken !== undefined)
        parts.push(underHeader(googleIdTokenCredential(idToken.trust, idToken.audience, environment), proxyHeader));
      if (secrets.size > 0) parts.push(secretCredential(secrets, environment));
      const caller = joinedCredential(parts);
      if (server.workspace !== undefined) return caller;
      return joinedCredential([caller, csrfCredential(server.base, caller, environment, explain)]);
    },
  };
}

/** What a secret is by its form; others go by their header's name. */
const FORMS: Readonly<Partial<Record<HeaderForm, string>>> = { bearer: 'API key', basic: 'user and password' };

/** The secrets by the header that they are for, in lower case. */
function boundSecrets(values: PrefectValues, binding: Binding): ReadonlyMap<string, HeaderSecret> {
  const { faults } = binding;
  const own = Object.entries(values.headers ?? {}).map(([name, value]) => [`${OF_HEADERS}${name}`, value] as const);
  const referred = Object.keys(values['secret-from'] ?? {}).filter((name) => name.startsWith(OF_HEADERS));
  const headers = new Set([...own.map(([name]) => name), ...referred]);
  const elsewhere =
    values['id-token-audience'] === undefined
      ? []
      : ['workload-identity-provider', 'service-account', 'secret-audience'];
  const bound = bindSecrets(
    { ...values, ...Object.fromEntries(own) },
    ['api-key', 'auth-string', ...headers],
    binding,
    elsewhere,
  );
  const secrets = new Map<string, HeaderSecret>();
  const put = (setting: string, header: string, form: HeaderForm) => {
    const source = bound.get(setting);
    if (source === undefined) return;
    if (secrets.has(header)) faults.add(setting, `gives ${header} a second value; leave one of them out`);
    secrets.set(header, { ...source, form });
  };
  put('api-key', 'authorization', 'bearer');
  put('auth-string', 'authorization', 'basic');
  for (const name of headers) {
    const header = name.slice(OF_HEADERS.length);
    if (!HEADER_NAME.test(header))
      faults.add('secret-from', `${plainLine(name, 60)} is not the name of a header, such as headers.X-Access`);
    if (RESERVED.test(header)) faults.add('headers', `${header} is set by keyless-submit; remove it`);
    put(name, header.toLowerCase(), 'plain');
  }
  return secrets;
}

type HeaderForm = 'bearer' | 'basic' | 'plain';
type HeaderSecret = SecretSource & { readonly form: HeaderForm };

interface IdToken {
  readonly trust: GoogleAccountTrust;
  readonly audience: string;
}

function boundIdToken(values: PrefectValues, { faults }: Binding): IdToken | undefined {
  const audience = values['id-token-audience'];
  if (audience === undefined) return undefined;
  const { 'workload-identity-provider': provider, 'service-account': serviceAccount } = values;
  if (provider === undefined) faults.add('workload-identity-provider', 'is needed for id-token-audience');
  if (serviceAccount === undefined)
    faults.add('service-account', 'is needed for id-token-audience: only a service account has ID tokens');
  return provider === undefined || serviceAccount === undefined
    ? undefined
    : { trust: { ...secretGoogleTrust(provider, values), serviceAccount }, audience };
}

function checkTogether(
  server: PrefectServer,
  values: PrefectValues,
  secrets: ReadonlyMap<string, unknown>,
  { faults }: Binding,
): void {
  if (server.workspace === undefined) return;
  const only = 'is for a server of your own; Prefect Cloud takes an API key';
  if (values['id-token-audience'] !== undefined) faults.add('id-token-audience', only, { about: ['api-url'] });
  if (values['auth-string'] !== undefined || 'auth-string' in (values['secret-from'] ?? {}))
    faults.add('auth-string', only, { about: ['api-url', 'secret-from'] });
  const named = Object.keys(values['secret-from'] ?? {});
  // Beside one that is told of because of its name, it may well be this one.
  const isNamed = named.some((name) => name !== 'auth-string' && !name.startsWith(OF_HEADERS));
  if (!secrets.has('authorization') && !isNamed)
    faults.add('api-key', `is required for Prefect Cloud: name in ${faults.spell('secret-from')} where it is kept`, {
      about: ['api-url', 'secret-from'],
    });
}

/** All secrets are read once. They have no end that is known; a refusal has them read again, for one that was rotated since. */
function secretCredential(
  secrets: ReadonlyMap<string, HeaderSecret>,
  environment: ExchangeEnvironment,
): CredentialSource {
  return cachedCredential({
    exchange: async (signal) => {
      const headers: Record<string, Secret> = {};
      for (const [header, source] of secrets)
        headers[header] = await headerValue(await source.read(environment, signal), source, environment);
      return { headers, expiresAt: Number.POSITIVE_INFINITY };
    },
    clock: environment.clock,
    log: environment.log,
  });
}

/** https://datatracker.ietf.org/doc/html/rfc7617#section-2 */
async function headerValue(
  value: Secret,
  { form, title }: HeaderSecret,
  { conceal }: ExchangeEnvironment,
): Promise<Secret> {
  if (form === 'plain') return headerText(title, value);
  if (form === 'bearer') return bearer(headerText(title, value)).authorization ?? value;
  const encoded = new Secret(Buffer.from(value.reveal(), 'utf8').toString('base64'));
  // The password may be quoted without the name before it.
  await conceal([encoded, new Secret(value.reveal().slice(value.reveal().indexOf(':') + 1))]);
  return new Secret(`Basic ${encoded.reveal()}`);
}

/** Identity-Aware Proxy looks at `Proxy-Authorization` first and leaves `Authorization` to the server behind it. */
function underHeader(source: CredentialSource, header: string): CredentialSource {
  return {
    ...source,
    get: async (signal) => {
      const { headers, expiresAt } = await source.get(signal);
      return { headers: Object.fromEntries(Object.values(headers).map((value) => [header, value])), expiresAt };
    },
  };
}

function idTokenCalls({ trust, audience }: IdToken): readonly HttpCall[] {
  const call = { ...idTokenCall(trust, audience), secretHeaders: bearer(PLACEHOLDER) };
  return [...loginCalls({ ...trust, serviceAccount: undefined }), call];
}

/** One login serves all secrets of a broker. */
function distinct(calls: readonly HttpCall[]): readonly HttpCall[] {
  const seen = new Set<string>();
  return calls.filter((call) => {
    const text = JSON.stringify(call);
    return !seen.has(text) && seen.add(text);
  });
}
