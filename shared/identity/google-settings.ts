import { duration, list, required, type Settings, type SettingValues, text, withDefault } from '../settings.ts';
import { type GoogleTrust, googleDemand } from './google-trust.ts';

const SERVICE_ACCOUNT = /^[a-z0-9][a-z0-9._-]*@[a-z0-9.-]+\.[a-z]+$/;
const PROVIDER =
  /^(?:(?:https:)?\/\/iam\.googleapis\.com\/)?projects\/\d+\/locations\/global\/workloadIdentityPools\/[a-z0-9-]{4,32}\/providers\/[a-z0-9-]{4,32}$/;

/** Settings of every kind that works under Google's workload identity federation. */
export const googleSettings = {
  'workload-identity-provider': required(
    text({
      description: 'The workload identity provider that trusts this CI, by its full name.',
      expected:
        'projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER, with the project number',
      example: 'projects/123456789012/locations/global/workloadIdentityPools/ci-pool/providers/buildkite',
      pattern: PROVIDER,
    }),
  ),
  'service-account': text({
    description:
      'The service account to act as. Without it, the federated identity itself is used, and roles must be granted to it.',
    expected: "a service account's e-mail address",
    example: 'trainer@acme-ml.iam.gserviceaccount.com',
    pattern: SERVICE_ACCOUNT,
  }),
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
    'googleapis.com',
  ),
} satisfies Settings;

/** The trust that the settings describe. */
export function googleTrust(values: SettingValues<typeof googleSettings>): GoogleTrust {
  const provider = values['workload-identity-provider'].replace(/^(?:https:)?\/\/iam\.googleapis\.com\//, '');
  const serviceAccount = values['service-account'];
  return {
    provider,
    serviceAccount,
    delegates: values.delegates ?? [],
    lifetimeSeconds: values['token-lifetime'],
    universeDomain: values['universe-domain'],
    demand: googleDemand(provider, values.audience, serviceAccount === undefined),
  };
}
