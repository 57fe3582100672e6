import type { GoogleTrust } from '../google/trust.ts';
import { googleIdentitySettings, plainGoogleTrust } from '../google/trust-settings.ts';
import { isLoopback } from '../http/http.ts';
import { id, map, type Settings, type SettingValues, text, withDefault } from '../settings/settings.ts';

const ROLE = /^arn:aws(?:-cn|-us-gov)?:iam::\d{12}:role\/[\w+=,.@/-]{1,512}$/;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Settings of every kind whose service takes a key or a token instead of an OIDC token. */
export const secretSettings = {
  'secret-from': {
    ...map({
      description:
        "Where the values of secret settings are kept: by setting, a reference to a secret that the step's own OIDC token opens. See `docs/secrets.md` for Google Secret Manager (`google:`), Vault and OpenBao (`vault:`), AWS Secrets Manager (`aws:`) and Azure Key Vault (`azure:`).",
      expected: `references to secrets by setting, such as {"api-key": "google:projects/acme-ml/secrets/prefect-ci/versions/7"}`,
      example: { 'api-key': 'google:projects/acme-ml/secrets/prefect-ci/versions/7' },
    }),
    // A secret may have been put here itself.
    secret: true,
  },
  ...googleIdentitySettings,
  'vault-address': text({
    description: 'The address of Vault or OpenBao. The OIDC token goes nowhere else.',
    expected: 'an https address without a path, such as https://vault.acme.example:8200',
    example: 'https://vault.acme.example:8200',
    pattern: /^https?:\/\/[^/?#@\s]+\/?$/,
    accepts: isTrustworthyOrigin,
  }),
  'vault-role': text({
    description: "The role of Vault's JWT auth method to log in as.",
    expected: "a role's name",
    example: 'keyless-submit',
    pattern: /^[\w.-]+$/,
  }),
  'vault-auth-mount': withDefault(
    text({
      description: "Where Vault's JWT auth method is mounted.",
      expected: 'a mount path such as jwt or jwt/buildkite, without a slash at either end',
      example: 'jwt-buildkite',
      pattern: /^[\w.-]+(?:\/[\w.-]+)*$/,
    }),
    'jwt',
  ),
  'vault-namespace': text({
    description: "Vault's namespace, where namespaces are used.",
    expected: 'a namespace such as platform/ci',
    example: 'platform/ci',
    pattern: /^[\w.-]+(?:\/[\w.-]+)*\/?$/,
  }),
  'vault-kv-version': withDefault(
    id({
      description: "The version of Vault's key-value engine that holds the secret.",
      expected: '1 or 2',
      example: '1',
      pattern: /^[12]$/,
    }),
    '2',
  ),
  'aws-role': text({
    description: 'The IAM role that the OIDC token is exchanged for.',
    expected: "a role's ARN",
    example: 'arn:aws:iam::123456789012:role/keyless-submit',
    pattern: ROLE,
  }),
  'aws-region': text({
    description: "The AWS region of the secret. A secret's full ARN names it too.",
    expected: 'a region such as eu-central-1',
    example: 'eu-central-1',
    pattern: /^[a-z]{2,}(?:-[a-z]+)+-\d+$/,
  }),
  'azure-tenant': text({
    description: 'The Microsoft Entra tenant of the application that trusts this CI.',
    expected: "a tenant's id (a UUID)",
    example: '8b0c1d2e-3f40-4a5b-9c6d-7e8f90a1b2c3',
    pattern: UUID,
  }),
  'azure-client-id': text({
    description: 'The client id of that application, or of a managed identity.',
    expected: "an application's client id (a UUID)",
    example: '1f2e3d4c-5b6a-4798-8a9b-0c1d2e3f4a5b',
    pattern: UUID,
  }),
  'secret-audience': text({
    description:
      "The audience of the CI's OIDC token for the broker. By default the provider's own name (Google), the address (Vault), `sts.amazonaws.com` (AWS) or `api://AzureADTokenExchange` (Azure).",
    expected: 'an audience that the broker accepts',
    example: 'https://vault.acme.example',
    pattern: /^\S+$/,
  }),
} satisfies Settings;

export type SecretValues = SettingValues<typeof secretSettings>;

/** The trust in `provider` that the Google settings among them describe. */
export function secretGoogleTrust(
  provider: string,
  values: Pick<SecretValues, 'service-account' | 'secret-audience'>,
): GoogleTrust {
  return plainGoogleTrust(provider, values['service-account'], values['secret-audience']);
}

function isTrustworthyOrigin(address: string): boolean {
  const url = URL.parse(address);
  return url !== null && (url.protocol === 'https:' || isLoopback(url.hostname));
}
