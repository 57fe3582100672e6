import {
  duration,
  list,
  required,
  type Settings,
  type SettingValues,
  text,
  withDefault,
} from '../settings/settings.ts';
import { type GoogleTrust, googleDemand } from './trust.ts';

const SERVICE_ACCOUNT = /^[a-z0-9][a-z0-9._-]*@[a-z0-9.-]+\.[a-z]+$/;
const PROVIDER =
  /^(?:(?:https:)?\/\/iam\.googleapis\.com\/)?projects\/\d+\/locations\/global\/workloadIdentityPools\/[a-z0-9-]{4,32}\/providers\/[a-z0-9-]{4,32}$/;

/** Who trusts the CI, and as whom it acts there. */
export const googleIdentitySettings = {
  'workload-identity-provider': text({
    description: 'The workload identity provider that trusts this CI, by its full name.',
    expected: 'projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER, with the project number',
    example: 'projects/123456789012/locations/global/workloadIdentityPools/ci-pool/providers/buildkite',
    pattern: PROVIDER,
  }),
  'service-account': text({
    description:
      'The service account to act as. Without it, the federated identity itself is used, and roles must be granted to it.',
    expected: "a service account's e-mail address",
    example: 'trainer@acme-ml.iam.gserviceaccount.com',
    pattern: SERVICE_ACCOUNT,
  }),
} satisfies Settings;

/** How long Google's tokens of service accounts live unless more is asked for. */
const TOKEN_SECONDS = 3600;
const UNIVERSE = 'googleapis.com';

/** Settings of every kind that works under Google's workload identity federation. */
export const googleSettings = {
  'workload-identity-provider': required(googleIdentitySettings['workload-identity-provider']),
  'service-account': googleIdentitySettings['service-account'],
  delegates: list({
    description: 'Service accounts between the federated identity and `service-account`, in order.',
    expected: "a list of service accounts' e-mail addresses",
    example: ['ci@acme-hub.iam.gserviceaccount.com'],
    pattern: SERVICE_ACCOUNT,
  }),
  'token-lifetime': withDefault(
    duration({
      description:
        "How long a token of `service-account` lives: at most `1h`, or `12h` where the organisation's policy allows it. A longer one helps long waits on Bitbucket.",
      example: '12h',
      atMost: '12h',
    }),
    '1h',
  ),
  audience: text({
    description: "The audience of the CI's OIDC token, where the provider allows another than its own name.",
    expected: 'an audience that the provider allows',
    example:
      'https://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/ci-pool/providers/buildkite',
  }),
  'universe-domain': withDefault(
    text({
      description: "The domain of Google's APIs in another universe.",
      expected: 'a domain name such as googleapis.com',
      example: 'apis-tpczero.goog',
      pattern: /^[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}$/,
    }),
    UNIVERSE,
  ),
} satisfies Settings;

/** The trust that the settings describe. */
export function googleTrust(values: SettingValues<typeof googleSettings>): GoogleTrust {
  return {
    ...plainGoogleTrust(values['workload-identity-provider'], values['service-account'], values.audience),
    delegates: values.delegates ?? [],
    lifetimeSeconds: values['token-lifetime'],
    universeDomain: values['universe-domain'],
  };
}

/** The trust of a provider in the CI, with everything else as Google has it by default. */
export function plainGoogleTrust(
  providerName: string,
  serviceAccount: string | undefined,
  audience: string | undefined,
): GoogleTrust {
  const provider = providerName.replace(/^(?:https:)?\/\/iam\.googleapis\.com\//, '');
  return {
    provider,
    serviceAccount,
    delegates: [],
    lifetimeSeconds: TOKEN_SECONDS,
    universeDomain: UNIVERSE,
    demand: googleDemand(provider, audience, serviceAccount === undefined),
  };
}
