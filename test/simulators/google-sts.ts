import { decodeJwt, type JWTPayload } from 'jose';
import { type AccessTokens, type Caller, invalidCredentials } from './google-access-tokens.ts';
import { conditionHolds, mapAttributes, type OAuthError } from './google-attribute-mapping.ts';
import { googleError, jsonBody, noSuchPath } from './google-error.ts';
import { type OidcTokenFailure, oidcTokenFailure, verifyOidcToken } from './oidc-issuer.ts';
import type { Handler } from './serve.ts';
import {
  acceptedAudiences,
  checkProvider,
  federatedCaller,
  providerAudience,
  type WorkloadIdentityProvider,
} from './workload-identity-provider.ts';

export interface GoogleStsOptions {
  readonly providers: readonly WorkloadIdentityProvider[];
  readonly tokens: AccessTokens;
  /** Reaches the issuers' discovery documents and keys. */
  readonly outbound: (url: string) => Promise<Response>;
  readonly now: () => number;
}

/** One exchange that was tried. */
export interface Exchange {
  readonly at: number;
  readonly audience: string;
  /** The identity that got a token, or the error that was answered. */
  readonly outcome: { readonly identity: string } | OAuthError | 'INTERNAL';
}

/** The parameters, in the spelling of the form encoding. */
const PARAMETERS = [
  'grant_type',
  'audience',
  'scope',
  'requested_token_type',
  'subject_token',
  'subject_token_type',
  'options',
] as const;
type Parameters = Record<(typeof PARAMETERS)[number], string>;

const TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:';
const MAX_LIFETIME_SECONDS = 3600;
const CLOCK_SKEW_SECONDS = 60;
const MAX_AGE_SECONDS = 24 * 3600;

/** Google's Security Token Service (https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token). */
export function googleSts(options: GoogleStsOptions): { handle: Handler; exchanges(): readonly Exchange[] } {
  for (const provider of options.providers) checkProvider(provider);
  const exchanges: Exchange[] = [];

  const handle: Handler = async (request) => {
    if (request.method !== 'POST' || new URL(request.url).pathname !== '/v1/token') return noSuchPath(request);
    if (request.headers.has('authorization')) {
      return invalidCredentials('sts.googleapis.com', 'ACCESS_TOKEN_TYPE_UNSUPPORTED');
    }
    const parameters = await readParameters(request);
    if (parameters instanceof Response) return parameters;

    const record = (outcome: Exchange['outcome']) =>
      exchanges.push({ at: options.now(), audience: parameters.audience, outcome });
    const exchanged = await exchange(parameters, options);
    if ('error' in exchanged) {
      record(exchanged);
      return Response.json({ error: exchanged.error, error_description: exchanged.description }, { status: 400 });
    }
    const { caller, remainingSeconds } = exchanged;
    // Measured on the real service: it fails on a token in its last second, and names no lifetime one second before.
    if (remainingSeconds <= 1) {
      record('INTERNAL');
      return googleError('INTERNAL', 'Internal error encountered.');
    }
    record({ identity: caller.identity });
    const lifetime = Math.min(remainingSeconds, MAX_LIFETIME_SECONDS);
    const access_token = options.tokens.issue({
      kind: 'federated',
      caller,
      scopes: parameters.scope.split(' '),
      expiresAt: options.now() + lifetime * 1000,
    });
    return Response.json({
      access_token,
      issued_token_type: `${TOKEN_TYPE}access_token`,
      token_type: 'Bearer',
      ...(remainingSeconds <= 2 ? {} : { expires_in: lifetime }),
    });
  };
  return { handle, exchanges: () => exchanges };
}

async function readParameters(request: Request): Promise<Parameters | Response> {
  const type = request.headers.get('content-type') ?? '';
  if (type.startsWith('application/x-www-form-urlencoded')) {
    const entries = [...new URLSearchParams(await request.text())];
    const unknown = entries.find(([name]) => !(PARAMETERS as readonly string[]).includes(name));
    if (unknown !== undefined) return unknownName(unknown[0]);
    return allParameters(new Map(entries));
  }
  if (!type.startsWith('application/json')) return unknownName('');
  const json = await jsonBody(request);
  if (json instanceof Response) return json;
  const byCamelName = new Map(
    PARAMETERS.map((name) => [name.replace(/_(.)/g, (_, letter) => letter.toUpperCase()), name]),
  );
  const values = new Map<string, string>();
  for (const [name, value] of Object.entries(json.body as Record<string, unknown>)) {
    const parameter = byCamelName.get(name);
    if (parameter === undefined || typeof value !== 'string') return unknownName(name);
    values.set(parameter, value);
  }
  return allParameters(values);
}

function allParameters(values: ReadonlyMap<string, string>): Parameters {
  return Object.fromEntries(PARAMETERS.map((name) => [name, values.get(name) ?? ''])) as Parameters;
}

function unknownName(name: string): Response {
  return googleError('INVALID_ARGUMENT', `Invalid JSON payload received. Unknown name "${name}": Cannot find field.`);
}

type Exchanged = { readonly caller: Caller; readonly remainingSeconds: number };

async function exchange(parameters: Parameters, options: GoogleStsOptions): Promise<Exchanged | OAuthError> {
  const fault = parameterFault(parameters);
  if (fault !== undefined) return fault;
  const provider = options.providers.find((each) => providerAudience(each) === parameters.audience);
  if (provider === undefined || provider.disabled === true) {
    return {
      error: 'invalid_target',
      description:
        'The target service indicated by the "audience" parameters is invalid. This might either be because the pool or ' +
        "provider is disabled or deleted or because it doesn't exist.",
    };
  }
  const verified = await verify(parameters.subject_token, provider, options);
  if ('error' in verified) return verified;
  const { claims } = verified;

  const attributes = mapAttributes(provider.attributeMapping, claims);
  if ('error' in attributes) return attributes;
  const { attributeCondition } = provider;
  if (attributeCondition !== undefined && !conditionHolds(attributeCondition, claims, attributes)) {
    return {
      error: 'unauthorized_client',
      description: 'The given credential is rejected by the attribute condition.',
    };
  }
  return {
    caller: federatedCaller(provider, attributes),
    remainingSeconds: (claims.exp ?? 0) - Math.floor(options.now() / 1000),
  };
}

function parameterFault(parameters: Parameters): OAuthError | undefined {
  const audience =
    /^\/\/iam\.googleapis\.com\/projects\/\d+\/locations\/global\/workloadIdentityPools\/[a-z0-9-]+\/providers\/[a-z0-9-]+$/;
  if (!audience.test(parameters.audience)) {
    return {
      error: 'invalid_request',
      description:
        'Invalid value for "audience". This value should be the full resource name of the Identity Provider. See ' +
        'https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token for the list of possible formats.',
    };
  }
  const valid: Record<Exclude<keyof Parameters, 'audience'>, boolean> = {
    grant_type: parameters.grant_type === 'urn:ietf:params:oauth:grant-type:token-exchange',
    requested_token_type: parameters.requested_token_type === `${TOKEN_TYPE}access_token`,
    subject_token_type: [`${TOKEN_TYPE}jwt`, `${TOKEN_TYPE}id_token`].includes(parameters.subject_token_type),
    subject_token: parameters.subject_token !== '',
    scope: parameters.scope !== '',
    options: parameters.options === '' || isJsonObject(parameters.options),
  };
  const invalid = Object.entries(valid).find(([, isValid]) => !isValid);
  return invalid && { error: 'invalid_request', description: `Invalid value for "${invalid[0]}".` };
}

function isJsonObject(text: string): boolean {
  try {
    return typeof JSON.parse(text) === 'object';
  } catch {
    return false;
  }
}

async function verify(
  token: string,
  provider: WorkloadIdentityProvider,
  { outbound, now }: GoogleStsOptions,
): Promise<{ claims: JWTPayload } | OAuthError> {
  try {
    const claims = await verifyOidcToken(token, {
      issuer: provider.issuer,
      outbound,
      now,
      clockToleranceSeconds: CLOCK_SKEW_SECONDS,
    });
    if ((claims.iat ?? 0) < now() / 1000 - MAX_AGE_SECONDS - CLOCK_SKEW_SECONDS)
      return invalidGrant('expired', claims, provider);
    const audiences = [claims.aud ?? []].flat();
    if (audiences.some((audience) => acceptedAudiences(provider).includes(audience))) return { claims };
    return {
      error: 'invalid_grant',
      description: `The audience in ID Token [${audiences.join(', ')}] does not match the expected audience.`,
    };
  } catch (error) {
    const failure = oidcTokenFailure(error);
    if (failure === undefined) throw error;
    return invalidGrant(failure, failure === 'malformed' ? {} : decodeJwt(token), provider);
  }
}

function invalidGrant(failure: OidcTokenFailure, claims: JWTPayload, provider: WorkloadIdentityProvider): OAuthError {
  const stale = `ID Token issued at ${claims.iat ?? 0} is stale to sign-in.`;
  const unreachable = "Error connecting to the given credential's issuer.";
  const descriptions: Record<OidcTokenFailure, string> = {
    malformed: 'Unable to parse the ID Token.',
    algorithm: 'Unable to verify the ID Token signature.',
    signature: 'Unable to verify the ID Token signature.',
    'issuer-mismatch': `The issuer in ID Token ${claims.iss} does not match the expected one in config: ${provider.issuer}`,
    'issuer-unreachable': unreachable,
    'unknown-key': unreachable,
    'missing-claim': stale,
    'not-yet-valid': stale,
    expired: stale,
  };
  return { error: 'invalid_grant', description: descriptions[failure] };
}
