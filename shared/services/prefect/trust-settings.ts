import { secretSettings } from '../../secrets/secret-settings.ts';
import { required, type Settings, secret, secretMap, text } from '../../settings/settings.ts';

/** https://www.rfc-editor.org/rfc/rfc9110#section-5.1 */
export const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;

/** Settings of every kind that works with a Prefect server. */
export const prefectSettings = {
  'api-url': required(
    text({
      description:
        "The API's address, as in `PREFECT_API_URL`: a workspace of Prefect Cloud, or a server of your own with `/api` at its end.",
      expected:
        'https://api.prefect.cloud/api/accounts/ACCOUNT-ID/workspaces/WORKSPACE-ID, or https://HOST/api of your own server',
      example:
        'https://api.prefect.cloud/api/accounts/9b649228-0419-40e1-9e0d-44954b5c0ab6/workspaces/96bd3cf8-85c9-4545-9713-b4e3c3e03466',
    }),
  ),
  'api-key': secret({
    description:
      'A stored API key, in a secret variable (on Buildkite `@{env:NAME}`). Better keep it in a secret broker and name it in `secret-from`. Prefect itself takes no OIDC token.',
    expected: 'an API key that begins with pnu_ or pnb_',
    example: 'pnb_...',
    pattern: /^pn[bu]_\S+$/,
  }),
  'auth-string': secret({
    description:
      "A stored `user:password` of your own server's basic authentication (`PREFECT_SERVER_API_AUTH_STRING`). Better name it in `secret-from`.",
    expected: 'user:password',
    example: 'ci:...',
    pattern: /^[^:\s]+:\S+$/,
  }),
  headers: secretMap({
    description:
      'More headers for every request, as for a proxy in front of your own server. Values are kept secret; they can be named in `secret-from`, too.',
    expected: 'texts by header, such as {"CF-Access-Client-Id": "..."}',
    example: { 'CF-Access-Client-Id': '...' },
    names: HEADER_NAME,
    values: /^[\t\x20-\xff]+$/,
  }),
  'id-token-audience': text({
    description:
      "For your own server behind Google's Identity-Aware Proxy or on Cloud Run: the audience of the ID token that they want (IAP: the OAuth client's id; Cloud Run: the service's address). It is got as `service-account` by way of `workload-identity-provider`, so nothing is stored.",
    expected: 'an OAuth client id or an address',
    example: '1234567890-abcdefgh.apps.googleusercontent.com',
    pattern: /^\S+$/,
  }),
  'ui-url': text({
    description:
      "Where the server's pages are, if not at the address of the API without `/api` (`PREFECT_UI_URL`). For links only.",
    expected: 'an address with https://',
    example: 'https://prefect.example.com',
    pattern: /^https?:\/\/[^\s?#]+$/,
    // Links are printed, and a password in them would be.
    accepts: (address) => !address.includes('@'),
  }),
  ...secretSettings,
} satisfies Settings;
