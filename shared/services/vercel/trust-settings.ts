import { type Answer, bearer, type HttpCall } from '../../http/http.ts';
import { type CredentialSource, cachedCredential } from '../../identity/credential.ts';
import type { ExchangeEnvironment } from '../../identity/exchange.ts';
import type { Access, Binding } from '../../kind.ts';
import { PLACEHOLDER } from '../../secret.ts';
import { bindSecrets, secretSettings } from '../../secrets/secret-settings.ts';
import { headerText, type SecretSource } from '../../secrets/secret-source.ts';
import { required, type Settings, type SettingValues, secret, text } from '../../settings/settings.ts';
import { VERCEL_ORIGIN } from './api.ts';
import { isRefusedToken, VERCEL_CLI_CLIENT, vercelCredential, vercelExchangeCall } from './credential.ts';
import { explainVercel, isVercelCapacity } from './errors.ts';
import type { VercelTrust } from './trust.ts';

/** Settings of every kind that works in a project of Vercel. */
export const vercelSettings = {
  team: required(
    text({
      description: 'The team that the project belongs to. A personal account counts as a team.',
      expected: "a team's id (team_…) or its slug, as it stands in the dashboard's addresses",
      example: 'acme',
      pattern: /^[A-Za-z0-9][\w-]*$/,
    }),
  ),
  project: required(
    text({
      description: 'The project at Vercel.',
      expected: "a project's id (prj_…) or name",
      example: 'prj_Xg4dLxJ2vPzqY1nQ7mT0sK8w',
      pattern: /^[A-Za-z0-9][\w.-]*$/,
    }),
  ),
  'client-id': text({
    description:
      "The OAuth client that the team's OIDC policy is for. By default the Vercel CLI's, whose policies allow deployments.",
    expected: "a client's id (cl_…)",
    example: VERCEL_CLI_CLIENT,
    pattern: /^cl_[A-Za-z0-9]+$/,
  }),
  'policy-id': text({
    description: 'The OIDC policy that is meant, where several accept the token of this step.',
    expected: "a policy's id (pol_…)",
    example: 'pol_2f6b1c1e-5f0a-4a86-9f10-4c2a9d6f7e21',
    pattern: /^pol_[\w-]+$/,
  }),
  audience: text({
    description:
      "The audience of the CI's OIDC token, as the policy names it. By default `https://vercel.com/api/login/oauth/token`.",
    expected: 'an audience that the policy allows',
    example: 'https://vercel.com/api/login/oauth/token',
  }),
  token: secret({
    description:
      'A token of the project or the team, used instead of an exchange where the team cannot have OIDC policies. Better named in `secret-from` than set here.',
    expected: 'a Vercel token: letters, digits and _',
    example: 'vcp_0000000000000000000000',
    pattern: /^\w+$/,
  }),
  ...secretSettings,
} satisfies Settings;

type VercelValues = SettingValues<typeof vercelSettings>;

/** A team, and how it is reached. */
export interface VercelAccess extends Access {
  readonly trust: VercelTrust;
}

const AUDIENCE = 'https://vercel.com/api/login/oauth/token';

/** The identity that the settings describe: the OIDC exchange, unless a token is there for want of it. */
export function vercelAccess(values: VercelValues, binding: Binding): VercelAccess {
  const { faults } = binding;
  const source = bindSecrets(values, ['token'], binding).get('token');
  const trust: VercelTrust = {
    team: values.team,
    project: values.project,
    clientId: values['client-id'] ?? VERCEL_CLI_CLIENT,
    policyId: values['policy-id'],
    audience: values.audience ?? AUDIENCE,
    acceptsDefault: values.audience === undefined,
  };
  const identity = source?.title ?? `OIDC policy ${trust.policyId ?? `of team ${trust.team}`}`;
  const access = {
    trust,
    identity,
    origin: VERCEL_ORIGIN,
    place: trust.team,
    secretHeaders: ['authorization'],
    explain: (call: HttpCall, answer: Answer) => explainVercel(trust, identity, call, answer),
    isCapacity: isVercelCapacity,
  };
  if (source === undefined) {
    return {
      ...access,
      logins: [vercelExchangeCall(trust, PLACEHOLDER.reveal())],
      credential: (environment) => vercelCredential(trust, environment),
    };
  }
  for (const name of ['client-id', 'policy-id', 'audience'] as const) {
    if (values[name] !== undefined)
      faults.add(name, `is for the exchange of the CI's token, and ${faults.spell('token')} takes its place`);
  }
  return { ...access, logins: source.calls, credential: (environment) => tokenCredential(source, environment) };
}

/** A token that is read once, and again when the service refuses it: it may have been replaced. */
function tokenCredential(source: SecretSource, environment: ExchangeEnvironment): CredentialSource {
  return {
    ...cachedCredential({
      exchange: async (signal) => ({
        headers: bearer(headerText(source.title, await source.read(environment, signal))),
        expiresAt: Number.POSITIVE_INFINITY,
      }),
      clock: environment.clock,
      log: environment.log,
    }),
    isRefusal: isRefusedToken,
  };
}
